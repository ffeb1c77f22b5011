"""One trace from an instrumented grpcio client through Weir, with a retry and a shadow, to
instrumented grpcio servers: the client and the servers use OpenTelemetry's SDK.
"""

import threading
from concurrent import futures

import grpc
import pytest
from opentelemetry.instrumentation.grpc import client_interceptor, grpcext, server_interceptor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from collector import Collector, values
from conftest import SECONDS, start_weir, tool, wait_for

METHOD = "/test.Raw/Call"


class Program:
    """The spans of one program with OpenTelemetry's SDK."""

    def __init__(self, name):
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(resource=Resource.create({"service.name": name}))
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self):
        return sorted(self.exporter.get_finished_spans(), key=lambda span: span.start_time)


class Backend(Program):
    """An instrumented server whose first calls fail with UNAVAILABLE."""

    def __init__(self, name, failures=0):
        super().__init__(name)
        self.failures, self.lock = failures, threading.Lock()
        self.server = grpc.server(
            futures.ThreadPoolExecutor(4), interceptors=[server_interceptor(self.provider)])
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            "test.Raw", {"Call": grpc.unary_unary_rpc_method_handler(self.answer)})])
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def answer(self, request, context):
        with self.lock:
            self.failures -= 1
            fails = self.failures >= 0
        if fails:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return b"answer"

    def stop(self):
        self.server.stop(None).wait()


@pytest.fixture
def mesh_of_traces():
    collector, main, copy = Collector(), Backend("main", failures=1), Backend("copy")
    server = start_weir("--otlp", collector.url, "--trace-late", "0")
    tool(server, "backend", "create", "main", "--upstream", main.address, "--retry", "UNAVAILABLE")
    tool(server, "backend", "create", "copy", "--upstream", copy.address)
    tool(server, "endpoint", "create", "raw", "--route", "/test.Raw/", "--backend", "main")
    tool(server, "shadow", "set", "raw", "copy=1")
    yield server, collector, main, copy
    server.stop()
    for each in (collector, main, copy):
        each.stop()


def test_a_call_is_one_connected_trace(mesh_of_traces):
    server, collector, main, copy = mesh_of_traces
    client = Program("client")
    channel = grpcext.intercept_channel(
        grpc.insecure_channel(server.data), client_interceptor(client.provider))
    assert channel.unary_unary(METHOD)(b"", timeout=SECONDS) == b"answer"
    channel.close()
    wait_for(lambda: len(main.spans()) == 2 and len(copy.spans()) == 1)
    # The end of the server exports the rest.
    assert server.stop() == 0

    (called,) = client.spans()
    trace, caller = called.context.trace_id, called.context.span_id
    ours = collector.spans()
    assert len(ours) == 5
    assert {int.from_bytes(span.trace_id, "big") for span in ours} == {trace}
    (call,) = [span for span in ours if span.kind == 2]
    assert int.from_bytes(call.parent_span_id, "big") == caller
    assert values(call.attributes)["rpc.status_code"] == "OK"

    # The attempts, and the server spans below them.
    attempts = sorted(
        (span for span in ours if span.kind == 3 and span.parent_span_id == call.span_id),
        key=lambda span: span.start_time_unix_nano)
    statuses = [values(span.attributes)["rpc.status_code"] for span in attempts]
    assert statuses == ["UNAVAILABLE", "OK"]
    assert values(attempts[1].attributes)["previous-rpc-attempts"] == 1
    for attempt, received in zip(attempts, main.spans(), strict=True):
        assert received.context.trace_id == trace
        assert received.parent.span_id == int.from_bytes(attempt.span_id, "big")
        assert received.parent.is_remote

    # The copy has a link, and no span that the caller waits for is its parent.
    (shadow,) = [span for span in ours if span.kind == 1]
    assert shadow.parent_span_id == b"" and values(shadow.attributes)["weir.shadow"] is True
    assert [link.span_id for link in shadow.links] == [call.span_id]
    (copied,) = [span for span in ours if span.kind == 3 and span.parent_span_id == shadow.span_id]
    (received,) = copy.spans()
    assert received.context.trace_id == trace
    assert received.parent.span_id == int.from_bytes(copied.span_id, "big")


def test_a_call_without_a_trace_reaches_the_server_without_one(mesh_of_traces):
    server, collector, main, copy = mesh_of_traces
    with grpc.insecure_channel(server.data) as channel:
        assert channel.unary_unary(METHOD)(b"", timeout=SECONDS) == b"answer"
    wait_for(lambda: len(main.spans()) == 2 and len(copy.spans()) == 1)
    assert server.stop() == 0
    assert collector.spans() == []
    assert all(span.parent is None for span in main.spans() + copy.spans())
