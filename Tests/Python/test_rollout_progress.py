"""The evidence and the position of rollouts outlive servers, leaders and the loss of the store."""

import contextlib
import json

import pytest

from conftest import Mesh
from etcd import Etcd
from rollout_backend import RAW, Backend, traffic
from waiting import polled

PAUSED, ABORTED = 5, 7
PATIENT = ("--minimum", "600s", "--maximum", "700s")
MINUTES = 90


@pytest.fixture
def servers():
    """Two backends with equal errors."""
    servers = [Backend(failing=0.05), Backend(failing=0.05)]
    yield servers
    for server in servers:
        server.server.stop(None)


def create(mesh, servers):
    for name, server in zip(["v1", "v2"], servers):
        mesh.backend(name, "--upstream", server.address)
    mesh.endpoint("raw", RAW, "v1")
    mesh.wait_ready("v1")
    mesh.wait_ready("v2")


def start(mesh, *options):
    mesh.tool("rollout", "start", "raw", "--to", "v2", "--steps", "50%", *PATIENT, *options)


def status(mesh):
    return mesh.admin.GetRollout(
        mesh.stubs.admin.GetRolloutRequest(endpoint="raw"), timeout=10)


def seconds(rollout):
    return rollout.in_phase.seconds + rollout.in_phase.nanos / 1e9


def decisions(mesh):
    """The decisions of the rollout, except the pauses without requests."""
    shown = json.loads(mesh.tool("history", "--json").stdout)["revisions"]
    return [one["revision"] for one in shown if "requests" not in one.get("comment", "")]


def has_stored(mesh):
    """Waits until the server has evidence, and then until it has stored it."""
    early = polled(
        lambda: status(mesh),
        lambda now: now.gates and now.gates[0].candidate_bad > 5 and now.requests > 100, MINUTES)
    polled(lambda: seconds(status(mesh)), lambda time: time > seconds(early) + 7, MINUTES)
    return early


def has_continued(mesh, early):
    """Waits until a server has the evidence and the position of an earlier moment, or later."""
    return polled(
        lambda: status(mesh),
        lambda now: now.gates and now.gates[0].requests >= early.gates[0].requests
        and now.gates[0].candidate_bad >= early.gates[0].candidate_bad
        and now.requests >= early.requests and seconds(now) >= seconds(early), MINUTES)


@pytest.fixture
def fleet(stubs, tmp_path):
    """An etcd and two servers; the first one leads."""
    etcd = Etcd(tmp_path / "etcd")
    meshes = [Mesh(stubs, options=(
        "--store", f"etcd:http://{etcd.address}?prefix=fleet&ttl=3", "--name", name,
        "--state-dir", tmp_path / name)) for name in ("one", "two")]
    instances = polled(
        lambda: json.loads(meshes[0].tool("fleet", "list", "--json").stdout)["instances"],
        lambda found: len(found) == 2 and any(one["leader"] for one in found), MINUTES)
    leader = next(one["name"] for one in instances if one["leader"])
    yield etcd, meshes if leader == "one" else meshes[::-1]
    for mesh in meshes:
        mesh.stop()
    with contextlib.suppress(Exception):
        etcd.stop()


def test_a_killed_server_continues_within_the_step(stubs, servers, tmp_path):
    store = ("--store", f"sqlite:{tmp_path}/weir.db")
    mesh = Mesh(stubs, options=store)
    try:
        create(mesh, servers)
        with traffic(mesh):
            start(mesh)
            early = has_stored(mesh)
        history = decisions(mesh)
        mesh.weir.process.kill()
        mesh.stop()
        mesh = Mesh(stubs, options=store)
        has_continued(mesh, early)
        # To store progress makes no revision.
        assert decisions(mesh) == history
        mesh.tool("rollout", "abort", "raw")
    finally:
        mesh.stop()


def test_the_next_leader_continues_within_the_step(fleet, servers):
    etcd, (leader, other) = fleet
    create(leader, servers)
    polled(lambda: "raw" in other.tool("endpoint", "list").stdout, bool)
    with traffic(leader), traffic(other):
        start(leader)
        early = has_stored(leader)
        # The other server shows the evidence that the leader has stored.
        followed = polled(
            lambda: status(other), lambda now: now.gates and now.gates[0].requests > 0, MINUTES)
        assert followed.requests > 0 and followed.log_threshold > 0
        # An operator's event through the other server keeps the time and the requests of the step.
        other.tool("rollout", "pause", "raw")
        paused = polled(lambda: status(leader), lambda now: now.phase == PAUSED)
        assert seconds(paused) >= seconds(early) and paused.requests >= early.requests
        other.tool("rollout", "resume", "raw")
        leader.weir.process.kill()
        has_continued(other, early)
    assert "/progress/" in etcd.control("get", "--prefix", "fleet/progress/", "--keys-only")
    other.tool("rollout", "abort", "raw")
    polled(
        lambda: etcd.control("get", "--prefix", "fleet/progress/", "--keys-only").strip(),
        lambda keys: not keys)


def test_the_evidence_outlives_the_loss_of_the_store(fleet, servers):
    etcd, (leader, other) = fleet
    create(leader, servers)
    with traffic(leader):
        start(leader)
        early = has_stored(leader)
        etcd.stop()
        polled(
            lambda: leader.tool("rollout", "pause", "raw", check=False).returncode,
            lambda code: code != 0, MINUTES)
        etcd.start()
        # The server that leads now continues, whichever it is.
        polled(
            lambda: max(status(mesh).gates[0].requests for mesh in (leader, other)),
            lambda requests: requests > early.gates[0].requests + 200, MINUTES)


def test_a_changed_definition_of_a_backend_begins_the_evidence_again(mesh, servers):
    create(mesh, servers)
    with traffic(mesh):
        start(mesh)
        before = polled(
            lambda: status(mesh), lambda now: now.gates and now.gates[0].requests > 300, MINUTES)
        # A description does not change the program.
        mesh.tool("backend", "update", "v2", "--description", "the second version")
        polled(
            lambda: status(mesh),
            lambda now: now.gates[0].requests > before.gates[0].requests + 300,
            MINUTES)
        mesh.tool("backend", "update", "v2", "--max-requests", "900")
        again = polled(
            lambda: status(mesh),
            lambda now: now.gates[0].requests < before.gates[0].requests, MINUTES)
    assert again.weight == 0.5 and again.step == 0
    assert "backend 'v2' was changed" in mesh.tool("rollout", "history", "raw").stdout
