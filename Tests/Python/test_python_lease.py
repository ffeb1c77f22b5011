"""A program ends in any way, and takes over the backends that it served when it starts again."""

import concurrent.futures
import pickle
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import grpc
import pytest

import weir
from conftest import start_weir, tool, wait_for
from etcd import Etcd

PROGRAM = """
import os, sys, weir

client = weir.connect(sys.argv[1])
client.create_backend("model", lambda request: os.getpid(), config={"num_replicas": 2})
client.create_backend("other", lambda request: -1)
client.create_endpoint("api", backend="model", route="/api")
print("ready", flush=True)
client.serve_forever()
"""


class Program:
    """A program at a path, which a test starts and ends."""

    def __init__(self, folder, admin, text=PROGRAM):
        self.path = folder / "program.py"
        self.path.write_text(text)
        self.admin = admin
        self.process = None

    def start(self, stderr=None):
        self.process = subprocess.Popen(
            [sys.executable, self.path, self.admin], stdout=subprocess.PIPE, stderr=stderr,
            text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.started = time.monotonic()
        return self.process.pid

    def end(self, number):
        self.process.send_signal(number)
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def program(client, tmp_path):
    program = Program(tmp_path, client.address)
    yield program
    if program.process and program.process.poll() is None:
        program.end(signal.SIGKILL)


def called(client):
    return client.get_handle("api").remote().result(timeout=20)


def failure(client):
    """The message of a call that fails, or an empty text."""
    try:
        called(client)
    except weir.Unavailable as error:
        return error.message
    return ""


def lease(client, name="model"):
    return client.get_backend(name).lease


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_is_gone_is_reported_and_taken_over(client, program, number):
    first = program.start()
    assert called(client) == first
    assert (lease(client), client.get_backend("model").program) == ("held", str(program.path))
    assert f"{program.path} (runs)" in tool(client.server, "backend", "show", "model").stdout
    client.set_traffic("api", {"model": 0.75, "other": 0.25})
    program.end(number)
    wait_for(lambda: lease(client) == "gone", 15)
    problem = f"the program that serves it is gone: '{program.path}'"
    wait_for(lambda: problem in failure(client))
    listed = tool(client.server, "backend", "list").stdout
    assert [line.split()[2] for line in listed.splitlines()[1:]] == ["gone", "gone"]
    shown = tool(client.server, "backend", "show", "model").stdout
    assert "NOT USABLE" in shown and "the program that serves it is gone" in shown
    assert "(gone)" in shown
    # The next start keeps what operators set.
    second = program.start()
    assert first != second
    assert {called(client) for _ in range(40)} == {second, -1}
    assert client.get_traffic("api") == {"model": 0.75, "other": 0.25}
    assert lease(client) == "held"
    # Ctrl-C ends it for good.
    client.set_traffic("api", {"model": 1.0})
    program.end(signal.SIGINT)
    assert client.list_backends() == {} and client.list_endpoints() == {}


def test_a_second_copy_of_a_program_is_refused_while_the_first_runs(client, program, tmp_path):
    first = program.start()
    other = subprocess.run(
        [sys.executable, program.path, client.address], capture_output=True, text=True, timeout=60)
    assert other.returncode == 1 and "AlreadyExists" in other.stderr
    assert f"; the program '{program.path}' serves it; use replace=True" in other.stderr
    assert called(client) == first
    # Another program does not take over a backend that is gone.
    program.end(signal.SIGKILL)
    wait_for(lambda: lease(client) == "gone", 15)
    with pytest.raises(weir.AlreadyExists):
        client.create_backend("model", lambda request: 0)
    client.create_backend("model", lambda request: 0, replace=True)
    assert called(client) == 0


def test_the_error_about_a_gone_program_names_it(client, program):
    program.start()
    program.end(signal.SIGKILL)
    wait_for(lambda: lease(client) == "gone", 15)
    with pytest.raises(weir.AlreadyExists, match=f"the program '{program.path}' is gone; use"):
        client.create_backend("model", lambda request: 0)


def test_a_program_that_serves_nothing_any_longer_ends(client, program):
    program.start(stderr=subprocess.PIPE)
    client.delete_endpoint("api")
    client.delete_backend("model")
    # Another program, or another run of this one, has the name.
    client.create_backend("other", lambda request: 0, replace=True)
    assert program.process.wait(30) == 1
    errors = program.process.stderr.read()
    program.process.stderr.close()
    for name in ("model", "other"):
        assert f"no longer sends the requests of backend '{name}' to this program" in errors
    assert "NotFound: Weir no longer has the backends of this program: model, other" in errors
    assert client.list_backends().keys() == {"other"}


def test_a_lost_connection_has_a_grace_time(client):
    server = client.server
    mine = weir.connect(server.admin)
    mine.create_backend("model", lambda request: 1)
    mine.create_endpoint("api", backend="model")
    states = []
    for _ in range(3):
        call = mine._lease._call
        call.cancel()
        wait_for(lambda: mine._lease._call is not call and mine._lease._is_held, 10)
        states.append(lease(client))
        assert called(client) == 1
    assert set(states) <= {"held", "lost"}
    wait_for(lambda: lease(client) == "held")
    mine.close()
    assert client.list_backends() == {}


def test_a_program_holds_its_lease_again_when_the_server_restarts(tmp_path):
    store = ("--state-dir", str(tmp_path / "state"))
    server = start_weir(*store)
    client = weir.connect(server.admin)
    client.create_backend("model", lambda request: 1)
    client.create_endpoint("api", backend="model", route="/api")
    address = server.admin
    assert server.stop() == 0
    server = start_weir(*store, "--admin", address)
    wait_for(lambda: lease(client) == "held", 20)
    data = weir.connect(server.admin)
    assert data.get_handle("api").remote().result(timeout=20) == 1
    data.close()
    client.close()
    with weir.connect(server.admin) as other:
        assert other.list_backends() == {}
    assert server.stop() == 0, server.process.stderr.read()[-30000:]


def test_a_program_that_ended_with_the_server_is_gone(tmp_path):
    store = ("--state-dir", str(tmp_path / "state"))
    server = start_weir(*store)
    program = Program(tmp_path, server.admin)
    program.start()
    address = server.admin
    program.end(signal.SIGKILL)
    assert server.stop() == 0
    server = start_weir(*store, "--admin", address)
    with weir.connect(server.admin) as client:
        # A new run takes over at once, without a grace time.
        second = program.start()
        assert called(client) == second
        program.end(signal.SIGKILL)
        wait_for(lambda: lease(client) == "gone", 15)
    assert server.stop() == 0, server.process.stderr.read()[-30000:]


def test_another_program_at_the_port_of_a_gone_one_gets_no_requests(tmp_path):
    store = ("--state-dir", str(tmp_path / "state"))
    server = start_weir(*store)
    program = Program(tmp_path, server.admin)
    program.start()
    address = server.admin
    with weir.connect(address) as client:
        addresses = client.get_backend("model").addresses
    program.end(signal.SIGKILL)
    assert server.stop() == 0
    requests = []

    class Stranger(grpc.GenericRpcHandler):
        def service(self, details):
            requests.append(details.method)

    stranger = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    stranger.add_generic_rpc_handlers((Stranger(),))
    for port in addresses:
        stranger.add_insecure_port(port)
    stranger.start()
    server = start_weir(*store, "--admin", address)
    with weir.connect(server.admin) as client:
        wait_for(lambda: lease(client) == "gone", 20)

        def is_reported():
            try:
                called(client)
            except weir.WeirError as error:
                return "the program that serves it is gone" in error.message
            return False

        # Within the grace time, the program could come back.
        wait_for(is_reported, 20)
        del requests[:]
        assert all(is_reported() for _ in range(20))
        assert requests == []
    stranger.stop(None)
    assert server.stop() == 0


def test_supervised_restarts(client, tmp_path):
    """Twenty rounds of SIGTERM and SIGKILL under a supervisor: no failure outlasts a restart."""
    program = Program(tmp_path, client.address, PROGRAM.replace(
        'config={"num_replicas": 2}', "start_timeout=20"))
    program.start()
    url = f"http://{client.data_address}/api"
    stopped = threading.Event()
    failures, statuses = [], set()

    def load():
        while not stopped.is_set():
            now = time.monotonic()
            try:
                urllib.request.urlopen(url, timeout=20).close()
            except urllib.error.HTTPError as error:
                statuses.add(error.code)
                failures.append(now)
                error.close()
            stopped.wait(0.002)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for round in range(20):
            del failures[:]
            start = time.monotonic()
            program.end(signal.SIGTERM if round % 2 else signal.SIGKILL)
            program.start()
            ready = time.monotonic()
            assert called(client) == program.process.pid
            late = [when - ready for when in failures if when > ready]
            assert not late, f"round {round}: {late}, restart {ready - start}"
    finally:
        stopped.set()
        thread.join(20)
    assert statuses <= {503}
    program.end(signal.SIGINT)
    assert client.list_backends() == {}


def test_a_fleet_uses_a_backend_whose_lease_another_server_has(tmp_path):
    etcd = Etcd(tmp_path / "etcd")
    servers = [
        start_weir("--store", f"etcd:http://{etcd.address}?prefix=fleet&ttl=3", "--name", name,
                   "--state-dir", str(tmp_path / name)) for name in ("first", "second")]
    program = Program(tmp_path, servers[0].admin)
    pid = program.start()
    with weir.connect(servers[1].admin) as second, weir.connect(servers[0].admin) as first:
        wait_for(lambda: "api" in second.list_endpoints())
        assert called(second) == called(first) == pid
        # Longer than the grace time.
        wait_for(lambda: time.monotonic() - program.started > 6)
        assert (lease(first), lease(second)) == ("held", "lost")
        assert called(second) == pid
        program.end(signal.SIGKILL)
        wait_for(lambda: lease(first) == "gone" == lease(second), 20)
        pid = program.start()
        wait_for(lambda: called_or_failed(second) == called_or_failed(first) == pid)
    program.end(signal.SIGINT)
    for server in servers:
        assert server.stop() == 0
    etcd.stop()


def called_or_failed(client):
    try:
        return called(client)
    except weir.Unavailable:
        return None


def test_a_program_starts_again_during_a_freeze(client, program):
    program.start()
    client.freeze("holidays")
    try:
        program.end(signal.SIGKILL)
        second = program.start()
        assert called(client) == second
    finally:
        client.unfreeze()


def test_a_handle_cannot_be_pickled_and_says_what_to_do_instead(client):
    client.create_backend("b", lambda request: 0)
    handle = client.create_endpoint("e", backend="b") and client.get_handle("e")
    for one in (handle, handle.options(shard_key="k")):
        with pytest.raises(TypeError, match=r"call weir.connect\(...\).get_handle\('e'\) there"):
            pickle.dumps(one)
