"""One replica of a Python backend: a gRPC server that implements `weir.v1.Serve`.

It calls an instance of a class for each request, through `__call__` or the method that the handle
names, or a function. Both receive a `weir.Request` and return bytes, text, a value with a JSON
form, or a `weir.Response`. Coroutine functions run on the replica's own event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
import threading
from typing import Any, Awaitable, Callable, List, NamedTuple, Optional, Tuple, Type, Union

import grpc

from weir import config as configuration
from weir import payload
from weir.batching import Batcher, BatchError, Outcome
from weir.config import BackendConfig
from weir.errors import WeirError
from weir.handle import CALL
from weir.metadata import answering
from weir.payload import Response
from weir.request import Request
from weir.v1 import serve_pb2

Target = Union[Type[Any], Callable[..., Any]]

log = logging.getLogger("weir")

# The size limit of a request body, as Weir's default `max-message-bytes`. Its message also contains
# the headers of the request, which Weir limits to 16 KiB by default.
MAX_BODY_BYTES = 4 << 20
_MAX_MESSAGE_BYTES = MAX_BODY_BYTES + (64 << 10)

# The size limit of the message of an error, which is a header of the response: grpcio accepts 8 KiB
# of headers, and each byte can take three.
_MAX_ERROR_BYTES = 2 << 10

# The requests that wait for a thread of a replica; further ones get RESOURCE_EXHAUSTED.
_MAX_WAITING = 1_000

# The seconds that grpcio has to cancel calls after their grace time.
_STOP_SECONDS = 1.0

# Ray Serve's header for the method of a class, in HTTP requests.
_CALL_METHOD = "x-serve-call-method"


class _Failure(NamedTuple):
    """The status of a call that failed."""

    code: grpc.StatusCode
    message: str


class Definition(NamedTuple):
    """The code of a backend and how to serve it."""

    target: Target
    init_args: Tuple[Any, ...] = ()
    config: BackendConfig = BackendConfig()
    serializer: Optional[str] = None


class Replica:
    """One server for one instance of a target."""

    def __init__(self, definition: Definition, address: str) -> None:
        """Listens on an address, `host:0` for a free port, or `unix:/path`.

        Raises the exceptions of the class's constructor.
        """
        target, init_args, config, self._serializer = definition
        self._instance: Any = target(*init_args) if inspect.isclass(target) else target
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._loop_thread: Optional[threading.Thread] = None
        self._loop_lock = threading.Lock()
        self._batcher = (
            Batcher(self._call_batch, config) if configuration.accepts_batch(target) else None)
        self._workers = concurrent.futures.ThreadPoolExecutor(
            config.queries(target), thread_name_prefix="weir-backend")
        queries = config.queries(target)
        self._server = grpc.server(
            self._workers, maximum_concurrent_rpcs=queries + _MAX_WAITING, options=[
                ("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)])
        self._server.add_generic_rpc_handlers((_Service(self),))
        port = self._server.add_insecure_port(address)
        self.address = address
        if not address.startswith("unix:"):
            self.address = f"{address.rpartition(':')[0]}:{port}"
        self._server.start()

    def configure(self, config: BackendConfig) -> None:
        """Applies another batch size and timeout."""
        if self._batcher is not None:
            self._batcher.configure(config)

    def answer(self, message: serve_pb2.CallRequest, context: Any) -> serve_pb2.CallResponse:
        """Answers one request; failures become the status of the call."""
        outcome: Union[serve_pb2.CallResponse, _Failure]
        try:
            outcome = self._answer(message, context)
        except WeirError as error:
            known = error.code is not grpc.StatusCode.OK
            outcome = _Failure(
                error.code if known else grpc.StatusCode.UNKNOWN, _message(error.message))
        except (BatchError, payload.EncodingError) as error:
            log.error("a response to %s: %s", _endpoint(context), error)
            outcome = _Failure(grpc.StatusCode.UNKNOWN, _message(f"the backend failed: {error}"))
        except BaseException:
            # Also SystemExit, which must end only the call. Details of a failure are for the
            # operator of the backend, not for clients.
            if not context.is_active():
                outcome = _Failure(grpc.StatusCode.CANCELLED, "the call ended before the backend")
            else:
                log.exception("a request to %s failed", _endpoint(context))
                outcome = _Failure(grpc.StatusCode.UNKNOWN, "the backend failed")
        if isinstance(outcome, _Failure):
            context.abort(outcome.code, outcome.message)
            raise AssertionError("abort raises")
        return outcome

    def _answer(
        self, message: serve_pb2.CallRequest, context: Any
    ) -> Union[serve_pb2.CallResponse, _Failure]:
        if len(message.payload) > MAX_BODY_BYTES:
            return _Failure(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the body exceeds the limit of {MAX_BODY_BYTES} bytes")
        metadata = {key: value for key, value in context.invocation_metadata()}
        request = Request.of(message, metadata, self._serializer)
        name = message.method_name or (
            request.headers.get(_CALL_METHOD, "") if message.path else "")
        method = self._method(name)
        if method is None:
            return _Failure(
                grpc.StatusCode.UNIMPLEMENTED, _message(f"no method {name!r}"))
        if self._batcher is not None and configuration.accepts_batch(method):
            value = _value(self._batcher.call(name, request, context.is_active))
        else:
            with answering(context.invocation_metadata()):
                value = method(request)
                if inspect.isawaitable(value):
                    value = self._run(value, context)
        return self._response(value, request).message()

    def _method(self, name: str) -> Optional[Callable[..., Any]]:
        if name in ("", "__call__"):
            return self._instance  # type: ignore[no-any-return]
        if name.startswith("_"):
            return None
        method = getattr(self._instance, name, None)
        return method if callable(method) else None

    def _call_batch(self, name: str, requests: List[Any]) -> Any:
        method = self._method(name)
        assert method is not None, "the request was checked"
        value = method(requests)
        if inspect.isawaitable(value):
            return _value(self._submit(value).result())
        return value

    def _response(self, value: Any, request: Request) -> Response:
        if isinstance(value, Response):
            return value
        # A caller that sent a pickled value can read one.
        takes_pickle = self._serializer == "pickle" and request.is_pickled and not request.path
        body, content_type = payload.encode(value, "pickle" if takes_pickle else None)
        return Response(body, content_type)

    def _run(self, awaitable: Awaitable[Any], context: Any) -> Any:
        """Runs a coroutine on the replica's loop, and cancels it if the call ends first."""
        future = self._submit(awaitable)
        if not context.add_callback(future.cancel):
            future.cancel()
        return _value(future.result())

    def _submit(self, awaitable: Awaitable[Any]) -> "concurrent.futures.Future[Outcome]":
        async def outcome() -> Outcome:
            try:
                return await awaitable, None
            except BaseException as error:
                # A SystemExit that leaves the coroutine would end the loop.
                return None, error

        return asyncio.run_coroutine_threadsafe(outcome(), self._running_loop())

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._loop_lock:
            # Code can stop its loop.
            if self._loop is None or self._loop_thread is None or not self._loop_thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._loop_thread = threading.Thread(
                    target=_run_loop, args=(self._loop,), name="weir-backend-loop", daemon=True)
                self._loop_thread.start()
            return self._loop

    def stop(self, grace: float = 5.0) -> None:
        """Rejects new requests, and waits at most the given seconds for running ones.

        Then cancels the calls that still run, and their coroutines.
        """
        # A request that arrives while Python ends kills grpcio's thread, which would set the event.
        self._server.stop(grace).wait(grace + _STOP_SECONDS)
        self._workers.shutdown(wait=False)
        if self._batcher is not None:
            self._batcher.stop()
        with self._loop_lock:
            if self._loop_thread is not None and self._loop_thread.is_alive():
                assert self._loop is not None
                asyncio.run_coroutine_threadsafe(_end_loop(), self._loop)

    def wait(self) -> None:
        """Waits until the replica is stopped."""
        self._server.wait_for_termination()


