"""How `weir backend create` and `update` wait, and updates of workers under load."""

import json
import subprocess
import time

import pytest

from churn import Churn
from conftest import BUILD, PATIENCE, SECONDS
from test_upstream import call
from test_workers import command, worker
from waiting import wait_for


@pytest.mark.parametrize("program, reason", [
    ("no-such-program", "no-such-program"),
    ("sh -c 'echo broken; exit 7'", "exited with code 7: broken"),
    ("sleep 60", "0 of 1 workers of revision 1 are ready")])
def test_create_fails_if_the_worker_is_not_ready_in_time(mesh, program, reason):
    run = mesh.tool("backend", "create", "w", "--worker", program, "--wait", "2", check=False)
    assert run.returncode == 1
    assert ("backend 'w' exists, but is not ready: 0 of 1 workers of revision 1 are ready"
            in run.stderr)
    assert reason in run.stderr and "w#0" in run.stdout
    assert mesh.status("w").replicas
    run = mesh.tool("backend", "create", "unawaited", "--worker", program, "--wait", "0")
    assert not run.stderr


def test_create_of_an_upstream_that_is_not_started_yet_succeeds(mesh):
    run = mesh.tool("backend", "create", "later", "--upstream", "127.0.0.1:1")
    assert "warning: backend 'later' exists, but is not ready" in run.stderr


def revision(mesh, name):
    request = mesh.stubs.admin.GetBackendRequest(name=name)
    return mesh.admin.GetBackend(request, timeout=10).revision


def test_update_fails_if_the_new_worker_is_not_healthy_and_names_the_serving_revision(mesh):
    worker(mesh, environment="NAME=old", replicas=2)
    old = revision(mesh, "raw")
    begin = time.monotonic()
    run = mesh.tool("backend", "update", "raw", "--worker", "sh -c 'echo broken; exit 9'",
                    "--wait", "60", check=False)
    assert run.returncode == 1
    new = revision(mesh, "raw")
    assert new > old
    assert ("backend 'raw' is updated, but is not ready: "
            f"0 of 2 workers of revision {new} are ready; "
            "the update was stopped: raw#0 exited with code 9: broken; "
            f"the workers of revision {old} still serve") in run.stderr
    # The check is immediate, because a stopped update does not continue.
    assert time.monotonic() - begin < 20 * PATIENCE
    assert call(mesh, "Name").startswith(b"old")
    assert {replica.revision for replica in mesh.status("raw").replicas} == {old}


def test_update_fails_if_the_new_worker_is_still_not_ready_when_the_wait_ends(mesh):
    worker(mesh, environment="NAME=old", replicas=1)
    old = revision(mesh, "raw")
    run = mesh.tool("backend", "update", "raw", "--worker", "sleep 300", "--wait", "1", "--json",
                    check=False)
    assert run.returncode == 1
    assert "0 of 1 workers of revision" in run.stderr
    assert f"workers of revision {old} still serve" in run.stderr
    shown = json.loads(run.stdout)
    assert int(shown["revision"]) > old
    assert [int(replica["revision"]) for replica in shown["status"]["replicas"]] == [old]
    run = mesh.tool("backend", "update", "raw", "--worker", "sleep 200", "--wait", "0")
    assert not run.stderr


def test_update_succeeds_when_all_workers_are_replaced(mesh):
    worker(mesh, environment="NAME=old", replicas=3)
    run = mesh.tool("backend", "update", "raw", "--worker", f"env NAME=new {command(mesh)}",
                    "--json", "--wait", SECONDS)
    shown = json.loads(run.stdout)
    assert {replica["revision"] for replica in shown["status"]["replicas"]} == {shown["revision"]}
    assert {call(mesh, "Name").split()[0] for _ in range(20)} == {b"new"}
    # Running processes adopt a change that does not need new ones.
    pids = {replica.pid for replica in mesh.status("raw").replicas}
    run = mesh.tool("backend", "update", "raw", "--description", "the same processes", "--json")
    shown = json.loads(run.stdout)
    assert {int(replica["pid"]) for replica in shown["status"]["replicas"]} == pids
    assert {replica["revision"] for replica in shown["status"]["replicas"]} == {shown["revision"]}


def test_update_fails_if_a_newer_one_supersedes_it(mesh):
    worker(mesh, environment="NAME=old", replicas=1)
    old = revision(mesh, "raw")
    first = subprocess.Popen(
        [BUILD / "weir", "backend", "update", "raw", "--worker", "sleep 300", "--wait", "60",
         "--admin", mesh.weir.admin], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: revision(mesh, "raw") > old)
    broken = revision(mesh, "raw")
    mesh.tool("backend", "update", "raw", "--worker", f"env NAME=fixed {command(mesh)}")
    _, errors = first.communicate(timeout=SECONDS)
    assert first.returncode == 1
    fixed = revision(mesh, "raw")
    assert f"another change followed: revision {fixed} replaced revision {broken}" in errors
    assert call(mesh, "Name").startswith(b"fixed")


def test_update_fails_if_a_new_server_of_an_upstream_is_not_ready(mesh):
    server = mesh.upstream()
    mesh.raw(server.address)
    mesh.tool("backend", "update", "raw", "--upstream", f"{server.address},127.0.0.1:1",
              "--wait", "0")
    # The first server is known: only servers that an update adds count.
    mesh.tool("backend", "update", "raw", "--max-requests-per-replica", "9", "--wait", "1")
    run = mesh.tool("backend", "update", "raw", "--upstream", f"{server.address},127.0.0.1:2",
                    "--wait", "1", check=False)
    assert run.returncode == 1
    assert ("backend 'raw' is updated, but is not ready: 127.0.0.1:2 is not ready: "
            in run.stderr)
    other = mesh.upstream()
    mesh.tool("backend", "update", "raw", "--upstream", f"{server.address},{other.address}")


def test_scaling_replacing_and_killing_workers_loses_no_call(mesh):
    churn = Churn(mesh)
    churn.run(0)
    assert not churn.wrong
    assert churn.counts["kills"] >= 2
    assert churn.counts["replacements"] == churn.counts["scalings"] == 3
    assert all(churn.counts[kind] for kind in ("small", "large", "stream", "metrics"))
