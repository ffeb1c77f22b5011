"""A freeze rejects changes, except those that lower a risk."""

import asyncio
import datetime

import grpc
import pytest

import weir
from conftest import Mesh, metric
from waiting import polled


def weights(mesh):
    endpoint = mesh.admin.GetEndpoint(
        mesh.stubs.admin.GetEndpointRequest(name="greeter"), timeout=10)
    return {weight.backend: weight.weight for weight in endpoint.weights}


@pytest.fixture
def store(tmp_path):
    return ("--demo", "--store", f"sqlite:{tmp_path}/weir.db")


@pytest.fixture
def frozen(stubs, store):
    """The demo during a freeze."""
    mesh = Mesh(stubs, options=store)
    mesh.tool("freeze", "on", "--reason", "holidays", "--until", "1h", "--author", "ann")
    yield mesh
    mesh.stop()


def test_changes_are_rejected_and_the_error_says_how_to_continue(frozen):
    before = weights(frozen)
    for change in [
        ("traffic", "set", "greeter", "greeter-v1=1"), ("endpoint", "delete", "greeter"),
        ("backend", "create", "b", "--upstream", "127.0.0.1:1"),
        ("shadow", "set", "greeter", "greeter-v3=0.5"),
        ("rollout", "start", "greeter", "--to", "greeter-v3"),
    ]:
        rejected = frozen.tool(*change, check=False)
        assert rejected.returncode == 1, change
        for part in ("frozen by 'ann'", "holidays", "until 20", "weir freeze off"):
            assert part in rejected.stderr, (change, rejected.stderr)
    assert weights(frozen) == before
    # A dry run changes nothing.
    frozen.tool("traffic", "set", "greeter", "greeter-v1=1", "--dry-run")


def test_rollbacks_and_overrides_are_accepted(frozen):
    frozen.tool("traffic", "set", "greeter", "greeter-v2=1", "--override-freeze")
    assert weights(frozen) == {"greeter-v2": 1}
    revisions = frozen.admin.ListRevisions(
        frozen.stubs.admin.ListRevisionsRequest(), timeout=10).revisions
    earlier = max(one.revision for one in revisions if "freeze" not in one.summary) - 1
    frozen.tool("rollback", str(earlier), "--endpoint", "greeter")
    assert weights(frozen) != {"greeter-v2": 1}


def test_it_is_shown_everywhere_until_it_is_lifted(frozen):
    for command in [("freeze",), ("traffic", "show", "greeter"), ("stats",)]:
        assert "changes are frozen by ann" in frozen.tool(*command).stdout, command
    assert "changes are frozen by 'ann'" in frozen.tool("history").stdout
    assert metric(frozen.weir, "weir_frozen") == 1
    frozen.tool("freeze", "off")
    assert metric(frozen.weir, "weir_frozen") == 0
    assert frozen.tool("freeze", "show").stdout.strip() == "changes are accepted"
    assert "frozen" not in frozen.tool("stats").stdout
    frozen.tool("traffic", "set", "greeter", "greeter-v1=1")


def test_it_survives_a_restart_and_a_kill(stubs, store):
    mesh = Mesh(stubs, options=store)
    mesh.tool("freeze", "on", "--reason", "audit")
    mesh.weir.process.kill()
    mesh.stop()
    mesh = Mesh(stubs, options=store)
    try:
        assert "audit" in mesh.tool("freeze").stdout
        assert mesh.tool(
            "traffic", "set", "greeter", "greeter-v1=1", check=False).returncode == 1
    finally:
        mesh.stop()


def test_it_ends_by_itself(stubs, store):
    mesh = Mesh(stubs, options=store)
    try:
        mesh.tool("freeze", "on", "--reason", "short", "--until", "3s")
        polled(
            lambda: mesh.tool(
                "traffic", "set", "greeter", "greeter-v1=1", check=False).returncode,
            lambda code: code == 0)
        assert mesh.tool("freeze").stdout.strip() == "changes are accepted"
    finally:
        mesh.stop()


def test_weights_revert_during_a_freeze(stubs, store):
    mesh = Mesh(stubs, options=store)
    try:
        before = weights(mesh)
        mesh.tool("traffic", "set", "greeter", "greeter-v2=1", "--for", "2s")
        mesh.tool("freeze", "on", "--reason", "holidays")
        polled(lambda: weights(mesh), lambda now: now == before)
    finally:
        mesh.stop()


