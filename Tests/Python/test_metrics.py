"""The metrics: their formats, the metrics port, and the series that end."""

import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import grpc
import pytest
import requests
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client import parser as prometheus

from conftest import (
    BUILD, ROOT, SECONDS, Authority, free_port, start_demo, start_weir, wait_for)

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def get(address, path="/metrics", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    headers.setdefault("accept-encoding", "identity")
    return requests.get(f"http://{address}{path}", headers=headers, timeout=SECONDS)


def families(text, parser):
    return {one.name: one for one in parser.text_string_to_metric_families(text)}


def samples(text, name):
    """The samples of a name, as pairs of labels and value."""
    return [(one.labels, one.value) for family in families(text, prometheus).values()
            for one in family.samples if one.name == name]


@pytest.fixture
def busy(mesh):
    """A server that has all kinds of series."""
    upstream = mesh.upstream()
    mesh.raw(upstream.address)
    mesh.backend("other", "--upstream", upstream.address)
    mesh.tool("shadow", "set", "raw", "other=1")
    for method in ("Echo", "Nothing"):
        mesh.channel.unary_unary(f"/test.Raw/{method}").future(b"x", timeout=SECONDS).exception()
    return mesh.weir


# Formats.


def test_promtool_finds_no_fault(busy):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    text = get(busy.admin).text
    run = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_both_formats_have_the_same_series(busy):
    plain = get(busy.admin)
    open_reply = get(busy.admin, accept=OPENMETRICS)
    assert plain.headers["content-type"] == TEXT
    assert open_reply.headers["content-type"] == OPENMETRICS
    assert plain.headers["vary"] == open_reply.headers["vary"] == "accept, accept-encoding"
    assert open_reply.text.endswith("\n# EOF\n") and "# EOF" not in plain.text
    parsed = [families(plain.text, prometheus), families(open_reply.text, openmetrics)]
    series = [{(one.name, *sorted(one.labels.items())) for family in one_format.values()
               for one in family.samples} for one_format in parsed]
    assert series[0] == series[1] and len(series[0]) > 150
    for family in parsed[1].values():
        assert family.documentation.endswith("."), family.name
        for unit in ("seconds", "bytes"):
            assert family.name.endswith(f"_{unit}") == (family.unit == unit), family.name
    assert parsed[1]["weir_build"].type == "info"
    assert parsed[1]["grpc_server_call_started"].type == "counter"


@pytest.mark.parametrize("accept", [None, OPENMETRICS])
def test_a_compressed_response_has_the_same_series(busy, accept):
    headers = {"accept": accept} if accept else {}
    plain = get(busy.admin, **headers)
    reply = requests.get(
        f"http://{busy.admin}/metrics", headers={**headers, "accept-encoding": "gzip"},
        timeout=SECONDS, stream=True)
    assert reply.headers["content-encoding"] == "gzip"
    body = reply.raw.read()
    assert len(body) == int(reply.headers["content-length"]) < len(plain.content) / 4

    def names(text):
        return {line.rpartition(" ")[0] for line in text.splitlines()}

    assert names(gzip.decompress(body).decode()) == names(plain.text)


def test_message_sizes(mesh):
    address = mesh.upstream().address
    mesh.raw(address)
    mesh.backend("other", "--upstream", address)
    mesh.tool("shadow", "set", "raw", "other=1")
    stub = mesh.channel.unary_unary("/test.Raw/Cancelled")
    replies = [stub(b"x" * size, timeout=SECONDS) for size in (0, 1_019, 1_020, 50_000)]
    name = "grpc_server_call_{}_total_compressed_message_size_bytes"

    def series(direction, part, **labels):
        return [value for found, value in samples(
            get(mesh.weir.admin).text, name.format(direction) + part)
            if found["grpc_status"] == "OK" and labels.items() <= found.items()]

    wait_for(lambda: series("rcvd", "_count", shadow="true") == [4])
    # Each message has a prefix of 5 bytes.
    sent, received = sum(map(len, replies)) + 20, 52_039 + 20
    for shadow in ("false", "true"):
        assert series("rcvd", "_sum", shadow=shadow) == [received]
        assert series("sent", "_sum", shadow=shadow) == [sent]
        for bound, count in (("0.0", 0), ("1024.0", 2), ("2048.0", 3), ("65536.0", 4), ("+Inf", 4)):
            assert series("rcvd", "_bucket", shadow=shadow, le=bound) == [count], bound


def test_the_process_and_its_build(busy):
    text = get(busy.admin).text

    def value(name):
        ((_, number),) = samples(text, name)
        return number

    status = open(f"/proc/{busy.process.pid}/status").read()
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024
    assert abs(value("process_resident_memory_bytes") - resident) < 32 << 20
    assert value("process_virtual_memory_bytes") > value("process_resident_memory_bytes")
    assert value("process_threads") == int(re.search(r"Threads:\s+(\d+)", status)[1])
    files = len(os.listdir(f"/proc/{busy.process.pid}/fd"))
    assert abs(value("process_open_fds") - files) <= 4
    assert value("process_max_fds") >= 1024
    assert 0 < value("process_cpu_seconds_total") < 60
    assert -2 < time.time() - value("process_start_time_seconds") < 10 * SECONDS
    ((labels, one),) = samples(text, "weir_build_info")
    assert one == 1 and labels["version"] == VERSION and labels["commit"]
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", labels["swift_version"])


def test_certificates_expire(tmp_path):
    authority = Authority(tmp_path)
    authority.issue("weir", "DNS:localhost")
    chain = tmp_path / "chain.pem"
    chain.write_bytes((tmp_path / "weir.pem").read_bytes() + (tmp_path / "ca.pem").read_bytes())
    server = start_weir(
        "--tls-cert", chain, "--tls-key", authority.key("weir"), "--metrics", "127.0.0.1:0")
    address = json.loads(server.first_line)["metrics"]

    def expected(*names):
        found = []
        for number, name in enumerate(names):
            words = subprocess.run(
                ["openssl", "x509", "-noout", "-enddate", "-serial", "-in", tmp_path / name],
                capture_output=True, text=True, check=True).stdout.splitlines()
            date, serial = (word.partition("=")[2] for word in words)
            seconds = time.mktime(time.strptime(date, "%b %d %H:%M:%S %Y GMT")) - time.timezone
            labels = {"port": "data", "chain": f"{number}", "serial": serial.lower()}
            found.append((labels, seconds))
        return found

    def served():
        return samples(get(address).text, "weir_certificate_expiry_timestamp_seconds")

    assert served() == expected("weir.pem", "ca.pem")
    authority.issue("weir", "DNS:localhost")
    chain.write_bytes((tmp_path / "weir.pem").read_bytes())
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: served() == expected("weir.pem"))
    assert server.stop() == 0


