"""A Python client cleans up only what it made, and code of a backend fails only its own call."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

import weir
from conftest import wait_for


def first(request):
    return "first"


def second(request):
    return "second"


FORKS = """
import multiprocessing, os, sys
import weir

def backend(request):
    return os.getpid()

def ends():
    os.chdir("/")

client = weir.connect(sys.argv[1])
client.create_backend("mine", backend)
client.create_endpoint("greet", backend="mine", route="/greet")
handle = client.get_handle("greet")
assert handle.remote().result(timeout=20) == os.getpid()
how = sys.argv[2]
if how == "multiprocessing":
    child = multiprocessing.get_context("fork").Process(target=ends)
    child.start()
    child.join(20)
    code = child.exitcode
else:
    child = os.fork()
    if child == 0:
        if how == "close":
            client.close()
        elif how == "with":
            with client:
                sys.exit(0)
        elif how == "call":
            for call in (handle.remote, client.list_backends, lambda: weir.connect(sys.argv[1])):
                try:
                    call()
                    os._exit(1)
                except weir.ClientClosed as error:
                    assert "or fork before weir.connect()" in str(error)
        elif how == "error":
            raise SystemExit(0)
        sys.exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert code == 0, code
assert set(client.list_endpoints()) == {"greet"}
assert handle.remote().result(timeout=20) == os.getpid()
client.close()
"""


@pytest.mark.parametrize("how", ["exit", "close", "with", "call", "multiprocessing"])
def test_a_forked_child_ends_without_its_parents_backends(client, how):
    run = subprocess.run(
        [sys.executable, "-c", FORKS, client.address, how], capture_output=True, text=True,
        timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
    assert client.list_backends() == {} and client.list_endpoints() == {}


ORPHAN = """
import os, signal, sys, time
import weir

client = weir.connect(sys.argv[1])
client.create_backend("mine", lambda request: os.getpid())
client.create_endpoint("greet", backend="mine")
if os.fork() == 0:
    print(os.getpid(), flush=True)
    signal.pause()
