"""Replicas of a class as processes."""

import os
import signal
import subprocess
import sys

import pytest

import weir
from conftest import wait_for

# As in a notebook, whose code has no module.
NOTEBOOK = """
import os, sys, threading, weir

class Model:
    def __init__(self, greeting):
        self.greeting = greeting

    def __call__(self, request):
        print("printed by the model")
        if request.data == "exit":
            os._exit(3)
        return [self.greeting, request.data, os.getpid()]

    def lambda_(self, request):
        return function(request.data)

function = lambda value: 2 * value
"""


def pids(handle, count=60):
    return {handle.remote(number).result(timeout=20)[2] for number in range(count)}


@pytest.fixture
def notebook(client):
    """A client with three processes of a class that is not importable."""
    names = {"__name__": "__main__"}
    exec(NOTEBOOK, names)
    client.create_backend("model", names["Model"], "hello", replicas=3, processes=True)
    client.create_endpoint("model", backend="model", route="/model")
    return client


def test_processes_of_a_notebook_class(notebook):
    handle = notebook.get_handle("model")
    assert handle.remote("x").result(timeout=20)[:2] == ["hello", "x"]
    assert handle.options("lambda_").remote(21).result(timeout=20) == 42
    first = pids(handle)
    assert len(first) == 3 and os.getpid() not in first
    # A process that ends is started again at its address.
    with pytest.raises(weir.Unavailable):
        handle.remote("exit").result(timeout=20)
    wait_for(lambda: len(pids(handle)) == 3)
    assert len(pids(handle) - first) == 1
    notebook.update_backend_config("model", {"num_replicas": 1})
    remaining = pids(handle)
    assert len(remaining) == 1
    wait_for(lambda: all(gone(pid) for pid in first - remaining))
    notebook.delete_endpoint("model")
    notebook.delete_backend("model")
    assert all(gone(pid) for pid in remaining)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_importable_class_and_the_end_of_its_program(client, tmp_path):
    (tmp_path / "my_processes.py").write_text(
        "import os\n"
        "class Model:\n"
        "    def __call__(self, request): return [0, 0, os.getpid()]\n")
    program = subprocess.Popen(
        [sys.executable, "-c",
         "import sys, weir, my_processes\n"
         "client = weir.connect(sys.argv[1])\n"
         "client.create_backend('model', my_processes.Model, replicas=2, processes=True)\n"
         "client.create_endpoint('model', backend='model')\n"
         "print(flush=True)\n"
         "client.serve_forever()\n", client.address],
        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    program.stdout.readline()
    children = pids(client.get_handle("model"))
    assert len(children) == 2
    program.send_signal(signal.SIGKILL)
    program.wait(20)
    program.stdout.close()
    wait_for(lambda: all(gone(pid) for pid in children))


class Broken:
    def __init__(self):
        raise OSError("no weights here")

    def __call__(self, request):
        return None


def test_code_that_cannot_be_started_in_a_process(client):
    with pytest.raises(RuntimeError, match="OSError: no weights here"):
        client.create_backend("bad", Broken, replicas=2, processes=True)
    with pytest.raises(TypeError, match="cannot be pickled"):
        lock = __import__("threading").Lock()
        client.create_backend("bad", lambda request: lock, processes=True)
    with pytest.raises(ValueError, match="processes applies to a class or function"):
        client.create_backend("bad", "os:getcwd", processes=True)
    assert client.list_backends() == {}
