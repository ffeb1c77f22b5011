"""The same client for asyncio.

    async with await weir.aio.connect("127.0.0.1:8001") as client:
        await client.set_traffic("fifty-fifty", {"backend1": 0.5, "backend2": 0.5})
        print(await client.get_handle("fifty-fifty").remote("hello"))

Each call does and takes what the one of `weir.Client` does.
"""

from __future__ import annotations

import asyncio
import functools
from typing import (
    Any, AsyncIterator, Callable, Dict, List, Mapping, Optional, Sequence, TypeVar, Union,
)

import grpc
import grpc.aio

from weir import _operations as operations
from weir import errors, types
from weir._operations import Operation, Terms
from weir.affinity import ShardKey
from weir.client import Client as SyncClient
from weir.handle import Handle
from weir.serving import Target

T = TypeVar("T")


async def connect(
    address: str = "127.0.0.1:8001",
    *,
    data_address: Optional[str] = None,
    author: Optional[str] = None,
    timeout: float = 10.0,
    credentials: Optional[grpc.ChannelCredentials] = None,
    token: Optional[str] = None,
    data_credentials: Optional[grpc.ChannelCredentials] = None,
) -> "Client":
    """A client of the Weir whose admin port is at `host:port`; see `weir.connect`."""
    make = functools.partial(
        SyncClient, address, data_address=data_address, author=author, timeout=timeout,
        credentials=credentials, token=token, data_credentials=data_credentials)
    return Client(await asyncio.to_thread(make))


class Client:
    """`weir.Client` with coroutines. For one event loop."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client
        self._channel = client.door.aio_channel()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    @property
    def data_address(self) -> str:
        """Where the server takes calls."""
        return self._client.data_address

    async def create_backend(
        self, name: str, target: Union[Target, str, Sequence[str]], *init_args: Any, **options: Any
    ) -> types.Backend:
        """Adds a backend; see `weir.Client.create_backend` for the options."""
        # Constructors of classes may block, and are waited for on a thread.
        return await self._on_thread(
            self._client.create_backend, name, target, *init_args, **options)

    async def delete_backend(self, name: str, **terms: Any) -> None:
        """Removes a backend."""
        await self._on_thread(self._client.delete_backend, name, **terms)

    async def get_backend(self, name: str) -> types.Backend:
        """One backend."""
        return await self._run(operations.get_backend(name))

    async def list_backends(self) -> Dict[str, types.Backend]:
        """All backends by name."""
        return await self._run(operations.list_backends())

    async def create_endpoint(
        self, name: str, *, backend: str, route: Optional[str] = None, **terms: Any
    ) -> types.Endpoint:
        """Adds an endpoint whose requests all go to one backend."""
        return await self._on_thread(
            self._client.create_endpoint, name, backend=backend, route=route, **terms)

    async def delete_endpoint(self, name: str, **terms: Any) -> None:
        """Removes an endpoint."""
        await self._run(operations.delete_endpoint(name, self._terms(**terms)))

    async def get_endpoint(self, name: str) -> types.Endpoint:
        """One endpoint."""
        return await self._run(operations.get_endpoint(name))

    async def list_endpoints(self) -> Dict[str, types.Endpoint]:
        """All endpoints by name."""
        return await self._run(operations.list_endpoints())

    async def set_traffic(
        self, endpoint: str, traffic: Mapping[str, float], **terms: Any
    ) -> types.TrafficChange:
        """Replaces the weights of an endpoint."""
        return await self._run(operations.set_traffic(endpoint, traffic, self._terms(**terms)))

    async def get_traffic(self, endpoint: str) -> Dict[str, float]:
        """The weights of an endpoint."""
        return dict((await self.get_endpoint(endpoint)).traffic)

    async def shadow_traffic(
        self, endpoint: str, backend: str, proportion: float, **terms: Any
    ) -> types.Endpoint:
        """Copies a share of an endpoint's requests to a backend; 0 ends that."""
        return await self._run(
            operations.shadow_traffic(endpoint, backend, proportion, self._terms(**terms)))

    def get_handle(self, endpoint: str) -> Handle:
        """Calls an endpoint by its name: `await handle.remote(data)`."""
        return self._client.get_handle(endpoint, missing_ok=True)

    async def explain(
        self, path: str, shard_key: Optional[ShardKey] = None
    ) -> types.Explanation:
        """Which backend a request gets, and why."""
        return await self._run(operations.explain(path, shard_key))

    async def stats(self, endpoint: str = "") -> types.Stats:
        """Counts and latencies since the server started."""
        return await self._run(operations.stats(endpoint))

    async def shadow_report(self, endpoint: str) -> Dict[str, types.ShadowReport]:
        """How an endpoint's shadows did, by backend."""
        return await self._run(operations.shadow_report(endpoint))

    async def history(self, limit: int = 100, *, before: int = 0) -> List[types.Revision]:
        """The accepted changes, latest first."""
        return await self._run(operations.history(limit, before))

    async def rollback(
        self, revision: int, *, endpoint: str = "", **terms: Any
    ) -> types.StateChange:
        """Makes the endpoints, or one of them, what they were at a revision."""
        return await self._run(
            operations.rollback(revision, endpoint, self._terms(**terms)))

    async def watch(self, from_revision: int = 0) -> AsyncIterator[types.Change]:
        """Changes as they happen; the whole state first, unless a revision is given."""
        operation = operations.watch(from_revision)
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
        """The servers that share this state."""
        return await self._run(operations.list_instances())

    async def close(self) -> None:
        """Removes the backends that this process serves; see `weir.Client.close`."""
        await self._channel.close()
        await self._on_thread(self._client.close)

    def _terms(
        self,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> Terms:
        return Terms(expected_revision, validate_only, comment, self._client.author)

    @staticmethod
    async def _on_thread(call: Callable[..., T], *arguments: Any, **options: Any) -> T:
        return await asyncio.to_thread(functools.partial(call, *arguments, **options))

    async def _run(self, operation: Operation[T]) -> T:
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