signal.pause()
"""


def test_the_port_of_a_killed_program_does_not_live_on_in_its_children(client):
    program = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, client.address], stdout=subprocess.PIPE, text=True)
    child = int(program.stdout.readline())
    try:
        assert client.get_handle("greet").remote().result(timeout=20) == program.pid
        program.kill()
        program.wait(20)
        with pytest.raises(weir.Unavailable):
            client.get_handle("greet").remote().result(timeout=20)
        wait_for(lambda: client.get_backend("mine").lease == "gone", 15)
    finally:
        program.kill()
        program.wait()
        program.stdout.close()
        os.kill(child, 9)


@pytest.mark.parametrize("target, options", [
    (second, {}),
    (["127.0.0.1:1"], {}),
    ("os:getcwd", {}),
    (second, {"validate_only": True}),
    (first, {"validate_only": True, "replace": True}),
    (second, {"expected_revision": 1, "replace": True}),
    (second, {"exist_ok": True}),
])
def test_a_refused_create_keeps_the_backend_of_the_name(client, target, options):
    client.create_backend("mine", first)
    client.create_endpoint("e", backend="mine")
    try:
        client.create_backend("mine", target, **options)
    except weir.WeirError as error:
        assert isinstance(error, (weir.AlreadyExists, weir.RevisionConflict))
        assert isinstance(error, ValueError) or type(error) is weir.RevisionConflict
        assert not options or "expected_revision" in options or "validate_only" in options
    else:
        assert "exist_ok" in options or "replace" in options
    assert client.get_handle("e").remote().result(timeout=10) == "first"
    client.close()
    with weir.connect(client.address) as other:
        assert other.list_backends() == {}


def test_a_constructor_runs_only_if_the_backend_can_be_created(client):
    made = []

    class Slow:
        def __init__(self):
            made.append(self)

        def __call__(self, request):
            return len(made)

    client.create_backend("mine", first)
    with pytest.raises(weir.AlreadyExists, match="use replace=True to replace it"):
        client.create_backend("mine", Slow)
    with pytest.raises(weir.InvalidArgument):
        client.create_backend("no name!", Slow)
    client.create_backend("checked", Slow, validate_only=True)
    assert made == [] and set(client.list_backends()) == {"mine"}


def test_close_keeps_backends_of_others_with_the_same_name(client):
    server = client.server
    mine = weir.connect(server.admin)
    mine.create_backend("b", first)
    client.delete_backend("b")
    client.create_backend("b", second)
    client.create_endpoint("e", backend="b")
    mine.close()
    assert client.get_handle("e").remote().result(timeout=10) == "second"


class Ends:
    """Code that ends in every way."""

    def __init__(self):
        self.kinds = {
            "exit": SystemExit(1), "interrupt": KeyboardInterrupt(), "generator": GeneratorExit(),
            "own": Own(), "cancelled": asyncio.CancelledError(), "stop": StopIteration()}

    def __call__(self, request):
        if request.data in self.kinds:
            raise self.kinds[request.data]
        return "ok"

    async def coroutine(self, request):
        return self(request)

    async def task(self, request):
        async def inner():
            return self(request)

        return await asyncio.create_task(inner())


class Own(BaseException):
    pass


@pytest.mark.parametrize("method", ["__call__", "coroutine", "task"])
def test_code_that_ends_in_any_way_ends_only_its_call(client, method, caplog):
    client.create_backend("ends", Ends, max_concurrent_queries=1)
    client.create_endpoint("ends", backend="ends", route="/ends")
    handle = client.get_handle("ends").options(method, timeout=20)
    for kind in Ends().kinds:
        caplog.clear()
        with pytest.raises(weir.BackendFailed) as failed:
            handle.remote(kind).result()
        assert failed.value.message == "the backend failed"
        assert "a request to ends failed" in caplog.text
        assert handle.remote("").result() == "ok"
    request = urllib.request.Request(
        f"http://{client.data_address}/ends", b"exit", {"content-type": "text/plain"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 500
    refused.value.close()


def test_a_task_that_code_leaves_behind_does_not_end_the_loop(client):
    left = []

    async def leaves(request):
        async def inner():
            raise SystemExit(1)

        if request.data == "leave":
            left.append(asyncio.create_task(inner()))
        return "ok"

    client.create_backend("leaves", leaves)
    client.create_endpoint("leaves", backend="leaves")
    handle = client.get_handle("leaves").options(timeout=20)
    for data in ("leave", "", "leave", ""):
        assert handle.remote(data).result() == "ok"
    # asyncio logs exceptions that are not retrieved.
    assert [type(task.exception()) for task in left] == [SystemExit] * 2


def test_cancelled_tasks_log_nothing(client, caplog):
    waiting = threading.Semaphore(0)

    async def slow(request):
        if request.data == "wait":
            waiting.release()
            await asyncio.Event().wait()
        return request.data

    client.create_backend("slow", slow)
    client.create_endpoint("slow", backend="slow")

    async def result(handle, data):
        return await handle.remote(data)

    async def main():
        async with weir.aio.connect(client.address) as connection:
            handle = connection.get_handle("slow")
            tasks = [asyncio.ensure_future(result(handle, "wait")) for _ in range(50)]
            await asyncio.to_thread(lambda: [waiting.acquire(timeout=20) for _ in tasks])
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.CancelledError}
            values = await asyncio.gather(*(result(handle, 0) for _ in range(50)))
            assert values == [0] * 50

    # A loop that has ended does not disturb a call that ends after it.
    async def leave():
        pending.append(handle.remote("wait"))
        pending[0].__await__().send(None)

    pending = []

    caplog.set_level(logging.WARNING)
    asyncio.run(main())
    handle = client.get_handle("slow")
    asyncio.run(leave())
    assert waiting.acquire(timeout=20)
    pending[0].cancel()
    assert client.get_handle("slow").remote(1).result(timeout=20) == 1
    client.close()
    assert caplog.text == ""


def test_serve_forever_ends_with_a_signal(client):
    program = subprocess.Popen(
        [sys.executable, "-c",
         "import signal, sys, threading, time, weir\n"
         "client = weir.connect(sys.argv[1])\n"
         "client.create_backend('short', lambda request: 1)\n"
         "def report():\n"
         "    while not callable(handler := signal.getsignal(signal.SIGINT)) \\\n"
         "            or handler is signal.default_int_handler:\n"
         "        time.sleep(0.001)\n"
         "    print(flush=True)\n"
         "threading.Thread(target=report).start()\n"
         "client.serve_forever()\n"
         "print('closed', client)\n", client.address], stdout=subprocess.PIPE, text=True)
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    assert program.wait(20) == 0
    assert program.stdout.read() == f"closed <weir.Client of {client.address}, closed>\n"
    program.stdout.close()
    assert client.list_backends() == {}


CELL = """
import weir
client = weir.connect({address!r})

