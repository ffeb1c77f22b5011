"""Worker backends: processes that Weir starts, watches, restarts, replaces and stops."""

import json
import os
import signal
import subprocess
import sys
import time

import grpc
import pytest

from conftest import PATIENCE, ROOT, Mesh
from test_faults import Load
from test_upstream import RAW, READY, call, failure


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


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


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


def test_output_goes_to_the_log_with_the_workers_name(stubs):
    mesh = Mesh(stubs)
    worker(mesh, environment="CRASH=0.5", replicas=1)
    mesh.wait_for("raw", lambda status: status.replicas[0].restarts >= 1)
    assert mesh.stop() == 0
    log = mesh.weir.process.stderr.read()
    assert "worker=raw#0" in log and "crashing as asked" in log
    assert "exited with code 3" in log


def test_a_crash_loop_is_slowed_down_and_told(mesh):
    mesh.tool("backend", "create", "raw", "--worker", "sh -c 'echo broken; exit 7'", "--wait", "0")
    mesh.endpoint("raw", RAW, "raw")
    time.sleep(3)
    status = mesh.status("raw")
    assert not status.usable
    assert 1 <= status.replicas[0].restarts <= 4
    assert status.replicas[0].last_failure == "exited with code 7: broken"
    assert "raw#0 exited with code 7" in status.problem
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "raw#0 exited with code 7" in error.details()


def test_a_program_that_is_not_there_is_told(mesh):
    mesh.tool("backend", "create", "raw", "--worker", "/no/such/program", "--wait", "0")
    status = mesh.wait_for("raw", lambda status: status.replicas and status.replicas[0].last_failure)
    assert "127" in status.replicas[0].last_failure or "no/such" in status.replicas[0].last_failure


def test_an_update_replaces_the_processes_one_by_one_and_fails_no_request(mesh):
    worker(mesh, environment="NAME=old")
    old = {replica.pid for replica in mesh.status("raw").replicas}
    load = Load(mesh, threads=4)
    load.wait(50)
    mesh.tool("backend", "update", "raw", "--worker", f"env NAME=new {command(mesh)}")
    mesh.wait_for("raw", lambda status: all_ready(status) and not old & {
        replica.pid for replica in status.replicas})
    wait_until(lambda: not any(is_running(pid) for pid in old))
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
    wait_until(lambda: not any(is_running(pid) for pid in gone))
    assert is_running(first)


def test_a_deleted_backend_stops_its_processes(mesh):
    worker(mesh)
    pids = [replica.pid for replica in mesh.status("raw").replicas]
    mesh.tool("endpoint", "delete", "raw")
    mesh.tool("backend", "delete", "raw")
    wait_until(lambda: not any(is_running(pid) for pid in pids))


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
    # Longer than a thread of a pool lives idle: the death of Weir's process counts, not of a thread.
    time.sleep(2)
    assert all(is_running(pid) for pid in pids)
    mesh.weir.stop(number)
    mesh.channel.close()
    wait_until(lambda: not any(is_running(pid) for pid in pids), 5)


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace_period(mesh, tmp_path):
    file = tmp_path / "w.yaml"
    file.write_text(
        "worker:\n  command: [sh, -c, 'trap \"\" TERM; while :; do sleep 0.1; done']\n"
        "  grace_period: 0.3s\n")
    mesh.tool("backend", "create", "w", "-f", file, "--wait", "0")
    pid = mesh.wait_for("w", lambda status: status.replicas and status.replicas[0].pid).replicas[0].pid
    began = time.monotonic()
    mesh.tool("backend", "delete", "w")
    wait_until(lambda: not is_running(pid), 5)
    assert time.monotonic() - began > 0.25


def test_a_second_signal_ends_the_wait_for_workers_that_ignore_the_first(stubs, tmp_path):
    mesh = Mesh(stubs)
    script = f"trap '' TERM; exec {command(mesh)}"
    file = tmp_path / "stubborn.json"
    file.write_text(json.dumps({"worker": {
        "command": ["sh", "-c", script], "replicas": 2, "gracePeriod": "60s"}}))
    mesh.tool("backend", "create", "raw", "-f", file, "--wait", "20")
    pids = [replica.pid for replica in mesh.status("raw").replicas]
    assert all(is_running(pid) for pid in pids)
    process = mesh.weir.process
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(2)
    process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert mesh.stop() == 0
    assert time.monotonic() - begin < 5 * PATIENCE
    wait_until(lambda: not any(is_running(pid) for pid in pids))
