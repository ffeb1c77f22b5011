"""The metadata that Weir reads and writes, for calls with existing stubs.

    channel = weir.intercept(grpc.insecure_channel("127.0.0.1:8000"))
    greeter = helloworld_pb2_grpc.GreeterStub(channel)
    with weir.shard_key("user-7"):
        greeter.SayHello(request)
"""

from __future__ import annotations

import contextlib
import contextvars
from typing import Any, Callable, Iterable, Iterator, List, NamedTuple, Optional, Tuple

import grpc
import grpc.aio

from weir.affinity import ShardKey

SHARD_KEY = "x-serve-shard-key"
ENDPOINT = "x-serve-endpoint"
BACKEND = "x-serve-backend"
SHADOW = "x-serve-shadow"
TRACE = ("traceparent", "tracestate", "baggage")

Metadata = Tuple[Tuple[str, str], ...]

_current: contextvars.ContextVar[Optional[str]] = contextvars.ContextVar(
    "weir_shard_key", default=None)

_current_trace: contextvars.ContextVar[Metadata] = contextvars.ContextVar(
    "weir_trace", default=())


@contextlib.contextmanager
def answering(metadata: Iterable[Tuple[str, Any]]) -> Iterator[None]:
    """Calls in this block belong to the trace of the request with this metadata."""
    token = _current_trace.set(tuple(
        (name, value) for name, value in metadata if name in TRACE and isinstance(value, str)))
    try:
        yield
    finally:
        _current_trace.reset(token)


def with_trace(metadata: Iterable[Tuple[str, Any]]) -> List[Tuple[str, Any]]:
    """The metadata with the trace of the request that this code answers.

    Metadata that has a trace of its own, for example from OpenTelemetry, is not changed.
    """
    pairs = list(metadata)
    if any(name.lower() == "traceparent" for name, _ in pairs):
        return pairs
    present = {name.lower() for name, _ in pairs}
    return pairs + [pair for pair in _current_trace.get() if pair[0] not in present]


@contextlib.contextmanager
def shard_key(key: ShardKey) -> Iterator[None]:
    """Sets the shard key of all calls in this block that use `intercept` or a handle.

    The key may be any printable ASCII text; raises ValueError otherwise. It applies to the thread
    or the asyncio task.
    """
    token = _current.set(checked(key))
    try:
        yield
    finally:
        _current.reset(token)


def current_shard_key() -> Optional[str]:
    """The shard key of the current block."""
    return _current.get()


def checked(key: ShardKey) -> str:
    """Checks that a shard key is valid in metadata."""
    if not isinstance(key, (str, bytes)):
        raise TypeError(f"invalid shard key {key!r}: use text, or bytes")
    text = key.decode("latin-1") if isinstance(key, bytes) else key
    if not text or any(not " " <= character <= "~" for character in text) or text != text.strip():
        raise ValueError(
            f"invalid shard key {key!r}: metadata allows only printable ASCII without spaces at "
            "the ends; use its hash or base64")
    return text


def intercept(channel: grpc.Channel) -> grpc.Channel:
    """A channel whose calls send the shard key of `with weir.shard_key(...)`.

    Calls of a backend also send the trace of the request that it answers.
    """
    return grpc.intercept_channel(channel, ShardKeyInterceptor())


class _Details(NamedTuple):
    """`grpc.ClientCallDetails` with other metadata."""

    method: str
    timeout: Optional[float]
    metadata: Any
    credentials: Any
    wait_for_ready: Optional[bool]
    compression: Any


def _changed(details: Any) -> Optional[List[Tuple[str, Any]]]:
    """The metadata of a call in this block; None if it is unchanged."""
    key = _current.get()
    if key is None and not _current_trace.get():
        return None
    metadata = with_trace(details.metadata or ())
    if key is None:
        return metadata
    return [*(pair for pair in metadata if pair[0] != SHARD_KEY), (SHARD_KEY, key)]


def _with_key(details: Any) -> Any:
    metadata = _changed(details)
    if metadata is None:
        return details
    return _Details(
        details.method, details.timeout, metadata, details.credentials,
        getattr(details, "wait_for_ready", None), getattr(details, "compression", None))


class ShardKeyInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds the shard key of `with weir.shard_key(...)` to calls of all four kinds."""

    def _go(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(_with_key(details), request)

    intercept_unary_unary = _go
    intercept_unary_stream = _go
    intercept_stream_unary = _go
    intercept_stream_stream = _go


def _aio_details(details: Any) -> Any:
    metadata = _changed(details)
    if metadata is None:
        return details
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, grpc.aio.Metadata(*metadata), details.credentials,
        details.wait_for_ready)


class _AioUnaryUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Callable[..., Any], details: Any, request: Any
    ) -> Any:
        return await continuation(_aio_details(details), request)


class _AioUnaryStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Callable[..., Any], details: Any, request: Any
    ) -> Any:
        return await continuation(_aio_details(details), request)


class _AioStreamUnary(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Callable[..., Any], details: Any, requests: Any
    ) -> Any:
        return await continuation(_aio_details(details), requests)


class _AioStreamStream(grpc.aio.StreamStreamClientInterceptor):
    async def intercept_stream_stream(
        self, continuation: Callable[..., Any], details: Any, requests: Any
    ) -> Any:
        return await continuation(_aio_details(details), requests)


def aio_interceptors() -> List[Any]:
    """The interceptors for `grpc.aio.insecure_channel(interceptors=weir.aio_interceptors())`."""
    return [_AioUnaryUnary(), _AioUnaryStream(), _AioStreamUnary(), _AioStreamStream()]