def test_a_rollout_waits_and_can_be_aborted(stubs, store):
    mesh = Mesh(stubs, options=store)
    try:
        mesh.tool(
            "rollout", "start", "greeter", "--to", "greeter-v3", "--steps", "shadow:100%,10%")
        mesh.tool("freeze", "on", "--reason", "holidays")
        for event in ("advance", "promote"):
            rejected = mesh.tool("rollout", event, "greeter", check=False)
            assert rejected.returncode == 1 and "holidays" in rejected.stderr
        mesh.tool("rollout", "pause", "greeter")
        assert mesh.tool("rollout", "resume", "greeter", check=False).returncode == 1
        mesh.tool("rollout", "abort", "greeter")
        assert "aborted" in mesh.tool("rollout", "list").stdout
    finally:
        mesh.stop()


def test_a_wait_ends_when_a_freeze_without_an_end_holds_the_rollout(stubs, store):
    mesh = Mesh(stubs, options=store)
    try:
        mesh.tool("rollout", "start", "greeter", "--to", "greeter-v3", "--steps", "1%,10%",
                  "--minimum", "1s", "--minimum-requests", "0")
        mesh.tool("freeze", "on", "--reason", "holidays", "--author", "ann")
        waited = mesh.tool("rollout", "status", "greeter", "--wait", check=False)
        assert waited.returncode == 2
        assert "waits: changes are frozen by 'ann': holidays" in waited.stderr
        assert "'weir freeze off' ends the freeze" in waited.stdout
    finally:
        mesh.stop()


def test_a_confirmation_is_accepted(stubs, store):
    mesh = Mesh(stubs, options=store)
    try:
        mesh.tool("traffic", "set", "greeter", "greeter-v3=1", "--confirm-within", "1h")
        mesh.tool("freeze", "on", "--reason", "holidays")
        mesh.tool("traffic", "confirm", "greeter")
        assert weights(mesh) == {"greeter-v3": 1}
        assert "reverts" not in mesh.tool("traffic", "show", "greeter").stdout
    finally:
        mesh.stop()


@pytest.mark.parametrize("options, text", [
    (("--reason", ""), "reason"), (("--reason", "x", "--until", "0s"), "until"),
    (("--reason", "x", "--until", "367d"), "until"),
    (("--reason", "x", "--until", "2020-01-01T00:00:00Z"), "until"),
    (("--reason", "x", "--until", "1e300d"), "until"),
    (("--reason", "x", "--until", "tomorrow"), "use a time"),
    (("--reason", "x", "--until", "2027-04-31T08:00:00Z"), "use a time"),
    (("--reason", "x", "--until", "2027-04-30T25:61:00Z"), "use a time"),
])
def test_an_invalid_freeze_is_rejected(stubs, store, options, text):
    mesh = Mesh(stubs, options=store)
    try:
        rejected = mesh.tool("freeze", "on", *options, check=False)
        assert rejected.returncode in (1, 64) and text in rejected.stderr
        assert mesh.tool("freeze").stdout.strip() == "changes are accepted"
    finally:
        mesh.stop()


def test_a_freeze_with_the_python_client(client):
    client.create_backend("old", lambda request: "old")
    client.create_endpoint("e", backend="old")
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    assert client.get_freeze() is None
    frozen = client.freeze("holidays", until=until)
    try:
        assert frozen.reason == "holidays" and abs(frozen.until - until).total_seconds() < 0.001
        assert client.get_freeze().reason == "holidays"
        with pytest.raises(weir.FailedPrecondition, match="holidays"):
            client.delete_endpoint("e")
        with pytest.raises(weir.FailedPrecondition):
            client.create_backend("other", lambda request: "other")
        with pytest.raises(ValueError, match="time zone"):
            client.freeze("x", until=datetime.datetime.now())
        client.set_traffic("e", {"old": 1.0}, override_freeze=True)
    finally:
        client.unfreeze()
    assert client.get_freeze() is None


def test_a_freeze_with_asyncio(client):
    async def run():
        async with weir.aio.connect(client.address) as other:
            assert (await other.freeze("audit")).reason == "audit"
            assert (await other.get_freeze()).until is None
            await other.unfreeze()
            assert await other.get_freeze() is None

    asyncio.run(run())


def test_the_error_has_details_for_programs(frozen):
    with pytest.raises(grpc.RpcError) as error:
        frozen.admin.DeleteEndpoint(
            frozen.stubs.admin.DeleteEndpointRequest(name="greeter"), timeout=10)
    assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    details = dict(error.value.trailing_metadata())["grpc-status-details-bin"]
    assert b"FROZEN" in details and b"holidays" in details
