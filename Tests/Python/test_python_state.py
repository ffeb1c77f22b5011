"""Calls of the Python client that change whole states, limits and comparisons."""

import asyncio
import re

import pytest

import weir
from conftest import ROOT, wait_for
from weir.admin.v1 import admin_pb2


@pytest.fixture
def shadowed(client):
    """A client with an endpoint that has a shadow, neither of which a server answers."""
    client.create_backend("a", ["127.0.0.1:9"])
    client.create_backend("b", ["127.0.0.1:9"])
    client.create_endpoint("e", backend="a", route="/e", methods=["GET"])
    client.shadow_traffic("e", "b", 0.5)
    return client


def test_a_state_is_exported_and_applied(shadowed):
    state = shadowed.export()
    assert {one["name"] for one in state["backends"]} == {"a", "b"}
    revision = shadowed.history(1)[0].revision
    assert shadowed.apply(state).changes == ()
    state["endpoints"][0]["weights"] = {"a": 0.25, "b": 0.75}
    changes = shadowed.apply(state, validate_only=True).changes
    assert [(one.action, one.kind, one.name) for one in changes] == [("change", "endpoint", "e")]
    assert shadowed.history(1)[0].revision == revision
    assert shadowed.apply(state, comment="from a file").changes[0].moved_share == 0.75
    assert shadowed.get_traffic("e") == {"a": 0.25, "b": 0.75}
    assert shadowed.history(1)[0].comment == "from a file"
    before = shadowed.export(revision)
    assert before["endpoints"][0]["weights"] == {"a": 1.0}
    with pytest.raises(weir.RevisionConflict):
        shadowed.apply(before, expected_revision=revision)
    with pytest.raises(ValueError, match="invalid configuration: .*colour"):
        shadowed.apply({"colour": 1})
    with pytest.raises(weir.RevisionNotKept):
        shadowed.export(9_999)


def test_rate_limits_and_comparisons(shadowed):
    assert shadowed.set_rate_limit("e", 10.5, burst=20).requests_per_second == 10.5
    assert shadowed.get_endpoint("e").requests_per_second == 10.5
    assert shadowed.set_rate_limit("e", None).requests_per_second is None
    with pytest.raises(weir.InvalidArgument):
        shadowed.set_rate_limit("e", -1)
    assert shadowed.get_endpoint("e").comparison == weir.ShadowComparison()
    comparison = weir.ShadowComparison(
        ignored_fields=("payload.id",), absolute_tolerances={"payload.score": 0.01},
        relative_tolerances={"payload.price": 0.1}, redacted_fields=("payload.name",),
        redacted_metadata=("x-user",), noise_proportion=0.25, allowed_share=0.02)
    assert shadowed.set_shadow_comparison("e", comparison).comparison == comparison
    assert shadowed.get_endpoint("e").comparison == comparison
    shadowed.reset_shadow_report("e")
    shadowed.reset_shadow_report("e", "b")
    with pytest.raises(weir.NotFound):
        shadowed.reset_shadow_report("none")


def test_weights_that_return(shadowed):
    half = {"a": 0.5, "b": 0.5}
    shadowed.set_traffic("e", half, confirm_within=60)
    assert shadowed.get_endpoint("e").reverts is not None
    assert shadowed.confirm_traffic("e").reverts is None
    assert shadowed.get_traffic("e") == half
    with pytest.raises(weir.FailedPrecondition):
        shadowed.confirm_traffic("e")
    shadowed.set_traffic("e", {"a": 1.0}, revert_after=1)
    wait_for(lambda: shadowed.get_traffic("e") == half, 20)
    with pytest.raises(ValueError, match="use a number from 1 to 604800"):
        shadowed.set_traffic("e", {"a": 1.0}, revert_after=0.1)


def test_the_same_with_asyncio(shadowed):
    async def run():
        async with weir.aio.connect(shadowed.address) as client:
            state = await client.export()
            assert (await client.apply(state)).changes == ()
            assert (await client.set_rate_limit("e", 5)).requests_per_second == 5
            comparison = weir.ShadowComparison(ignored_fields=("payload.id",))
            changed = await client.set_shadow_comparison("e", comparison)
            assert changed.comparison == comparison
            await client.reset_shadow_report("e")
            await client.set_traffic("e", {"a": 0.5, "b": 0.5}, confirm_within=60)
            assert (await client.confirm_traffic("e")).reverts is None

    asyncio.run(run())


# Calls of the admin service without a call of the client: for operators, with the tool.
OPERATORS = {
    "AdoptState", "CompareRevisions", "GetAccess", "GetTrace", "RestoreState", "Tap", "WatchStats"}


def test_the_client_has_the_calls_of_the_admin_service():
    source = "".join(
        path.read_text() for path in (ROOT / "clients/python/src/weir").glob("*.py"))
    called = set(re.findall(r'Operation\(\s*"(\w+)"', source))
    called |= set(re.findall(r'operations.SERVICE \+ "(\w+)"', source))
    service = admin_pb2.DESCRIPTOR.services_by_name["Admin"]
    assert called | OPERATORS == {method.name for method in service.methods}
    assert not called & OPERATORS
