"""The export of spans over OTLP/gRPC: a stub collector that answers anything, and a real collector.
"""

import gzip
import pathlib
import re
import subprocess
import time
import urllib.request

import grpc
import pytest
import rotel
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from collector import SETTINGS, Accepted, Collector, Program, Silent, values
from conftest import (
    BUILD, SECONDS, free_port, memory, start_demo, start_weir, tool, wait_for)
from scripted_backend import ScriptedBackend
from waiting import stays

SAY_HELLO = "/helloworld.Greeter/SayHello"
# Exports within milliseconds, and retries little.
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "20"}
NEVER = {"OTEL_BSP_SCHEDULE_DELAY": "3600000"}


@pytest.fixture
def running():
    """Starts servers, which are stopped after the test."""
    stack = []

    def start(kind, *arguments, **options):
        stack.append(kind(*arguments, **options))
        return stack[-1]

    yield start
    for each in reversed(stack):
        each.stop()


def exporting(running, url, *options, environment=None, ratio="1"):
    """A demo server that traces all calls and exports to a URL."""
    return running(
        start_demo, "--otlp", url, "--trace-ratio", ratio, "--trace-late", "0", *options,
        environment={**QUICK, **(environment or {})})


def call(server, count=1, metadata=()):
    """Calls the demo; returns the traces' statuses, all OK."""
    with grpc.insecure_channel(server.data) as channel:
        method = channel.unary_unary(SAY_HELLO)
        for _ in range(count):
            method(b"", timeout=SECONDS, metadata=metadata)


def counts(server):
    """The metrics of the export of spans, by name or reason of a drop."""
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=SECONDS) as response:
        lines = response.read().decode().splitlines()
    found = {}
    for line in lines:
        if line.startswith("weir_otlp_") and 'signal="traces"' in line:
            name, value = line.split()
            key = name.split('reason="')[1].split('"')[0] if "reason=" in name else \
                name.split("{")[0].removeprefix("weir_otlp_")
            found[key] = int(value)
    return found


def test_each_call_arrives_with_the_attributes_of_the_server(running):
    collector = running(Collector)
    server = exporting(
        running, collector.url, "--otlp-headers", "x-key=a%20b", "--otlp-attributes",
        "deployment.environment.name=test", "--otlp-service-name", "greeters")
    call(server, 3)
    wait_for(lambda: len(collector.spans()) == 3)
    span = collector.spans()[0]
    assert (span.name, span.kind) == ("helloworld.Greeter/SayHello", 2)
    assert span.end_time_unix_nano >= span.start_time_unix_nano
    assert abs(span.start_time_unix_nano / 1e9 - time.time()) < 60
    resource = collector.resource()
    assert resource["service.name"] == "greeters"
    assert resource["deployment.environment.name"] == "test"
    assert {"service.version", "service.instance.id"} < set(resource)
    assert collector.metadata[0]["x-key"] == "a b"
    # Servers on the way do not record the export itself.
    assert collector.metadata[0]["traceparent"].endswith("-00")
    wait_for(lambda: counts(server)["records_exported_total"] == 3)
    assert counts(server)["up"] == 1


def test_without_a_collector_the_metrics_do_not_exist(demo):
    assert counts(demo) == {}


def test_the_variables_configure_the_export(running):
    collector = running(Collector)
    server = running(start_demo, environment={
        **QUICK, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_SERVICE_NAME": "v",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_TRACES_SAMPLER": "always_on"})
    call(server)
    wait_for(collector.spans)
    assert collector.resource()["service.name"] == "v"
    assert collector.metadata[0]["a"] == "b"


def test_the_caller_decides_what_is_sampled(running):
    collector = running(Collector)
    server = exporting(running, collector.url, ratio="0")
    call(server, 5)
    # No request was sent, so the collector is neither usable nor unusable.
    assert "up" not in counts(server) and counts(server)["records_queued"] == 0
    trace = "0af7651916cd43dd8448eb211c80319c"
    call(server, metadata=[("traceparent", f"00-{trace}-b7ad6b7169203331-01")])
    wait_for(collector.spans)
    (span,) = collector.spans()
    assert span.trace_id.hex() == trace
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    wait_for(lambda: counts(server).get("up") == 1)


