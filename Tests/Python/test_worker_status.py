"""What the status of a worker backend reports while its processes do not serve."""

import os
import signal
import sys

import grpc

from test_upstream import RAW, READY, call, failure
from waiting import stays

# Listens, accepts and keeps connections, and never sends a byte.
MUTE = """
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind(os.environ["WEIR_WORKER_SOCKET"])
server.listen(64)
connections = []
while True:
    connections.append(server.accept())
"""

# Its first process fails; the later ones only wait.
RECOVERS = """
import os, sys, time
if not os.path.exists(sys.argv[1]):
    open(sys.argv[1], "w").close()
    sys.exit("first cause")
time.sleep(600)
"""


def create(mesh, program, text, *arguments):
    program.write_text(text)
    command = " ".join(map(str, [sys.executable, program, *arguments]))
    mesh.tool("backend", "create", "raw", "--worker", command, "--wait", "0")


def test_a_worker_that_only_accepts_connections_is_not_usable(mesh, tmp_path):
    create(mesh, tmp_path / "mute.py", MUTE)
    mesh.endpoint("raw", RAW, "raw")
    status = mesh.wait_for("raw", lambda status: "no HTTP/2 SETTINGS" in status.problem)
    assert not status.usable and status.replicas[0].pid
    assert "no HTTP/2 SETTINGS" in status.replicas[0].last_failure
    assert stays(lambda: not mesh.status("raw").usable, 1)
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "raw#0 is not ready" in error.details() and "no HTTP/2 SETTINGS" in error.details()
    run = mesh.tool("backend", "update", "raw", "--max-requests", "5", "--wait", "1", check=False)
    assert run.returncode == 1 and "no HTTP/2 SETTINGS" in run.stderr


def test_the_problem_is_that_of_the_latest_process(mesh, tmp_path):
    create(mesh, tmp_path / "recovers.py", RECOVERS, tmp_path / "mark")
    status = mesh.wait_for("raw", lambda status: "it is starting again" in status.problem)
    assert "raw#0 exited with code 1: first cause" in status.problem
    pid = mesh.wait_for("raw", lambda status: status.replicas[0].pid).replicas[0].pid
    os.kill(pid, signal.SIGKILL)
    status = mesh.wait_for("raw", lambda status: "signal 9" in status.problem)
    assert "first cause" not in status.problem and status.replicas[0].state != READY
