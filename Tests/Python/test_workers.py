"""Worker backends: processes that Weir starts, monitors, restarts, replaces and stops."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import grpc
import pytest

from conftest import PATIENCE, ROOT, SECONDS, Mesh, start_weir, tool
from test_faults import Load
from test_upstream import RAW, READY, call, failure
from waiting import stays, wait_for


def command(mesh):
    return f"{sys.executable} {ROOT}/Tests/Python/interop_server.py {mesh.stubs.path}"


def worker(mesh, *options, environment="", replicas=2, check=True):
    arguments = ["backend", "create", "raw", "--worker", f"env {environment} {command(mesh)}",
                 "--replicas", replicas, *options]
    mesh.tool(*arguments, check=check)
    mesh.endpoint("raw", RAW, "raw")


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_ready(status):
    return status.replicas and all(replica.state == READY for replica in status.replicas)


def test_workers_serve_and_a_killed_one_is_followed_by_another(mesh):
    worker(mesh, environment="NAME=w")
    status = mesh.status("raw")
    pids = {replica.pid for replica in status.replicas}
    assert [replica.name for replica in status.replicas] == ["raw#0", "raw#1"]
    assert {int(call(mesh, "Name").split()[1]) for _ in range(40)} == pids
    os.kill(min(pids), signal.SIGKILL)
    status = mesh.wait_for("raw", lambda status: all_ready(status) and not {min(pids)} & {
        replica.pid for replica in status.replicas})
    assert sum(replica.restarts for replica in status.replicas) == 1
    assert any("ended by signal 9" in replica.last_failure for replica in status.replicas)
    text = mesh.tool("backend", "show", "raw").stdout
    assert "RESTARTS" in text and "ended by signal 9" in text


def test_output_is_logged_with_the_workers_name(stubs):
    mesh = Mesh(stubs)
    worker(mesh, environment="CRASH=0.5", replicas=1)
    mesh.wait_for("raw", lambda status: status.replicas[0].restarts >= 1)
    assert mesh.stop() == 0
    log = mesh.weir.process.stderr.read()
    assert "worker=raw#0" in log and "crashing as asked" in log
    assert "exited with code 3" in log


def test_a_crash_loop_is_slowed_down_and_reported(mesh):
    mesh.tool("backend", "create", "raw", "--worker", "sh -c 'echo broken; exit 7'", "--wait", "0")
    mesh.endpoint("raw", RAW, "raw")
    # The delays between the restarts grow.
    assert stays(lambda: mesh.status("raw").replicas[0].restarts <= 4, 3)
    status = mesh.wait_for("raw", lambda status: status.replicas[0].restarts >= 1)
    assert not status.usable
    assert status.replicas[0].last_failure == "exited with code 7: broken"
    assert "raw#0 exited with code 7" in status.problem
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "raw#0 exited with code 7" in error.details()


def test_a_program_that_is_not_there_is_reported(mesh):
    mesh.tool("backend", "create", "raw", "--worker", "/no/such/program", "--wait", "0")
    status = mesh.wait_for("raw",
        lambda status: status.replicas and status.replicas[0].last_failure)
    assert "127" in status.replicas[0].last_failure or "no/such" in status.replicas[0].last_failure


def test_an_update_replaces_the_processes_one_by_one_and_fails_no_request(mesh):
    worker(mesh, environment="NAME=old")
    old = {replica.pid for replica in mesh.status("raw").replicas}
    load = Load(mesh, threads=4)
    load.wait(50)
    mesh.tool("backend", "update", "raw", "--worker", f"env NAME=new {command(mesh)}")
    mesh.wait_for("raw", lambda status: all_ready(status) and not old & {
        replica.pid for replica in status.replicas})
    wait_for(lambda: not any(is_running(pid) for pid in old))
    load.wait(load.done + 50)
    load.stop()
    assert not load.errors
    assert {call(mesh, "Name").split()[0] for _ in range(20)} == {b"new"}


def test_an_update_to_a_program_that_is_not_fit_leaves_the_old_processes(mesh):
    worker(mesh, environment="NAME=old", replicas=1)
    old = mesh.status("raw").replicas[0].pid
    mesh.tool("backend", "update", "raw", "--worker", "sh -c 'exit 9'", "--wait", "0")
    status = mesh.wait_for("raw", lambda status: status.problem)
    assert "the update was stopped" in status.problem and "exited with code 9" in status.problem
    assert is_running(old) and call(mesh, "Name").startswith(b"old")


def test_more_and_fewer_processes(mesh):
    worker(mesh, replicas=1)
    first = mesh.status("raw").replicas[0].pid
    mesh.tool("backend", "update", "raw", "--replicas", "3")
    status = mesh.wait_for("raw", lambda status: len(status.replicas) == 3 and all_ready(status))
    assert first in {replica.pid for replica in status.replicas}
    gone = {replica.pid for replica in status.replicas} - {first}
    mesh.tool("backend", "update", "raw", "--replicas", "1")
    mesh.wait_for("raw", lambda status: len(status.replicas) == 1)
    wait_for(lambda: not any(is_running(pid) for pid in gone))
    assert is_running(first)


def test_a_deleted_backend_stops_its_processes(mesh):
    worker(mesh)
    pids = [replica.pid for replica in mesh.status("raw").replicas]
    mesh.tool("endpoint", "delete", "raw")
    mesh.tool("backend", "delete", "raw")
    wait_for(lambda: not any(is_running(pid) for pid in pids))


def test_a_worker_takes_no_more_requests_at_once_than_it_may(mesh):
    worker(mesh, "--max-requests-per-replica", "1", replicas=1)
    load = Load(mesh, threads=4, method="Name", request=b"0.02")
    most = 0
    while load.done < 40:
        most = max(most, mesh.status("raw").replicas[0].in_flight)
    load.stop()
    assert not load.errors and most == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_orphan_is_left(stubs, number):
    mesh = Mesh(stubs)
    worker(mesh)
    pids = [replica.pid for replica in mesh.status("raw").replicas]
    assert all(is_running(pid) for pid in pids)
    # Longer than an idle pool thread lives: workers must end with Weir's process, not with a
    # thread.
    assert stays(lambda: all(is_running(pid) for pid in pids), 2)
    mesh.weir.stop(number)
    mesh.channel.close()
    wait_for(lambda: not any(is_running(pid) for pid in pids), 5)


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace_period(mesh, tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text(
        "worker:\n  command: [sh, -c, 'trap \"\" TERM; while :; do sleep 0.1; done']\n"
        "  grace_period: 0.3s\n")
    mesh.tool("backend", "create", "w", "-f", file, "--wait", "0")
    pid = mesh.wait_for("w",
        lambda status: status.replicas and status.replicas[0].pid).replicas[0].pid
    began = time.monotonic()
    mesh.tool("backend", "delete", "w")
    wait_for(lambda: not is_running(pid), 5)
    assert time.monotonic() - began > 0.25


def test_a_second_signal_ends_the_wait_for_workers_that_ignore_the_first(stubs, tmp_path):
    mesh = Mesh(stubs)
    children = tmp_path / "children"
    script = f"trap '' TERM; sleep 300 & echo $! >> {children}; exec {command(mesh)}"
    file = tmp_path / "stubborn.json"
    file.write_text(json.dumps({"worker": {
        "command": ["sh", "-c", script], "replicas": 2, "gracePeriod": "60s"}}))
    mesh.tool("backend", "create", "raw", "-f", file, "--wait", "20")
    pids = [replica.pid for replica in mesh.status("raw").replicas]
    pids += [int(line) for line in children.read_text().split()]
    assert len(pids) == 4 and all(is_running(pid) for pid in pids)
    process = mesh.weir.process
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert mesh.stop() == 0
    assert time.monotonic() - begin < 5 * PATIENCE
    wait_for(lambda: not any(is_running(pid) for pid in pids))


# The environment.


def test_workers_do_not_inherit_the_variables_of_weir(tmp_path):
    private = {
        "WEIR_TOKEN": "secret-1", "WEIR_ETCD_PASSWORD": "secret-2", "LISTEN_FDS": "1",
        "LISTEN_PID": "1", "WATCHDOG_USEC": "1000", "NOTIFY_SOCKET": str(tmp_path / "notify")}
    server = start_weir(
        prefix=["env", "OF_THE_USER=kept", *(f"{name}={value}" for name, value in private.items())])
    folder = tmp_path / "environment"
    # The file appears when it is complete.
    script = f"env > {folder}.part; mv {folder}.part {folder}; exec sleep 60"
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"worker": {
        "command": ["sh", "-c", script], "environment": {"WEIR_TOKEN": "of the worker"}}}))
    tool(server, "backend", "create", "w", "-f", file, "--wait", "0")
    wait_for(folder.exists)
    lines = dict(line.split("=", 1) for line in folder.read_text().splitlines())
    assert lines["OF_THE_USER"] == "kept" and lines["WEIR_WORKER_SOCKET"].endswith(".sock")
    # Variables of the backend override others.
    assert lines["WEIR_TOKEN"] == "of the worker"
    assert not private.keys() - {"WEIR_TOKEN"} & lines.keys()
    assert server.stop() == 0


# The process group.


class Group:
    """A worker command whose process group has a child; records the ids of all children."""

    def __init__(self, mesh, tmp_path, child):
        self.file = tmp_path / "children"
        self.file.touch()
        script = f"{child} & echo $! >> {self.file}; exec {command(mesh)}"
        self.spec = {"worker": {"command": ["sh", "-c", script], "gracePeriod": "0.5s"}}
        self.backend = tmp_path / "group.json"
        self.backend.write_text(json.dumps(self.spec))
        mesh.tool("backend", "create", "raw", "-f", self.backend, "--wait", "20")
        mesh.endpoint("raw", RAW, "raw")

    @property
    def children(self):
        return [int(line) for line in self.file.read_text().split()]


STUBBORN = "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'"


@pytest.mark.parametrize("child", ["sleep 300", STUBBORN])
def test_the_children_of_a_worker_end_when_the_worker_crashes(mesh, tmp_path, child):
    group = Group(mesh, tmp_path, child)
    (first,) = group.children
    assert is_running(first)
    os.kill(mesh.status("raw").replicas[0].pid, signal.SIGKILL)
    mesh.wait_for("raw", lambda status: status.replicas[0].restarts == 1 and all_ready(status))
    # The next worker starts after the last one's group has ended.
    assert not is_running(first)
    assert call(mesh, "Name") and is_running(group.children[1])


@pytest.mark.parametrize("child", ["sleep 300", STUBBORN])
def test_the_children_of_a_worker_end_with_its_backend(mesh, tmp_path, child):
    group = Group(mesh, tmp_path, child)
    pid = mesh.status("raw").replicas[0].pid
    mesh.tool("endpoint", "delete", "raw")
    mesh.tool("backend", "delete", "raw")
    wait_for(lambda: not any(map(is_running, [pid, *group.children])), 5)


def test_the_children_of_a_worker_end_with_weir(stubs, tmp_path):
    mesh = Mesh(stubs)
    group = Group(mesh, tmp_path, STUBBORN)
    assert mesh.stop() == 0
    assert not any(map(is_running, group.children))


def test_the_grace_period_applies_to_the_children_of_a_worker(mesh, tmp_path):
    done = tmp_path / "done"
    group = Group(mesh, tmp_path, f"sh -c 'trap \"sleep 0.2; touch {done}; exit\" TERM; "
                                  "while :; do sleep 0.02; done'")
    os.kill(mesh.status("raw").replicas[0].pid, signal.SIGKILL)
    wait_for(lambda: not is_running(group.children[0]), 5)
    assert done.exists()


# The server becomes the parent of orphans, as in a container; PR_SET_CHILD_SUBREAPER is 36.
ADOPTING = [sys.executable, "-c", """
import ctypes, os, sys
assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""]


