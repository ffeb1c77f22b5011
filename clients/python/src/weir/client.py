"""The client: the calls of Ray Serve 1.0 for a running Weir."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401
import contextlib
import logging
import os
import signal
import threading
import weakref
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, TypeVar

import grpc

from weir import _arguments as arguments
from weir import _forking as forking
from weir import _operations as operations
from weir import _settings as settings
from weir import errors, types
from weir._backends import Backends, was_terminated
from weir._endpoints import Endpoints
from weir._rollout_calls import Rollouts
from weir._lease import CHECK_SECONDS, ServedCheck, program_name
from weir._names import also_named
from weir._operations import ChangeOptions, Operation
from weir.affinity import ShardKey
from weir.handle import CLOSED, Handle
from weir.serving import LocalBackends

T = TypeVar("T")

log = logging.getLogger("weir")

# The clients of this process that are open.
_open: "weakref.WeakSet[Client]" = weakref.WeakSet()


def connect(
    address: Optional[str] = None,
    *,
    data_address: Optional[str] = None,
    author: Optional[str] = None,
    timeout: float = 10.0,
    credentials: Optional[grpc.ChannelCredentials] = None,
    token: Optional[str] = None,
    data_credentials: Optional[grpc.ChannelCredentials] = None,
    program: Optional[str] = None,
) -> "Client":
    """Connects to the admin port at `host:port`.

    Omitted arguments have the values of the variables that the tool `weir` reads: WEIR_ADMIN (or
    127.0.0.1:8001), WEIR_ADDRESS (or the address that the server reports), WEIR_AUTHOR (or
    user@host), WEIR_TOKEN; WEIR_ADMIN_TLS_CA, _CERT, _KEY and _SERVER_NAME for the admin port;
    WEIR_TLS_CA, _CERT, _KEY and _SERVER_NAME for the data port.

    `program` is the name of this program, the same at its next start, when it takes over the
    backends that it served: $WEIR_PROGRAM, or the path of the script.

    `author` is the author of changes in the history; a server that authenticates the client records
    that name instead. `timeout` is the timeout of admin calls in seconds. `credentials`, the result
    of `grpc.ssl_channel_credentials`, and `token` are for the admin port, `data_credentials` for
    the data port; without them and the variables, connections are plaintext. Raises Unavailable if
    the server is not reachable, and Unauthenticated if it rejects the credentials.
    """
    return Client(
        settings.admin_address(address), data_address=data_address, author=author, timeout=timeout,
        credentials=credentials, token=token, data_credentials=data_credentials, program=program)


class Client(Backends, Endpoints, Rollouts):
    """A client of a running Weir: changes and reads its routing, and calls its endpoints.

    Thread-safe. This process serves backends that are classes or functions; `close()`, leaving a
    `with` block, or the end of the program deletes them.

    Changes take `expected_revision` (RevisionConflict if it is not the current revision),
    `validate_only` (returns the effect without making the change) and `comment` (the reason, for
    the history). Arguments also have the names of Ray Serve 1.0.
    """

    def __init__(
        self,
        address: str,
        *,
        data_address: Optional[str] = None,
        author: Optional[str] = None,
        timeout: float = 10.0,
        credentials: Optional[grpc.ChannelCredentials] = None,
        token: Optional[str] = None,
        data_credentials: Optional[grpc.ChannelCredentials] = None,
        program: Optional[str] = None,
    ) -> None:
        forking.check()
        arguments.number("timeout", timeout, 0.001, arguments.WEEK)
        self.address = settings.checked_address(address)
        self.author = settings.author(author)
        self.timeout = timeout
        self.program = program or program_name()
        self.door = settings.admin_door(self.address, credentials, token)
        self._channel = self.door.channel()
        self._local = LocalBackends()
        self._served = ServedCheck()
        self._created_endpoints: Dict[str, str] = {}
        self._process = os.getpid()
        self._is_closed = False
        self._is_detached = False
        self._closing = threading.Lock()
        try:
            instances = self._first_call()
            self.data_address = settings.data_address(data_address) or operations.data_address(
                instances, self.address)
            self._data = settings.data_door(self.data_address, data_credentials).channel()
        except BaseException:
            self._channel.close()
            raise
        forking.connects_to(self.address)
        forking.connects_to(self.data_address)
        _open.add(self)
        atexit.register(self.close)

    def _first_call(self) -> List[types.Instance]:
        """Checks that the address is that of an admin port."""
        try:
            return self.instances()
        except errors.Unimplemented as error:
            raise errors.Unimplemented(
                f"{self.address} is not an admin port; it may be a data port. Connect to the admin "
                f"port, by default port 8001 ({error.message})") from None
        except errors.Unavailable as error:
            raise errors.Unavailable(
                f"no Weir is reachable at the admin address {self.address}: {error.message}. Start "
                "one with `weir serve`, or set WEIR_ADMIN to its address; for TLS, set "
                "WEIR_ADMIN_TLS_CA") from None

    def __repr__(self) -> str:
        serves = f", serves {', '.join(self._local.names)}" if self._local.names else ""
        closed = ", closed" if self._is_closed else ""
        return f"<weir.Client of {self.address}{serves}{closed}>"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # Calling.

    @also_named(endpoint_name="endpoint")
    def get_handle(self, endpoint: str, *, missing_ok: bool = False) -> Handle:
        """Returns a handle that calls an endpoint by its name: `handle.remote(data).result()`.

        The response can also be awaited. Raises NotFound if the endpoint does not exist, unless
        `missing_ok`.
        """
        if not missing_ok:
            self._run(operations.get_endpoint(endpoint))
        return Handle(self._data, endpoint)

    # Reads.

    def explain(self, path: str, shard_key: Optional[ShardKey] = None) -> types.Explanation:
        """Returns the backend of a request, and why; `path` is a path or an endpoint's name."""
        return self._run(operations.explain(path, shard_key))

    def stats(self, endpoint: str = "") -> types.Stats:
        """Returns counts and latencies since the server started, of one endpoint or all."""
        return self._run(operations.stats(endpoint))

    def shadow_report(self, endpoint: str) -> Dict[str, types.ShadowReport]:
        """Returns the reports of an endpoint's shadows, by backend."""
        return self._run(operations.shadow_report(endpoint))

    def history(self, limit: int = 100, *, before: int = 0) -> List[types.Revision]:
        """Returns the accepted changes, latest first, optionally only those before a revision."""
        return self._run(operations.history(limit, before))

    def rollback(
        self,
        revision: int,
        *,
        endpoint: str = "",
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.StateChange:
        """Restores the endpoints, or one of them, to a revision.

        Each shard key returns to its backend of that revision. Backends do not change.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.rollback(revision, endpoint, options))

    def export(self, revision: int = 0) -> Dict[str, Any]:
        """Returns the whole state, or that of a revision, as a dictionary for `apply`.

        Secrets in the environments of workers are masked; `apply` keeps the current ones.
        """
        return self._run(operations.export(revision))

    def apply(
        self,
        configuration: Mapping[str, Any],
        *,
        prune: bool = False,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.StateChange:
        """Replaces the whole state with a configuration, in one change.

        It has the form of the files of `weir apply`, for example as `yaml.safe_load` reads them.
        Raises FailedPrecondition if it does not contain all backends and endpoints; with `prune`,
        deletes the others. Raises RevisionConflict if another change is made at the same time.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        if not prune and not validate_only:
            plan = self._run(operations.apply(configuration, options.trial()))
            options = operations.after_plan(plan, options)
        return self._run(operations.apply(configuration, options))

    def watch(self, from_revision: int = 0) -> Iterator[types.Change]:
        """Streams changes as they happen, after the whole state or after a given revision.

        Raises Unavailable when the server ends.
        """
        return self._stream(operations.watch(from_revision))

    def _stream(self, operation: Operation[T]) -> Iterator[T]:
        """The responses of a call until it ends or the iterator is closed."""
        self._check_open()
        call = self._channel.unary_stream(
            operations.SERVICE + operation.method,
            request_serializer=type(operation.request).SerializeToString,
            response_deserializer=operation.reply.FromString,
        )(operation.request)
        try:
            for message in call:
                yield operation.read(message)
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from None
        finally:
            call.cancel()

    def instances(self) -> List[types.Instance]:
        """Returns the servers that share this state."""
        return self._run(operations.list_instances())

    # The end.

    def serve_forever(self) -> None:
        """Serves the backends of this program until SIGTERM or SIGINT, then closes the client.

        After SIGTERM, the backends remain for the next start of the program. Raises NotFound when
        Weir has none of them any longer. Only for the main thread.
        """
        self._check_open()
        ended = threading.Event()

        def end(number: int, _: Any) -> None:
            if number == signal.SIGTERM:
                was_terminated.set()
            ended.set()

        previous: Dict[int, Any] = {}
        for number in (signal.SIGTERM, signal.SIGINT):
            previous[number] = signal.signal(number, end)
        try:
            while not ended.wait(CHECK_SECONDS):
                self._check_served()
        finally:
            self.close()
            for restored, handler in previous.items():
                signal.signal(restored, handler)

    def _check_served(self) -> None:
        if self._lease is not None and self._lease.is_supported:
            self._served.check(self._lease, self._local.names, lambda name: self._run(
                operations.get_backend_message(name)))

    def close(self) -> None:
        """Deletes the backends that this process serves, and the objects that depend on them.

        Those are their shadows, and endpoints that this client created and that have no other
        backend. If another endpoint still routes traffic to such a backend, the client keeps it and
        logs a warning: its requests fail until that traffic is changed.

        After SIGTERM, the client deletes nothing: Weir marks the backends gone until the program
        starts again, and sends them no requests. In a forked child of the process that made the
        client, this has no effect.
        """
        if self._process != os.getpid():
            return
        with self._closing:
            if self._is_closed:
                return
            atexit.unregister(self.close)
            keeps = (
                was_terminated.is_set() and self._lease is not None and self._lease.is_supported)
            try:
                if self._local.names and not keeps:
                    self._remove_local_backends()
            except errors.WeirError as error:
                log.warning("could not delete the backends of this program: %s", error)
            finally:
                self._is_closed = True
                _open.discard(self)
                if self._lease is not None:
                    # Before the replicas stop: Weir sends them no further requests.
                    self._lease.release(is_gone=True)
                for name in self._local.names:
                    self._stop_local(name)
                self._channel.close()
                self._data.close()

    def shutdown(self) -> None:
        """Closes the client, as `close`. Other programs' backends and endpoints remain."""
        self.close()

    def _remove_local_backends(self) -> None:
        """Deletes the backends with the addresses at which this client serves."""
        backends = self.list_backends()
        local = set()
        for name in self._local.names:
            served = self._local.get(name)
            if served and name in backends and (
                    list(backends[name].addresses) == served.addresses):
                local.add(name)
        options = self._change_options(None, False, "the program that served it ended")
        for endpoint in self.list_endpoints().values():
            for backend in local & set(endpoint.shadows):
                with contextlib.suppress(errors.NotFound):
                    self._run(operations.shadow_traffic(endpoint.name, backend, 0, options))
            if endpoint.name in self._created_endpoints and local >= set(endpoint.traffic):
                with contextlib.suppress(errors.NotFound):
                    self._run(operations.delete_endpoint(endpoint.name, options))
        for name in sorted(local):
            try:
                self._run(operations.delete_backend(name, options))
            except errors.BackendInUse as error:
                log.warning("could not delete a backend of this program: %s", error)
            except errors.NotFound:
                pass

    # Both.

    def _siblings(self) -> "List[Client]":  # type: ignore[override]
        """The open clients of this process for the same server, with this one."""
        return [client for client in list(_open) if client.address == self.address]

    def _take_endpoints(self, owner: "Client", backend: str) -> None:  # type: ignore[override]
        """Deletes at the end what another client of this process created for a backend."""
        for name, made in list(owner._created_endpoints.items()):
            if made == backend:
                self._created_endpoints[name] = owner._created_endpoints.pop(name)

    def _server_of(self, name: str) -> Optional["Client"]:
        """The client of this process that serves a backend."""
        return next((one for one in self._siblings() if one._local.get(name)), None)

    def _change_options(
        self, expected_revision: Optional[int], validate_only: bool, comment: str
    ) -> ChangeOptions:
        return ChangeOptions(expected_revision, validate_only, comment, self.author)

    def _check_open(self) -> None:
        if self._process != os.getpid():
            forking.check()
        if self._is_closed:
            raise errors.ClientClosed(CLOSED)

    def _run(self, operation: Operation[T]) -> T:
        self._check_open()
        call: Callable[..., Any] = self._channel.unary_unary(
            operations.SERVICE + operation.method,
            request_serializer=type(operation.request).SerializeToString,
            response_deserializer=operation.reply.FromString,
        )
        try:
            return operation.read(call(operation.request, timeout=self.timeout))
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from None


def _stop_serving() -> None:
    """Closes the clients that serve backends, before Python ends the threads of their replicas.

    Functions of `atexit` run later, when a request that arrives would never get its thread.
    """
    for client in list(_open):
        if client._local.names and not client._is_detached:
            client.close()


# Runs before the function that `concurrent.futures.thread` registered when it was imported. Python
# 3.8 has only `atexit`.
getattr(threading, "_register_atexit", atexit.register)(_stop_serving)
