"""A server and the tool as an ordinary user. An error for a missing privilege or missing write
access names the cause and the remedy.
"""

import contextlib
import fcntl
import os
import pathlib
import socket
import subprocess
import sys

import grpc
import pytest

from conftest import BUILD, ROOT, SECONDS, Authority, start_weir, started, tool, wait_for

HERE = ROOT / "Tests/Python"
HELLO = "/helloworld.Greeter/SayHello"
PORTS = ("--data", "127.0.0.1:0", "--admin", "127.0.0.1:0")

pytestmark = pytest.mark.skipif(
    os.geteuid() == 0, reason="requires an ordinary user; `make test` runs it as one")


def complaint(*arguments, **environment):
    """Runs `weir` without other variables; returns its error."""
    run = subprocess.run(
        [BUILD.resolve() / "weir", *map(str, arguments)], capture_output=True, text=True,
        timeout=SECONDS, cwd="/", env={"PATH": "/usr/bin:/bin", **environment})
    assert run.returncode == 1, run.stdout + run.stderr
    assert "Domain=" not in run.stderr, "Foundation's description of an error is not for users"
    return run.stderr


def serving_complaint(*options, **environment):
    return complaint("serve", *PORTS, *options, **environment)


def fields(process, file="status"):
    """The fields of a file in /proc/PID."""
    with open(f"/proc/{process}/{file}") as lines:
        return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)


def test_the_tests_have_no_capabilities():
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(fields("self")[name], 16) == 0, name


def test_make_runs_the_tests_without_privileges():
    text = (ROOT / "Makefile").read_text()
    recipe = text.split("\ntest:")[1].split("\n\n")[0]
    assert "\t$(UNPRIVILEGED) .build/$(SWIFT_TESTS)\n" in recipe
    # CI prints the total of this command last.
    assert recipe.splitlines()[-1] == "\t$(PYTEST) -n 2 --dist loadfile Tests/Python"
    assert "\nPYTEST := $(UNPRIVILEGED) " in text


def test_the_script_ends_as_the_command_does():
    run = subprocess.run([ROOT / ".ci/unprivileged", "sh", "-c", "exit 3"], timeout=SECONDS)
    assert run.returncode == 3


# Supported without privileges.


def hello(address, credentials=None):
    options = (("grpc.ssl_target_name_override", "model.internal"),)
    with (grpc.secure_channel(address, credentials, options) if credentials
          else grpc.insecure_channel(address)) as channel:
        return channel.unary_unary(HELLO)(b"\n\x03Ada", timeout=SECONDS).decode()


@contextlib.contextmanager
def listening(address, path=None):
    """A listening socket, as opened by a service manager."""
    with socket.socket(socket.AF_UNIX if path else socket.AF_INET) as listener:
        listener.bind(str(path) if path else address)
        listener.listen()
        yield listener


