"""The client for asyncio.

    async with weir.aio.connect("127.0.0.1:8001") as client:
        await client.set_traffic("fifty-fifty", {"backend1": 0.5, "backend2": 0.5})
        print(await client.get_handle("fifty-fifty").remote("hello"))

Each method has the arguments and the effect of the same method of `weir.Client`.
"""

from __future__ import annotations

import asyncio
import datetime
import functools
import signal
from typing import (
    Any, AsyncIterator, Callable, Dict, Generator, List, Mapping, Optional, Sequence, TypeVar,
    Union,
)

import grpc
import grpc.aio

from weir import _operations as operations
from weir import errors, types
from weir._aio_rollout_calls import Rollouts
from weir._backends import close_on_sigterm, was_terminated
from weir._lease import CHECK_SECONDS
from weir._operations import ChangeOptions, Operation
from weir.affinity import ShardKey
from weir.client import Client as SyncClient
from weir.client import connect as sync_connect
from weir.config import BackendConfig
from weir.handle import Handle
from weir.replica import Target

T = TypeVar("T")


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
) -> "Connecting":
    """Connects to the admin port at `host:port`; see `weir.connect`.

    Use it with `async with`, or await it and close the client.
    """
    return Connecting(functools.partial(
        sync_connect, address, data_address=data_address, author=author, timeout=timeout,
        credentials=credentials, token=token, data_credentials=data_credentials,
        program=program))


class Connecting:
    """A client that is not connected yet: `async with` or `await` connects it."""

    def __init__(self, make: Callable[[], SyncClient]) -> None:
        self._make = make
        self._client: Optional[Client] = None

    async def _connect(self) -> "Client":
        return Client(await asyncio.to_thread(self._make))

    def __await__(self) -> Generator[Any, None, "Client"]:
        return self._connect().__await__()

    async def __aenter__(self) -> "Client":
        self._client = await self._connect()
        return self._client

    async def __aexit__(self, *_: Any) -> None:
        if self._client is not None:
            await self._client.close()