def children(parent):
    """The children of a process: id and state."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found[int(path.parent.name)] = fields[0]
    return found


def test_orphans_are_reaped_where_weir_adopts_them(tmp_path):
    file = tmp_path / "orphans"
    server = start_weir(prefix=ADOPTING)
    script = (f"for i in 1 2 3 4 5; do sh -c 'sleep 1.5 & echo $! >> {file}'; done; "
              "while :; do sleep 0.1; done")
    (tmp_path / "w.json").write_text(json.dumps({"worker": {"command": ["sh", "-c", script]}}))
    tool(server, "backend", "create", "w", "-f", tmp_path / "w.json", "--wait", "0")
    wait_for(lambda: file.exists() and len(file.read_text().split()) == 5)
    orphans = {int(line) for line in file.read_text().split()}
    wait_for(lambda: orphans <= children(server.process.pid).keys())
    wait_for(lambda: not orphans & children(server.process.pid).keys(), 10)
    # Weir still reads the exit codes of workers.
    for code in (7, 8):
        tool(server, "backend", "update", "w", "--worker", f"sh -c 'exit {code}'", "--wait", "0")
        wait_for(lambda: f"exited with code {code}" in tool(server, "backend", "show", "w").stdout)
    assert server.stop() == 0


# The socket directory.


def sockets_in(folder):
    return [path for path in folder.iterdir() if path.name.startswith("weir-")]


def place(tmp_path, name):
    """A directory with a path that is short enough for sockets."""
    folder = pathlib.Path(f"/tmp/w{os.getpid()}-{name}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@pytest.fixture
def temporary(tmp_path):
    folder = place(tmp_path, "tmp")
    yield folder
    shutil.rmtree(folder)


def test_workers_start_after_the_directory_of_their_sockets_was_removed(stubs, temporary):
    mesh = Mesh(stubs, prefix=["env", "-u", "RUNTIME_DIRECTORY", f"TMPDIR={temporary}"])
    worker(mesh, replicas=1)
    for folder in sockets_in(temporary):
        shutil.rmtree(folder)
    os.kill(mesh.status("raw").replicas[0].pid, signal.SIGKILL)
    mesh.wait_for("raw", lambda status: status.replicas[0].restarts == 1 and all_ready(status))
    assert call(mesh, "Name")
    assert mesh.stop() == 0
    assert not sockets_in(temporary)


def test_the_directories_of_dead_servers_are_removed_and_those_of_live_ones_stay(temporary):
    def start():
        server = start_weir(prefix=["env", "-u", "RUNTIME_DIRECTORY", f"TMPDIR={temporary}"])
        before = sockets_in(temporary)
        tool(server, "backend", "create", "w", "--worker", "sleep 60", "--wait", "0")
        wait_for(lambda: set(sockets_in(temporary)) - set(before))
        server.folder, = set(sockets_in(temporary)) - set(before)
        return server

    live, killed = start(), start()
    killed.stop(signal.SIGKILL)
    assert killed.folder.exists()
    new = start()
    wait_for(lambda: not killed.folder.exists(), 5)
    assert live.folder.exists() and new.folder.exists()
    assert live.stop() == 0 and new.stop() == 0
    assert not sockets_in(temporary)


def test_the_runtime_directory_of_a_unit_is_used_first(temporary):
    runtime, other = temporary / "run", temporary / "tmp"
    runtime.mkdir()
    other.mkdir()
    server = start_weir(prefix=["env", f"RUNTIME_DIRECTORY={runtime}", f"TMPDIR={other}"])
    tool(server, "backend", "create", "w", "--worker", "sleep 60", "--wait", "0")
    wait_for(lambda: sockets_in(runtime))
    assert not sockets_in(other)
    assert server.stop() == 0


# Updates.


def test_an_update_does_not_wait_for_a_broken_one(mesh):
    worker(mesh, environment="NAME=old", replicas=2)
    # The command never listens, ignores SIGTERM, and has a minute for each.
    mesh.tool("backend", "update", "raw", "--worker",
              "sh -c 'trap \"\" TERM; while :; do sleep 0.1; done'", "--wait", "0")
    assert stays(lambda: call(mesh, "Name").startswith(b"old"), 1)
    begin = time.monotonic()
    mesh.tool("backend", "update", "raw", "--worker", f"env NAME=fixed {command(mesh)}")
    wait_for(lambda: {call(mesh, "Name").split()[0] for _ in range(10)} == {b"fixed"}, SECONDS)
    # The update does not wait for the end of the broken process, which has a grace period of 10 s.
    assert time.monotonic() - begin < 8 * PATIENCE
    assert not mesh.status("raw").problem


def test_an_update_of_times_keeps_the_processes_and_is_used_at_the_next_stop(mesh, tmp_path):
    file = tmp_path / "w.json"
    spec = {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"]}

    def write(**times):
        file.write_text(json.dumps({"worker": {**spec, **times}}))
        return file

    mesh.tool("backend", "create", "w", "-f", write(gracePeriod="60s"), "--wait", "0")
    pid = mesh.wait_for("w",
        lambda status: status.replicas and status.replicas[0].pid).replicas[0].pid
    mesh.tool("backend", "update", "w", "-f", write(gracePeriod="0.3s"), "--wait", "0")
    assert stays(lambda: mesh.status("w").replicas[0].pid == pid, 0.5)
    begin = time.monotonic()
    mesh.tool("backend", "delete", "w")
    wait_for(lambda: not is_running(pid), 5)
    assert time.monotonic() - begin > 0.25


def test_a_new_start_timeout_is_used_at_the_next_start(mesh, tmp_path):
    file = tmp_path / "w.json"
    spec = {"command": ["sleep", "300"]}
    file.write_text(json.dumps({"worker": {**spec, "startTimeout": "1s"}}))
    mesh.tool("backend", "create", "w", "-f", file, "--wait", "0")
    mesh.wait_for("w",
        lambda status: status.replicas and "within 1.0 seconds" in status.replicas[0].last_failure)
    file.write_text(json.dumps({"worker": {**spec, "startTimeout": "0.5s"}}))
    mesh.tool("backend", "update", "w", "-f", file, "--wait", "0")
    mesh.wait_for("w", lambda status: "within 0.5 seconds" in status.replicas[0].last_failure)