class Model:
    def __call__(self, request):
        return {answer!r}

client.create_backend("b", Model)
client.create_endpoint("e", backend="b", route="/e")
client.create_backend("double", lambda request: 2 * request.data)
"""


def test_a_cell_of_a_notebook_runs_twice(client):
    names = {"__name__": "__main__"}
    connections = []
    for answer in ("one", "two", "three"):
        exec(CELL.format(address=client.address, answer=answer), names)
        connections.append(names["client"])
        assert names["client"].get_handle("e").remote().result(timeout=10) == answer
    # The same cell without the line that connects.
    cell = CELL.format(address=client.address, answer="four").splitlines()
    exec("\n".join(line for line in cell if "connect" not in line and "lambda" not in line), names)
    assert client.get_handle("e").remote().result(timeout=10) == "four"
    for connection in connections:
        connection.close()
    assert client.list_backends() == {} and client.list_endpoints() == {}


def test_replace_and_exist_ok(client):
    client.create_backend("b", first)
    client.create_backend("other", second)
    client.create_endpoint("e", backend="b", route="/e")
    handle = client.get_handle("e")
    with pytest.raises(ValueError, match="not both"):
        client.create_backend("b", second, replace=True, exist_ok=True)
    client.create_backend("b", second, exist_ok=True)
    assert handle.remote().result(timeout=10) == "first"
    client.create_backend("b", second, replace=True)
    assert handle.remote().result(timeout=10) == "second"
    client.create_backend("new", first, replace=True)
    assert client.create_endpoint("e", backend="new", exist_ok=True).traffic == {"b": 1.0}
    with pytest.raises(weir.AlreadyExists, match="use replace=True"):
        client.create_endpoint("e", backend="new")
    assert client.create_endpoint("e", backend="new", route="/e", replace=True).traffic == {
        "new": 1.0}
    moved = client.create_endpoint("e", backend="new", route="/moved", replace=True)
    assert (moved.route, moved.traffic) == ("/moved", {"new": 1.0})
    with pytest.raises(weir.InvalidRoute):
        client.create_endpoint("e", backend="new", route="bad", replace=True)
    assert client.get_endpoint("e").route == "/moved"


FAILS = """
import sys, time, weir

client = weir.connect(sys.argv[1])
client.create_backend("b", lambda request: time.sleep(0.05))
client.create_endpoint("e", backend="b")
pending = [client.get_handle("e").remote() for _ in range(50)]
raise RuntimeError("the program failed")
"""


def test_a_program_that_fails_under_load_ends(client, tmp_path):
    (tmp_path / "program.py").write_text(FAILS)
    for _ in range(3):
        run = subprocess.run(
            [sys.executable, tmp_path / "program.py", client.address], capture_output=True,
            text=True, timeout=40)
        assert run.returncode == 1 and "the program failed" in run.stderr
        assert client.list_backends() == {}
