"""Rollouts of servers that are killed: of one server, and of the leader of a fleet of three."""

import base64
import contextlib
import json
import threading

import grpc
import pytest

import rollout_torture
from conftest import Mesh, free_port, start_weir
from etcd import Etcd
from test_rollouts import (
    ABORTED, ABORTING, BAKING, OBSERVING, PAUSED, PENDING, SUCCEEDED, Backend)
from waiting import polled

SECONDS = 90
# The endpoint of each rollout, and its phase when the leader is killed.
PHASES = {
    "pending": PENDING, "observing": OBSERVING, "paused": PAUSED, "aborting": ABORTING,
    "baking": BAKING,
}


def rollout(mesh, endpoint):
    return mesh.admin.GetRollout(
        mesh.stubs.admin.GetRolloutRequest(endpoint=endpoint), timeout=10)


def share(mesh, endpoint):
    """The weight of v2."""
    found = mesh.admin.GetEndpoint(mesh.stubs.admin.GetEndpointRequest(name=endpoint), timeout=10)
    return {weight.backend: weight.weight for weight in found.weights}.get("v2", 0)


def until(mesh, endpoint, *phases):
    return polled(lambda: rollout(mesh, endpoint), lambda now: now.phase in phases, SECONDS)


def leader_of(meshes):
    """The leader, and the other servers."""
    instances = polled(
        lambda: json.loads(meshes[0].tool("fleet", "list", "--json").stdout)["instances"],
        lambda found: len(found) == len(meshes) and any(one["leader"] for one in found), SECONDS)
    name = next(one["name"] for one in instances if one["leader"])
    number = int(name.removeprefix("server-"))
    return meshes[number], [mesh for index, mesh in enumerate(meshes) if index != number]


@contextlib.contextmanager
def requests(mesh, endpoints):
    """Sends requests to the endpoints in turn."""
    stop = threading.Event()

    def send():
        methods = [mesh.channel.unary_unary(f"/test.{name.title()}/Call") for name in endpoints]
        while not stop.wait(0.005):
            for method in methods:
                with contextlib.suppress(grpc.RpcError):
                    method(b"x", timeout=5)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


class Everything(Backend):
    def service(self, details):
        if details.method.startswith("/test."):
            return grpc.unary_unary_rpc_method_handler(self.answer)
        return None


@pytest.fixture
def fleet(stubs, tmp_path):
    etcd = Etcd(tmp_path / "etcd")
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{base64.b64encode(bytes(32)).decode()}\n")
    secret.chmod(0o600)
    hook = f"127.0.0.1:{free_port()}"
    servers = [Everything(), Everything()]
    meshes = [Mesh(stubs, options=(
        "--store", f"etcd:http://{etcd.address}?prefix=fleet&ttl=3", "--name", f"server-{number}",
        "--state-dir", tmp_path / f"server-{number}", "--webhook-secret", secret,
        "--webhook-host", hook)) for number in range(3)]
    for name, server in zip(["v1", "v2"], servers):
        meshes[0].backend(name, "--upstream", server.address)
    yield meshes, hook
    for mesh in meshes:
        mesh.stop()
    for server in servers:
        server.server.stop(None)
    etcd.stop()


def start_all(mesh, hook):
    """Starts a rollout for each phase, and brings it there."""
    for endpoint in PHASES:
        mesh.endpoint(endpoint, f"/test.{endpoint.title()}/", "v1")
        options = ["--webhook", f"confirm-start=http://{hook}/"] if endpoint == "pending" else []
        mesh.tool("rollout", "start", endpoint, "--to", "v2", "--steps", "30%,60%,100%",
                  "--minimum", "10m", "--abort", "ramp:20%,0%/20s", *options)
    mesh.tool("rollout", "pause", "paused")
    mesh.tool("rollout", "abort", "aborting")
    for _ in range(3):
        mesh.tool("rollout", "advance", "baking")


def test_the_leader_is_killed_in_each_phase(fleet):
    meshes, hook = fleet
    leader, others = leader_of(meshes)
    polled(lambda: "v2" in leader.tool("backend", "list").stdout, bool, SECONDS)
    start_all(leader, hook)
    with requests(others[0], PHASES):
        for endpoint, phase in PHASES.items():
            until(leader, endpoint, phase)
        before = {name: (rollout(leader, name), share(leader, name)) for name in PHASES}
        leader.weir.process.kill()
        # Another server decides now: the ramp of the abort continues.
        assert until(others[0], "aborting", ABORTED).phase == ABORTED
        for endpoint, (last, weight) in before.items():
            if endpoint == "aborting":
                assert share(others[1], endpoint) == 0
                continue
            now = rollout(others[0], endpoint)
            assert (now.phase, now.step) == (last.phase, last.step), endpoint
            assert share(others[1], endpoint) == pytest.approx(weight), endpoint
        others[0].tool("rollout", "advance", "pending")
        assert until(others[1], "pending", OBSERVING).weight == pytest.approx(0.3)
        others[0].tool("rollout", "advance", "observing")
        assert polled(lambda: share(others[1], "observing"), lambda found: found > 0.5) == \
            pytest.approx(0.6)
        others[0].tool("rollout", "resume", "paused")
        until(others[1], "paused", OBSERVING)
        others[0].tool("rollout", "advance", "baking")
        until(others[1], "baking", SUCCEEDED)
        assert share(others[1], "baking") == 1


def test_decisions_and_weights_survive_kills(stubs):
    assert rollout_torture.torture(stubs, start_weir, rounds=6, seed=3) > 10
