"""The client: Ray Serve 1.0's calls, to a running Weir."""

from __future__ import annotations

import atexit
import logging
import os
import socket
import time
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

import grpc

from weir import _operations as operations
from weir import errors, serving, types
from weir._channels import Door
from weir._operations import Operation, Terms
from weir.admin.v1 import admin_pb2 as pb
from weir.affinity import ShardKey
from weir.handle import Handle
from weir.serving import Target

T = TypeVar("T")

log = logging.getLogger("weir")

# Processes of a worker that may end before it is given up.
_TRIES = 3

# What `config` may say, as in Ray Serve's BackendConfig.
_CONFIG = ("num_replicas", "max_concurrent_queries")


def connect(
    address: str = "127.0.0.1:8001",
    *,
    data_address: Optional[str] = None,
    author: Optional[str] = None,
    timeout: float = 10.0,
    credentials: Optional[grpc.ChannelCredentials] = None,
    token: Optional[str] = None,
    data_credentials: Optional[grpc.ChannelCredentials] = None,
) -> "Client":
    """A client of the Weir whose admin port is at `host:port`.

    `data_address` is where it takes calls, if that is not where it says itself. `author` is told in
    the history with each change; a server that knows who calls tells that instead. `timeout` is
    seconds for each call of the admin service.

    `credentials`, as `grpc.ssl_channel_credentials` makes them, and `token` are for the admin port,
    `data_credentials` for the data port; without them a port is called in plaintext. Raises
    Unavailable when nobody answers, Unauthenticated when the server doesn't know who calls.
    """
    return Client(
        address, data_address=data_address, author=author, timeout=timeout,
        credentials=credentials, token=token, data_credentials=data_credentials)


