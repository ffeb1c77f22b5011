"""Malformed contexts against a live server that traces, and exemplars that Prometheus stores."""

import re
import shutil
import subprocess
import time

import grpc
import pytest
import requests
from prometheus_client.openmetrics import parser as openmetrics

from conftest import BUILD, SECONDS, Server, free_port, wait_for
from peer import END_HEADERS, Peer, message, request_fields

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
BINARY = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE"

# Contexts of every kind that is wrong, as header fields.
MALFORMED = [
    [("traceparent", text)] for text in [
        b"", b"0", b"-", b"00", SAMPLED[:-1].encode(), SAMPLED.encode() + b"0",
        SAMPLED.encode() + b"-", SAMPLED.upper().encode(), b"ff" + SAMPLED[2:].encode(),
        b"00-" + b"0" * 32 + SAMPLED[35:].encode(), SAMPLED[:36].encode() + b"0" * 16 + b"-01",
        SAMPLED.replace("-", "_").encode(), SAMPLED[:-2].encode() + b"0g",
        SAMPLED[:-2].encode() + b"\xc3\xa9", b"\xff" * 55, b"\x80" * 55, b"-" * 55, b"0" * 55,
        SAMPLED.encode() + b"," + SAMPLED.encode(), SAMPLED.encode() * 100, b"0" * 8_000,
    ]
] + [
    [("traceparent", SAMPLED.encode())] * 2, [("traceparent", SAMPLED.encode())] * 40,
    [("tracestate", b"=,;\xff")], [("tracestate", b"a=1," * 1_500)],
    [("tracestate", b"a=1")] * 60, [("baggage", b"%%%,=;\xff" * 100)],
] + [
    [("grpc-trace-bin", text)] for text in [
        b"", b"A", b"====", b"%%%", BINARY[:-1].encode(), BINARY.encode() + b"AAAA",
        b"A" * 39, b"A" * 8_000, b"/" * 39, BINARY.encode() + b"," + BINARY.encode(),
    ]
] + [[("grpc-trace-bin", BINARY.encode())] * 2]


@pytest.fixture(scope="module")
def tracing():
    """A server with spans for all calls whose callers sample them."""
    server = Server([BUILD / "FixtureServer", "2", "traces=0"])
    server.data, server.admin = server.first_line.split()
    yield server
    assert server.stop() == 0


def exemplars(server):
    text = requests.get(
        f"http://{server.admin}/metrics", timeout=SECONDS,
        headers={"accept": "application/openmetrics-text; version=1.0.0"}).text
    return [sample.exemplar for family in openmetrics.text_string_to_metric_families(text)
            for sample in family.samples if sample.exemplar]


def call(server, traceparent):
    with grpc.insecure_channel(server.data) as channel:
        channel.unary_unary("/test.Raw/Echo")(
            b"x", metadata=[("traceparent", traceparent)], timeout=SECONDS)


@pytest.mark.parametrize("number", range(len(MALFORMED)))
def test_a_malformed_context_costs_nothing_but_its_trace(tracing, number):
    with Peer(tracing.data) as peer:
        peer.headers(1, request_fields() + MALFORMED[number], END_HEADERS)
        peer.send(0, 1, 1, message(b"x"))
        # The longest ones are over the limit of headers.
        assert peer.status(1) in (0, 8)
        assert peer.is_alive()
    # The server is well, and does not take the malformed one for a sampled call.
    assert not {one.labels["trace_id"] for one in exemplars(tracing)} & {TRACE, "0" * 32}
    call(tracing, SAMPLED[:-1] + "0")


def test_a_sampled_call_is_an_exemplar(tracing):
    trace = "1" * 32
    began = time.time()
    call(tracing, f"00-{trace}-{SPAN}-01")
    found = [one for one in exemplars(tracing) if one.labels["trace_id"] == trace]
    assert len(found) == 1
    assert re.fullmatch("[0-9a-f]{16}", found[0].labels["span_id"])
    assert found[0].labels["span_id"] != SPAN
    assert 0 < found[0].value < SECONDS
    assert began - 1 < float(found[0].timestamp) < time.time() + 1
    text = requests.get(f"http://{tracing.admin}/metrics", timeout=SECONDS).text
    assert "trace_id" not in text
    call(tracing, f"00-{'2' * 32}-{SPAN}-00")
    assert not any(one.labels["trace_id"] == "2" * 32 for one in exemplars(tracing))


def test_prometheus_stores_exemplars(tracing, tmp_path):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    trace = "3" * 32
    call(tracing, f"00-{trace}-{SPAN}-01")
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"
        "scrape_configs:\n"
        f"  - {{job_name: weir, static_configs: [{{targets: ['{tracing.admin}']}}]}}\n")
    port = free_port()
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={tmp_path}/prometheus.yml",
             f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address=127.0.0.1:{port}",
             "--enable-feature=exemplar-storage"], stdout=log, stderr=log)
    try:
        def stored():
            try:
                reply = requests.get(
                    f"http://127.0.0.1:{port}/api/v1/query_exemplars", timeout=SECONDS, params={
                        "query": "grpc_server_call_duration_seconds_bucket",
                        "start": time.time() - 60, "end": time.time() + 60})
            except requests.ConnectionError:
                return []
            if reply.status_code != 200:
                return []
            return [one["labels"] for series in reply.json()["data"]
                    for one in series["exemplars"] if one["labels"]["trace_id"] == trace]
        wait_for(stored)
    finally:
        process.terminate()
        process.wait(SECONDS)
