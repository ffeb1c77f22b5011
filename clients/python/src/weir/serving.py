"""The backends that this process serves."""

from __future__ import annotations

import builtins
import concurrent.futures
import contextlib
import importlib
import inspect
import sys
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from weir import _forking as forking
from weir.config import BackendConfig
from weir.process import ProcessReplica
from weir.replica import Definition, Replica, Target


def load(path: str) -> Target:
    """Imports the class or function at an import path, `module:Name`."""
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise ValueError(f"invalid import path {path!r}: use module:Class")
    target: Any = importlib.import_module(module_name)
    for part in name.split("."):
        target = getattr(target, part)
    return check(target)


def check(target: Any, init_args: Tuple[Any, ...] = ()) -> Target:
    """Returns the target. Raises TypeError if it cannot be a backend."""
    if inspect.isclass(target):
        if "__call__" not in dir(target):
            raise TypeError(f"class {target.__name__} has no __call__, so it cannot serve")
        return target
    if not callable(target):
        raise TypeError(f"{target!r} is neither a class nor a function")
    if init_args:
        raise ValueError("init_args are arguments of a class's constructor; a function has none")
    return target  # type: ignore[no-any-return]


# A replica in this process or in a child.
AnyReplica = Union[Replica, ProcessReplica]


class LocalBackend:
    """The replicas of one backend in this process, or in its children."""

    def __init__(
        self, definition: Definition, host: str, in_processes: bool, start_timeout: float
    ) -> None:
        """Starts the replicas. Raises the exceptions of the class's constructor.

        `start_timeout` is the time limit in seconds for the start of each process.
        """
        self.definition = definition
        # A client holds it while it changes the backend.
        self.changing = threading.Lock()
        self._address = f"{host}:0"
        self._in_processes = in_processes
        self._start_timeout = start_timeout
        self._replicas = self._started(definition, definition.config.num_replicas)

    @property
    def addresses(self) -> List[str]:
        return [replica.address for replica in self._replicas]

    def _started(self, definition: Definition, count: int) -> List[AnyReplica]:
        """Starts replicas. If one fails, stops the others."""
        if self._in_processes:
            return _processes(definition, self._address, count, self._start_timeout)
        started: List[AnyReplica] = []
        try:
            for _ in range(count):
                started.append(Replica(definition, self._address))
                forking.serves(started[-1].address)
        except BaseException:
            stop(started, 0)
            raise
        return started

    @contextlib.contextmanager
    def configured(self, config: BackendConfig) -> Iterator[List[str]]:
        """Starts the missing replicas of another configuration; yields the addresses of all.

        The caller sends the addresses to Weir. Then this applies the configuration and stops the
        surplus replicas. If the caller fails, this stops the started ones and changes nothing else.
        """
        definition = self.definition._replace(config=config)
        # New processes replace those with other batches.
        replaces = self._in_processes and _batches(self.definition.config) != _batches(config)
        kept = [] if replaces else self._replicas[:config.num_replicas]
        surplus = self._replicas[len(kept):]
        started = self._started(definition, config.num_replicas - len(kept))
        replicas = kept + started
        try:
            yield [replica.address for replica in replicas]
        except BaseException:
            stop(started, 0)
            raise
        self.definition, self._replicas = definition, replicas
        for replica in kept:
            replica.configure(config)
        stop(surplus)

    def stop(self, grace: float = 5.0) -> None:
        """Stops all replicas at the same time."""
        stop(self._replicas, grace)

    def is_same_code(self, target: Any) -> bool:
        """Whether the target has the name and the place of this backend's code.

        This is the case if the same cell of a notebook runs twice. In a notebook, where a cell may
        have changed, all code counts as the same.
        """
        return _is_interactive() or _place(self.definition.target) == _place(target)


def _batches(config: BackendConfig) -> Tuple[Optional[int], float]:
    return config.max_batch_size, config.batch_wait_timeout


def _processes(
    definition: Definition, address: str, count: int, start_timeout: float
) -> List[AnyReplica]:
    """Starts processes at the same time. If one fails, stops the others."""
    started: List[AnyReplica] = []
    with concurrent.futures.ThreadPoolExecutor(max(1, count)) as pool:
        starts = [
            pool.submit(ProcessReplica, definition, address, start_timeout) for _ in range(count)]
    failure: Optional[BaseException] = None
    for start in starts:
        failure = start.exception() or failure
        if start.exception() is None:
            started.append(start.result())
    if failure is not None:
        for replica in started:
            replica.stop(0)
        raise failure
    return started


def stop(replicas: List[AnyReplica], grace: float = 5.0) -> None:
    """Stops replicas at the same time, so that the grace time applies to all."""
    threads = [threading.Thread(target=replica.stop, args=(grace,)) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for replica in replicas:
        forking.stops(replica.address)


def _is_interactive() -> bool:
    """Whether a person enters the code of this program: a notebook or a prompt."""
    return hasattr(sys, "ps1") or hasattr(builtins, "get_ipython")


def _place(target: Any) -> Tuple[Any, ...]:
    name = getattr(target, "__qualname__", None)
    code = getattr(target, "__code__", None)
    # The name of a lambda does not distinguish it.
    line = (code.co_filename, code.co_firstlineno) if code and "<lambda>" in str(name) else ()
    return (getattr(target, "__module__", None), name if name else id(target), line)


class LocalBackends:
    """The backends that a client serves in this process, by name."""

    def __init__(self) -> None:
        self._backends: Dict[str, LocalBackend] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Optional[LocalBackend]:
        with self._lock:
            return self._backends.get(name)

    def put(self, name: str, backend: LocalBackend) -> None:
        """Adds a backend."""
        with self._lock:
            self._backends[name] = backend

    def pop(self, name: str) -> Optional[LocalBackend]:
        """Removes a backend; returns it, for the caller to stop."""
        with self._lock:
            return self._backends.pop(name, None)

    @property
    def names(self) -> List[str]:
        with self._lock:
            return list(self._backends)
