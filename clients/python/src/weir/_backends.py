"""The calls of a client that change backends."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from typing import (
    TYPE_CHECKING, Any, Dict, Mapping, Optional, Sequence, Tuple, TypeVar, Union,
)

from weir import _arguments as arguments
from weir import _operations as operations
from weir import config as configuration
from weir import errors, payload, ray_options, serving, types
from weir._channels import Door
from weir._lease import Lease
from weir._names import also_named
from weir._operations import ChangeOptions, Operation
from weir.admin.v1 import admin_pb2 as pb
from weir.config import BackendConfig
from weir.replica import Definition, Target
from weir.serving import LocalBackend, LocalBackends

T = TypeVar("T")

log = logging.getLogger("weir")

# The number of ended processes after which the client stops waiting for a worker.
_TRIES = 3

# Set when the program gets SIGTERM: it may be started again, so that its backends remain.
was_terminated = threading.Event()

# The longest `start_timeout` in seconds, which is that of the server.
_LONGEST_START = 3_600

# An address for checks, at which no server answers.
_NO_ADDRESS = "127.0.0.1:1"


class Backends:
    """The part of `weir.Client` for backends."""

    address: str
    timeout: float
    program: str
    door: Door
    _local: LocalBackends
    _lease: Optional[Lease] = None
    _closing: threading.Lock

    if TYPE_CHECKING:
        def _check_open(self) -> None: ...
        def _server_of(self, name: str) -> "Optional[Backends]": ...
        def _take_endpoints(self, owner: "Backends", backend: str) -> None: ...
        def _run(self, operation: Operation[T]) -> T: ...
        def _change_options(
            self, expected_revision: Optional[int], validate_only: bool, comment: str
        ) -> ChangeOptions: ...

    @also_named(backend_tag="name", func_or_class="target")
    def create_backend(
        self,
        name: str,
        target: Union[Target, str, Sequence[str]],
        *init_args: Any,
        config: Union[BackendConfig, Mapping[str, Any], None] = None,
        replicas: Optional[int] = None,
        max_concurrent_queries: Optional[int] = None,
        processes: bool = False,
        serializer: Optional[str] = None,
        replace: bool = False,
        exist_ok: bool = False,
        ray_actor_options: Optional[Mapping[str, Any]] = None,
        environment: Optional[Mapping[str, str]] = None,
        working_directory: Optional[str] = None,
        start_timeout: float = 60.0,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Backend:
        """Adds a backend.

        `target` is one of:

        - a class or function: this process serves it until the client is closed. `init_args` are
          the arguments of the class's constructor; calls receive a `weir.Request`.
        - an import path, `"module:Class"`: Weir runs it in worker processes, with this Python, in
          `working_directory` (default: the current one), with `environment` added to Weir's, and
          with `init_args` that have a JSON form.
        - a list of addresses, `["host:port"]`: gRPC servers that Weir does not start.

        `replicas` is the number of instances or processes (default: 1), `max_concurrent_queries`
        the limit of concurrent requests of each; further requests wait in Weir. Without it, the
        limit is 1, or 100 for coroutine functions, and 1000 further requests wait in the replica;
        more get ResourceExhausted. Both can also be in `config`, a dictionary or BackendConfig.

        With `processes`, each replica of a class or function is a process, which the program starts
        again when it ends, and which ends with the program. The code is pickled, with cloudpickle
        if it is installed; code of a notebook requires it.

        A backend of this name is replaced with `replace`, or kept unchanged with `exist_ok`;
        otherwise AlreadyExists is raised. Code that runs again replaces its own backend: a cell of
        a notebook, and a program that was started again. `serializer="pickle"` accepts pickled
        values, see `Handle.options`.

        Returns when the backend is ready. Raises Unavailable with the reason, and deletes the
        backend, if it is not ready within `start_timeout` seconds or its processes have ended three
        times. Does not wait for addresses. A constructor in this process has no time limit.
        """
        settings = _merged(config, replicas, max_concurrent_queries)
        payload.checked_serializer(serializer)
        if processes and isinstance(target, (str, list, tuple)):
            raise ValueError(
                "processes applies to a class or function; an import path always has processes")
        ray_options.check(ray_actor_options)
        arguments.number("start_timeout", start_timeout, 0, _LONGEST_START)
        options = self._change_options(expected_revision, validate_only, comment)
        request = _Creation(self, name, options, replace, exist_ok)
        if isinstance(target, str):
            worker = operations.worker(
                name, target, init_args, settings, serializer, environment,
                working_directory or os.getcwd(), start_timeout)
            return request.make(worker, start_timeout)
        if isinstance(target, (list, tuple)):
            return request.make(
                operations.upstream(name, target, settings.max_concurrent_queries), None)
        code = serving.check(target, init_args)
        settings.check(code)
        definition = Definition(code, init_args, settings, serializer)
        return request.serve(definition, processes, start_timeout)

    @also_named(backend_tag="name", config_options="config")
    def update_backend_config(
        self,
        name: str,
        config: Union[BackendConfig, Mapping[str, Any]],
        *,
        expected_revision: Optional[int] = None,
        comment: str = "",
    ) -> types.Backend:
        """Changes the configuration of a backend; values that `config` omits keep.

        This client must serve the backend, or its processes must be Weir's workers. Of a list of
        addresses, only `max_concurrent_queries` can change. A changed limit of concurrent requests
        applies in Weir; the threads of running replicas keep their number.
        """
        change = BackendConfig.of(config)
        options = self._change_options(expected_revision, False, comment)
        message = operations.without_outputs(self._run(operations.get_backend_message(name)))
        local = self._local.get(name)
        if local is None:
            configuration.reconfigure(message, change)
            return self._run(operations.update_backend(message, options))
        with local.changing:
            updated = local.definition.config.updated(change)
            updated.check(local.definition.target)
            message.upstream.addresses[:] = local.addresses
            message.options.max_requests_per_replica = updated.max_concurrent_queries or 0
            # Rejects the change before constructors run, which may take long.
            self._run(operations.update_backend(message, options.trial()))
            with local.configured(updated) as addresses:
                message.upstream.addresses[:] = addresses
                changed = self._run(operations.update_backend(message, options))
        return self._wait_usable(changed, 60.0)

    @also_named(backend_tag="name")
    def get_backend_config(self, name: str) -> BackendConfig:
        """Returns the configuration of a backend.

        The batch size and its timeout are known only for backends that this client serves, and for
        workers.
        """
        local = self._local.get(name)
        message = self._run(operations.get_backend_message(name))
        return local.definition.config if local else configuration.config_of(message)

    @also_named(backend_tag="name")
    def delete_backend(
        self,
        name: str,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Deletes a backend. Raises BackendInUse while a traffic policy or shadow uses it."""
        options = self._change_options(expected_revision, validate_only, comment)
        self._run(operations.delete_backend(name, options))
        if not validate_only:
            self._stop_local(name)

    def get_backend(self, name: str) -> types.Backend:
        """Returns one backend with the status of its replicas."""
        return self._run(operations.get_backend(name))

    def list_backends(self) -> Dict[str, types.Backend]:
        """Returns all backends by name."""
        return self._run(operations.list_backends())

    def _held_lease(self) -> Optional[pb.Lease]:
        """This run of the program, for a backend that it serves; None without leases."""
        with self._closing:
            # `close` releases the lease, so a closed client must not make another one.
            self._check_open()
            if self._lease is None:
                self._lease = Lease(self.door, self.program)
            lease = self._lease
        lease.wait(self.timeout)
        return lease.message if lease.is_supported else None

    def _stop_local(self, name: str) -> None:
        local = self._local.pop(name)
        if local is not None:
            local.stop()

    def _own_host(self) -> str:
        """The address at which Weir reaches this machine: the local one of the route to Weir.

        $WEIR_SERVE_HOST replaces it, for example in a container.
        """
        given = os.environ.get("WEIR_SERVE_HOST")
        if given:
            return given
        host, _, port = self.address.rpartition(":")
        target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(target[0], socket.SOCK_DGRAM) as probe:
            # Sends nothing; connecting a UDP socket only selects the route.
            probe.connect(target[4])
            own: str = probe.getsockname()[0]
        return f"[{own}]" if ":" in own else own

    def _wait_usable(self, backend: types.Backend, seconds: float) -> types.Backend:
        end = time.monotonic() + seconds
        pause = 0.01
        revision = backend.revision
        while not _is_current(backend, revision):
            gave_up = any(part.restarts >= _TRIES for part in backend.replicas)
            if gave_up or time.monotonic() > end:
                failures = [part.last_failure for part in backend.replicas if part.last_failure]
                raise errors.Unavailable(
                    f"backend {backend.name!r} can't answer: "
                    + (failures[0] if failures else
                       backend.problem or f"it is not ready after {seconds:g} s"))
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
            backend = self._run(operations.get_backend(backend.name))
        return backend


