"""The calls of the asyncio client for rollouts."""

from __future__ import annotations

from typing import TYPE_CHECKING, AsyncIterator, Dict, Mapping, Optional, Sequence, TypeVar

from weir import rollouts
from weir._operations import ChangeOptions, Operation

T = TypeVar("T")


class Rollouts:
    """The part of `weir.aio.Client` for rollouts, with the calls of `weir.Client`."""

    if TYPE_CHECKING:
        async def _run(self, operation: Operation[T]) -> T: ...
        def _stream(self, operation: Operation[T]) -> AsyncIterator[T]: ...
        def _change_options(
            self, expected_revision: Optional[int], validate_only: bool, comment: str
        ) -> ChangeOptions: ...

    async def rollout(
        self, endpoint: str, candidate: str, *, steps: Sequence[str] = ("1%", "10%", "50%"),
        gates: Sequence[str] = (), bake: Optional[float] = None, minimum: Optional[float] = None,
        maximum: Optional[float] = None, minimum_requests: Optional[int] = None,
        require: str = "no_objection", on_inconclusive: str = "pause", abort: str = "immediate",
        holdout: float = 0.0, approval: bool = False, alpha: Optional[float] = None,
        webhooks: Optional[Mapping[str, Sequence[str]]] = None,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.RolloutStart:
        """Starts to move the traffic of an endpoint to a backend step by step.

        The other arguments are the fields of `weir.RolloutPlan`.
        """
        plan = rollouts.RolloutPlan(
            candidate, steps, gates, bake, minimum, maximum, minimum_requests, require,
            on_inconclusive, abort, holdout, approval, alpha, webhooks or {})
        return await self.start_rollout(
            endpoint, plan, expected_revision=expected_revision, validate_only=validate_only,
            comment=comment)

    async def start_rollout(
        self, endpoint: str, plan: rollouts.RolloutPlan, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.RolloutStart:
        """Starts to move the traffic of an endpoint to a backend step by step."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(rollouts.start(endpoint, plan, options))

    async def pause_rollout(
        self, endpoint: str, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.Rollout:
        """Stops all automatic changes of a rollout; its weights stay."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(rollouts.pause(endpoint, options))

    async def resume_rollout(
        self, endpoint: str, *, adopt: bool = False, restore: bool = False,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.Rollout:
        """Continues a paused rollout.

        After another change of the weights: `adopt` continues from them, `restore` sets those of
        the step again.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(rollouts.resume(endpoint, adopt, restore, options))

    async def advance_rollout(
        self, endpoint: str, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.Rollout:
        """Approves a complete step, or skips one that is not. Ends the bake."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(rollouts.advance(endpoint, options))

    async def promote_rollout(
        self, endpoint: str, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.Rollout:
        """Routes all requests to the candidate at once."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(rollouts.promote(endpoint, options))

    async def abort_rollout(
        self, endpoint: str, *, immediate: bool = False, keep_weights: bool = False,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> rollouts.Rollout:
        """Ends a rollout and returns to the weights before it.

        `immediate` skips the ramp of the plan, and `keep_weights` keeps the present weights.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(rollouts.abort(endpoint, immediate, keep_weights, options))

    async def get_rollout(self, endpoint: str) -> rollouts.Rollout:
        """Returns the latest rollout of an endpoint. Raises NotFound if it never had one."""
        return await self._run(rollouts.get(endpoint))

    async def list_rollouts(self) -> Dict[str, rollouts.Rollout]:
        """Returns the latest rollout of each endpoint, by endpoint."""
        return await self._run(rollouts.all_rollouts())

    def watch_rollout(self, endpoint: str) -> AsyncIterator[rollouts.Rollout]:
        """Streams a rollout when it changes, at most once a second, until it ends."""
        return self._stream(rollouts.watch(endpoint))
