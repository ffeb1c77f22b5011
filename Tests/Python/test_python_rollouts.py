"""Rollouts with the Python client."""

import asyncio
import datetime

import pytest

import weir

PLAN = weir.RolloutPlan(
    "new", ("10%", "50%"), gates=("errors<1.5x",), minimum=1, bake=1.5, minimum_requests=0,
    approval=True, require="no_objection", on_inconclusive="advance", alpha=0.1)


@pytest.fixture
def ready(client):
    """A client with an endpoint, and a second backend."""
    client.create_backend("old", lambda request: "old")
    client.create_backend("new", lambda request: "new")
    client.create_endpoint("e", backend="old")
    return client


def test_a_rollout_is_decided_by_calls(ready):
    planned = ready.start_rollout("e", PLAN, validate_only=True)
    assert [(step, round(moved, 3)) for step, moved, _ in planned.preview][:2] == [
        ("10%", 0.1), ("50%", 0.4)]
    with pytest.raises(weir.NotFound):
        ready.get_rollout("e")
    started = ready.start_rollout("e", PLAN, comment="try it").rollout
    assert (started.candidate, started.steps[:2], started.baseline) == (
        "new", ("10%", "50%"), {"old": 1.0})
    watch = ready.watch_rollout("e")
    assert next(watch).endpoint == "e"
    watch.close()
    assert set(ready.list_rollouts()) == {"e"}
    assert ready.pause_rollout("e").phase == "paused"
    assert ready.get_rollout("e").pause == "operator"
    assert ready.resume_rollout("e").phase != "paused"
    assert ready.advance_rollout("e").step == 1
    aborted = ready.abort_rollout("e", immediate=True)
    assert aborted.has_ended and aborted.phase == "aborted"
    assert ready.get_traffic("e") == {"old": 1.0}
    ready.start_rollout("e", PLAN)
    promoted = ready.promote_rollout("e")
    assert (promoted.phase, promoted.weight) == ("succeeded", 1.0)
    assert ready.get_traffic("e") == {"new": 1.0}
    with pytest.raises(weir.FailedPrecondition):
        ready.abort_rollout("e")


def test_invalid_plans(ready):
    for change, kind, message in [
        ({"steps": ("200%",)}, weir.InvalidArgument, "200%"),
        ({"candidate": "none"}, weir.NotFound, "none"),
        ({"webhooks": {"http://127.0.0.1:9/": ["never"]}}, ValueError, "use confirm_start or"),
        ({"require": "luck"}, ValueError, "use no_objection or proof"),
        ({"on_inconclusive": "wait"}, ValueError, "use pause or advance or abort"),
    ]:
        plan = weir.RolloutPlan(**{"candidate": "new", "steps": ("10%",), **change})
        with pytest.raises(kind, match=message):
            ready.start_rollout("e", plan)


@pytest.mark.parametrize("change, message", [
    ({"steps": "10%"}, r"invalid steps '10%': use a list of texts, for example \("),
    ({"steps": [10]}, "invalid steps"), ({"gates": "errors<2x"}, "invalid gates"),
    ({"candidate": 5}, "invalid candidate 5: use the name of a backend"),
    ({"bake": "10m"}, "invalid bake '10m': use a number from 0.001 to 604800"),
    ({"minimum": float("nan")}, "invalid minimum nan"), ({"maximum": 1e300}, "invalid maximum"),
    ({"maximum": True}, "invalid maximum"),
    ({"minimum_requests": -1}, "invalid minimum_requests -1"),
    ({"minimum_requests": 2**70}, "invalid minimum_requests"),
    ({"holdout": "5%"}, "invalid holdout '5%': use a number from 0 to 0.5"),
    ({"alpha": 0}, "invalid alpha 0"), ({"approval": "yes"}, "use True or False"),
    ({"abort": None}, "invalid abort None"), ({"require": []}, "invalid require"),
    ({"webhooks": ["x"]}, "a dictionary of URLs"),
    ({"webhooks": {"http://127.0.0.1:9/": "event"}}, "invalid webhooks 'event'"),
    ({"webhooks": {5: ["event"]}}, "invalid webhooks 5"),
])
def test_values_of_another_kind_name_the_field(change, message):
    plan = weir.RolloutPlan(**{"candidate": "new", "steps": ("10%",), **change})
    with pytest.raises(ValueError, match=message):
        plan.message()


