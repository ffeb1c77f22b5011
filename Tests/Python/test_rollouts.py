"""Rollouts against real gRPC servers."""

import json

import grpc
import pytest

from conftest import Mesh
from etcd import Etcd
from rollout_backend import RAW, Backend, traffic
from waiting import polled

PENDING, SETTLING, OBSERVING, BAKING, PAUSED, ABORTING, ABORTED, SUCCEEDED = range(1, 9)
QUICK = {"--to": "v2", "--minimum": "2s", "--minimum-requests": "20", "--bake": "2s"}
# A step takes at least 3 s, and requests are judged after up to 10 s.
MINUTES = 90


@pytest.fixture
def rollout(mesh):
    """Creates the backends v1 and v2, and an endpoint of v1. Returns the mesh."""
    servers = []

    def create(**candidate):
        for name, options in [("v1", {"failing": 0.02}), ("v2", {"failing": 0.02, **candidate})]:
            servers.append(Backend(**options))
            mesh.backend(name, "--upstream", servers[-1].address)
        mesh.endpoint("raw", RAW, "v1")
        mesh.wait_ready("v1")
        mesh.wait_ready("v2")
        return mesh

    yield create
    for server in servers:
        server.server.stop(None)


def status(mesh):
    return mesh.admin.GetRollout(
        mesh.stubs.admin.GetRolloutRequest(endpoint="raw"), timeout=10)


def until(mesh, *phases):
    return polled(lambda: status(mesh), lambda now: now.phase in phases, MINUTES)


def weights(mesh):
    endpoint = mesh.admin.GetEndpoint(
        mesh.stubs.admin.GetEndpointRequest(name="raw"), timeout=10)
    return {weight.backend: weight.weight for weight in endpoint.weights}, [
        (interval.start, interval.backend) for interval in endpoint.intervals]


def start(mesh, *options, check=True):
    defaults = [part for pair in QUICK.items() if pair[0] not in options for part in pair]
    return mesh.tool("rollout", "start", "raw", *defaults, *options, check=check)


def test_an_identical_candidate_is_promoted(rollout):
    mesh = rollout()
    with traffic(mesh):
        start(mesh, "--steps", "shadow:100%,20%,50%,100%", "--gate", "errors<3x")
        done = mesh.tool("rollout", "status", "raw", "--wait", "--json")
    assert json.loads(done.stdout)["phase"] == "ROLLOUT_PHASE_SUCCEEDED"
    assert weights(mesh)[0] == {"v2": 1}
    history = mesh.tool("history").stdout
    assert "rollout/raw" in history and "succeeded" in history


def test_a_candidate_that_is_worse_is_aborted_and_all_keys_return(rollout):
    mesh = rollout(failing=0.3)
    before = weights(mesh)
    with traffic(mesh):
        start(mesh, "--steps", "50%", "--minimum", "60s")
        done = mesh.tool("rollout", "status", "raw", "--wait", check=False)
    assert done.returncode == 2, done.stdout
    assert "aborted" in done.stdout and "errors<1.5x" in done.stdout
    assert weights(mesh) == before
    assert status(mesh).phase == ABORTED
    metrics = mesh.tool("rollout", "list").stdout
    assert "aborted" in metrics


def test_a_candidate_that_answers_not_found_is_aborted(rollout):
    mesh = rollout(failing=1.0, code=grpc.StatusCode.NOT_FOUND)
    with traffic(mesh):
        start(mesh, "--steps", "20%", "--minimum", "60s")
        until(mesh, ABORTED)
    assert "codes<2x" in status(mesh).reason


def test_without_traffic_it_pauses_and_resumes_by_itself(rollout):
    mesh = rollout()
    start(mesh, "--steps", "50%")
    assert until(mesh, PAUSED).pause == "no_traffic"
    with traffic(mesh):
        until(mesh, SUCCEEDED)


def test_another_change_of_the_weights_is_rejected_or_pauses_it(rollout):
    mesh = rollout()
    start(mesh, "--steps", "10%,50%", "--minimum", "60s")
    rejected = mesh.tool("traffic", "set", "raw", "v1=1", check=False)
    assert rejected.returncode == 1
    assert "a rollout to 'v2' is running" in rejected.stderr
    for arguments in [("endpoint", "delete", "raw"), ("backend", "delete", "v1")]:
        assert mesh.tool(*arguments, check=False).returncode == 1
    mesh.tool("traffic", "set", "raw", "v1=0.7", "v2=0.3", "--override-rollout")
    assert status(mesh).pause == "other_change"
    rejected = mesh.tool("rollout", "resume", "raw", check=False)
    assert rejected.returncode == 1 and "adopt" in rejected.stderr
    mesh.tool("rollout", "resume", "raw", "--adopt")
    assert weights(mesh)[0] == {"v1": 0.7, "v2": 0.3}
    mesh.tool("rollout", "advance", "raw")
    assert weights(mesh)[0] == {"v1": 0.5, "v2": 0.5}
    mesh.tool("rollback", "3", "--endpoint", "raw")
    assert weights(mesh)[0] == {"v1": 1}
    assert status(mesh).phase == ABORTED


