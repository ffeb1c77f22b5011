"""The names that the certificates of servers must have, for each kind of connection."""

import concurrent.futures
import pathlib

import grpc
import pytest

from conftest import Authority, start_weir, tool

NOT_FOR = "the server's certificate is for another name than "


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Its certificate has a name, and the address at which all servers listen."""
    authority = Authority(tmp_path_factory.mktemp("names"))
    authority.issue("server", "DNS:localhost,IP:127.0.0.1")
    return authority


def test_a_name_of_an_admin_port(authority):
    server = start_weir(
        "--admin-tls-cert", authority.cert("server"), "--admin-tls-key", authority.key("server"))
    secure = ["endpoint", "list", "--admin-tls-ca", authority.ca]
    tool(server, *secure)
    tool(server, *secure, "--admin-tls-server-name", "localhost")
    wrong = tool(server, *secure, "--admin-tls-server-name", "x.example", check=False)
    assert wrong.returncode == 69 and f"{NOT_FOR}'x.example'" in wrong.stderr
    address = tool(server, *secure, "--admin-tls-server-name", "127.0.0.1", check=False)
    assert address.returncode == 1 and "'127.0.0.1' is an IP address: use a DNS" in address.stderr
    assert server.stop() == 0


def test_a_name_of_an_upstream(mesh, authority):
    read = lambda name: pathlib.Path(name).read_bytes()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials(
        [(read(authority.key("server")), read(authority.cert("server")))]))
    server.start()
    secure = ["--upstream", f"127.0.0.1:{port}", "--tls-ca", authority.ca, "--wait", "5"]
    mesh.tool("backend", "create", "right", *secure, "--tls-server-name", "localhost")
    wrong = mesh.tool(
        "backend", "create", "wrong", *secure, "--tls-server-name", "x.example", check=False)
    server.stop(0).wait()
    assert wrong.returncode == 1 and f"{NOT_FOR}'x.example'" in wrong.stdout + wrong.stderr


def test_files_without_certificates_are_described_in_words(authority, tmp_path):
    server = start_weir()
    (tmp_path / "x.pem").write_text("nothing")
    for options in (["ca", tmp_path / "x.pem"], ["cert", authority.cert("server")]):
        run = tool(server, "endpoint", "list", "--admin-tls-" + options[0], options[1], check=False)
        assert run.returncode == 1 and "failedTo" not in run.stderr and "key_file" not in run.stderr
    assert "a certificate and its key must be set together" in run.stderr
    assert server.stop() == 0
