"""A proxy of Go modules as a folder: the Go client as it would be published, and its dependencies.

The dependencies are Debian's sources of them, under the versions that the client's go.mod requires,
because the tests do not download any. So they check that the module builds and can be required, and
not its go.sum.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import zipfile

from conftest import ROOT

CLIENT = ROOT / "clients/go"
GOCODE = "/usr/share/gocode"
# Dependencies of Debian's grpc-go, which is older.
OLDER = {"github.com/golang/protobuf": "v1.5.4"}


def requirements():
    """The versions of the modules that go.mod requires."""
    return dict(re.findall(r"^\t(\S+) (v\S+)", (CLIENT / "go.mod").read_text(), re.M))


def path():
    """The path of the client's module."""
    return re.search(r"^module (\S+)$", (CLIENT / "go.mod").read_text(), re.M)[1]


def make(folder, version):
    """Writes the proxy into a folder."""
    versions = requirements() | OLDER
    files = {module: {} for module in versions}
    for package, directory in _packages(folder):
        # Some modules contain others.
        module = max((one for one in versions if f"{package}/".startswith(f"{one}/")), key=len)
        inner = package.removeprefix(module).lstrip("/")
        for file in pathlib.Path(directory).iterdir():
            if file.suffix in (".go", ".s", ".h") and not file.name.endswith("_test.go"):
                files[module][str(pathlib.PurePath(inner, file.name))] = file.read_bytes()
    for module, content in files.items():
        required = "".join(f"require {name} {number}\n" for name, number in versions.items()
                           if name != module and _imports(content, name))
        content["go.mod"] = f"module {module}\n\ngo 1.19\n\n{required}".encode()
        _write(folder, module, versions[module], content)
    client = {str(file.relative_to(CLIENT)): file.read_bytes()
              for file in CLIENT.rglob("*") if file.is_file()}
    _write(folder, path(), version, client)


def _packages(folder):
    """The packages of dependencies of the client, and the folders of their sources."""
    workspace = folder / "workspace"
    shutil.copytree(CLIENT, workspace / "src" / path())
    done = subprocess.run(
        ["go", "list", "-deps", "-test", "-f",
         "{{if not .Standard}}{{if not .ForTest}}{{.ImportPath}} {{.Dir}}{{end}}{{end}}", "./..."],
        cwd=workspace / "src" / path(), capture_output=True, text=True, timeout=120,
        env={**os.environ, "GO111MODULE": "off", "GOPATH": f"{workspace}:{GOCODE}", "GOFLAGS": ""})
    assert done.returncode == 0, done.stderr
    pairs = (line.split(" ") for line in done.stdout.splitlines())
    return [(package, directory) for package, directory in pairs if directory.startswith(GOCODE)]


def _imports(content, module):
    return any(f'"{module}'.encode() in text for text in content.values())


def _write(folder, module, version, content):
    escaped = re.sub("[A-Z]", lambda match: "!" + match[0].lower(), module)
    place = folder / escaped / "@v"
    place.mkdir(parents=True)
    (place / "list").write_text(f"{version}\n")
    (place / f"{version}.info").write_text(
        json.dumps({"Version": version, "Time": "2026-01-01T00:00:00Z"}))
    (place / f"{version}.mod").write_bytes(content["go.mod"])
    with zipfile.ZipFile(place / f"{version}.zip", "w") as archive:
        for name, data in sorted(content.items()):
            archive.writestr(f"{module}@{version}/{name}", data)