def test_a_rollout_continues_after_the_server_was_killed(stubs, tmp_path):
    servers = [Backend(), Backend()]
    store = ("--store", f"sqlite:{tmp_path}/weir.db")
    mesh = Mesh(stubs, options=store)
    try:
        for name, server in zip(["v1", "v2"], servers):
            mesh.backend(name, "--upstream", server.address)
        mesh.endpoint("raw", RAW, "v1")
        start(mesh, "--steps", "50%", "--bake", "1s")
        mesh.weir.process.kill()
        mesh.stop()
        mesh = Mesh(stubs, options=store)
        assert weights(mesh)[0] == {"v1": 0.5, "v2": 0.5}
        with traffic(mesh):
            until(mesh, SUCCEEDED)
    finally:
        mesh.stop()
        for server in servers:
            server.server.stop(None)


@pytest.mark.parametrize("options, field", [
    (("--steps", "10%,10%"), "plan.steps[1]"), (("--steps", "nan%"), "plan.steps[0]"),
    (("--gate", "errors<0x"), "plan.gates[0]"), (("--gate", "shadow-diff<1%"), "plan.gates[0]"),
    (("--bake", "0s"), "plan.bake"), (("--bake", "1000000000d"), "plan.bake"),
    (("--holdout", "60%"), "plan.holdout"), (("--abort", "ramp:1%/1m"), "plan.abort"),
    (("--minimum", "2h"), "plan.minimum"), (("--to", "v9"), "plan.candidate"),
])
def test_an_invalid_plan_is_rejected(rollout, options, field):
    mesh = rollout()
    rejected = start(mesh, *options, check=False)
    assert rejected.returncode == 1
    assert field in rejected.stderr


def test_a_dry_run_shows_the_steps_and_changes_nothing(rollout):
    mesh = rollout()
    shown = start(mesh, "--steps", "10%,100%", "--dry-run").stdout
    assert "10.00 %" in shown and "90.00 %" in shown and "nothing has changed" in shown
    with pytest.raises(grpc.RpcError) as error:
        status(mesh)
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_change_reverts_after_its_time_also_across_a_restart(stubs, tmp_path):
    store = ("--demo", "--store", f"sqlite:{tmp_path}/weir.db")
    mesh = Mesh(stubs, options=store)

    def greeter(mesh):
        endpoint = mesh.admin.GetEndpoint(
            stubs.admin.GetEndpointRequest(name="greeter"), timeout=10)
        return {weight.backend: weight.weight for weight in endpoint.weights}

    try:
        before = greeter(mesh)
        mesh.tool("traffic", "set", "greeter", "greeter-v2=1", "--for", "6s")
        shown = mesh.tool("traffic", "show", "greeter").stdout
        assert "reverts to greeter-v1=0.9 greeter-v2=0.1" in shown
        assert greeter(mesh) == {"greeter-v2": 1}
        mesh.stop()
        mesh = Mesh(stubs, options=store)
        polled(lambda: greeter(mesh), lambda now: now == before, MINUTES)
        assert "traffic/greeter" in mesh.tool("history").stdout
        mesh.tool("traffic", "set", "greeter", "greeter-v2=1", "--confirm-within", "1s")
        polled(lambda: greeter(mesh), lambda now: now == before, MINUTES)
        mesh.tool("traffic", "set", "greeter", "greeter-v2=1", "--confirm-within", "60s")
        mesh.tool("traffic", "confirm", "greeter")
        assert "reverts" not in mesh.tool("traffic", "show", "greeter").stdout
        rejected = mesh.tool("traffic", "confirm", "greeter", check=False)
        assert rejected.returncode == 1 and "waits for a confirmation" in rejected.stderr
    finally:
        mesh.stop()


@pytest.mark.parametrize("options, code, reason", [
    (("--for", "0s"), 1, "must be from"), (("--for", "8d"), 1, "must be from"),
    (("--confirm-within", "0.5s"), 1, "must be from"),
    (("--for", "10s", "--confirm-within", "10s"), 64, "exclude each other")])
def test_an_invalid_time_is_rejected(mesh, options, code, reason):
    rejected = mesh.tool("traffic", "set", "raw", "v1=1", *options, check=False)
    assert rejected.returncode == code and reason in rejected.stderr


def test_a_fleet_decides_by_all_requests_and_survives_its_leader(stubs, tmp_path):
    etcd = Etcd(tmp_path / "etcd")
    servers = [Backend(), Backend(failing=0.3)]
    meshes = [Mesh(stubs, options=(
        "--store", f"etcd:http://{etcd.address}?prefix=fleet&ttl=3", "--name", name,
        "--state-dir", tmp_path / name)) for name in ("one", "two")]
    try:
        for name, server in zip(["v1", "v2"], servers):
            meshes[0].backend(name, "--upstream", server.address)
        meshes[0].endpoint("raw", RAW, "v1")
        polled(lambda: "raw" in meshes[1].tool("endpoint", "list").stdout, bool)
        instances = polled(
            lambda: json.loads(meshes[0].tool("fleet", "list", "--json").stdout)["instances"],
            lambda found: any(instance["leader"] for instance in found), MINUTES)
        leads = {instance["name"]: instance["leader"] for instance in instances}
        leader, other = meshes if leads["one"] else reversed(meshes)
        # Only the other server has requests; the leader knows them from its counts.
        with traffic(other):
            start(leader, "--steps", "30%", "--minimum", "600s", "--maximum", "700s")
            polled(lambda: status(leader).gates[0].requests, lambda count: count > 0, MINUTES)
            leader.weir.process.kill()
            until(other, ABORTED)
        assert weights(other)[0] == {"v1": 1}
    finally:
        for mesh in meshes:
            mesh.stop()
        for server in servers:
            server.server.stop(None)
        etcd.stop()
