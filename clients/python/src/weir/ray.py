"""The calls of Ray that programs for Ray Serve 1.0 make, without Ray.

    from weir import ray, serve

Remote functions run in threads of this process. Actors do not exist.
"""

from __future__ import annotations

import concurrent.futures
import functools
import time
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

from weir.handle import Result

# The number of remote functions that run at the same time.
_MAX_TASKS = 64

_tasks = concurrent.futures.ThreadPoolExecutor(_MAX_TASKS, thread_name_prefix="weir-task")


class Task:
    """The pending result of a remote function."""

    def __init__(self, future: "concurrent.futures.Future[Any]") -> None:
        self._future = future

    def result(self, timeout: Optional[float] = None) -> Any:
        """The value. Raises the function's exception, or TimeoutError after `timeout` seconds."""
        try:
            return self._future.result(timeout)
        except concurrent.futures.TimeoutError:
            raise TimeoutError(f"no result within {timeout} s") from None

    def done(self) -> bool:
        """Whether the function has ended."""
        return self._future.done()


Reference = Union[Result, Task]


def init(*_: Any, **__: Any) -> None:
    """Has no effect: a Weir runs already, and nothing is a cluster."""


def shutdown() -> None:
    """Has no effect."""


def is_initialized() -> bool:
    """Always true."""
    return True


def get(references: Union[Reference, Sequence[Reference]], *, timeout: Optional[float] = None
        ) -> Any:
    """Waits for a result, or for a list of results."""
    if isinstance(references, (list, tuple)):
        end = None if timeout is None else time.monotonic() + timeout
        return [
            one.result(None if end is None else max(0.0, end - time.monotonic()))
            for one in references]
    if not isinstance(references, (Result, Task)):
        raise TypeError(
            f"ray.get takes a result of remote(), or a list of results, not {references!r}")
    return references.result(timeout)


def wait(
    references: Sequence[Reference], *, num_returns: int = 1, timeout: Optional[float] = None
) -> Tuple[List[Reference], List[Reference]]:
    """Waits until some of the calls are done; returns these, and the others."""
    if not 1 <= num_returns <= len(references):
        raise ValueError(f"invalid num_returns {num_returns}: use 1 to {len(references)}")
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        done = [one for one in references if one.done()][:num_returns]
        if len(done) == num_returns or (end is not None and time.monotonic() >= end):
            return done, [one for one in references if not any(one is other for other in done)]
        time.sleep(0.005)


def remote(*arguments: Any, **options: Any) -> Any:
    """Makes a function remote: `function.remote(...)` starts it, and returns its pending result."""
    if not arguments:
        return remote
    function: Callable[..., Any] = arguments[0]
    if isinstance(function, type):
        raise TypeError("Weir has no actors: use client.create_backend for a class")

    @functools.wraps(function)
    def refused(*_: Any, **__: Any) -> Any:
        raise TypeError(f"call the remote function with {function.__name__}.remote()")

    def start(*values: Any, **named: Any) -> Task:
        return Task(_tasks.submit(function, *values, **named))

    setattr(refused, "remote", start)
    return refused
