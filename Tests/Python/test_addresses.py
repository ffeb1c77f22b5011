"""Addresses that two ports or two servers use."""

import subprocess

import pytest

from conftest import BUILD, SECONDS, free_port, started

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
    assert "another server uses this address; to take over from it, see --take-over" in run.stderr
    # The first server still receives every connection.
    assert first.process.poll() is None


@pytest.mark.parametrize("option, other", [("--data", "--admin"), ("--admin", "--data")])
def test_of_servers_that_start_at_the_same_moment_one_gets_the_port(option, other):
    for _ in range(8):
        port = free_port()
        pair = [started(subprocess.Popen(
            [BUILD / "weir", "serve", "--json", "--store", "memory:", option,
             f"127.0.0.1:{port}", other, "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) for _ in range(2)]
        running = [server for server in pair if server.stdout.readline()]
        assert len(running) == 1
        (refused,) = set(pair) - set(running)
        assert "another server uses this address" in refused.communicate(timeout=SECONDS)[1]
        assert refused.returncode == 1
        running[0].terminate()
        assert running[0].wait(SECONDS) == 0
