"""Rollouts: plans, their progress, and the calls of the admin service as values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from google.protobuf.duration_pb2 import Duration

from weir._arguments import WEEK, endpoint_name, number, of_kind, one_of, texts
from weir._figures import time_of
from weir._operations import ChangeOptions, Operation
from weir.admin.v1 import admin_pb2 as pb

_REQUIREMENTS = {
    "no_objection": pb.ROLLOUT_REQUIREMENT_NO_OBJECTION, "proof": pb.ROLLOUT_REQUIREMENT_PROOF}
_INCONCLUSIVE = {
    "pause": pb.ROLLOUT_INCONCLUSIVE_PAUSE, "advance": pb.ROLLOUT_INCONCLUSIVE_ADVANCE,
    "abort": pb.ROLLOUT_INCONCLUSIVE_ABORT}
_HOOKS = {
    name[len("ROLLOUT_HOOK_"):].lower(): value for name, value in pb.RolloutHook.items()
    if value != pb.ROLLOUT_HOOK_UNSPECIFIED}


@dataclass(frozen=True)
class RolloutPlan:
    """What a rollout does; omitted values have the defaults of the server.

    `steps`, for example `("shadow:100%", "1%", "10%", "50%")`, and `gates`, for example
    `("errors<1.5x", "p99<1.2x")`, are as in `weir rollout start`. Times are seconds.
    """

    candidate: str
    steps: Sequence[str] = ("1%", "10%", "50%")
    gates: Sequence[str] = ()
    bake: Optional[float] = None
    """The time at the last step before the rollout succeeds."""
    minimum: Optional[float] = None
    """The least time of a step."""
    maximum: Optional[float] = None
    """The most time of a step without a decision."""
    minimum_requests: Optional[int] = None
    require: str = "no_objection"
    """When a step is complete: `no_objection`, or `proof` of all gates."""
    on_inconclusive: str = "pause"
    """At the maximum of a step that is not complete: `pause`, `advance` or `abort`."""
    abort: str = "immediate"
    """`immediate`, or a ramp as `ramp:50%,10%,0%/1m`."""
    holdout: float = 0.0
    """The share of requests that the candidate receives only when the rollout succeeds."""
    approval: bool = False
    """Whether each complete step waits for `advance_rollout`."""
    alpha: Optional[float] = None
    """The probability that a good candidate is aborted."""
    webhooks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """For each URL, when it is called: `confirm_start`, `confirm_step`, `confirm_promotion`,
    `rollback` or `event`.
    """

    def message(self) -> pb.RolloutPlan:
        """Raises ValueError, which names the field, for a value of another kind."""
        webhooks = of_kind("webhooks", self.webhooks, Mapping, "a dictionary of URLs")
        plan = pb.RolloutPlan(
            candidate=of_kind("candidate", self.candidate, str, "the name of a backend"),
            steps=texts("steps", self.steps, '("1%", "10%")'),
            gates=texts("gates", self.gates, '("errors<1.5x",)'),
            require=one_of("require", self.require, _REQUIREMENTS),
            on_inconclusive=one_of("on_inconclusive", self.on_inconclusive, _INCONCLUSIVE),
            abort=of_kind("abort", self.abort, str, '"immediate" or "ramp:50%,0%/1m"'),
            holdout=number("holdout", self.holdout, 0, 0.5),
            approval=of_kind("approval", self.approval, bool, "True or False"),
            webhooks=[
                pb.RolloutWebhook(
                    url=of_kind("webhooks", url, str, "URLs"),
                    on=[one_of("hook", one, _HOOKS) for one in texts(
                        "webhooks", hooks, '{"https://...": ("event",)}')])
                for url, hooks in webhooks.items()])
        if self.minimum_requests is not None:
            plan.minimum_requests = int(
                number("minimum_requests", self.minimum_requests, 0, 1_000_000_000))
        if self.alpha is not None:
            plan.alpha = number("alpha", self.alpha, 0.0001, 0.5)
        for name in ("bake", "minimum", "maximum"):
            seconds = getattr(self, name)
            if seconds is not None:
                seconds = number(name, seconds, 0.001, WEEK)
                getattr(plan, name).FromNanoseconds(round(seconds * 1e9))
        return plan


@dataclass(frozen=True)
class RolloutGate:
    """The evidence about one gate."""

    gate: str
    requests: int
    candidate_bad: int
    baseline_bad: int
    ratio: Optional[Tuple[float, Optional[float], float]]
    """The lower bound, the estimate and the upper bound of candidate to baseline."""
    passed: bool


@dataclass(frozen=True)
class Rollout:
    """A rollout and its evidence."""

    endpoint: str
    candidate: str
    steps: Tuple[str, ...]
    phase: str
    """`pending`, `settling`, `observing`, `baking`, `paused`, `aborting`, `aborted`, `succeeded`.
    """
    step: int
    """The index in `steps`."""
    reason: str
    """Why the rollout waits or has ended."""
    pause: str
    """The kind of a pause, for example `operator` or `approval`; empty unless it is paused."""
    weight: float
    """The present weight of the candidate."""
    shadow: float
    """The proportion of its shadow."""
    seconds_in_phase: float
    requests: int
    """The requests at the candidate in this step."""
    gates: Tuple[RolloutGate, ...]
    baseline: Mapping[str, float]
    """The weights before the rollout."""
    author: str
    started: datetime.datetime
    revision: int
    """The revision of the latest decision."""
    started_revision: int = 0
    """The revision that started it; 0 if an earlier version of the server did."""
    webhook_problem: str = ""
    """Why the latest delivery to a webhook failed; empty if none did."""
    warnings: Tuple[str, ...] = ()
    """The reasons against the decision that this answers."""

    @property
    def has_ended(self) -> bool:
        """Whether the rollout was aborted or has succeeded."""
        return self.phase in ("aborted", "succeeded")

    @classmethod
    def of(cls, message: pb.Rollout) -> "Rollout":
        return cls(
            endpoint=message.endpoint, candidate=message.plan.candidate,
            steps=tuple(message.plan.steps),
            phase=pb.RolloutPhase.Name(message.phase)[len("ROLLOUT_PHASE_"):].lower(),
            step=message.step, reason=message.reason, pause=message.pause, weight=message.weight,
            shadow=message.shadow, seconds_in_phase=_seconds(message.in_phase),
            requests=message.requests, gates=tuple(_gate(gate) for gate in message.gates),
            baseline={part.backend: part.weight for part in message.baseline},
            author=message.author, started=time_of(message.started), revision=message.revision,
            started_revision=message.started_revision, webhook_problem=message.webhook_problem,
            warnings=tuple(message.warnings))


def _gate(message: pb.RolloutGate) -> RolloutGate:
    ratio = None
    if message.HasField("ratio"):
        estimate = message.ratio.estimate if message.ratio.HasField("estimate") else None
        ratio = (message.ratio.lower, estimate, message.ratio.upper)
    return RolloutGate(
        message.gate, message.requests, message.candidate_bad, message.baseline_bad, ratio,
        message.passed)


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


@dataclass(frozen=True)
class RolloutStart:
    """The effect of `start_rollout`; with `validate_only`, the effect that it would have."""

    rollout: Rollout
    preview: Tuple[Tuple[str, float, Optional[float]], ...] = field(default=())
    """For each step: its name, the share of shard keys that it moves, and the expected seconds
    until all gates have passed, or None if they cannot pass at this step.
    """
    revision: int = 0

    @classmethod
    def of(cls, message: pb.StartRolloutResponse) -> "RolloutStart":
        return cls(
            rollout=Rollout.of(message.rollout),
            preview=tuple(
                (part.step, part.moved_share,
                 _seconds(part.time_to_proof) if part.HasField("time_to_proof") else None)
                for part in message.preview),
            revision=message.revision)


# Calls.


def start(endpoint: str, plan: RolloutPlan, options: ChangeOptions) -> Operation[RolloutStart]:
    valid = 'a RolloutPlan, for example RolloutPlan("v2", steps=("1%", "10%"))'
    plan = of_kind("plan", plan, RolloutPlan, valid)
    request = pb.StartRolloutRequest(
        endpoint=endpoint_name(endpoint), plan=plan.message(), **options.fields())
    return Operation("StartRollout", request, pb.StartRolloutResponse, RolloutStart.of)


def get(endpoint: str) -> Operation[Rollout]:
    request = pb.GetRolloutRequest(endpoint=endpoint_name(endpoint))
    return Operation("GetRollout", request, pb.Rollout, Rollout.of)


def all_rollouts() -> Operation[Dict[str, Rollout]]:
    return Operation(
        "ListRollouts", pb.ListRolloutsRequest(), pb.ListRolloutsResponse,
        lambda reply: {one.endpoint: Rollout.of(one) for one in reply.rollouts})


def pause(endpoint: str, options: ChangeOptions) -> Operation[Rollout]:
    request = pb.PauseRolloutRequest(endpoint=endpoint_name(endpoint), **options.fields())
    return Operation("PauseRollout", request, pb.Rollout, Rollout.of)


def resume(
    endpoint: str, adopt: bool, restore: bool, options: ChangeOptions
) -> Operation[Rollout]:
    request = pb.ResumeRolloutRequest(
        endpoint=endpoint_name(endpoint), adopt=adopt, restore=restore, **options.fields())
    return Operation("ResumeRollout", request, pb.Rollout, Rollout.of)


def advance(endpoint: str, options: ChangeOptions) -> Operation[Rollout]:
    request = pb.AdvanceRolloutRequest(endpoint=endpoint_name(endpoint), **options.fields())
    return Operation("AdvanceRollout", request, pb.Rollout, Rollout.of)


def promote(endpoint: str, options: ChangeOptions) -> Operation[Rollout]:
    request = pb.PromoteRolloutRequest(endpoint=endpoint_name(endpoint), **options.fields())
    return Operation("PromoteRollout", request, pb.Rollout, Rollout.of)


def abort(
    endpoint: str, immediate: bool, keep_weights: bool, options: ChangeOptions
) -> Operation[Rollout]:
    if immediate and keep_weights:
        raise ValueError("immediate and keep_weights exclude each other; set one")
    request = pb.AbortRolloutRequest(
        endpoint=endpoint_name(endpoint), immediate=immediate, keep_weights=keep_weights,
        **options.fields())
    return Operation("AbortRollout", request, pb.Rollout, Rollout.of)


def watch(endpoint: str) -> Operation[Rollout]:
    return Operation(
        "WatchRollout", pb.WatchRolloutRequest(endpoint=endpoint_name(endpoint)), pb.Rollout,
        Rollout.of)
