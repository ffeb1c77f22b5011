"""A stub of an OTLP collector, made of the published protos. It keeps the requests, and answers as
the test says.
"""

import socket
import subprocess
import threading
from concurrent import futures

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from conftest import SECONDS, started

# An empty SETTINGS frame, with which a server begins.
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
Accepted = trace_service_pb2.ExportTraceServiceResponse


def values(attributes):
    """Attributes as a dictionary."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


class Collector:
    """Serves until `stop`. `answer(request, context)` returns a response or aborts."""

    def __init__(self, answer=None, credentials=None, port=0, threads=4):
        self.requests, self.metadata, self.lock = [], [], threading.Lock()
        self.answer = answer or (lambda request, context: Accepted())
        self.server = grpc.server(futures.ThreadPoolExecutor(threads))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(self, self.server)
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server(_Logs(self), self.server)
        address = f"127.0.0.1:{port}"
        self.port = (
            self.server.add_secure_port(address, credentials) if credentials
            else self.server.add_insecure_port(address))
        assert self.port
        self.server.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def Export(self, request, context):  # noqa: N802
        with self.lock:
            self.requests.append(request)
            self.metadata.append(dict(context.invocation_metadata()))
        return self.answer(request, context)

    def spans(self, kind=None):
        """All spans that arrived, or those of a kind: 2 server, 3 client."""
        with self.lock:
            return [
                span for request in self.requests
                for resource in getattr(request, "resource_spans", ())
                for scope in resource.scope_spans for span in scope.spans
                if kind in (None, span.kind)]

    def records(self):
        """All log records that arrived."""
        with self.lock:
            return [
                record for request in self.requests
                for resource in getattr(request, "resource_logs", ())
                for scope in resource.scope_logs for record in scope.log_records]

    def resource(self):
        with self.lock:
            return values(self.requests[0].resource_spans[0].resource.attributes)

    def stop(self):
        self.server.stop(None).wait()


class _Logs(logs_service_pb2_grpc.LogsServiceServicer):
    def __init__(self, collector):
        self.collector = collector

    def Export(self, request, context):  # noqa: N802
        self.collector.Export(request, context)
        return logs_service_pb2.ExportLogsServiceResponse()


class Silent:
    """Accepts connections and reads them, but does not answer."""

    def __init__(self, greeting=b""):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.greeting, self.connections = greeting, []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.sendall(self.greeting)
            self.connections.append(connection)

    def stop(self):
        self.listener.close()
        for connection in self.connections:
            connection.close()


class Program:
    """A process that runs until `stop`."""

    def __init__(self, command):
        self.process = started(subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS)
