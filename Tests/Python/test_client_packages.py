"""The packages of the clients: builds each as its language does, installs it into a clean
environment, and uses it from there.

A test is skipped if the tools of its language are not installed.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tarfile

import pytest

import weir
from conftest import ROOT
from test_clients import CLIENTS, STORY, needs

PACKAGES = ROOT / "Tests/Python/packages"
LICENSE = (ROOT / "LICENSE").read_text()
VERSION = weir.__version__


def run(*command, cwd, **environment):
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, timeout=300,
        env={**os.environ, **environment})
    assert done.returncode == 0, (done.stdout + done.stderr)[-5_000:]
    return done.stdout + done.stderr


def warned(output):
    return [line for line in output.splitlines() if "warn" in line.lower()]


# Node.


@pytest.fixture(scope="module")
def npm(tmp_path_factory):
    """The package of npm, and a folder into which it is installed."""
    needs("Node with npm", "nodejs npm", "node", "npm")
    folder = tmp_path_factory.mktemp("npm")
    output = run("npm", "pack", CLIENTS / "node", "--pack-destination", folder, "--json",
                 cwd=folder)
    assert warned(output) == []
    package = folder / json.loads(output)[0]["filename"]
    (folder / "package.json").write_text('{"name": "user", "private": true, "type": "module"}')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", package, cwd=folder)
    return folder, package


def test_the_npm_package(npm):
    folder, package = npm
    with tarfile.open(package) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
        assert archive.extractfile("package/LICENSE").read().decode() == LICENSE
    sources = {f"src/{path.name}" for path in (CLIENTS / "node/src").iterdir()}
    assert names == sources | {"package.json", "README.md", "LICENSE", "CHANGELOG.md"}
    manifest = json.loads((folder / "node_modules/weir-client/package.json").read_text())
    assert manifest["version"] == VERSION and "@types/node" in manifest["peerDependencies"]


def test_the_installed_npm_package(npm, demo):
    folder, _ = npm
    sample = (CLIENTS / "node/examples/canary.js").read_text()
    (folder / "canary.js").write_text(sample.replace("../src/index.js", "weir-client"))
    assert run("node", "canary.js", demo.admin, cwd=folder) == STORY


def test_the_types_of_the_npm_package(npm):
    needs("TypeScript", "node-typescript", "tsc")
    folder, _ = npm
    shutil.copy(PACKAGES / "node/program.ts", folder)
    # Debian's nodejs has the types of Node.
    real = pathlib.Path("/usr/share/nodejs/@types/node")
    types = folder / "node_modules/@types/node"
    if real.exists():
        shutil.copytree(real, types)
    else:
        types.mkdir(parents=True)
        shutil.copy(PACKAGES / "node/node.d.ts", types / "index.d.ts")
        (types / "package.json").write_text('{"name": "@types/node", "types": "index.d.ts"}')
    run("tsc", "--noEmit", "--strict", "--target", "es2022", "--module", "nodenext",
        "--moduleResolution", "nodenext", "--lib", "es2022,dom", "program.ts", cwd=folder)
    declared = (CLIENTS / "node/src/index.d.ts").read_text() \
        + (CLIENTS / "node/src/admin.d.ts").read_text()
    assert ": any" not in declared and "<any" not in declared and "= any" not in declared


# Ruby.


def test_the_gem(tmp_path, demo):
    needs("Ruby", "ruby ruby-grpc", "ruby", "gem")
    package = tmp_path / "weir-client.gem"
    output = run("gem", "build", "weir-client.gemspec", "--strict", "-o", package,
                 cwd=CLIENTS / "ruby")
    assert warned(output) == [] and f"Version: {VERSION}" in output
    # `--local` asks no registry: the dependencies are those that Debian has installed.
    home = tmp_path / "gems"
    paths = {"GEM_HOME": home,
             "GEM_PATH": f"{home}:" + run("gem", "environment", "gempath", cwd=tmp_path).strip()}
    run("gem", "install", "--local", "--no-document", package, cwd=tmp_path, **paths)
    installed = home / f"gems/weir-client-{VERSION}"
    sources = {str(path.relative_to(CLIENTS / "ruby"))
               for path in (CLIENTS / "ruby/lib").rglob("*.rb")}
    assert {str(path.relative_to(installed)) for path in installed.rglob("*")
            if path.is_file()} == sources | {"README.md", "LICENSE", "CHANGELOG.md"}
    assert (installed / "LICENSE").read_text() == LICENSE
    sample = shutil.copy(CLIENTS / "ruby/examples/canary.rb", tmp_path)
    assert run("ruby", sample, demo.admin, cwd=tmp_path, **paths) == STORY


# Swift.


def test_the_swift_package_can_be_required_by_version(tmp_path):
    """SwiftPM rejects versions of packages with unsafe flags, or that require branches or paths."""
    needs("Swift", "see swift.org", "swift")
    output = run("swift", "package", "--scratch-path", tmp_path / "scratch", "--cache-path",
                 tmp_path / "cache", "dump-package", cwd=ROOT)
    package = json.loads(output[output.index("{"):output.rindex("}") + 1])
    required = [one for kind in package["dependencies"] for one in kind["sourceControl"]]
    assert required and all("range" in one["requirement"] for one in required)
    assert not [target["name"] for target in package["targets"]
                for setting in target["settings"] if "unsafe" in json.dumps(setting)]
    assert "Weir" in {product["name"] for product in package["products"]}
