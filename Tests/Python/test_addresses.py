"""Addresses that two ports or two servers want."""

import subprocess

import pytest

from conftest import BUILD, SECONDS, free_port

from test_state import servers  # noqa: F401


def serve(*arguments):
    """A server that does not start."""
    return subprocess.run(
        [BUILD / "weir", "serve", *arguments], capture_output=True, text=True, timeout=SECONDS)


@pytest.mark.parametrize("data, admin", [
    ("127.0.0.1:{}", "127.0.0.1:{}"), ("localhost:{}", "127.0.0.1:{}"),
    ("0.0.0.0:{}", "127.0.0.1:{}"), ("127.0.0.1:{}", "[::]:{}"),
])
def test_one_address_for_both_ports_is_refused(data, admin):
    port = free_port()
    run = serve("--store", "memory:", "--data", data.format(port),
                "--admin", admin.format(port), "--insecure-admin")
    assert run.returncode == 1
    assert "the data port and the admin port have this address" in run.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_second_server_on_a_port_is_refused(servers, host):
    first = servers("--demo")
    port = first.data.rsplit(":", 1)[1]
    run = serve("--store", "memory:", "--data", f"{host}:{port}", "--admin", "127.0.0.1:0")
    assert run.returncode == 1
    assert "another server listens there; to take over from it, see --take-over" in run.stderr
    # The server that was there first still has every connection.
    assert first.process.poll() is None
