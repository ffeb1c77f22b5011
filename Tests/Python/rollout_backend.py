"""Backends that fail a share of their requests, and requests for them."""

import concurrent.futures
import contextlib
import random
import threading

import grpc

RAW = "/test.Raw/"


class Backend(grpc.GenericRpcHandler):
    """A grpcio server that fails a share of its requests."""

    def __init__(self, failing=0.0, code=grpc.StatusCode.UNAVAILABLE):
        self.failing, self.code, self.random = failing, code, random.Random(5)
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers((self,))
        self.address = "127.0.0.1:%d" % self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, details):
        # Without the health service, the server counts as healthy.
        if details.method.startswith(RAW):
            return grpc.unary_unary_rpc_method_handler(self.answer)
        return None

    def answer(self, request, context):
        if self.random.random() < self.failing:
            context.abort(self.code, "on purpose")
        return request


@contextlib.contextmanager
def traffic(mesh):
    """Sends requests from a few threads, with a key and without."""
    stop = threading.Event()

    def send(number):
        method = mesh.channel.unary_unary(RAW + "Echo")
        count = 0
        while not stop.wait(0.005):
            count += 1
            metadata = [("x-serve-shard-key", f"{number}-{count % 50}")] if number % 2 else None
            with contextlib.suppress(grpc.RpcError):
                method(b"x", metadata=metadata, timeout=5)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
