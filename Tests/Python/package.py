"""Installs, runs, upgrades and purges the packages of `make package` in a new Debian root.

usage: WEIR_PACKAGES=DIRECTORY python -m pytest Tests/Python/package.py      as root

The root is made by debootstrap, which downloads Debian's base system. It contains no Swift.
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from test_metrics import VERSION

PACKAGES = pathlib.Path(os.environ.get("WEIR_PACKAGES", ".build-package/packages")).resolve()
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")


class Root:
    """A root directory, in which commands run with their own processes."""

    def __init__(self, folder):
        self.folder = folder

    def run(self, script, check=True):
        """Runs a shell script; returns its output."""
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child",
             f"--mount-proc={self.folder}/proc",
             "chroot", self.folder, "/bin/sh", "-euc", script],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                 "LC_ALL": "C.UTF-8"})
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def files(self):
        """All files, apart from those of a running system, and caches and logs of the package
        manager.
        """
        skipped = ("proc", "sys", "dev", "run", "tmp", "var/cache", "var/log", "var/lib/apt",
                   "var/lib/dpkg", "packages")
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")
                if not str(path.relative_to(self.folder)).startswith(skipped)}

    def read(self, path):
        return (self.folder / path).read_text()


def the(pattern):
    found = sorted(PACKAGES.glob(pattern))
    assert len(found) == 1, f"run 'make package': {found}"
    return found[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("only root can make a Debian root")
    if shutil.which("debootstrap") is None:
        pytest.skip("debootstrap is not installed (Debian: debootstrap)")
    folder = tmp_path_factory.mktemp("debian") / "root"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", folder, MIRROR], capture_output=True,
        text=True, timeout=1_200)
    if done.returncode != 0 and "Failed getting release file" in done.stdout + done.stderr:
        pytest.skip(f"the mirror {MIRROR} cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    root = Root(folder)
    (folder / "packages").mkdir()
    for package in PACKAGES.iterdir():
        shutil.copy(package, folder / "packages")
    # The libraries, which a purge of Weir does not remove.
    depends = subprocess.run(
        ["dpkg-deb", "-f", the("weir_*.deb"), "Depends"], capture_output=True, text=True,
        check=True).stdout
    names = [one.split()[0] for one in depends.split(", ")]
    root.run(f"apt-get update -q && apt-get install -qy --no-install-recommends {' '.join(names)}")
    assert "not found" in root.run("command -v swift || echo not found")
    yield root
    shutil.rmtree(folder)


# Starts a server as systemd would, calls it, and ends it with a signal.
SERVE = """
cd /
setpriv --reuid weir --regid weir --init-groups env SWIFT_BACKTRACE=enable=no \
    {command} --data 127.0.0.1:18000 \
    --admin 127.0.0.1:18001 --metrics 127.0.0.1:18002 >/tmp/out 2>/tmp/log &
server=$!
for try in $(seq 200); do grep -q serves /tmp/out && break; sleep 0.1; done
{weir} endpoint list --admin 127.0.0.1:18001 || cat /tmp/log
{actions}
kill -{signal} $server
wait $server || echo "status $?"
cat /tmp/out /tmp/log
"""


def test_the_package_runs_and_leaves_no_trace(root):
    before, users = root.files(), (root.read("etc/passwd"), root.read("etc/group"))
    deb = f"/packages/{the('weir_*.deb').name}"
    root.run(f"apt-get install -qy --no-install-recommends {deb}")
    assert re.search(rf"^{re.escape(VERSION)} \(commit [0-9a-f]{{12}}", root.run("weir --version"))
    assert "weir:" in root.read("etc/passwd")
    assert root.run("stat -c '%U %a' /var/lib/weir") == "weir 700\n"
    wants = root.folder / "etc/systemd/system"
    assert (wants / "multi-user.target.wants/weir.service").is_symlink()
    assert (wants / "sockets.target.wants/weir.socket").is_symlink()

    # It serves with the command of the unit, and keeps its state.
    unit = root.read("usr/lib/systemd/system/weir.service").replace("\\\n", " ")
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1].replace("$WEIR_OPTIONS", "")
    add = ("weir backend create b --upstream 127.0.0.1:9 --wait 0 --admin 127.0.0.1:18001\n"
           "weir endpoint create e --route /p.S/ --backend b --admin 127.0.0.1:18001")
    output = root.run(SERVE.format(command=command, weir="weir", actions=add, signal="TERM"))
    assert "weir serves on 127.0.0.1:18000" in output and "status" not in output
    output = root.run(SERVE.format(command=command, weir="weir", actions="", signal="SEGV"))
    assert "/p.S/" in output and "weir: crashed: signal 11" in output

    # The trace of a crash can be read with the package of the symbols.
    root.run(f"apt-get install -qy --no-install-recommends /packages/{the('weir-dbgsym_*').name}")
    symbolizer = shutil.which("llvm-symbolizer") or shutil.which("addr2line")
    symbols = root.folder / "usr/lib/debug/usr/bin/weir.debug"
    addresses = re.findall(r"/usr/bin/weir\(\+(0x[0-9a-f]+)\)", output)
    names = subprocess.run(
        [symbolizer, "-f", "-e", symbols, *addresses], capture_output=True, text=True).stdout
    assert "CrashTrace" in names, (addresses, names)

    # An upgrade keeps the operator's files; a removal keeps them and the state.
    (root.folder / "etc/weir/weir.yaml").write_text("# mine\nbackends: []\n")
    root.run(f"dpkg --force-confdef --force-confold -i {deb}")
    root.run("apt-get remove -qy weir weir-dbgsym")
    assert root.read("etc/weir/weir.yaml").startswith("# mine")
    assert (root.folder / "var/lib/weir/weir.db").exists()
    assert not (root.folder / "usr/bin/weir").exists()
    root.run("apt-get purge -qy weir")
    left = {path for path in root.files() - before if not path.startswith("etc/systemd/system")}
    assert left <= {"etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"}, left
    assert (root.read("etc/passwd"), root.read("etc/group")) == users
    assert "weir" not in root.run("find /etc/systemd /var/lib/systemd; dpkg -l | tail -n +6")


def test_the_tarball_runs(root):
    archive = the("weir-*.tar.gz").name
    root.run(f"mkdir /tmp/weir && tar -C /tmp/weir -xzf /packages/{archive} && useradd weir")
    weir = f"/tmp/weir/{archive.removesuffix('.tar.gz')}/usr/local/bin/weir"
    call = f"""{weir} call helloworld.Greeter/SayHello --data '{{"name": "Ada"}}' \
        --address 127.0.0.1:18000"""
    output = root.run(SERVE.format(
        command=f"{weir} serve --demo", weir=weir, actions=call, signal="TERM"))
    assert '"message": "Hello' in output and "status" not in output
    root.run("userdel weir && rm -r /tmp/weir")