class Client(Rollouts):
    """`weir.Client` with coroutines, for one event loop."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client
        self._channel = client.door.aio_channel()

    def __repr__(self) -> str:
        return repr(self._client).replace("weir.Client", "weir.aio.Client", 1)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """The admin address of the server."""
        return self._client.address

    @property
    def data_address(self) -> str:
        """The data address of the server."""
        return self._client.data_address

    async def create_backend(
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
        """Adds a backend; see `weir.Client.create_backend`."""
        # Only the main thread can set a handler of signals.
        close_on_sigterm()
        # Constructors of classes may block, so a thread runs them.
        return await self._on_thread(
            self._client.create_backend, name, target, *init_args, config=config,
            replicas=replicas, max_concurrent_queries=max_concurrent_queries,
            processes=processes, serializer=serializer, replace=replace, exist_ok=exist_ok,
            ray_actor_options=ray_actor_options, environment=environment,
            working_directory=working_directory, start_timeout=start_timeout,
            expected_revision=expected_revision, validate_only=validate_only, comment=comment)

    async def update_backend_config(
        self,
        name: str,
        config: Union[BackendConfig, Mapping[str, Any]],
        *,
        expected_revision: Optional[int] = None,
        comment: str = "",
    ) -> types.Backend:
        """Changes the configuration of a backend."""
        return await self._on_thread(
            self._client.update_backend_config, name, config, expected_revision=expected_revision,
            comment=comment)

    async def get_backend_config(self, name: str) -> BackendConfig:
        """Returns the configuration of a backend."""
        return await self._on_thread(self._client.get_backend_config, name)

    async def delete_backend(
        self, name: str, *, expected_revision: Optional[int] = None, validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Deletes a backend."""
        await self._on_thread(
            self._client.delete_backend, name, expected_revision=expected_revision,
            validate_only=validate_only, comment=comment)

    async def get_backend(self, name: str) -> types.Backend:
        """Returns one backend."""
        return await self._run(operations.get_backend(name))

    async def list_backends(self) -> Dict[str, types.Backend]:
        """Returns all backends by name."""
        return await self._run(operations.list_backends())

    async def create_endpoint(
        self, name: str, *, backend: str, route: Optional[str] = None,
        methods: Optional[Sequence[str]] = None, cors: Optional[types.CorsPolicy] = None,
        http_shard_key: types.HttpShardKey = types.HttpShardKey(),
        replace: bool = False, exist_ok: bool = False, expected_revision: Optional[int] = None,
        validate_only: bool = False, comment: str = "",
    ) -> types.Endpoint:
        """Adds an endpoint that routes all requests to one backend."""
        return await self._on_thread(
            self._client.create_endpoint, name, backend=backend, route=route, methods=methods,
            cors=cors, http_shard_key=http_shard_key, replace=replace, exist_ok=exist_ok,
            expected_revision=expected_revision, validate_only=validate_only, comment=comment)

    async def delete_endpoint(
        self, name: str, *, expected_revision: Optional[int] = None, validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Deletes an endpoint."""
        await self._on_thread(
            self._client.delete_endpoint, name, expected_revision=expected_revision,
            validate_only=validate_only, comment=comment)

    async def get_endpoint(self, name: str) -> types.Endpoint:
        """Returns one endpoint."""
        return await self._run(operations.get_endpoint(name))

    async def list_endpoints(self) -> Dict[str, types.Endpoint]:
        """Returns all endpoints by name."""
        return await self._run(operations.list_endpoints())

    async def set_traffic(
        self, endpoint: str, traffic: Mapping[str, float], *,
        revert_after: Optional[float] = None, confirm_within: Optional[float] = None,
        override_rollout: bool = False, override_freeze: bool = False,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> types.TrafficChange:
        """Replaces the weights of an endpoint."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(operations.set_traffic(
            endpoint, traffic, revert_after, confirm_within, override_rollout, override_freeze,
            options))

    async def confirm_traffic(
        self, endpoint: str, *, expected_revision: Optional[int] = None,
        validate_only: bool = False, comment: str = "",
    ) -> types.Endpoint:
        """Keeps the weights of a `set_traffic` with `confirm_within`."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(operations.confirm_traffic(endpoint, options))

    async def freeze(
        self, reason: str, *, until: Optional[datetime.datetime] = None,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> Optional[types.Freeze]:
        """Makes the server reject changes, except rollbacks, aborts and `unfreeze`."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(operations.set_freeze(reason, until, options))

    async def unfreeze(
        self, *, expected_revision: Optional[int] = None, validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Ends a freeze."""
        options = self._change_options(expected_revision, validate_only, comment)
        await self._run(operations.end_freeze(options))

    async def get_freeze(self) -> Optional[types.Freeze]:
        """Returns the present freeze; None if the server accepts changes."""
        return await self._run(operations.get_freeze())

    async def get_traffic(self, endpoint: str) -> Dict[str, float]:
        """Returns the weights of an endpoint."""
        return dict((await self.get_endpoint(endpoint)).traffic)

    async def shadow_traffic(
        self, endpoint: str, backend: str, proportion: float, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> types.Endpoint:
        """Copies a share of an endpoint's requests to a backend; 0 removes the shadow."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(
            operations.shadow_traffic(endpoint, backend, proportion, options))

    def get_handle(self, endpoint: str) -> Handle:
        """Returns a handle that calls an endpoint by its name: `await handle.remote(data)`."""
        return self._client.get_handle(endpoint, missing_ok=True)

    async def explain(
        self, path: str, shard_key: Optional[ShardKey] = None
    ) -> types.Explanation:
        """Returns the backend of a request, and the reason."""
        return await self._run(operations.explain(path, shard_key))

    async def stats(self, endpoint: str = "") -> types.Stats:
        """Returns counts and latencies since the server started."""
        return await self._run(operations.stats(endpoint))

    async def shadow_report(self, endpoint: str) -> Dict[str, types.ShadowReport]:
        """Returns the reports of an endpoint's shadows, by backend."""
        return await self._run(operations.shadow_report(endpoint))

    async def set_rate_limit(
        self, endpoint: str, requests_per_second: Optional[float], burst: int = 0, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> types.Endpoint:
        """Limits the requests per second of an endpoint; None removes the limit."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(
            operations.set_rate_limit(endpoint, requests_per_second, burst, options))

    async def set_shadow_comparison(
        self, endpoint: str, comparison: types.ShadowComparison, *,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> types.Endpoint:
        """Replaces the rules that compare the responses of an endpoint's shadows."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(operations.set_shadow_comparison(endpoint, comparison, options))

    async def reset_shadow_report(self, endpoint: str, backend: str = "") -> None:
        """Resets the reports of an endpoint's shadows, or of one of them."""
        await self._run(operations.reset_shadow_report(endpoint, backend))

    async def export(self, revision: int = 0) -> Dict[str, Any]:
        """Returns the whole state, or that of a revision, as a dictionary for `apply`."""
        return await self._run(operations.export(revision))

    async def apply(
        self, configuration: Mapping[str, Any], *, prune: bool = False,
        expected_revision: Optional[int] = None, validate_only: bool = False, comment: str = "",
    ) -> types.StateChange:
        """Replaces the whole state with a configuration, in one change."""
        options = self._change_options(expected_revision, validate_only, comment)
        if not prune and not validate_only:
            plan = await self._run(operations.apply(configuration, options.trial()))
            options = operations.after_plan(plan, options)
        return await self._run(operations.apply(configuration, options))

    async def history(self, limit: int = 100, *, before: int = 0) -> List[types.Revision]:
        """Returns the accepted changes, latest first."""
        return await self._run(operations.history(limit, before))

    async def rollback(
        self, revision: int, *, endpoint: str = "", expected_revision: Optional[int] = None,
        validate_only: bool = False, comment: str = "",
    ) -> types.StateChange:
        """Restores the endpoints, or one of them, to a revision."""
        options = self._change_options(expected_revision, validate_only, comment)
        return await self._run(operations.rollback(revision, endpoint, options))

    def watch(self, from_revision: int = 0) -> AsyncIterator[types.Change]:
        """Streams changes as they happen, after the whole state or after a given revision."""
        return self._stream(operations.watch(from_revision))

    async def _stream(self, operation: Operation[T]) -> AsyncIterator[T]:
        self._client._check_open()
        call = self._channel.unary_stream(
            operations.SERVICE + operation.method,
            request_serializer=type(operation.request).SerializeToString,
            response_deserializer=operation.reply.FromString,
        )(operation.request)
        try:
            async for message in call:
                yield operation.read(message)
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from None
        finally:
            call.cancel()

    async def instances(self) -> List[types.Instance]:
        """Returns the servers that share this state."""
        return await self._run(operations.list_instances())

    async def serve_forever(self) -> None:
        """Serves until SIGTERM or SIGINT, then closes the client; see `weir.Client`."""
        self._client._check_open()
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        waiting = loop.create_task(ended.wait())

        def end(number: signal.Signals) -> None:
            if number is signal.SIGTERM:
                was_terminated.set()
            ended.set()

        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, end, number)
        try:
            while not (await asyncio.wait({waiting}, timeout=CHECK_SECONDS))[0]:
                await self._on_thread(self._client._check_served)
        finally:
            waiting.cancel()
            for number in numbers:
                loop.remove_signal_handler(number)
            await self.close()

    async def close(self) -> None:
        """Deletes the backends that this process serves; see `weir.Client.close`."""
        await self._channel.close()
        await self._on_thread(self._client.close)

    async def shutdown(self) -> None:
        """Closes the client, as `close`."""
        await self.close()

    def _change_options(
        self, expected_revision: Optional[int], validate_only: bool, comment: str
    ) -> ChangeOptions:
        return ChangeOptions(expected_revision, validate_only, comment, self._client.author)

    @staticmethod
    async def _on_thread(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return await asyncio.to_thread(functools.partial(call, *arguments, **options))

    async def _run(self, operation: Operation[T]) -> T:
        self._client._check_open()
        call = self._channel.unary_unary(
            operations.SERVICE + operation.method,
            request_serializer=type(operation.request).SerializeToString,
            response_deserializer=operation.reply.FromString,
        )
        try:
            return operation.read(
                await call(operation.request, timeout=self._client.timeout))
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from None