ARGUMENTS = [
    (lambda c: c.set_traffic("e", None), "invalid traffic None: use a dictionary such as"),
    (lambda c: c.set_traffic("e", ["old"]), "invalid traffic"),
    (lambda c: c.set_traffic("e", {"old": "1"}), "invalid traffic"),
    (lambda c: c.set_traffic("e", {1: 1.0}), "invalid traffic"),
    (lambda c: c.set_traffic("e", {"old": True}), "invalid traffic"),
    (lambda c: c.set_traffic(None, {"old": 1}), "invalid endpoint None: use the name"),
    (lambda c: c.set_traffic("e", {"old": 1}, revert_after="30m"), "invalid revert_after '30m'"),
    (lambda c: c.set_traffic("e", {"old": 1}, revert_after=0.5), "use a number from 1 to 604800"),
    (lambda c: c.set_traffic("e", {"old": 1}, revert_after=float("nan")), "revert_after nan"),
    (lambda c: c.set_traffic("e", {"old": 1}, confirm_within=1e300), "invalid confirm_within"),
    (lambda c: c.set_traffic("e", {"old": 1}, confirm_within=[]), "invalid confirm_within"),
    (lambda c: c.set_traffic("e", {"old": 10**400}), "invalid traffic"),
    (lambda c: c.set_traffic("e", {"old": 1}, confirm_within=10**400), "invalid confirm_within"),
    (lambda c: c.confirm_traffic(5), "invalid endpoint 5"),
    (lambda c: c.freeze("x", until="2026-12-24"), "invalid until '2026-12-24': use a datetime"),
    (lambda c: c.freeze("x", until=5), "invalid until 5"), (lambda c: c.freeze(None), "reason"),
    (lambda c: c.freeze("x", until=datetime.datetime(2026, 12, 24)), "must have a time zone"),
    (lambda c: c.start_rollout("e", None), "invalid plan None: use a RolloutPlan"),
    (lambda c: c.start_rollout("e", {"candidate": "new"}), "invalid plan"),
    (lambda c: c.start_rollout(None, PLAN), "invalid endpoint None"),
    (lambda c: c.pause_rollout(None), "invalid endpoint None"),
    (lambda c: c.get_rollout(5), "invalid endpoint 5"),
    (lambda c: c.abort_rollout("e", immediate=True, keep_weights=True), "exclude each other"),
]


def test_arguments_of_another_kind_are_named(ready):
    for call, message in ARGUMENTS:
        with pytest.raises(ValueError, match=message):
            call(ready)


def test_a_rollout_ends_with_the_present_weights(ready):
    started = ready.start_rollout("e", PLAN).rollout
    assert started.started_revision == started.revision
    advanced = ready.advance_rollout("e")
    assert advanced.revision > started.revision
    assert advanced.started_revision == started.started_revision
    ended = ready.abort_rollout("e", keep_weights=True)
    assert (ended.phase, ended.weight) == ("aborted", 0.5)
    assert ended.reason.endswith("the present weights stay")
    assert ready.get_traffic("e") == {"old": 0.5, "new": 0.5}


def test_a_rollout_as_one_call(ready):
    started = ready.rollout(
        "e", "new", steps=["10%", "50%"], gates=["errors<1.5x"], bake=60, approval=True)
    assert (started.rollout.candidate, started.rollout.steps) == ("new", ("10%", "50%", "100%"))
    ready.abort_rollout("e")
    assert ready.rollout("e", "new", validate_only=True).rollout.steps[0] == "1%"
    with pytest.raises(ValueError, match="invalid maximum '1h'"):
        ready.rollout("e", "new", maximum="1h")


def test_rollouts_with_asyncio(ready):
    async def run():
        async with weir.aio.connect(ready.address) as client:
            planned = await client.rollout("e", "new", steps=["5%"], validate_only=True)
            assert planned.rollout.steps == ("5%", "100%")
            assert (await client.start_rollout("e", PLAN)).rollout.endpoint == "e"
            async for rollout in client.watch_rollout("e"):
                assert rollout.candidate == "new"
                break
            await client.pause_rollout("e")
            await client.resume_rollout("e")
            assert (await client.get_rollout("e")).steps[0] == "10%"
            assert set(await client.list_rollouts()) == {"e"}
            await client.advance_rollout("e")
            assert (await client.abort_rollout("e", immediate=True)).has_ended
            await client.start_rollout("e", PLAN)
            assert (await client.promote_rollout("e")).phase == "succeeded"

    asyncio.run(run())
