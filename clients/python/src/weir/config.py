"""The configuration of a Python backend, as in Ray Serve 1.0."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, TypeVar, Union

from weir.admin.v1 import admin_pb2

T = TypeVar("T")

# The default limits of concurrent requests of a replica: functions may not be thread-safe, and
# coroutines wait most of the time.
SYNC_QUERIES = 1
ASYNC_QUERIES = 100

# The mark of `accept_batch`.
_ACCEPTS_BATCH = "_weir_accepts_batch"

# A value that the caller does not give.
_UNSET: Any = object()

_DEFAULTS: Dict[str, Any] = {
    "num_replicas": 1, "max_concurrent_queries": None, "max_batch_size": None,
    "batch_wait_timeout": 0.0,
}


# Each replica is a server with threads, and each concurrent request of code is a thread.
_MOST_REPLICAS = 1_000
_MOST_THREADS = 10_000


class ConfigError(TypeError, ValueError):
    """An invalid value of a backend's configuration."""


class BackendConfig(Mapping[str, Any]):
    """The configuration of a backend.

    `num_replicas`: the number of instances of the class. `max_concurrent_queries`: the limit of
    concurrent requests of each; further requests wait in Weir. `max_batch_size`: the largest batch
    for code with `@weir.accept_batch`. `batch_wait_timeout`: the seconds to wait for a full batch.

    An update changes only the values that were given.
    """

    def __init__(
        self,
        *,
        num_replicas: int = _UNSET,
        max_concurrent_queries: Optional[int] = _UNSET,
        max_batch_size: Optional[int] = _UNSET,
        batch_wait_timeout: float = _UNSET,
    ) -> None:
        given = {
            "num_replicas": num_replicas, "max_concurrent_queries": max_concurrent_queries,
            "max_batch_size": max_batch_size, "batch_wait_timeout": batch_wait_timeout,
        }
        self._given = {
            name: _CHECKS[name](name, value)
            for name, value in given.items() if value is not _UNSET}
        self._values: Dict[str, Any] = {**_DEFAULTS, **self._given}

    @classmethod
    def of(cls, config: "Union[BackendConfig, Mapping[str, Any], None]") -> "BackendConfig":
        """A configuration from a dictionary. Raises ConfigError for unknown names."""
        if config is None:
            return cls()
        if isinstance(config, BackendConfig):
            return config
        if not isinstance(config, Mapping):
            raise ConfigError(
                f"config must be a dictionary or a weir.BackendConfig, not {config!r}")
        unknown = sorted(str(name) for name in set(config) - set(_DEFAULTS))
        if unknown:
            raise ConfigError(
                f"config has no {', '.join(unknown)}; it has {', '.join(_DEFAULTS)}")
        return cls(**config)

    def updated(self, change: "BackendConfig") -> "BackendConfig":
        """This configuration with the given values of another one."""
        return BackendConfig(**{**self._given, **change._given})

    @property
    def num_replicas(self) -> int:
        return int(self._values["num_replicas"])

    @property
    def max_concurrent_queries(self) -> Optional[int]:
        value: Optional[int] = self._values["max_concurrent_queries"]
        return value

    @property
    def max_batch_size(self) -> Optional[int]:
        value: Optional[int] = self._values["max_batch_size"]
        return value

    @property
    def batch_wait_timeout(self) -> float:
        return float(self._values["batch_wait_timeout"])

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"BackendConfig({shown})"

    def check(self, target: Any) -> None:
        """Raises ConfigError if the configuration does not fit the code of a backend."""
        if (self.max_concurrent_queries or 1) > _MOST_THREADS:
            raise ConfigError(
                f"invalid max_concurrent_queries {self.max_concurrent_queries}: each one is a "
                f"thread of the replica; use at most {_MOST_THREADS}")
        if (self.max_batch_size or 1) > 1 and not accepts_batch(target):
            raise ConfigError(
                "max_batch_size requires code that accepts a list of requests: mark the function "
                "or the method __call__ with @weir.accept_batch")

    def queries(self, target: Any) -> int:
        """The limit of concurrent requests of a replica, with its default."""
        if self.max_concurrent_queries is not None:
            return self.max_concurrent_queries
        if is_async(target):
            return ASYNC_QUERIES
        # Twice, so that the next batch is complete when one ends.
        return 2 * (self.max_batch_size or 1) if accepts_batch(target) else SYNC_QUERIES