def start_with(data, admin, *options):
    """A server with inherited sockets."""
    def inherit():
        copies = [fcntl.fcntl(one.fileno(), fcntl.F_DUPFD, 100) for one in (data, admin)]
        for place, file in enumerate(copies):
            os.dup2(file, 3 + place)

    return started(subprocess.Popen(
        ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", BUILD / "weir", "serve", "--store", "memory:",
         *options], stdout=subprocess.PIPE, text=True, preexec_fn=inherit, close_fds=False,
        env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": "data:admin"}))


def test_all_kinds_of_connections_are_served_and_made(tmp_path):
    """Unix sockets, inherited sockets, IPv6 and TLS, as a server and as a client of upstreams."""
    authority = Authority(tmp_path / "tls")
    authority.issue("server", "DNS:model.internal")
    path = tmp_path / "data.sock"
    with listening(None, path) as data, listening(("127.0.0.1", 0)) as admin:
        over_unix = start_with(data, admin, "--demo")
        assert over_unix.stdout.readline()
        over_tls = start_weir(
            "--demo", "--data", "[::1]:0", "--tls-cert", authority.cert("server"), "--tls-key",
            authority.key("server"))
        front = start_weir()
        try:
            tool(front, "backend", "create", "unix", "--upstream", f"unix:{path}")
            tool(front, "backend", "create", "tls", "--upstream", over_tls.data, "--tls-ca",
                 authority.ca, "--tls-server-name", "model.internal")
            tool(front, "backend", "create", "worker", "--worker",
                 f"{sys.executable} {HERE / 'deployed_client.py'} worker")
            tool(front, "endpoint", "create", "greeter", "--route", "/helloworld.Greeter/",
                 "--backend", "unix")
            for backend, answer in (("unix", "Ada"), ("tls", "Ada"), ("worker", "worker")):
                tool(front, "traffic", "set", "greeter", f"{backend}=1")
                assert answer in hello(front.data), backend
            assert "Ada" in hello(f"unix:{path}")
            assert "Ada" in hello(over_tls.data, authority.credentials())
        finally:
            assert front.stop() == 0 and over_tls.stop() == 0
            over_unix.terminate()
            assert over_unix.wait(SECONDS) == 0


def test_the_server_raises_its_limit_of_files():
    server = start_weir(prefix=["sh", "-c", 'ulimit -S -n 256; exec "$@"', "sh"])
    with open(f"/proc/{server.process.pid}/limits") as file:
        (line,) = [line for line in file if line.startswith("Max open files")]
    soft, hard = line.split()[3:5]
    assert soft == hard != "256"
    assert server.stop() == 0


def test_copies_run_with_a_lower_priority():
    server = start_weir("--demo")
    tool(server, "shadow", "set", "greeter", "greeter-v2=1")

    def priorities():
        assert "Ada" in hello(server.data)
        folder = pathlib.Path(f"/proc/{server.process.pid}/task")
        return {int((task / "stat").read_text().rsplit(")", 1)[1].split()[16])
                for task in folder.iterdir()}

    usual = os.nice(0)
    wait_for(lambda: priorities() == {usual, 10})
    assert server.stop() == 0


# Errors.


def test_without_a_home_the_server_asks_where_the_state_is():
    for environment in ({}, {"HOME": ""}, {"HOME": "relative"}, {"XDG_STATE_HOME": "relative"}):
        text = serving_complaint(**environment)
        assert "no default state directory, because HOME" in text and "--state-dir" in text


@pytest.mark.parametrize("environment", [
    {"HOME": "/usr/share"}, {"HOME": "/nonexistent"}, {"XDG_STATE_HOME": "/usr/share"},
    {"STATE_DIRECTORY": "/usr/share/weir:/other"}])
def test_a_default_state_directory_that_cannot_be_created_is_named(environment):
    text = serving_complaint(**environment)
    assert "cannot create the state directory '/" in text and "Permission denied" in text
    assert "--state-dir" in text


def test_home_is_the_one_of_the_environment(tmp_path):
    server = started(subprocess.Popen(
        [BUILD / "weir", "serve", *PORTS], stdout=subprocess.PIPE, text=True,
        env={"HOME": str(tmp_path)}))
    assert server.stdout.readline().startswith("weir serves")
    state = tmp_path / ".local/state/weir"
    modes = {file.name: file.stat().st_mode & 0o777 for file in [state, *state.iterdir()]}
    assert modes == {"weir": 0o700, "weir.db": 0o600, "weir.db-wal": 0o600, "weir.db-shm": 0o600,
                     "weir.db.lock": 0o600, "weir.db.latest": 0o600}
    server.terminate()
    assert server.wait(SECONDS) == 0


def test_a_state_that_can_only_be_read_is_refused(tmp_path):
    start_weir("--demo", "--state-dir", tmp_path).stop()
    (tmp_path / "weir.db").chmod(0o444)
    text = serving_complaint("--state-dir", tmp_path)
    assert "weir.db' cannot be used: this user can read it, but not write it" in text
    (tmp_path / "weir.db.lock").chmod(0o444)
    assert "weir.db.lock': Permission denied" in serving_complaint("--state-dir", tmp_path)


@pytest.mark.parametrize("place", ["/dev/null", "directory", "link"])
def test_a_database_that_is_not_a_regular_file_is_refused(tmp_path, place):
    path = place if place == "/dev/null" else tmp_path / place
    if place == "directory":
        path.mkdir()
    if place == "link":
        path.symlink_to("/dev/full")
    text = serving_complaint("--store", f"sqlite:{path}")
    assert f"'{path}' cannot be used: it is not a regular file" in text
    assert list(tmp_path.iterdir()) in ([], [path]) and os.path.exists("/dev/null")


def test_a_stored_state_that_cannot_be_reached_is_not_called_missing(tmp_path):
    tmp_path.chmod(0)
    try:
        text = complaint("state", "check", "--state-dir", tmp_path)
        assert f"no state in '{tmp_path}/weir.db': Permission denied" in text
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("option", ["--data", "--admin"])
def test_a_privileged_port_is_refused_with_advice(option):
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start") as file:
        if int(file.read()) <= 80:
            pytest.skip("this machine lets ordinary users open port 80")
    text = serving_complaint("--store", "memory:", option, "127.0.0.1:80")
    assert "cannot listen on 127.0.0.1:80: Permission denied" in text
    assert "choose a port above 1023, or let systemd open the socket" in text


@pytest.mark.parametrize("option", ["--data", "--admin"])
def test_a_port_of_another_user_is_refused(option):
    """A socket without SO_REUSEPORT does not share its port, like a socket of another user."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % other.getsockname()[1]
        text = serving_complaint("--store", "memory:", option, address)
        assert f"cannot listen on {address}: another server uses this address" in text
        text = serving_complaint("--store", "memory:", option, address, "--take-over", "1")
        assert f"cannot listen on {address}: Address already in use" in text
        assert "--take-over shares a port only with a server of the same user" in text


@pytest.mark.parametrize("address, reason", [
    ("192.0.2.1:0", "Cannot assign requested address; this machine has no such address"),
    ("host.invalid:0", "the host is not known")])
def test_an_address_that_is_not_there_is_named(address, reason):
    assert f"cannot listen on {address}: {reason}" in serving_complaint(
        "--store", "memory:", "--data", address)


@pytest.mark.parametrize("place, reason", [
    ("/usr/share", "Permission denied; set TMPDIR to a directory that this user can write"),
    ("/nonexistent", "No such file or directory; set TMPDIR to a directory that this user can"),
    ("long", "longer than 107 bytes: set TMPDIR to a shorter one")])
def test_a_worker_without_a_place_for_its_socket_is_not_started(tmp_path, place, reason):
    if place == "long":
        place = tmp_path / ("x" * 120)
        place.mkdir()
    server = start_weir(prefix=["env", f"TMPDIR={place}"])
    tool(server, "backend", "create", "worker", "--worker", "sleep 100", "--wait", "0")
    wait_for(lambda: reason in tool(server, "backend", "show", "worker").stdout)
    assert server.stop() == 0