def _value(outcome: Outcome) -> Any:
    value, error = outcome
    if error is not None:
        raise error
    return value


def _message(text: str) -> str:
    """The message of an error as valid text of limited length."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > _MAX_ERROR_BYTES:
        data = data[:_MAX_ERROR_BYTES] + "…".encode()
    return data.decode("utf-8", "ignore")


def _endpoint(context: Any) -> str:
    metadata = {key: value for key, value in context.invocation_metadata()}
    return str(metadata.get("x-serve-endpoint") or "a backend")


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Runs a loop until it is stopped.

    A task that the backend itself created can raise SystemExit, which leaves `run_forever`.
    """
    while True:
        try:
            loop.run_forever()
            loop.close()
            return
        except BaseException:
            log.exception("a task of a backend failed")


async def _end_loop() -> None:
    """Cancels the tasks of the loop, waits for them, and stops the loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    asyncio.get_running_loop().stop()


class _Service(grpc.GenericRpcHandler):
    def __init__(self, replica: Replica) -> None:
        self._handler = grpc.unary_unary_rpc_method_handler(
            replica.answer,
            request_deserializer=serve_pb2.CallRequest.FromString,
            response_serializer=serve_pb2.CallResponse.SerializeToString,
        )

    def service(self, details: Any) -> Any:
        return self._handler if details.method == CALL else None