class Client:
    """Changes and shows how a Weir routes, and calls its endpoints. May be used by many threads.

    Backends that are classes or functions are served by this process; `close()`, leaving a `with`
    block, or the end of the program removes them.

    Changes take `expected_revision` (refused with RevisionConflict when another change came first),
    `validate_only` (tells what it would do, and does nothing) and `comment` (for the history).
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
    ) -> None:
        self.address = address
        self.author = author if author is not None else operations.this_user()
        self.timeout = timeout
        self.door = Door(address, credentials, token)
        self._channel = self.door.channel()
        self._local = serving.LocalBackends()
        self._created_endpoints: List[str] = []
        self._is_closed = False
        try:
            self.data_address = data_address or operations.data_address(self.instances(), address)
        except BaseException:
            self._channel.close()
            raise
        self._data = Door(self.data_address, data_credentials).channel()
        atexit.register(self.close)

    def __repr__(self) -> str:
        return f"weir.Client({self.address!r})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    # Backends.

    def create_backend(
        self,
        name: str,
        target: Union[Target, str, Sequence[str]],
        *init_args: Any,
        config: Optional[Mapping[str, int]] = None,
        replicas: Optional[int] = None,
        max_concurrent_queries: Optional[int] = None,
        environment: Optional[Mapping[str, str]] = None,
        working_directory: Optional[str] = None,
        start_timeout: float = 60.0,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Backend:
        """Adds a backend.

        `target` is one of:

        - a class or function: served by this process, until the client is closed. `init_args` are
          for the class's constructor; see `weir.Request` for what it is called with.
        - an import path, `"module:Class"`: Weir runs it in processes of its own, with this Python,
          in `working_directory` (this one), with `environment` added to Weir's. `init_args` must
          have a JSON form.
        - a list of addresses, `["host:port"]`: gRPC servers that run by themselves.

        `replicas` is the number of instances or processes (1), `max_concurrent_queries` the
        requests that each works on at once: if it is given further ones wait in Weir, otherwise
        code works on 1, coroutine functions on 100, and further ones wait there. Both can be given
        in `config`, as `num_replicas` and `max_concurrent_queries`.

        Returns when the backend can answer; raises Unavailable with the reason when it can't within
        `start_timeout` seconds, or its processes have ended three times, and leaves nothing behind
        then. A list of addresses is not waited for.
        """
        replicas, queries = self._scale(config, replicas, max_concurrent_queries)
        terms = self._terms(expected_revision, validate_only, comment)
        if isinstance(target, str):
            backend = operations.worker(
                name, target, init_args, replicas, queries, environment,
                working_directory or os.getcwd(), start_timeout)
        elif isinstance(target, (list, tuple)):
            backend = operations.upstream(name, target, queries)
        else:
            code = serving.check(target)
            addresses = (
                ["127.0.0.1:1"] if validate_only else
                self._serve(name, code, init_args, replicas, queries))
            backend = operations.upstream(name, addresses, queries)
        try:
            made = self._run(operations.create_backend(backend, terms))
        except BaseException:
            self._local.stop(name)
            raise
        if validate_only or isinstance(target, (list, tuple)):
            return made
        try:
            return self._wait_usable(made, start_timeout)
        except BaseException:
            self.delete_backend(name, comment="it could not answer")
            raise

    @staticmethod
    def _scale(
        config: Optional[Mapping[str, int]], replicas: Optional[int], queries: Optional[int]
    ) -> Tuple[int, Optional[int]]:
        """Replicas, and requests that each works on at once."""
        config = config or {}
        unknown = sorted(set(config) - set(_CONFIG))
        if unknown:
            raise ValueError(
                f"config has no {', '.join(unknown)}; it has {' and '.join(_CONFIG)}")
        replicas = config.get("num_replicas", 1) if replicas is None else replicas
        queries = config.get("max_concurrent_queries") if queries is None else queries
        if replicas < 1 or (queries is not None and queries < 1):
            raise ValueError("a backend needs at least 1 replica and 1 request at once")
        return replicas, queries

    def _serve(
        self, name: str, target: Target, init_args: Tuple[Any, ...], replicas: int,
        queries: Optional[int],
    ) -> List[str]:
        """Starts to serve code in this process; returns the addresses of its replicas."""
        if name in self._local.names:
            raise errors.AlreadyExists(f"backend {name!r} is served by this client already")
        return self._local.start(
            name, target, init_args, self._own_host(), replicas,
            queries or serving.default_queries(target))

    def _own_host(self) -> str:
        """The address under which Weir reaches this machine: the one that reaches Weir."""
        host, _, port = self.address.rpartition(":")
        target = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_DGRAM)[0]
        with socket.socket(target[0], socket.SOCK_DGRAM) as probe:
            # Nothing is sent: this only asks for the way.
            probe.connect(target[4])
            own: str = probe.getsockname()[0]
        return f"[{own}]" if ":" in own else own

    def _wait_usable(self, backend: types.Backend, seconds: float) -> types.Backend:
        end = time.monotonic() + seconds
        pause = 0.01
        while not backend.usable or not any(part.state == "ready" for part in backend.replicas):
            gave_up = any(part.restarts >= _TRIES for part in backend.replicas)
            if gave_up or time.monotonic() > end:
                failures = [part.last_failure for part in backend.replicas if part.last_failure]
                raise errors.Unavailable(
                    f"backend {backend.name!r} can't answer: "
                    + (failures[0] if failures else
                       backend.problem or f"it is still starting after {seconds:g} s"))
            time.sleep(pause)
            pause = min(pause * 2, 0.5)
            backend = self._run(operations.get_backend(backend.name))
        return backend

    def delete_backend(
        self,
        name: str,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Removes a backend; BackendInUse while an endpoint's traffic or shadows name it."""
        terms = self._terms(expected_revision, validate_only, comment)
        self._run(operations.delete_backend(name, terms))
        if not validate_only:
            self._local.stop(name)

    def get_backend(self, name: str) -> types.Backend:
        """One backend, and how its replicas fare."""
        return self._run(operations.get_backend(name))

    def list_backends(self) -> Dict[str, types.Backend]:
        """All backends by name."""
        return self._run(operations.list_backends())

    # Endpoints and their traffic.

    def create_endpoint(
        self,
        name: str,
        *,
        backend: str,
        route: Optional[str] = None,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Adds an endpoint whose requests all go to one backend.

        `route` is a plain path for HTTP (`"/fifty"`; `"/files/"` with whatever follows), a gRPC
        service (`"/pkg.Service/"`) or method. Without one the endpoint is reached by a handle only.
        """
        terms = self._terms(expected_revision, validate_only, comment)
        endpoint = self._run(operations.create_endpoint(name, backend, route, terms))
        if not validate_only:
            self._created_endpoints.append(name)
        return endpoint

    def delete_endpoint(
        self,
        name: str,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Removes an endpoint; its backends stay."""
        terms = self._terms(expected_revision, validate_only, comment)
        self._run(operations.delete_endpoint(name, terms))

    def get_endpoint(self, name: str) -> types.Endpoint:
        """One endpoint; its `explain` tells the backend of a shard key without asking again."""
        return self._run(operations.get_endpoint(name))

    def list_endpoints(self) -> Dict[str, types.Endpoint]:
        """All endpoints by name."""
        return self._run(operations.list_endpoints())

    def set_traffic(
        self,
        endpoint: str,
        traffic: Mapping[str, float],
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.TrafficChange:
        """Replaces the weights of an endpoint, at once. They sum to 1; InvalidTraffic otherwise.

        As few shard keys as can be change their backend; `moved_share` of the answer says how many.
        """
        terms = self._terms(expected_revision, validate_only, comment)
        return self._run(operations.set_traffic(endpoint, traffic, terms))

    def get_traffic(self, endpoint: str) -> Dict[str, float]:
        """The weights of an endpoint."""
        return dict(self.get_endpoint(endpoint).traffic)

    def shadow_traffic(
        self,
        endpoint: str,
        backend: str,
        proportion: float,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Copies a share of an endpoint's requests to a backend; 0 ends that.

        Callers are answered as if it were not there.
        """
        terms = self._terms(expected_revision, validate_only, comment)
        return self._run(operations.shadow_traffic(endpoint, backend, proportion, terms))

    # Calling.

    def get_handle(self, endpoint: str, *, missing_ok: bool = False) -> Handle:
        """Calls an endpoint by its name: `handle.remote(data).result()`, or `await` it.

        Raises NotFound when there is no such endpoint, unless that is `missing_ok`.
        """
        if not missing_ok:
            self._run(operations.get_endpoint(endpoint))
        return Handle(self._data, endpoint)

    # Questions.

    def explain(self, path: str, shard_key: Optional[ShardKey] = None) -> types.Explanation:
        """Which backend a request gets, and why; `path` is its path or the name of an endpoint."""
        return self._run(operations.explain(path, shard_key))

    def stats(self, endpoint: str = "") -> types.Stats:
        """Counts and latencies since the server started, of one endpoint or all."""
        return self._run(operations.stats(endpoint))

    def shadow_report(self, endpoint: str) -> Dict[str, types.ShadowReport]:
        """How an endpoint's shadows did, by backend."""
        return self._run(operations.shadow_report(endpoint))

    def history(self, limit: int = 100, *, before: int = 0) -> List[types.Revision]:
        """The accepted changes, latest first; those before a revision, if one is given."""
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
        """Makes the endpoints, or one of them, what they were at a revision.

        Every shard key gets the backend back that it had. Backends stay as they are.
        """
        terms = self._terms(expected_revision, validate_only, comment)
        return self._run(operations.rollback(revision, endpoint, terms))

    def watch(self, from_revision: int = 0) -> Iterator[types.Change]:
        """Changes as they happen; the whole state first, unless a revision is given.

        Ends when the server does, with Unavailable.
        """
        operation = operations.watch(from_revision)
        call = self._channel.unary_stream(
            operations.SERVICE + operation.method,
            request_serializer=pb.WatchRequest.SerializeToString,
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
        """The servers that share this state."""
        return self._run(operations.list_instances())

    # The end.

    def close(self) -> None:
        """Removes the backends that this process serves, and whatever can't be without them.

        Those are shadows that they are, and endpoints that this client made and that no other
        backend answers. A backend that still has a part of some other endpoint's traffic is left
        where it is, with a warning: its requests fail until that traffic is changed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        try:
            if self._local.names:
                self._remove_local_backends()
        except errors.WeirError as error:
            log.warning("backends of this program are still known to Weir: %s", error)
        finally:
            for name in self._local.names:
                self._local.stop(name)
            self._channel.close()
            self._data.close()

    def _remove_local_backends(self) -> None:
        local = set(self._local.names)
        terms = self._terms(None, False, "the program that served it has ended")
        for endpoint in self.list_endpoints().values():
            for backend in local & set(endpoint.shadows):
                self._run(operations.shadow_traffic(endpoint.name, backend, 0, terms))
            if endpoint.name in self._created_endpoints and local >= set(endpoint.traffic):
                self._run(operations.delete_endpoint(endpoint.name, terms))
        for name in sorted(local):
            try:
                self._run(operations.delete_backend(name, terms))
            except errors.BackendInUse as error:
                log.warning("its program ends, but %s", error)
            except errors.NotFound:
                pass

    # Both.

    def _terms(
        self, expected_revision: Optional[int], validate_only: bool, comment: str
    ) -> Terms:
        return Terms(expected_revision, validate_only, comment, self.author)

    def _run(self, operation: Operation[T]) -> T:
        call = self._channel.unary_unary(
            operations.SERVICE + operation.method,
            request_serializer=type(operation.request).SerializeToString,
            response_deserializer=operation.reply.FromString,
        )
        try:
            return operation.read(call(operation.request, timeout=self.timeout))
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from None
