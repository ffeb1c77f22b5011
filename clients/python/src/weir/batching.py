"""Batches of requests, for code marked with `weir.accept_batch`."""

from __future__ import annotations

import collections
import logging
import threading
import time
from typing import Any, Callable, Deque, Iterable, List, NamedTuple, Optional, Tuple

from weir.config import BackendConfig

log = logging.getLogger("weir")

# The value, or the error.
Outcome = Tuple[Any, Optional[BaseException]]


class BatchError(Exception):
    """A result of a batch that does not fit its requests. The message is for callers."""


class _Entry(NamedTuple):
    method: str
    request: Any
    is_active: Callable[[], bool]
    finish: Callable[[Outcome], None]


class Batcher:
    """Collects requests into batches, and runs one batch at a time.

    When no batch runs, the waiting requests form the next one, after `batch_wait_timeout` seconds
    at most if they are fewer than `max_batch_size`.
    """

    def __init__(
        self, run: Callable[[str, List[Any]], Any], config: BackendConfig
    ) -> None:
        """`run` calls a method of the backend with the requests of a batch."""
        self._run = run
        self._config = config
        self._waiting: Deque[_Entry] = collections.deque()
        self._changed = threading.Condition()
        self._is_stopped = False
        threading.Thread(target=self._loop, name="weir-backend-batches", daemon=True).start()

    def configure(self, config: BackendConfig) -> None:
        """Applies another batch size and timeout to the batches that begin after this."""
        with self._changed:
            self._config = config
            self._changed.notify_all()

    def call(self, method: str, request: Any, is_active: Callable[[], bool]) -> Outcome:
        """Waits for the result of one request as part of a batch."""
        done = threading.Event()
        outcomes: List[Outcome] = []

        def finish(outcome: Outcome) -> None:
            outcomes.append(outcome)
            done.set()

        with self._changed:
            if self._is_stopped:
                return None, BatchError("the backend is stopped")
            self._waiting.append(_Entry(method, request, is_active, finish))
            self._changed.notify_all()
        done.wait()
        return outcomes[0]

    def stop(self) -> None:
        """Runs the waiting requests, and ends."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()

    def _loop(self) -> None:
        while True:
            batch = self._next()
            if batch is None:
                return
            try:
                for method, entries in _by_method(batch):
                    self._answer(method, entries)
            except BaseException:
                log.exception("a batch failed")
                for entry in batch:
                    entry.finish((None, BatchError("the batch failed")))

    def _next(self) -> Optional[List[_Entry]]:
        """The next batch; None when stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopped)
            end = time.monotonic() + self._config.batch_wait_timeout
            while len(self._waiting) < self._size and not self._is_stopped:
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            if not self._waiting:
                return None
            return [self._waiting.popleft() for _ in range(min(self._size, len(self._waiting)))]

    @property
    def _size(self) -> int:
        return self._config.max_batch_size or 1

    def _answer(self, method: str, entries: List[_Entry]) -> None:
        """Runs one batch. Requests whose callers are gone are left out."""
        present = []
        for entry in entries:
            if entry.is_active():
                present.append(entry)
            else:
                entry.finish((None, BatchError("the call ended before its batch began")))
        if not present:
            return
        outcomes: List[Outcome]
        try:
            results = self._run(method, [entry.request for entry in present])
            outcomes = [_outcome(result) for result in _checked(results, len(present))]
        except BaseException as error:
            outcomes = [(None, error)] * len(present)
        for entry, outcome in zip(present, outcomes):
            entry.finish(outcome)


def _by_method(batch: List[_Entry]) -> Iterable[Tuple[str, List[_Entry]]]:
    groups: "collections.OrderedDict[str, List[_Entry]]" = collections.OrderedDict()
    for entry in batch:
        groups.setdefault(entry.method, []).append(entry)
    return groups.items()


def _outcome(result: Any) -> Outcome:
    return (None, result) if isinstance(result, BaseException) else (result, None)


def _checked(results: Any, count: int) -> List[Any]:
    """The results as a list. Raises BatchError unless there is one for each request."""
    if isinstance(results, (str, bytes, dict, set)) or not hasattr(results, "__iter__"):
        raise BatchError(
            "code that accepts a batch must return a list with one result for each request, not "
            f"{type(results).__name__}")
    parts: List[Any] = list(results)
    if len(parts) != count:
        raise BatchError(
            f"the backend returned {len(parts)} results for a batch of {count} requests")
    return parts
