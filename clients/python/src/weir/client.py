"""The client: the calls of Ray Serve 1.0 for a running Weir."""

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
from weir._operations import ChangeOptions, Operation
from weir.admin.v1 import admin_pb2 as pb
from weir.affinity import ShardKey
from weir.handle import Handle
from weir.serving import Target

T = TypeVar("T")

log = logging.getLogger("weir")

# The number of ended processes after which the client stops waiting for a worker.
_TRIES = 3

# The keys of `config`, as in Ray Serve's BackendConfig.
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
    """Connects to the admin port at `host:port`.

    `data_address` is the data address, if it differs from the one that the server reports. `author`
    is the author of changes in the history; a server that authenticates the client records that
    name instead. `timeout` is the timeout of admin calls in seconds.

    `credentials`, the result of `grpc.ssl_channel_credentials`, and `token` are for the admin port,
    `data_credentials` for the data port; without them, connections are plaintext. Raises
    Unavailable if the server is not reachable, and Unauthenticated if it rejects the credentials.
    """
    return Client(
        address, data_address=data_address, author=author, timeout=timeout,
        credentials=credentials, token=token, data_credentials=data_credentials)


class Client:
    """A client of a running Weir: changes and reads its routing, and calls its endpoints.

    Thread-safe. This process serves backends that are classes or functions; `close()`, leaving a
    `with` block, or the end of the program deletes them.

    Changes take `expected_revision` (RevisionConflict if it is not the current revision),
    `validate_only` (returns the effect without making the change) and `comment` (the reason, for
    the history).
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

        - a class or function: this process serves it until the client is closed. `init_args` are
          the arguments of the class's constructor; calls receive a `weir.Request`.
        - an import path, `"module:Class"`: Weir runs it in worker processes, with this Python, in
          `working_directory` (default: the current one), with `environment` added to Weir's.
          `init_args` must have a JSON form.
        - a list of addresses, `["host:port"]`: gRPC servers that Weir does not start.

        `replicas` is the number of instances or processes (default: 1), `max_concurrent_queries`
        the limit of concurrent requests of each; further requests wait in Weir. Without it, the
        limit is 1, or 100 for coroutine functions, and further requests wait in the replica. Both
        can also be in `config`, as `num_replicas` and `max_concurrent_queries`.

        Returns when the backend is ready. Raises Unavailable with the reason, and deletes the
        backend, if it is not ready within `start_timeout` seconds or its processes have ended three
        times. Does not wait for a list of addresses.
        """
        replicas, queries = self._scale(config, replicas, max_concurrent_queries)
        options = self._change_options(expected_revision, validate_only, comment)
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
            made = self._run(operations.create_backend(backend, options))
        except BaseException:
            self._local.stop(name)
            raise
        if validate_only or isinstance(target, (list, tuple)):
            return made
        try:
            return self._wait_usable(made, start_timeout)
        except BaseException:
            self.delete_backend(name, comment="it did not become ready")
            raise

    @staticmethod
    def _scale(
        config: Optional[Mapping[str, int]], replicas: Optional[int], queries: Optional[int]
    ) -> Tuple[int, Optional[int]]:
        """The number of replicas, and the limit of concurrent requests of each."""
        config = config or {}
        unknown = sorted(set(config) - set(_CONFIG))
        if unknown:
            raise ValueError(
                f"config has no {', '.join(unknown)}; it has {' and '.join(_CONFIG)}")
        replicas = config.get("num_replicas", 1) if replicas is None else replicas
        queries = config.get("max_concurrent_queries") if queries is None else queries
        if replicas < 1 or (queries is not None and queries < 1):
            raise ValueError("a backend requires at least 1 replica and 1 concurrent request")
        return replicas, queries

    def _serve(
        self, name: str, target: Target, init_args: Tuple[Any, ...], replicas: int,
        queries: Optional[int],
    ) -> List[str]:
        """Starts to serve a target in this process; returns the addresses of its replicas."""
        if name in self._local.names:
            raise errors.AlreadyExists(f"this client already serves backend {name!r}")
        return self._local.start(
            name, target, init_args, self._own_host(), replicas,
            queries or serving.default_queries(target))

    def _own_host(self) -> str:
        """The address at which Weir reaches this machine: the local one of the route to Weir."""
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
        while not backend.usable or not any(part.state == "ready" for part in backend.replicas):
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
            self._local.stop(name)

    def get_backend(self, name: str) -> types.Backend:
        """Returns one backend with the status of its replicas."""
        return self._run(operations.get_backend(name))

    def list_backends(self) -> Dict[str, types.Backend]:
        """Returns all backends by name."""
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
        """Adds an endpoint that routes all requests to one backend.

        `route` is a plain path for HTTP (`"/fifty"`, or the prefix `"/files/"`), a gRPC service
        (`"/pkg.Service/"`) or method. Without a route, clients call the endpoint only by name.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        endpoint = self._run(operations.create_endpoint(name, backend, route, options))
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
        """Deletes an endpoint, but not its backends."""
        options = self._change_options(expected_revision, validate_only, comment)
        self._run(operations.delete_endpoint(name, options))

    def get_endpoint(self, name: str) -> types.Endpoint:
        """Returns one endpoint; its `explain` computes the backend of a shard key locally."""
        return self._run(operations.get_endpoint(name))

    def list_endpoints(self) -> Dict[str, types.Endpoint]:
        """Returns all endpoints by name."""
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
        """Replaces the weights of an endpoint atomically.

        Raises InvalidTraffic unless they sum to 1. The change moves the minimum of shard keys;
        `moved_share` of the result is their share.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.set_traffic(endpoint, traffic, options))

    def get_traffic(self, endpoint: str) -> Dict[str, float]:
        """Returns the weights of an endpoint."""
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
        """Copies a share of an endpoint's requests to a backend; 0 removes the shadow.

        A shadow does not affect the responses to clients.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.shadow_traffic(endpoint, backend, proportion, options))

    # Calling.

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

    def watch(self, from_revision: int = 0) -> Iterator[types.Change]:
        """Streams changes as they happen, after the whole state or after a given revision.

        Raises Unavailable when the server ends.
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
        """Returns the servers that share this state."""
        return self._run(operations.list_instances())

    # The end.

    def close(self) -> None:
        """Deletes the backends that this process serves, and the objects that depend on them.

        Those are their shadows, and endpoints that this client created and that have no other
        backend. If another endpoint still routes traffic to such a backend, the client keeps it and
        logs a warning: its requests fail until that traffic is changed.
        """
        if self._is_closed:
            return
        self._is_closed = True
        atexit.unregister(self.close)
        try:
            if self._local.names:
                self._remove_local_backends()
        except errors.WeirError as error:
            log.warning("could not delete the backends of this program: %s", error)
        finally:
            for name in self._local.names:
                self._local.stop(name)
            self._channel.close()
            self._data.close()

    def _remove_local_backends(self) -> None:
        local = set(self._local.names)
        options = self._change_options(None, False, "the program that served it ended")
        for endpoint in self.list_endpoints().values():
            for backend in local & set(endpoint.shadows):
                self._run(operations.shadow_traffic(endpoint.name, backend, 0, options))
            if endpoint.name in self._created_endpoints and local >= set(endpoint.traffic):
                self._run(operations.delete_endpoint(endpoint.name, options))
        for name in sorted(local):
            try:
                self._run(operations.delete_backend(name, options))
            except errors.BackendInUse as error:
                log.warning("could not delete a backend of this program: %s", error)
            except errors.NotFound:
                pass

    # Both.

    def _change_options(
        self, expected_revision: Optional[int], validate_only: bool, comment: str
    ) -> ChangeOptions:
        return ChangeOptions(expected_revision, validate_only, comment, self.author)

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
