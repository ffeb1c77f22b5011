"""Calling an endpoint by its name, without a `.proto`."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import urllib.parse
from typing import Any, Callable, Dict, Generator, Mapping, Optional, Tuple

import grpc

from weir import errors, payload
from weir.affinity import ShardKey
from weir.metadata import BACKEND, ENDPOINT, SHARD_KEY, checked, current_shard_key
from weir.payload import Response
from weir.v1 import serve_pb2

CALL = "/weir.v1.Serve/Call"


@dataclasses.dataclass(frozen=True)
class Options:
    """The options of a handle."""

    shard_key: Optional[str] = None
    method_name: str = ""
    http_method: str = ""
    http_headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout: Optional[float] = None
    metadata: Tuple[Tuple[str, str], ...] = ()


class Result:
    """The pending response of a call.

    `result()` waits for it, as does `await result` in asyncio. Both return the backend's value, or
    raise the error of the call. `response()` returns it with status, media type, headers and the
    name of the backend.
    """

    def __init__(self, call: Any) -> None:
        self._call = call

    def result(self, timeout: Optional[float] = None) -> Any:
        """The value. Raises TimeoutError after `timeout` seconds, and a WeirError on failure."""
        return self.response(timeout).data

    def response(self, timeout: Optional[float] = None) -> Response:
        """The whole response."""
        try:
            message = self._call.result(timeout)
        except grpc.FutureTimeoutError:
            raise TimeoutError(f"no response within {timeout} s") from None
        except grpc.FutureCancelledError:
            raise errors.Cancelled("the call was cancelled") from None
        except grpc.RpcError as error:
            raise errors.from_rpc(error) from None
        trailing = dict(self._call.trailing_metadata() or ())
        return Response.of(message, trailing.get(BACKEND))

    def done(self) -> bool:
        """Whether the call has a response or has failed."""
        return bool(self._call.done())

    def cancel(self) -> bool:
        """Cancels the call."""
        return bool(self._call.cancel())

    def add_done_callback(self, callback: Callable[["Result"], None]) -> None:
        """Calls a function, on a thread of grpcio, when the call is done."""
        self._call.add_done_callback(lambda _: callback(self))

    def __await__(self) -> Generator[Any, None, Any]:
        waiter: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._call.add_done_callback(lambda _: waiter.set_result(None))

        async def wait() -> Any:
            try:
                await asyncio.wrap_future(waiter)
            except asyncio.CancelledError:
                self.cancel()
                raise
            return self.result()

        return wait().__await__()


class Handle:
    """Calls one endpoint; `options` returns a handle with other options."""

    def __init__(self, channel: grpc.Channel, endpoint: str, options: Options = Options()) -> None:
        self.endpoint = endpoint
        self._channel = channel
        self._options = options
        self._call = channel.unary_unary(
            CALL,
            request_serializer=serve_pb2.CallRequest.SerializeToString,
            response_deserializer=serve_pb2.CallResponse.FromString,
        )

    def options(
        self,
        method_name: Optional[str] = None,
        *,
        shard_key: Optional[ShardKey] = None,
        http_method: Optional[str] = None,
        http_headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
    ) -> "Handle":
        """Returns a handle with other options. Omitted options keep their values.

        `shard_key`: Weir routes the same key to the same backend. `method_name`: the method of the
        backend's class, instead of `__call__`. `timeout`: seconds until DeadlineExceeded.
        """
        given: Dict[str, Any] = {
            "method_name": method_name, "http_method": http_method, "http_headers": http_headers,
            "timeout": timeout,
            "shard_key": None if shard_key is None else checked(shard_key),
            "metadata": None if metadata is None else tuple(metadata.items()),
        }
        changed = {name: value for name, value in given.items() if value is not None}
        return Handle(
            self._channel, self.endpoint, dataclasses.replace(self._options, **changed))

    def remote(self, data: Any = None, **kwargs: Any) -> Result:
        """Starts a call of the endpoint.

        The backend receives `data` as its request's `data` (bytes and text unchanged, anything else
        as JSON), and the keyword arguments as its `query_params`.
        """
        options = self._options
        body, content_type = payload.encode(data)
        request = serve_pb2.CallRequest(
            payload=body,
            content_type=content_type,
            method_name=options.method_name,
            http_method=options.http_method,
            query=urllib.parse.urlencode(kwargs),
            headers=[
                serve_pb2.Header(name=name.lower(), value=value)
                for name, value in options.http_headers.items()],
        )
        key = options.shard_key or current_shard_key()
        return Result(self._call.future(
            request, timeout=options.timeout, metadata=call_metadata(self.endpoint, key, options)))

    def __repr__(self) -> str:
        return f"Handle({self.endpoint!r})"


def call_metadata(
    endpoint: str, shard_key: Optional[str], options: Options
) -> Tuple[Tuple[str, str], ...]:
    """The metadata of a dynamic call."""
    key = ((SHARD_KEY, shard_key),) if shard_key else ()
    return ((ENDPOINT, endpoint), *key, *options.metadata)
