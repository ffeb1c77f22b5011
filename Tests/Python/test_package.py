"""`make install` and the packages, from the build under test. `make package-test` installs and runs
the packages of a release in a new Debian root."""

import os
import re
import shutil
import subprocess
import tarfile

import pytest

from conftest import BUILD, ROOT
from test_metrics import VERSION

UNITS = {"weir.service", "weir.socket", "weir-admin.socket"}
PROGRAM = BUILD.resolve() / "weir"


def run(*command, **options):
    # Programs such as readelf also print bytes that are not text.
    done = subprocess.run(
        list(map(str, command)), capture_output=True, encoding="utf-8", errors="replace",
        timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def installed(prefix):
    """The files of an installation."""
    return {
        "etc/weir/weir.yaml", "etc/default/weir", f"{prefix}/bin/weir",
        f"{prefix}/share/man/man1/weir.1", f"{prefix}/lib/sysusers.d/weir.conf",
        f"{prefix}/share/bash-completion/completions/weir",
        f"{prefix}/share/zsh/site-functions/_weir",
        f"{prefix}/share/fish/vendor_completions.d/weir.fish",
        *(f"{prefix}/lib/systemd/system/{unit}" for unit in UNITS)}


@pytest.mark.parametrize("prefix", ["/usr/local", "/opt/weir"])
def test_make_install(tmp_path, prefix):
    root = tmp_path / "root"
    command = ["make", "-s", "install", f"PROGRAM={PROGRAM}", f"DESTDIR={root}", f"PREFIX={prefix}"]
    run(*command, cwd=ROOT)
    assert files(root) == installed(prefix[1:])
    folder = root / prefix[1:]
    assert VERSION in run(folder / "bin/weir", "--version")
    for unit in UNITS:
        assert "/usr/local/bin" not in (folder / "lib/systemd/system" / unit).read_text() \
            or prefix == "/usr/local"
    assert f"\nExecStart={prefix}/bin/weir serve " in (
        folder / "lib/systemd/system/weir.service").read_text()
    assert "weir" in (folder / "share/bash-completion/completions/weir").read_text()
    # A later version keeps the operator's configuration.
    (root / "etc/weir/weir.yaml").write_text("mine")
    run(*command, cwd=ROOT)
    assert (root / "etc/weir/weir.yaml").read_text() == "mine"


def test_make_install_needs_a_build(tmp_path):
    done = subprocess.run(
        ["make", "-s", "install", f"PROGRAM={tmp_path}/weir", f"DESTDIR={tmp_path}"], cwd=ROOT,
        capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "run 'make build' first" in done.stdout
    assert files(tmp_path) == set()


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    for tool in ("dpkg-deb", "objcopy"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (Debian: dpkg, binutils)")
    folder = tmp_path_factory.mktemp("packages")
    run(ROOT / "deploy/package", PROGRAM, folder,
        env={**os.environ, "DPKG_DEB_COMPRESSOR_TYPE": "none"})
    architecture = run("dpkg", "--print-architecture").strip()
    names = {f"weir_{VERSION}_{architecture}.deb", f"weir-dbgsym_{VERSION}_{architecture}.deb",
             f"weir-{VERSION}-linux-{os.uname().machine}.tar.gz"}
    assert files(folder) == names
    return {path.name.split("_")[0] if path.suffix == ".deb" else "tarball": path
            for path in folder.iterdir()}


def test_the_debian_package(packages, tmp_path):
    package = packages["weir"]
    fields = dict(line.split(": ", 1) for line in run("dpkg-deb", "-f", package).splitlines()
                  if re.match(r"[A-Z][\w-]*: ", line))
    assert fields["Package"] == "weir" and fields["Version"] == VERSION
    dependencies = re.split(r", ?", fields["Depends"])
    assert "libnghttp2-14" in dependencies and "adduser" in dependencies
    assert any(re.fullmatch(r"libc6 \(>= 2\.\d+\)", one) for one in dependencies)
    # All files belong to root.
    listed = run("dpkg-deb", "-c", package).splitlines()
    assert all(line.split()[1] == "root/root" for line in listed)
    run("dpkg-deb", "-R", package, tmp_path)
    control = tmp_path / "DEBIAN"
    assert (control / "conffiles").read_text().splitlines() == [
        "/etc/default/weir", "/etc/weir/weir.yaml"]
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", control / script)
        assert os.access(control / script, os.X_OK)
    run("md5sum", "-c", "--quiet", "DEBIAN/md5sums", cwd=tmp_path)
    shutil.rmtree(control)
    expected = {name.replace("weir.1", "weir.1.gz").replace("site-functions", "vendor-completions")
                for name in installed("usr")}
    documents = {f"usr/share/doc/weir/{name}" for name in ("copyright", "third-party.txt")}
    assert files(tmp_path) == expected | documents
    notices = (tmp_path / "usr/share/doc/weir/third-party.txt").read_text()
    for name in ("swift-nio-ssl: NOTICE", "swift-protobuf: LICENSE", "Yams: LICENSE", "ICU"):
        assert f"==== {name}" in notices
    assert VERSION in run(tmp_path / "usr/bin/weir", "--version")
    # The program is stripped; the package with the symbols has what was removed.
    program = tmp_path / "usr/bin/weir"
    assert ".debug_info" not in run("readelf", "-SW", program)
    assert ".symtab" not in run("readelf", "-SW", program)


def test_the_tarball(packages, tmp_path):
    with tarfile.open(packages["tarball"]) as archive:
        assert {(one.uid, one.gid) for one in archive.getmembers()} == {(0, 0)}
        archive.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    documents = {f"usr/local/share/doc/weir/{name}"
                 for name in ("LICENSE", "README.md", "third-party.txt")}
    assert files(root) == installed("usr/local") | documents
    assert VERSION in run(root / "usr/local/bin/weir", "--version")


def test_the_symbols_belong_to_the_program(packages, tmp_path):
    run("dpkg-deb", "-x", packages["weir-dbgsym"], tmp_path)
    run("dpkg-deb", "-x", packages["weir"], tmp_path)
    symbols = tmp_path / "usr/lib/debug/usr/bin/weir.debug"
    assert "weir.debug" in run(
        "readelf", "--string-dump=.gnu_debuglink", tmp_path / "usr/bin/weir")
    assert "s7WeirCLI" in run("nm", symbols)