def _is_current(backend: types.Backend, revision: int) -> bool:
    """Whether a backend is usable, and only replicas of a revision or a later one answer."""
    ready = [part for part in backend.replicas if part.state == "ready"]
    return backend.usable and bool(ready) and all(part.revision >= revision for part in ready)


class _Creation:
    """One `create_backend`: adds a backend, or replaces or keeps the existing one."""

    def __init__(
        self, client: Backends, name: str, options: ChangeOptions, replace: bool, exist_ok: bool,
    ) -> None:
        if replace and exist_ok:
            raise ValueError("use replace to replace the backend, or exist_ok to keep it, not both")
        self._client = client
        self._name = name
        self._options = options
        self._replace = replace
        self._exist_ok = exist_ok

    def make(self, backend: pb.Backend, wait: Optional[float]) -> types.Backend:
        """Adds a backend that this process does not serve."""
        made, is_new = self._send(backend, self._options)
        if is_new is None or self._options.validate_only:
            return made
        # This process no longer serves a backend that it replaced.
        owner = self._client._server_of(self._name)
        if owner is not None:
            owner._stop_local(self._name)
        return made if wait is None else self._ready(made, is_new, wait)

    def serve(self, definition: Definition, processes: bool, wait: float) -> types.Backend:
        """Adds a backend that this process serves."""
        client, name = self._client, self._name
        owner = client._server_of(name)
        running = owner._local.get(name) if owner else None
        if running is not None and running.is_same_code(definition.target) and not self._exist_ok:
            self._replace = True
        # Rejects the change before the constructor runs, which may take long.
        queries = definition.config.max_concurrent_queries
        lease = client._held_lease()
        trial = operations.upstream(name, [_NO_ADDRESS], queries, lease)
        made, is_new = self._send(trial, self._options.trial())
        if is_new is None or self._options.validate_only:
            return made
        local = LocalBackend(definition, client._own_host(), processes, wait)
        try:
            made, is_new = self._send(
                operations.upstream(name, local.addresses, queries, lease), self._options)
        except BaseException:
            local.stop(0)
            raise
        if is_new is None:
            # Another program was faster.
            local.stop(0)
            return made
        previous = owner._local.pop(name) if owner else None
        client._local.put(name, local)
        if owner is not None and owner is not client:
            client._take_endpoints(owner, name)
        close_on_sigterm()
        try:
            return self._ready(made, is_new, wait)
        finally:
            if previous is not None:
                previous.stop()

    def _send(
        self, backend: pb.Backend, options: ChangeOptions
    ) -> Tuple[types.Backend, Optional[bool]]:
        """The backend, and whether it is new; None if an existing one was kept."""
        client = self._client
        try:
            return client._run(operations.create_backend(backend, options)), True
        except errors.AlreadyExists as error:
            existing = client._run(operations.get_backend_message(self._name))
            is_own = (operations.is_left(existing, backend.lease) if backend.HasField("lease")
                      else operations.is_again(existing, backend))
            if is_own and not self._replace:
                backend = operations.taken_over(existing, backend)
            elif self._exist_ok:
                return types.Backend.of(existing), None
            elif not self._replace:
                raise errors.AlreadyExists(
                    f"{error.message}; {operations.holder(existing)}use replace=True to replace "
                    "it, or exist_ok=True to keep it",
                    field=error.field, reason=error.reason, details=error.details) from None
        return client._run(operations.update_backend(backend, options)), False

    def _ready(self, made: types.Backend, is_new: bool, seconds: float) -> types.Backend:
        """Waits until the backend is ready. Deletes it if this fails and it is new."""
        try:
            return self._client._wait_usable(made, seconds)
        except BaseException:
            if is_new:
                self._client.delete_backend(self._name, comment="it did not become ready")
            raise


def _merged(
    config: Union[BackendConfig, Mapping[str, Any], None], replicas: Optional[int],
    queries: Optional[int],
) -> BackendConfig:
    """The configuration from `config` and from the arguments, which take precedence."""
    given: Dict[str, Any] = {}
    if replicas is not None:
        given["num_replicas"] = replicas
    if queries is not None:
        given["max_concurrent_queries"] = queries
    return BackendConfig.of(config).updated(BackendConfig(**given))


def close_on_sigterm() -> None:
    """Lets the program end as by `sys.exit` on SIGTERM, so that it closes its clients.

    Only if the program has no handler, and only in the main thread, where Python allows it.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _: Any) -> None:
    was_terminated.set()
    raise SystemExit(128 + number)
