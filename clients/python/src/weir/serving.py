"""Python backends: a gRPC server that implements `weir.v1.Serve` with a class or a function.

Each replica creates one instance of a class, with the arguments of `create_backend`, and calls it
for each request, through `__call__` or the method that the handle names. A function is called
directly. Both receive a `weir.Request` and return bytes, text, a value with a JSON form, or a
`weir.Response`. Coroutine functions run on the replica's own event loop.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import inspect
import logging
import threading
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple, Type, Union

import grpc

from weir import payload
from weir.errors import WeirError
from weir.handle import CALL
from weir.payload import Request, Response
from weir.v1 import serve_pb2

Target = Union[Type[Any], Callable[..., Any]]

log = logging.getLogger("weir")

# The default limits of concurrent requests of a replica: functions may not be thread-safe, and
# coroutines wait most of the time.
SYNC_QUERIES = 1
ASYNC_QUERIES = 100

# The size limit of a request body, as Weir's default `max-message-bytes`. Its message also contains
# the headers of the request, which Weir limits to 16 KiB by default.
MAX_BODY_BYTES = 4 << 20
_MAX_MESSAGE_BYTES = MAX_BODY_BYTES + (64 << 10)


def load(path: str) -> Target:
    """Imports the class or function at an import path, `module:Name`."""
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise ValueError(f"invalid import path {path!r}: use module:Class")
    target: Any = importlib.import_module(module_name)
    for part in name.split("."):
        target = getattr(target, part)
    return check(target)


def check(target: Any) -> Target:
    """Returns the target. Raises TypeError if it cannot be a backend."""
    if inspect.isclass(target):
        if "__call__" not in dir(target):
            raise TypeError(f"class {target.__name__} has no __call__, so it cannot serve")
    elif not callable(target):
        raise TypeError(f"{target!r} is neither a class nor a function")
    return target  # type: ignore[no-any-return]


def is_async(target: Target) -> bool:
    """Whether a coroutine function answers requests."""
    return inspect.iscoroutinefunction(target.__call__ if inspect.isclass(target) else target)


def default_queries(target: Target) -> int:
    """The default limit of concurrent requests of a replica."""
    return ASYNC_QUERIES if is_async(target) else SYNC_QUERIES


class Replica:
    """One server for one instance of a target."""

    def __init__(
        self, target: Target, init_args: Tuple[Any, ...], address: str, max_queries: int
    ) -> None:
        """Listens on an address, `host:0` for a free port, or `unix:/path`.

        Raises the exceptions of the class's constructor.
        """
        self._instance: Any = target(*init_args) if inspect.isclass(target) else target
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._loop_lock = threading.Lock()
        self._workers = concurrent.futures.ThreadPoolExecutor(
            max_queries, thread_name_prefix="weir-backend")
        self._server = grpc.server(self._workers, options=[
            ("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES)])
        self._server.add_generic_rpc_handlers((_Service(self),))
        port = self._server.add_insecure_port(address)
        self.address = address
        if not address.startswith("unix:"):
            self.address = f"{address.rpartition(':')[0]}:{port}"
        self._server.start()

    def answer(self, message: serve_pb2.CallRequest, context: Any) -> serve_pb2.CallResponse:
        """Answers one request; failures become the status of the call."""
        if len(message.payload) > MAX_BODY_BYTES:
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the body exceeds the limit of {MAX_BODY_BYTES} bytes")
        request = Request.of(message, {key: value for key, value in context.invocation_metadata()})
        method = self._method(message.method_name)
        if method is None:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"no method {message.method_name!r}")
            raise AssertionError("abort raises")
        try:
            value = method(request)
            if inspect.isawaitable(value):
                value = self._run(value, context)
            return self._response(value).message()
        except WeirError as error:
            context.abort(error.code, error.message)
        except concurrent.futures.CancelledError:
            context.abort(grpc.StatusCode.CANCELLED, "the call ended before the backend did")
        except Exception:
            # Details of a failure are for the operator of the backend, not for clients.
            log.exception("a request to %s failed", request.endpoint or "a backend")
            context.abort(grpc.StatusCode.UNKNOWN, "the backend failed")
        raise AssertionError("abort raises")

    def _method(self, name: str) -> Optional[Callable[..., Any]]:
        if not name:
            return self._instance  # type: ignore[no-any-return]
        if name.startswith("_"):
            return None
        method = getattr(self._instance, name, None)
        return method if callable(method) else None

    @staticmethod
    def _response(value: Any) -> Response:
        if isinstance(value, Response):
            return value
        body, content_type = payload.encode(value)
        return Response(body, content_type)

    def _run(self, awaitable: Awaitable[Any], context: Any) -> Any:
        """Runs a coroutine on the replica's loop, and cancels it if the call ends first."""
        async def wait() -> Any:
            return await awaitable

        future = asyncio.run_coroutine_threadsafe(wait(), self._running_loop())
        if not context.add_callback(future.cancel):
            future.cancel()
        return future.result()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._loop_lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="weir-backend-loop", daemon=True).start()
            return self._loop

    def stop(self, grace: float = 5.0) -> None:
        """Rejects new requests, and waits at most the given seconds for running ones.

        Then cancels the calls that still run, and their coroutines.
        """
        self._server.stop(grace).wait()
        self._workers.shutdown(wait=False)
        with self._loop_lock:
            if self._loop is not None:
                asyncio.run_coroutine_threadsafe(_end_loop(), self._loop)

    def wait(self) -> None:
        """Waits until the replica is stopped."""
        self._server.wait_for_termination()


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


class LocalBackends:
    """The backends that this process serves, by name."""

    def __init__(self) -> None:
        self._replicas: Dict[str, List[Replica]] = {}

    def start(
        self, name: str, target: Target, init_args: Tuple[Any, ...], host: str, replicas: int,
        max_queries: int,
    ) -> List[str]:
        """Starts the replicas of a backend; returns their addresses."""
        started: List[Replica] = []
        try:
            for _ in range(replicas):
                started.append(Replica(target, init_args, f"{host}:0", max_queries))
        except BaseException:
            for replica in started:
                replica.stop(0)
            raise
        self._replicas[name] = started
        return [replica.address for replica in started]

    def stop(self, name: str) -> None:
        """Stops a backend; has no effect if this process does not serve it."""
        for replica in self._replicas.pop(name, []):
            replica.stop()

    @property
    def names(self) -> List[str]:
        return list(self._replicas)
