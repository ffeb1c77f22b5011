"""Calling an endpoint by its name, without a `.proto`."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import urllib.parse
from typing import Any, Callable, Dict, Generator, Mapping, Optional, Tuple

import grpc

from weir import _forking as forking
from weir import errors, payload
from weir.affinity import ShardKey
from weir.metadata import BACKEND, ENDPOINT, SHARD_KEY, checked, current_shard_key, with_trace
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
    serializer: Optional[str] = None


class Result:
    """The pending response of a call.

    `result()` waits for it, as does `await result` in asyncio. Both return the backend's value, or
    raise the error of the call. `response()` returns it with status, media type, headers and the
    name of the backend.
    """

    def __init__(self, call: Any, endpoint: str, serializer: Optional[str] = None) -> None:
        self._call = call
        self._endpoint = endpoint
        self._serializer = serializer

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
        return Response.of(message, trailing.get(BACKEND), self._serializer)

    def __json__(self) -> Any:
        raise TypeError("a pending result is not a value: pass its result(), or await it first")

    def __repr__(self) -> str:
        state = "done" if self.done() else "pending"
        return f"<weir.Result of endpoint {self._endpoint!r}, {state}>"

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
        async def wait() -> Any:
            loop = asyncio.get_running_loop()
            done: asyncio.Future[None] = loop.create_future()

            def wake() -> None:
                if not done.done():
                    done.set_result(None)

            def finish(_: Any) -> None:
                # A loop that has ended has no waiting task.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(wake)

            self._call.add_done_callback(finish)
            try:
                await done
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

    def __reduce__(self) -> Any:
        raise TypeError(
            "a handle cannot be pickled: its connection belongs to this process. Pass the name of "
            f"the endpoint, and call weir.connect(...).get_handle({self.endpoint!r}) there")

    def options(
        self,
        method_name: Optional[str] = None,
        *,
        shard_key: Optional[ShardKey] = None,
        http_method: Optional[str] = None,
        http_headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
        metadata: Optional[Mapping[str, str]] = None,
        serializer: Optional[str] = None,
    ) -> "Handle":
        """Returns a handle with other options. Omitted options keep their values.

        `shard_key`: Weir routes the same key to the same backend. `method_name`: the method of the
        backend's class, instead of `__call__`. `timeout`: seconds until DeadlineExceeded.

        `serializer="pickle"` sends arguments and returns results as pickled Python objects. The
        backend needs it, too. Unpickling can run any code: the backend must trust every client of
        Weir's data port, and you must trust the backend.
        """
        given: Dict[str, Any] = {
            "method_name": method_name, "http_method": http_method, "http_headers": http_headers,
            "timeout": timeout,
            "shard_key": None if shard_key is None else checked(shard_key),
            "metadata": None if metadata is None else tuple(metadata.items()),
            "serializer": payload.checked_serializer(serializer),
        }
        changed = {name: value for name, value in given.items() if value is not None}
        return Handle(
            self._channel, self.endpoint, dataclasses.replace(self._options, **changed))

    def remote(self, request_data: Any = None, **kwargs: Any) -> Result:
        """Starts a call of the endpoint.

        The backend receives `request_data` as its request's `data` (bytes and text unchanged,
        anything else as JSON), and the keyword arguments with their types as its `args`. Raises
        TypeError for a value without a JSON form.
        """
        forking.check()
        options = self._options
        body, content_type = payload.encode(request_data, options.serializer)
        request = serve_pb2.CallRequest(
            payload=body,
            content_type=content_type,
            method_name=options.method_name,
            http_method=options.http_method,
            query=_query(kwargs),
            headers=[
                serve_pb2.Header(name=name.lower(), value=value)
                for name, value in options.http_headers.items()],
            arguments=[
                _argument(name, value, options.serializer) for name, value in kwargs.items()],
        )
        key = options.shard_key or current_shard_key()
        try:
            call = self._call.future(
                request, timeout=options.timeout,
                metadata=call_metadata(self.endpoint, key, options))
        except ValueError as error:
            if "closed" not in str(error):
                raise
            raise errors.ClientClosed(CLOSED) from None
        return Result(call, self.endpoint, options.serializer)

    def __repr__(self) -> str:
        default = Options()
        changed = "".join(
            f", {field.name}={getattr(self._options, field.name)!r}"
            for field in dataclasses.fields(Options)
            if getattr(self._options, field.name) != getattr(default, field.name))
        return f"weir.Handle({self.endpoint!r}{changed})"


CLOSED = "the client is closed: connect again with weir.connect()"


def _argument(name: str, value: Any, serializer: Optional[str]) -> serve_pb2.Argument:
    try:
        encoded, content_type = payload.encode(value, serializer)
    except payload.EncodingError as error:
        raise payload.EncodingError(f"argument {name!r}: {error}") from error
    return serve_pb2.Argument(name=name, value=encoded, content_type=content_type)


def _query(arguments: Mapping[str, Any]) -> str:
    """The arguments that are text, numbers or truth values, for backends in other languages."""
    return urllib.parse.urlencode(
        {name: value for name, value in arguments.items()
         if value is None or isinstance(value, (str, int, float))},
        errors="replace")


def call_metadata(
    endpoint: str, shard_key: Optional[str], options: Options
) -> Tuple[Tuple[str, str], ...]:
    """The metadata of a dynamic call."""
    key = ((SHARD_KEY, shard_key),) if shard_key else ()
    return ((ENDPOINT, endpoint), *key, *with_trace(options.metadata))
