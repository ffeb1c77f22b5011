"""Python code as a backend: a gRPC server that answers `weir.v1.Serve` with a class or a function.

A class is made once for each replica, with the arguments that `create_backend` got, and called once
for each request, through `__call__` or the method that the handle names. A function is called as it
is. Both get a `weir.Request` and return bytes, text, anything that has a JSON form, or a
`weir.Response`. Coroutine functions run on an event loop of the replica's own.
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

# Requests that a replica works on at once, unless it is told: code is not taken to be thread-safe,
# coroutines are taken to wait for others most of the time.
SYNC_QUERIES = 1
ASYNC_QUERIES = 100

# The largest body of a request, as Weir's default `max-message-bytes`. The message around it has the
# headers of the request too, which Weir limits to 16 KiB by default.
MAX_BODY_BYTES = 4 << 20
_MAX_MESSAGE_BYTES = MAX_BODY_BYTES + (64 << 10)


def load(path: str) -> Target:
    """The class or function of an import path, `module:Name`."""
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise ValueError(f"{path!r} is no import path: give module:Class")
    target: Any = importlib.import_module(module_name)
    for part in name.split("."):
        target = getattr(target, part)
    return check(target)


def check(target: Any) -> Target:
    """Raises TypeError unless a backend can be made of it."""
    if inspect.isclass(target):
        if "__call__" not in dir(target):
            raise TypeError(f"class {target.__name__} has no __call__, so it answers no requests")
    elif not callable(target):
        raise TypeError(f"{target!r} is neither a class nor a function")
    return target  # type: ignore[no-any-return]


def is_async(target: Target) -> bool:
    """Whether requests are answered by a coroutine function."""
    return inspect.iscoroutinefunction(target.__call__ if inspect.isclass(target) else target)


def default_queries(target: Target) -> int:
    """Requests that one replica works on at once, unless it is told."""
    return ASYNC_QUERIES if is_async(target) else SYNC_QUERIES


class Replica:
    """One server for one instance of a target."""

    def __init__(
        self, target: Target, init_args: Tuple[Any, ...], address: str, max_queries: int
    ) -> None:
        """Listens on an address, `host:0` for a free port, or `unix:/path`.

        Whatever the class's constructor raises is raised here.
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
        """One request; failures become the status of the call."""
        if len(message.payload) > MAX_BODY_BYTES:
            context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the body is over the limit of {MAX_BODY_BYTES} bytes")
        request = Request.of(message, {key: value for key, value in context.invocation_metadata()})
        method = self._method(message.method_name)
        if method is None:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, f"there is no method {message.method_name!r}")
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
            # What went wrong is for those who run the backend, not for its callers.
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
        """Waits for it on the replica's loop; a call that ends before cancels it."""
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
        """Takes no more requests, and waits so many seconds for those that run.

        Coroutines that run after that are cancelled with their calls.
        """
        self._server.stop(grace).wait()
        self._workers.shutdown(wait=False)
        with self._loop_lock:
            if self._loop is not None:
                asyncio.run_coroutine_threadsafe(_end_loop(), self._loop)

    def wait(self) -> None:
        """Until it is stopped."""
        self._server.wait_for_termination()


async def _end_loop() -> None:
    """Cancels what still runs on the loop, lets it end, and stops the loop."""
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
        """Stops a backend; nothing happens when it isn't here."""
        for replica in self._replicas.pop(name, []):
            replica.stop()

    @property
    def names(self) -> List[str]:
        return list(self._replicas)