def test_requests_are_compressed(running):
    bodies = []

    def answer(path, payload):
        bodies.append((path, payload))
        return [[(":status", "200"), ("content-type", "application/grpc")], b"",
                [("grpc-status", "0")]]

    backend = ScriptedBackend(answer)
    server = exporting(
        running, f"http://{backend.address}", "--otlp-compression", "gzip")
    call(server)
    wait_for(lambda: bodies)
    path, body = bodies[0]
    assert path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    assert b"helloworld.Greeter/SayHello" in gzip.decompress(body)
    backend.close()


def test_the_connection_is_authenticated_in_both_directions(certificates, running, tmp_path):
    def read(name):
        return (certificates / name).read_bytes()

    credentials = grpc.ssl_server_credentials(
        [(read("server.key"), read("server.pem"))], read("ca.pem"), True)
    collector = running(Collector, credentials=credentials)
    url = f"https://127.0.0.1:{collector.port}"
    options = ["--otlp-ca", str(certificates / "ca.pem"), "--otlp-server-name", "model.internal"]
    client = ["--otlp-cert", str(certificates / "client.pem"), "--otlp-key",
              str(certificates / "client.key")]
    server = exporting(running, url, *options, *client)
    call(server)
    wait_for(collector.spans)
    # Without the client's certificate or with another authority, nothing arrives.
    for refused in (options, client):
        other = exporting(running, url, *refused)
        call(other)
        wait_for(lambda: counts(other).get("up") == 0)
        assert other.stop() == 0
        errors = other.process.stderr.read()
        reason = "TLS" if refused == options else "certificate is not trusted"
        assert "spans are not exported" in errors and reason in errors, errors
        # BoringSSL names the files of its source.
        assert not re.search(r"\.cc?\b|NIOSSL|BoringSSL|checkouts|error:\d", errors), errors
    assert len(collector.spans()) == 1


def test_files_that_cannot_be_read_are_an_error_at_the_start(tmp_path):
    done = subprocess.run(
        [BUILD / "weir", "serve", "--demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0",
         "--otlp", "https://127.0.0.1:1", "--otlp-ca", str(tmp_path / "missing")],
        capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1
    assert "TLS of the export" in done.stderr and "missing" in done.stderr


# Failing collectors


def retry_info(seconds):
    """Status details with a delay."""
    details = any_pb2.Any()
    details.Pack(error_details_pb2.RetryInfo(
        retry_delay=duration_pb2.Duration(nanos=int(seconds * 1e9))))
    status = status_pb2.Status(code=8, details=[details])
    return ("grpc-status-details-bin", status.SerializeToString())


@pytest.mark.parametrize("code,details,retried", [
    (grpc.StatusCode.UNAVAILABLE, (), True),
    (grpc.StatusCode.CANCELLED, (), True),
    (grpc.StatusCode.DATA_LOSS, (), True),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, (), False),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, [retry_info(0.05)], True),
    (grpc.StatusCode.RESOURCE_EXHAUSTED, [("grpc-status-details-bin", b"\xff")], False),
    (grpc.StatusCode.INVALID_ARGUMENT, [retry_info(0.05)], False),
    (grpc.StatusCode.UNIMPLEMENTED, (), False),
    (grpc.StatusCode.UNAUTHENTICATED, (), False),
], ids=lambda value: getattr(value, "name", None))
def test_a_status_is_retried_only_if_the_protocol_says_so(code, details, retried, running):
    answers = [code]

    def answer(request, context):
        if answers:
            context.set_trailing_metadata(tuple(details))
            context.abort(answers.pop(), "try\x01 later")
        return Accepted()

    collector = running(Collector, answer)
    server = exporting(running, collector.url)
    call(server)
    wait_for(lambda: counts(server)["failed" if not retried else "records_exported_total"] == 1)
    assert len(collector.requests) == (2 if retried else 1)
    assert collector.requests[0] == collector.requests[-1]
    call(server)
    wait_for(lambda: counts(server)["records_exported_total"] == (2 if retried else 1))
    assert counts(server)["up"] == 1