# The metrics port.


def test_the_metrics_port_serves_metrics_and_probes_only(tmp_path):
    tool_path = BUILD / "weir"
    access = tmp_path / "access.yaml"
    subprocess.run([tool_path, "access", "add", access, "ada", "--role", "admin"],
                   check=True, capture_output=True)
    server = start_demo("--access", access, "--metrics", "127.0.0.1:0")
    metrics = json.loads(server.first_line)["metrics"]
    # Who may not read the metrics on the admin port can read them here: the port is for that.
    assert get(server.admin).status_code == 401
    assert get(metrics).status_code == 200
    for path in ("/healthz", "/readyz"):
        assert (get(metrics, path).status_code, get(metrics, path).text) == (200, "ok\n")
    for path in ("/", "/metrics/", "/admin", "/weir.admin.v1.Admin/ListEndpoints", "//metrics"):
        assert get(metrics, path).status_code == 404, path
    for method in ("POST", "PUT", "DELETE"):
        assert requests.request(
            method, f"http://{metrics}/metrics", timeout=SECONDS).status_code == 405
    assert get(metrics, host="evil.example").status_code == 421
    with grpc.insecure_channel(metrics) as channel:
        for path in ("/weir.admin.v1.Admin/ListEndpoints", "/helloworld.Greeter/SayHello",
                     "/grpc.health.v1.Health/Check"):
            with pytest.raises(grpc.RpcError) as failure:
                channel.unary_unary(path)(b"", timeout=SECONDS)
            assert failure.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert server.stop() == 0


def test_the_metrics_port_does_not_serve_what_the_admin_port_has_served(stubs):
    server = start_demo("--metrics", "127.0.0.1:0")
    metrics = json.loads(server.first_line)["metrics"]
    path = "/weir.admin.v1.Admin/ListEndpoints"
    for address, code in ((server.admin, None), (metrics, grpc.StatusCode.UNIMPLEMENTED),
                          (server.admin, None), (metrics, grpc.StatusCode.UNIMPLEMENTED)):
        with grpc.insecure_channel(address) as channel:
            try:
                channel.unary_unary(path)(b"", timeout=SECONDS)
                assert code is None, address
            except grpc.RpcError as error:
                assert error.code() is code, address
    assert server.stop() == 0


def test_the_metrics_port_answers_while_the_server_waits_for_calls(stubs):
    server = start_demo("--metrics", "127.0.0.1:0")
    metrics = json.loads(server.first_line)["metrics"]
    ends = threading.Event()

    def requests_of_call():
        yield stubs.hello.HelloRequest(name="Ada")
        ends.wait(SECONDS)

    with grpc.insecure_channel(server.data) as channel:
        replies = stubs.hello_grpc.GreeterStub(channel).SayHelloBidiStream(requests_of_call())
        next(replies)
        server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: get(metrics, "/readyz").text == "draining\n")
        wait_for(lambda: not accepts(server.data))
        assert get(metrics, "/healthz").text == "draining\n" and get(metrics).status_code == 200
        ends.set()
        assert list(replies) == []
    # An idle connection of a scraper does not hold the drain.
    assert server.process.wait(SECONDS) == 0