def _whole(name: str, value: Any) -> int:
    try:
        # Also numpy's integers, but neither floats nor text nor truth values.
        number = None if isinstance(value, bool) else value.__index__()
    except (AttributeError, TypeError):
        number = None
    most = _MOST_REPLICAS if name == "num_replicas" else 2**31 - 1
    if number is None or not 1 <= number <= most:
        raise ConfigError(f"invalid {name} {value!r}: use a whole number from 1 to {most}")
    return int(number)


def _whole_or_none(name: str, value: Any) -> Optional[int]:
    return None if value is None else _whole(name, value)


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1e6:
        raise ConfigError(f"invalid {name} {value!r}: use seconds, a number from 0 to 1e6")
    return float(value)


_CHECKS: Dict[str, Callable[[str, Any], Any]] = {
    "num_replicas": _whole, "max_concurrent_queries": _whole_or_none,
    "max_batch_size": _whole_or_none, "batch_wait_timeout": _seconds,
}


def accept_batch(function: T) -> T:
    """Marks a function or a method: it receives a list of requests, and returns a list of results.

    Each caller receives its own result. A result that is an exception fails only its own request.
    """
    setattr(function, _ACCEPTS_BATCH, True)
    return function


def accepts_batch(target: Any) -> bool:
    """Whether a class or function has the mark of `accept_batch`."""
    return hasattr(_called(target), _ACCEPTS_BATCH)


def is_async(target: Any) -> bool:
    """Whether a coroutine function answers requests."""
    return inspect.iscoroutinefunction(_called(target))


def _called(target: Any) -> Callable[..., Any]:
    """The function that answers the requests of a backend."""
    if isinstance(target, functools.partial):
        return _called(target.func)
    if inspect.isclass(target) or not hasattr(target, "__code__"):
        return getattr(target, "__call__", target)  # type: ignore[no-any-return]
    return target  # type: ignore[no-any-return]


# The options of `python -m weir.worker` that come from a configuration.
_WORKER_OPTIONS = {
    "max_concurrent_queries": "--max-queries", "max_batch_size": "--max-batch-size",
    "batch_wait_timeout": "--batch-wait-timeout",
}


def worker_options(config: BackendConfig) -> List[str]:
    """The options of `python -m weir.worker` for a configuration."""
    return [
        part for key, option in _WORKER_OPTIONS.items() if config[key]
        for part in (option, str(config[key]))]


def config_of(backend: admin_pb2.Backend) -> BackendConfig:
    """The configuration of a backend that this process does not serve."""
    values: Dict[str, Any] = {"num_replicas": len(backend.upstream.addresses) or 1}
    if backend.HasField("worker"):
        values["num_replicas"] = backend.worker.replicas or 1
        command = list(backend.worker.command)
        for key, option in _WORKER_OPTIONS.items():
            if option in command[:-1]:
                text = command[command.index(option) + 1]
                values[key] = float(text) if key == "batch_wait_timeout" else int(text)
    if backend.options.max_requests_per_replica:
        values["max_concurrent_queries"] = backend.options.max_requests_per_replica
    return BackendConfig(**values)


def reconfigure(backend: admin_pb2.Backend, change: BackendConfig) -> None:
    """Applies a change of the configuration to a backend that this process does not serve."""
    config = config_of(backend).updated(change)
    if backend.HasField("worker"):
        command = list(backend.worker.command)
        if command[1:3] == ["-m", "weir.worker"]:
            for option in _WORKER_OPTIONS.values():
                if option in command:
                    index = command.index(option)
                    del command[index:index + 2]
            del backend.worker.command[:]
            backend.worker.command.extend(command + worker_options(config))
        elif config.max_batch_size:
            raise ConfigError(f"backend {backend.name!r} is not a Python backend, so it has no "
                              "batches")
        backend.worker.replicas = config.num_replicas
    elif config.num_replicas != config_of(backend).num_replicas or config.max_batch_size:
        raise ConfigError(
            f"this client does not serve backend {backend.name!r}, so that it can change only "
            "max_concurrent_queries")
    backend.options.max_requests_per_replica = config.max_concurrent_queries or 0
