"""A grpcio server with gRPC's interop service and a raw service that requests control.

Usage: interop_server.py STUBS [ADDRESS]. Serves on ADDRESS, on the Unix socket from Weir, or on a
free port; prints the port. Environment: NAME is sent in trailing metadata; HEALTH is serving,
not-serving or none; DELAY delays the start; CRASH ends the process after the given seconds. CENTS,
SCORE and TOKEN are fields of the catalog's responses, ANSWERS is the length of its list, FAILS a
status to return instead. PARTS is the number of parts of 64 KiB that Parts sends, STALLS the
seconds that Swallow waits before it reads.
"""

import os
import signal
import sys
import threading
import time
from concurrent import futures

import grpc

sys.path.insert(0, sys.argv[1])
grpc.__path__.append(os.path.join(sys.argv[1], "grpc"))

import catalog_pb2  # noqa: E402
import catalog_pb2_grpc  # noqa: E402
from grpc.testing import messages_pb2, test_pb2_grpc  # noqa: E402
from grpc_health.v1 import health, health_pb2, health_pb2_grpc  # noqa: E402

NAME = os.environ.get("NAME", "server")


def echo_metadata(context):
    sent = dict(context.invocation_metadata())
    if "x-grpc-test-echo-initial" in sent:
        context.send_initial_metadata(
            [("x-grpc-test-echo-initial", sent["x-grpc-test-echo-initial"])])
    trailing = [("x-name", NAME), ("x-pid", str(os.getpid()))]
    key = "x-grpc-test-echo-trailing-bin"
    if key in sent:
        trailing.append((key, sent[key]))
    context.set_trailing_metadata(trailing)


def payload(size):
    return messages_pb2.Payload(body=b"\0" * size)


def answer_status(request, context):
    if request.HasField("response_status"):
        context.set_code(
            next(code for code in grpc.StatusCode
                 if code.value[0] == request.response_status.code))
        context.set_details(request.response_status.message)


class TestService(test_pb2_grpc.TestServiceServicer):
    def EmptyCall(self, request, context):
        echo_metadata(context)
        return request

    def UnaryCall(self, request, context):
        echo_metadata(context)
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        answer_status(request, context)
        return messages_pb2.SimpleResponse(payload=payload(request.response_size))

    def StreamingOutputCall(self, request, context):
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            yield messages_pb2.StreamingOutputCallResponse(payload=payload(parameters.size))

    def StreamingInputCall(self, requests, context):
        size = sum(len(request.payload.body) for request in requests)
        return messages_pb2.StreamingInputCallResponse(aggregated_payload_size=size)

    def FullDuplexCall(self, requests, context):
        echo_metadata(context)
        for request in requests:
            for parameters in request.response_parameters:
                time.sleep(parameters.interval_us / 1e6)
                yield messages_pb2.StreamingOutputCallResponse(payload=payload(parameters.size))
            answer_status(request, context)


class Catalog(catalog_pb2_grpc.CatalogServicer):
    """Returns the time of day, so that all responses differ."""

    def Find(self, request, context):
        if "FAILS" in os.environ:
            context.abort(grpc.StatusCode[os.environ["FAILS"]], "as asked")
        reply = catalog_pb2.FindReply(
            labels={"b": "2", "a": "1"}, token=os.environ.get("TOKEN", "token"))
        for name in ("apple", "pear"):
            reply.items.add(
                name=name, score=float(os.environ.get("SCORE", "1")),
                price=catalog_pb2.Price(cents=100, currency="EUR"))
        reply.items[1].price.cents = int(os.environ.get("CENTS", "200"))
        if request.query != "timeless":
            reply.served_at.GetCurrentTime()
        return reply

    def List(self, request, context):
        for _ in range(int(os.environ.get("ANSWERS", "3"))):
            yield self.Find(request, context)