def accepts(address):
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_a_draining_server_is_healthy_but_not_ready():
    server = start_demo("--metrics", "127.0.0.1:0", "--limit", "drain-delay=60")
    addresses = [server.admin, json.loads(server.first_line)["metrics"]]
    server.process.send_signal(signal.SIGTERM)
    for address in addresses:
        wait_for(lambda: get(address, "/readyz").status_code == 503)
        reply = get(address, "/healthz")
        assert (reply.status_code, reply.text) == (200, "draining\n")
        assert get(address).status_code == 200
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(SECONDS) == 0


@pytest.mark.parametrize("option", ["--data", "--admin"])
def test_the_metrics_port_is_a_port_of_its_own(option):
    address = f"127.0.0.1:{free_port()}"
    run = subprocess.run(
        [BUILD / "weir", "serve", "--store", "memory:", "--data", "127.0.0.1:0", "--admin",
         "127.0.0.1:0", option, address, "--metrics", address],
        capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 1
    assert (f"cannot listen on {address}: the {option[2:]} port and the metrics port have this "
            "address; choose another --metrics") in run.stderr


def test_connections_to_the_metrics_port_are_bounded():
    server = start_weir("--metrics", "127.0.0.1:0", "--limit", "max-metrics-connections=4")
    address = json.loads(server.first_line)["metrics"]
    sessions = [requests.Session() for _ in range(2)]
    for session in sessions:
        assert session.get(f"http://{address}/healthz", timeout=SECONDS).status_code == 200
    with pytest.raises(requests.ConnectionError):
        get(address)
    refused = samples(get(server.admin).text, "weir_connections_refused_total")
    assert ({"port": "metrics"}, 1) in refused
    for session in sessions:
        session.close()
    wait_for(lambda: answers_again(address))
    assert server.stop() == 0


def answers_again(address):
    try:
        return get(address).status_code == 200
    except requests.ConnectionError:
        return False


# Series that end.


@pytest.mark.parametrize("ended", ["endpoint", "backend"])
def test_a_call_over_a_deletion_brings_no_series_back(mesh, ended):
    stubs = mesh.stubs
    address = mesh.upstream().address
    for name in ("first", "second"):
        mesh.backend(name, "--upstream", address)
    mesh.endpoint("e", "/grpc.testing.TestService/", "first")
    mesh.tool("shadow", "set", "e", "second=1")
    requests_to_send = Requests(stubs)
    call = stubs.interop_grpc.TestServiceStub(mesh.channel).FullDuplexCall(
        iter(requests_to_send), timeout=3 * SECONDS)
    next(call)
    assert 'endpoint="e",backend="first"' in text(mesh)
    if ended == "endpoint":
        mesh.tool("endpoint", "delete", "e")
        gone = 'endpoint="e"'
    else:
        mesh.tool("shadow", "set", "e", "second=0")
        mesh.tool("traffic", "set", "e", "second=1")
        mesh.tool("backend", "delete", "first")
        gone = 'backend="first"'
    assert gone not in text(mesh)
    # The call continues.
    requests_to_send.more.release()
    next(call)
    assert gone not in text(mesh)
    requests_to_send.ends = True
    requests_to_send.more.release()
    assert list(call) == []
    assert call.code() is grpc.StatusCode.OK
    wait_for(lambda: samples(text(mesh), "weir_connections") == [({}, 1)])
    assert gone not in text(mesh)


def text(mesh):
    return get(mesh.weir.admin).text


class Requests:
    """Requests of a stream: the first at once, each other one when `more` is released."""

    def __init__(self, stubs):
        self.messages = stubs.messages
        self.more = threading.Semaphore(1)
        self.ends = False

    def __iter__(self):
        while self.more.acquire(timeout=3 * SECONDS) and not self.ends:
            yield self.messages.StreamingOutputCallRequest(
                response_parameters=[self.messages.ResponseParameters(size=1)])


# The version.

VERSION = re.search(
    r'static let version = "([\d.]+)"',
    (ROOT / "Sources/Weir/Server/WeirServer+Version.swift").read_text())[1]


def test_the_version_is_defined_once():
    run = subprocess.run([BUILD / "weir", "--version"], capture_output=True, text=True, timeout=60)
    assert re.fullmatch(
        rf"{re.escape(VERSION)} \((unknown commit|commit [0-9a-f]{{12}}(-dirty)?)\)\n", run.stdout)
    found = {
        "clients/python/pyproject.toml": r'^version = "(.*)"',
        "clients/python/src/weir/__init__.py": r'^__version__ = "(.*)"',
        "clients/node/package.json": r'^  "version": "(.*)"',
        "clients/ruby/lib/weir/version.rb": r"^  VERSION = '(.*)'",
        "CHANGELOG.md": r"^## (\d+\.\d+\.\d+)",
    }
    for path, pattern in found.items():
        (version,) = re.findall(pattern, (ROOT / path).read_text(), re.MULTILINE)[:1]
        assert version == VERSION, path
