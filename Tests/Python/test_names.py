"""Upstream addresses with host names: both address families, late names, silent DNS servers."""

import os
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from conftest import PATIENCE, Mesh, free_port
from test_upstream import call

# A mount namespace, for which an ordinary user needs a user namespace.
UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--mount"]


def listens_on_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.fixture
def names(stubs, tmp_path):
    """Starts a server with its own /etc/hosts and /etc/resolv.conf."""
    if not shutil.which("unshare") or subprocess.run([*UNSHARE, "true"],
        capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    meshes = []

    def start(hosts, resolv=""):
        script = ""
        for name, text in (("hosts", hosts), ("resolv.conf", resolv)):
            file = tmp_path / name
            file.write_text(text)
            script += f"mount --bind {file} /etc/{name} && "
        mesh = Mesh(stubs, prefix=[*UNSHARE, "sh", "-c", f'{script} exec "$0" "$@"'])
        mesh.hosts = tmp_path / "hosts"
        meshes.append(mesh)
        return mesh

    yield start
    for mesh in meshes:
        assert mesh.stop() == 0


def replicas(mesh):
    return [replica.name for replica in mesh.status("raw").replicas]


@pytest.mark.skipif(not listens_on_ipv6(), reason="no IPv6 on the loopback interface")
@pytest.mark.parametrize("address, hosts", [
    ("[::1]", "127.0.0.9 both.test\n::1 both.test\n"),
    ("127.0.0.1", "127.0.0.1 both.test\n::2 both.test\n")])
def test_a_server_on_one_family_of_a_name_with_both_is_the_only_replica(names, address, hosts):
    mesh = names(hosts)
    port = free_port()
    mesh.upstream(f"{address}:{port}")
    mesh.raw(f"both.test:{port}")
    mesh.wait_ready("raw")
    assert call(mesh, "Name")
    assert replicas(mesh) == [f"both.test:{port} ({address.strip('[]')})"]


@pytest.mark.skipif(not listens_on_ipv6(), reason="no IPv6 on the loopback interface")
def test_a_server_that_moves_to_the_other_family_is_found(names):
    mesh = names("127.0.0.1 both.test\n::1 both.test\n")
    port = free_port()
    first = mesh.upstream(f"127.0.0.1:{port}")
    mesh.raw(f"both.test:{port}")
    mesh.wait_ready("raw")
    first.process.kill()
    first.process.wait()
    mesh.upstream(f"[::1]:{port}")
    mesh.wait_for("raw", lambda status: [replica.name for replica in status.replicas]
                  == [f"both.test:{port} (::1)"], 10 * PATIENCE)
    mesh.wait_ready("raw")
    assert call(mesh, "Name")


def test_a_name_that_appears_later_is_used_within_five_seconds(names):
    mesh = names("127.0.0.1 localhost\n")
    server = mesh.upstream()
    port = server.address.split(":")[1]
    mesh.raw(f"later.test:{port}", options=("--wait", "0"))
    mesh.wait_for("raw", lambda status: "later.test" in status.problem)
    with mesh.hosts.open("a") as file:
        file.write("127.0.0.1 later.test\n")
    begin = time.monotonic()
    mesh.wait_ready("raw")
    assert call(mesh, "Name")
    assert time.monotonic() - begin < 5 * PATIENCE


def test_a_dot_at_the_end_of_a_name_is_accepted(names):
    mesh = names("127.0.0.1 localhost dotted.test.\n")
    port = mesh.upstream().address.split(":")[1]
    mesh.raw(f"dotted.test.:{port}")
    mesh.wait_ready("raw")
    assert call(mesh, "Name")


def test_names_with_a_silent_dns_server_delay_no_other_name(names):
    with socket.socket(type=socket.SOCK_DGRAM) as silent:
        try:
            silent.bind(("127.0.0.9", 53))
        except PermissionError:
            pytest.skip("port 53 is not for this user")
        mesh = names("127.0.0.1 known.test\n", "nameserver 127.0.0.9\n")
        addresses = ",".join(f"silent{number}.test:1" for number in range(20))
        mesh.backend("silent", "--upstream", addresses, "--wait", "0")
        silent.settimeout(10)
        assert silent.recv(512)
        port = mesh.upstream().address.split(":")[1]
        begin = time.monotonic()
        mesh.raw(f"known.test:{port}")
        mesh.wait_ready("raw")
        assert call(mesh, "Name")
        assert time.monotonic() - begin < 3 * PATIENCE