class Raw(grpc.GenericRpcHandler):
    """Methods of /test.Raw/, with bytes as messages."""

    def __init__(self):
        self.cancelled = 0
        self.failures = 0
        self.seen = []
        self.shadowed = 0
        self.began = 0
        self.slept = 0
        self.last_metadata = b""

    def service(self, details):
        method = details.method.rsplit("/", 1)[1]
        handler = {
            "Name": grpc.unary_unary_rpc_method_handler(self.name),
            "Metadata": grpc.unary_unary_rpc_method_handler(self.metadata),
            "FailTwice": grpc.unary_unary_rpc_method_handler(self.fail_twice),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Sleep": grpc.unary_unary_rpc_method_handler(self.sleep),
            "Cancelled": grpc.unary_unary_rpc_method_handler(
                lambda request, context: str(self.cancelled).encode()),
            "Seen": grpc.unary_unary_rpc_method_handler(
                lambda request, context: " ".join(self.seen).encode()),
            "Shadowed": grpc.unary_unary_rpc_method_handler(
                lambda request, context: str(self.shadowed).encode()),
            "Began": grpc.unary_unary_rpc_method_handler(
                lambda request, context: str(self.began).encode()),
            "Slept": grpc.unary_unary_rpc_method_handler(
                lambda request, context: str(self.slept).encode()),
            "LastMetadata": grpc.unary_unary_rpc_method_handler(
                lambda request, context: self.last_metadata),
            "Note": grpc.unary_unary_rpc_method_handler(self.note),
            "Flood": grpc.unary_stream_rpc_method_handler(self.flood),
            "Parts": grpc.unary_stream_rpc_method_handler(self.parts),
            "Trickle": grpc.unary_stream_rpc_method_handler(self.trickle),
            "Size": grpc.unary_unary_rpc_method_handler(
                lambda request, context: str(len(request)).encode()),
            "Swallow": grpc.stream_unary_rpc_method_handler(self.swallow),
            "Stall": grpc.stream_unary_rpc_method_handler(self.stall),
        }
        return handler.get(method)

    def name(self, request, context):
        time.sleep(float(request or b"0"))
        return f"{NAME} {os.getpid()}".encode()

    def note(self, request, context):
        """Records requests; all servers return the same response."""
        self.seen.append(request.decode())
        metadata = dict(context.invocation_metadata())
        self.shadowed += metadata.get("x-serve-shadow") == "1"
        return b"noted"

    def metadata(self, request, context):
        lines = [f"{key}={value}" for key, value in context.invocation_metadata()]
        left = context.time_remaining()
        lines.append(f"left={left if left is None or left < 1e6 else None}")
        lines.append(f"peer={context.peer()}")
        self.last_metadata = "\n".join(lines).encode()
        return self.last_metadata

    def fail_twice(self, request, context):
        attempts = dict(context.invocation_metadata()).get("grpc-previous-rpc-attempts", "0")
        if int(attempts) < 2:
            pushback = request.decode()
            if pushback:
                context.set_trailing_metadata([("grpc-retry-pushback-ms", pushback)])
            context.abort(grpc.StatusCode.UNAVAILABLE, f"attempt {attempts}")
        return attempts.encode()

    def fail(self, request, context):
        self.failures += 1
        context.abort(grpc.StatusCode.UNAVAILABLE, "always")

    def sleep(self, request, context):
        context.add_callback(self.ended)
        self.began += 1
        time.sleep(float(request))
        self.slept += context.is_active()
        return request

    def ended(self):
        self.cancelled += 1

    def flood(self, request, context):
        count, size = map(int, request.split())
        for _ in range(count):
            yield b"x" * size

    def parts(self, request, context):
        for _ in range(int(os.environ.get("PARTS", "1"))):
            yield b"x" * 65_536

    def trickle(self, request, context):
        """Sends the requested number of messages with a pause between two; the headers name the
        process.
        """
        count, pause = request.split()
        context.send_initial_metadata([("x-pid", str(os.getpid()))])
        for number in range(int(count)):
            time.sleep(float(pause))
            yield str(number).encode()

    def swallow(self, requests, context):
        time.sleep(float(os.environ.get("STALLS", "0")))
        return str(sum(len(request) for request in requests)).encode()

    def stall(self, requests, context):
        next(requests)
        time.sleep(3)
        return str(1 + sum(1 for _ in requests)).encode()


def main():
    time.sleep(float(os.environ.get("DELAY", "0")))
    server = grpc.server(
        futures.ThreadPoolExecutor(32), options=[("grpc.so_reuseport", 0)])
    test_pb2_grpc.add_TestServiceServicer_to_server(TestService(), server)
    catalog_pb2_grpc.add_CatalogServicer_to_server(Catalog(), server)

    class Generic(Raw):
        def service(self, details):
            return Raw.service(self, details) if "/test.Raw/" in details.method else None

    server.add_generic_rpc_handlers([Generic()])
    state = os.environ.get("HEALTH", "serving")
    if state != "none":
        checks = health.HealthServicer()
        checks.set("", health_pb2.HealthCheckResponse.SERVING if state == "serving"
                   else health_pb2.HealthCheckResponse.NOT_SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(checks, server)
        # A signal changes the health.
        signal.signal(signal.SIGUSR1, lambda *_: checks.set(
            "", health_pb2.HealthCheckResponse.NOT_SERVING))
        signal.signal(signal.SIGUSR2, lambda *_: checks.set(
            "", health_pb2.HealthCheckResponse.SERVING))
    socket = os.environ.get("WEIR_WORKER_SOCKET")
    address = sys.argv[2] if len(sys.argv) > 2 else f"unix:{socket}" if socket else "127.0.0.1:0"
    port = server.add_insecure_port(address)
    server.start()
    print(port, flush=True)
    crash = os.environ.get("CRASH")
    if crash:
        time.sleep(float(crash))
        print("crashing as asked", flush=True)
        os._exit(3)
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    while not stopped.wait(0.2):
        pass
    server.stop(2).wait()


main()