def test_rejected_spans_are_counted_and_not_sent_again(running):
    def answer(request, context):
        response = Accepted()
        response.partial_success.rejected_spans = 2
        response.partial_success.error_message = "too\x1b old"
        return response

    collector = running(Collector, answer)
    server = exporting(running, collector.url, environment={**NEVER,
                       "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "5"})
    call(server, 5)
    wait_for(lambda: counts(server)["rejected"] == 2)
    assert counts(server)["records_exported_total"] == 3
    call(server, 5)
    wait_for(lambda: counts(server)["rejected"] == 4)
    assert len(collector.requests) == 2
    server.stop()
    errors = server.process.stderr.read()
    assert "with a remark" in errors and "rejected=2" in errors and "\x1b" not in errors


def test_a_dead_collector_loses_only_spans_and_delays_no_end(running):
    port = free_port()
    server = exporting(running, f"http://127.0.0.1:{port}", environment={
        "OTEL_BSP_MAX_QUEUE_SIZE": "10"})
    call(server, 50)
    wait_for(lambda: counts(server)["queue_full"] > 0 and counts(server).get("up") == 0)
    assert counts(server)["records_queued"] <= 10
    begin = time.monotonic()
    assert server.stop() == 0
    # Less than the bound, because the connection is refused.
    assert time.monotonic() - begin < 4
    errors = server.process.stderr.read()
    assert errors.count("spans are not exported") == 1
    assert "spans were lost at the end" in errors


def test_spans_arrive_after_the_collector_has_started(running):
    port = free_port()
    server = exporting(running, f"http://127.0.0.1:{port}")
    call(server, 3)
    wait_for(lambda: counts(server).get("up") == 0)
    collector = running(Collector, port=port)
    wait_for(lambda: len(collector.spans()) == 3)
    wait_for(lambda: counts(server)["up"] == 1)


@pytest.mark.parametrize(
    "greeting", [b"", SETTINGS, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 4096],
    ids=["silent", "settings", "http1", "garbage"])
def test_a_collector_that_hangs_delays_no_call(greeting, running):
    silent = running(Silent, greeting)
    server = exporting(
        running, f"http://127.0.0.1:{silent.port}", "--otlp-timeout", "0.3",
        environment={"OTEL_BSP_MAX_QUEUE_SIZE": "4"})
    call(server, 20)
    wait_for(lambda: counts(server).get("up") == 0)
    call(server, 20)
    assert counts(server)["queue_full"] > 0
    begin = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begin < 8


def test_the_end_waits_a_bounded_time_for_a_collector_that_hangs(running):
    collector = running(Silent, SETTINGS)
    server = exporting(running, f"http://127.0.0.1:{collector.port}", environment=NEVER)
    call(server, 3)
    begin = time.monotonic()
    assert server.stop() == 0
    assert 4 < time.monotonic() - begin < 12


def test_the_end_exports_what_is_left(running):
    collector = running(Collector)
    server = exporting(running, collector.url, environment=NEVER)
    call(server, 600)
    # One full batch is exported at once.
    wait_for(lambda: len(collector.spans()) == 512)
    assert server.stop() == 0
    assert len(collector.spans()) == 600
    assert max(len(request.resource_spans[0].scope_spans[0].spans)
               for request in collector.requests) == 512


@pytest.mark.parametrize("answer", [
    lambda path, payload: [[(":status", "200"), ("content-type", "application/grpc")],
                           b"\x0a\x08\x12\x06abcdef" + b"\x12\x00",
                           [("grpc-status", "0")]],
    # A message that is not valid, one of 8 MiB, trailers of 1 MiB, and many of them.
    lambda path, payload: [[(":status", "200"), ("content-type", "application/grpc")],
                           b"\xff\xff\xff", [("grpc-status", "0")]],
    lambda path, payload: [[(":status", "200"), ("content-type", "application/grpc")],
                           b"\x0a" + b"x" * (8 << 20), [("grpc-status", "0")]],
    lambda path, payload: [[(":status", "200"), ("content-type", "application/grpc"),
                            ("grpc-status", "14"), ("grpc-message", "x" * (1 << 16))]],
    lambda path, payload: [[(":status", "200"), ("content-type", "application/grpc"),
                            ("grpc-status", "99999999999999999999")]],
    lambda path, payload: [[(":status", "200"), ("content-type", "application/grpc"),
                            ("grpc-status", "8"),
                            ("grpc-status-details-bin", "////" * 4_000)]],
    lambda path, payload: [[(":status", "200"), ("content-type", "text/html")], b"<html>", []],
    lambda path, payload: [[(":status", "503"), ("content-type", "text/html")]],
], ids=["unknown-field", "invalid", "8MiB", "long-message", "status", "details", "html", "503"])
def test_any_answer_leaves_the_server_running(answer, running):
    backend = ScriptedBackend(answer)
    server = exporting(running, f"http://{backend.address}")
    before = memory(server.process)
    for _ in range(3):
        call(server, 5)
        wait_for(lambda: sum(counts(server).values()) > 1)
    wait_for(lambda: counts(server)["failed"] + counts(server)["records_exported_total"] > 0
             or counts(server).get("up") == 0)
    call(server)
    assert memory(server.process) - before < 64 << 20
    assert server.stop() == 0
    assert all(len(line) < 8_192 for line in server.process.stderr.read().splitlines())
    backend.close()


def test_the_export_itself_is_not_traced(running, stubs):
    """The collector is reached through the server whose spans it receives."""
    collector = running(Collector)
    port = free_port()
    server = running(
        start_weir, "--data", f"127.0.0.1:{port}", "--otlp", f"http://127.0.0.1:{port}",
        "--trace-ratio", "1", environment=QUICK)
    tool(server, "backend", "create", "collector", "--upstream", f"127.0.0.1:{collector.port}")
    tool(server, "endpoint", "create", "collector", "--route",
         "/opentelemetry.proto.collector.trace.v1.TraceService/", "--backend", "collector")
    with grpc.insecure_channel(server.data) as channel:
        export = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        export(b"", timeout=SECONDS)
        export(b"", timeout=SECONDS)
    wait_for(lambda: len(collector.spans(2)) == 2)
    assert stays(lambda: len(collector.spans(2)) == 2, 1)


def test_a_real_collector_forwards_the_spans(running):
    """rotel receives the spans from Weir and sends them to the stub."""
    stub = running(Collector)
    port = free_port()
    agent = pathlib.Path(rotel.__file__).parent / "rotel-agent"
    running(
        Program, [str(agent), "start", "--otlp-grpc-endpoint", f"127.0.0.1:{port}",
                "--otlp-http-endpoint", f"127.0.0.1:{free_port()}", "--exporter", "otlp",
                "--otlp-exporter-endpoint", stub.url, "--otlp-exporter-protocol", "grpc",
                "--batch-timeout", "100ms"])
    server = exporting(running, f"http://127.0.0.1:{port}", "--otlp-compression", "gzip")
    call(server, 20)
    wait_for(lambda: len(stub.spans()) == 20)
    assert {span.name for span in stub.spans()} == {"helloworld.Greeter/SayHello"}
    assert stub.resource()["service.name"] == "weir"
    assert {values(span.attributes)["rpc.system.name"] for span in stub.spans()} == {"grpc"}


def test_calls_are_log_records(running):
    collector = running(Collector)
    server = exporting(running, collector.url, "--otlp-calls",
                       environment={"OTEL_BLRP_SCHEDULE_DELAY": "20"})
    call(server, 3)
    with pytest.raises(grpc.RpcError), grpc.insecure_channel(server.data) as channel:
        channel.unary_unary("/helloworld.Greeter/Absent")(b"", timeout=SECONDS)
    wait_for(lambda: len(collector.records()) == 4 and len(collector.spans(2)) >= 3)
    record, failed = collector.records()[0], collector.records()[-1]
    attributes = values(record.attributes)
    assert attributes["weir.endpoint"] == "greeter"
    assert attributes["rpc.status_code"] == "OK" and record.severity_text == "INFO"
    assert attributes["weir.duration_ms"] > 0
    assert (record.trace_id, record.span_id) in [
        (span.trace_id, span.span_id) for span in collector.spans()]
    assert failed.severity_text == "ERROR"
    assert values(failed.attributes)["rpc.status_code"] == "UNIMPLEMENTED"
