"""The access log of `weir serve`: its lines, its file, and outputs that cannot be written."""

import json
import os
import signal
import subprocess
import threading

import grpc
import pytest
import requests

import web
from conftest import BUILD, SECONDS, free_port, metric, start_demo, start_weir, tool, wait_for
from peer import Peer, message
from scripted_backend import BEGIN, ScriptedBackend
from waiting import polled

GREETER = "/helloworld.Greeter/SayHello"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def logged(tmp_path):
    """The demo server with an access log; `server.log` is its path."""
    path = tmp_path / "access.log"
    server = start_demo("--access-log", str(path))
    server.log = path
    yield server
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-30000:]


def hello(server, stubs, name="Ada", path=GREETER, **options):
    with grpc.insecure_channel(server.data) as channel:
        options.setdefault("timeout", SECONDS)
        call = channel.unary_unary(path)
        return call(stubs.hello.HelloRequest(name=name).SerializeToString(), **options)


def wait_lines(path, count):
    return polled(lambda: lines(path), lambda found: len(found) >= count)


def test_each_protocol_has_lines_with_all_fields(logged, stubs):
    tool(logged, "endpoint", "create", "plain", "--route", "/plain", "--backend", "greeter-v1")
    hello(logged, stubs, metadata=[("traceparent", PARENT), ("x-serve-shard-key", "secret-key")])
    client = web.VERSIONS[0](logged.data)
    web.connect(client, GREETER, {"name": "you"})
    web.grpc_web(client, GREETER, [stubs.hello.HelloRequest(name="x").SerializeToString()], "")
    client.close()
    requests.post(f"http://{logged.data}/plain", data=b"x", headers={"traceparent": PARENT},
                  timeout=SECONDS)
    found = wait_lines(logged.log, 4)
    assert [each["protocol"] for each in found] == ["grpc", "connect", "grpc-web", "http"]
    first, last = found[0], found[3]
    assert first["endpoint"] == "greeter" and first["backend"] in ("greeter-v1", "greeter-v2")
    assert first["status"] == "OK" and first["method"] == GREETER and first["attempts"] == 1
    assert first["trace_id"] == TRACE and first["span_id"] == "00f067aa0ba902b7"
    assert first["request_bytes"] == 10 and first["response_bytes"] > 5
    assert first["client"].startswith("127.0.0.1:") and first["revision"] > 0
    assert abs(first["duration_ms"] - sum(
        first[f"{name}_ms"] for name in ("queue", "upstream", "response"))) < 0.01
    explained = tool(logged, "explain", GREETER, "--shard-key", "secret-key").stdout
    assert first["shard_point"] in explained
    assert last["trace_id"] == TRACE and (last["endpoint"], last["method"]) == ("plain", "/plain")
    assert "secret-key" not in logged.log.read_text()


def test_refused_requests_and_failures_have_lines(logged, stubs):
    for path in ("/no.Such/Method", "/helloworld.Greeter/No"):
        with pytest.raises(grpc.RpcError):
            hello(logged, stubs, path=path)
    tool(logged, "backend", "create", "absent", "--upstream", f"127.0.0.1:{free_port()}")
    tool(logged, "traffic", "set", "greeter", "absent=1")
    with pytest.raises(grpc.RpcError):
        hello(logged, stubs)
    found = wait_lines(logged.log, 3)
    assert [each["status"] for each in found] == ["UNIMPLEMENTED", "UNIMPLEMENTED", "UNAVAILABLE"]
    assert "endpoint" not in found[0] and found[0]["method"] == "/no.Such/Method"
    assert found[1]["endpoint"] == "greeter" and found[2]["backend"] == "absent"
    assert found[2]["attempts"] == 0 and "absent" in found[2]["message"]


def test_retries_and_shadow_copies_have_lines(stubs, tmp_path):
    path = tmp_path / "access.log"
    server = start_weir("--access-log", str(path))
    failures = []

    def answer(*_):
        failures.append(1)
        failed = len(failures) % 2 == 1
        return [BEGIN + [("grpc-status", "14")]] if failed else [BEGIN, b"", [("grpc-status", "0")]]
    backend = ScriptedBackend(answer)
    copies = ScriptedBackend(lambda *_: [BEGIN, b"", [("grpc-status", "0")]])
    tool(server, "backend", "create", "a", "--upstream", backend.address, "--retry",
         "UNAVAILABLE")
    tool(server, "backend", "create", "b", "--upstream", copies.address)
    tool(server, "endpoint", "create", "raw", "--route", "/test.Raw/", "--backend", "a")
    tool(server, "shadow", "set", "raw", "b=1")
    hello(server, stubs, path="/test.Raw/X", metadata=[("traceparent", PARENT)])
    found = wait_lines(path, 2)
    by_backend = {each["backend"]: each for each in found}
    assert by_backend["a"]["attempts"] == 2 and by_backend["a"]["replica"] == backend.address
    assert by_backend["b"]["shadow"] is True and by_backend["b"]["trace_id"] == TRACE
    assert server.stop() == 0
    backend.close()
    copies.close()


def test_a_response_that_the_client_cannot_receive_counts_as_a_failure(tmp_path, stubs):
    """A unary call of Connect whose backend sends two messages."""
    path = tmp_path / "log"
    hello_reply = stubs.hello.HelloReply(message="x").SerializeToString()
    backend = ScriptedBackend(
        lambda *_: [BEGIN, hello_reply, hello_reply, [("grpc-status", "0")]])
    server = start_weir("--access-log", str(path))
    tool(server, "backend", "create", "b", "--upstream", backend.address)
    tool(server, "endpoint", "create", "e", "--route", "/s.S/", "--backend", "b")
    client = web.HTTP1(server.data)
    response = client.ask("POST", "/s.S/M", {
        "content-type": "application/proto", "connect-protocol-version": "1"}, b"")
    assert response.status == 501, response
    (line,) = wait_lines(path, 1)
    assert line["status"] == "UNIMPLEMENTED" and "2 messages" in line["message"]
    assert 'grpc_status="UNIMPLEMENTED"' in requests.get(
        f"http://{server.admin}/metrics", timeout=SECONDS).text
    client.close()
    assert server.stop() == 0
    backend.close()


def test_a_share_of_0_logs_only_failures(tmp_path, stubs):
    path = tmp_path / "access.log"
    server = start_demo("--access-log", str(path), "--access-log-share", "0")
    for _ in range(20):
        hello(server, stubs)
    with pytest.raises(grpc.RpcError):
        hello(server, stubs, path="/helloworld.Greeter/No")
    assert [each["status"] for each in wait_lines(path, 1)] == ["UNIMPLEMENTED"]
    assert server.stop() == 0
    assert len(lines(path)) == 1


# nghttp2 rejects C0 controls and spaces in a path.
HOSTILE = [
    '"', "\\n\\", "},{\"status\":\"OK\"", "\x85\u2028\u202e\ufeff", "é" * 2_000, "a=b", "%0A"]


def test_hostile_methods_and_messages_stay_in_their_lines(tmp_path):
    path = tmp_path / "access.log"
    text = "%0A%22time%22%1B%FF" + "%22" * 1_000
    backend = ScriptedBackend(
        lambda *_: [BEGIN + [("grpc-status", "13"), ("grpc-message", text)]])
    server = start_weir("--access-log", str(path))
    tool(server, "backend", "create", "a", "--upstream", backend.address)
    tool(server, "endpoint", "create", "raw", "--route", "/test.Raw/", "--backend", "a")
    paths = [f"/test.Raw/{each}".encode() for each in HOSTILE] + [b"/test.Raw/\xff\xfe"]
    with Peer(server.data) as peer:
        for index, each in enumerate(paths):
            stream = 2 * index + 1
            peer.request(stream, path=each, body=message())
            assert peer.status(stream) == (13 if index < len(HOSTILE) else 12)
    found = wait_lines(path, len(paths))
    for each, expected in zip(found, paths, strict=True):
        shown = expected.decode(errors="replace")
        assert each["method"] == shown if len(expected) < 512 else len(each["method"]) < 300
    assert found[0]["message"].startswith('\n"time"\x1b')
    raw = path.read_bytes()
    assert raw.count(b"\n") == len(paths) and not set(raw) & ((set(range(32)) - {10}) | {127})
    assert not any(mark in raw.decode() for mark in "\x85\u2028\u202e\ufeff")
    assert server.stop() == 0
    backend.close()


def test_a_renamed_file_is_opened_again_on_sighup(logged, stubs):
    hello(logged, stubs)
    wait_lines(logged.log, 1)
    old = logged.log.with_suffix(".1")
    logged.log.rename(old)
    hello(logged, stubs)
    wait_lines(old, 2)
    os.kill(logged.process.pid, signal.SIGHUP)
    wait_for(logged.log.exists)
    hello(logged, stubs)
    assert len(wait_lines(logged.log, 1)) == 1 and len(lines(old)) == 2


@pytest.mark.parametrize("target", ["/dev/full", "/", "/proc/version", "missing/access.log"])
def test_a_log_that_cannot_be_written_delays_no_call(target, stubs, tmp_path):
    path = target if target.startswith("/") else str(tmp_path / target)
    server = start_demo("--access-log", path)
    for _ in range(5):
        hello(server, stubs)
    name = "weir_access_log_lines_lost_total"
    polled(lambda: metric(server, name), lambda lost: lost == 5)
    assert metric(server, "weir_access_log_lines_total") == 0
    assert server.stop() == 0
    assert server.process.stderr.read().count("the access log cannot be written") == 1


def test_a_folder_that_is_removed_delays_no_call(stubs, tmp_path):
    folder = tmp_path / "log"
    folder.mkdir()
    server = start_demo("--access-log", str(folder / "access.log"))
    hello(server, stubs)
    wait_lines(folder / "access.log", 1)
    (folder / "access.log").unlink()
    folder.rmdir()
    os.kill(server.process.pid, signal.SIGHUP)
    for _ in range(3):
        hello(server, stubs)
    polled(lambda: metric(server, "weir_access_log_lines_total"), lambda written: written == 4)
    folder.mkdir()

    def is_open():
        hello(server, stubs)
        return (folder / "access.log").exists()

    # Without another SIGHUP.
    wait_for(is_open)
    hello(server, stubs)
    wait_lines(folder / "access.log", 1)
    assert server.stop() == 0
    errors = server.process.stderr.read()
    assert errors.count("cannot be opened again") == 1 and "written again" not in errors


def test_standard_output_without_a_reader_or_with_a_slow_one(stubs):
    """The pipe is full, then closed."""
    server = start_demo("--access-log", "-", "--limit", "max-access-log-lines=50")
    with grpc.insecure_channel(server.data) as channel:
        call = channel.unary_unary(GREETER)
        request = stubs.hello.HelloRequest(name="x").SerializeToString()
        for _ in range(1_000):
            call(request, timeout=SECONDS)
        lost = polled(lambda: metric(server, "weir_access_log_lines_lost_total"), bool)
        assert lost > 100
        server.process.stdout.close()
        for _ in range(100):
            call(request, timeout=SECONDS)
    polled(lambda: metric(server, "weir_access_log_lines_lost_total"), lambda now: now > lost + 50)
    assert server.stop() == 0


def test_logfmt_on_standard_output(stubs):
    server = start_demo("--access-log", "-", "--access-log-format", "logfmt")
    found = []
    reader = threading.Thread(
        target=lambda: found.extend(server.process.stdout.readlines()), daemon=True)
    reader.start()
    hello(server, stubs)
    assert server.stop() == 0
    reader.join(SECONDS)
    logged = [line for line in found if line.startswith("time=")]
    assert len(logged) == 1 and " status=OK endpoint=greeter backend=greeter-v" in logged[0]


def test_a_flood_of_unknown_methods_costs_bounded_memory(tmp_path, stubs):
    path = tmp_path / "access.log"
    server = start_demo("--access-log", str(path))
    count = 100_000
    with grpc.insecure_channel(server.data) as channel:
        pending = []
        for number in range(count):
            pending.append(channel.unary_unary(f"/helloworld.Greeter/M{number}").future(b""))
            if len(pending) == 100:
                assert all(one.exception().code() == grpc.StatusCode.UNIMPLEMENTED
                           for one in pending)
                pending = []
    written = polled(
        lambda: metric(server, "weir_access_log_lines_total")
        + metric(server, "weir_access_log_lines_lost_total"), lambda sum: sum == count)
    assert written == count
    series = requests.get(f"http://{server.admin}/metrics", timeout=SECONDS).text
    assert "/M99999" not in series and "/M5000\"" not in series
    assert len({each["method"] for each in lines(path)}) == metric(
        server, "weir_access_log_lines_total")
    assert server.stop() == 0


@pytest.mark.parametrize("options, reason", [
    (["--access-log", ""], "use the path of a file"),
    (["--access-log", "x", "--access-log-share", "1.1"], "use a number from 0 to 1"),
    (["--access-log", "x", "--access-log-share=-0.1"], "use a number from 0 to 1"),
    (["--access-log", "x", "--access-log-share", "nan"], "use a number from 0 to 1"),
    (["--access-log", "x", "--access-log-share", "2/0"], "invalid"),
    (["--access-log", "x", "--access-log-format", "xml"], "json"),
    (["--access-log-format", "json"], "--access-log-format requires --access-log"),
    (["--access-log-share", "1"], "--access-log-share requires --access-log or --otlp-calls"),
    (["--access-log-share", "1", "--otlp", "http://127.0.0.1:1"], "requires --access-log or"),
    (["--limit", "max-access-log-lines=0"], "from 1 to 1000000"),
    (["--limit", "max-traced-calls=1000001"], "from 0 to 1000000"),
])
def test_invalid_options(options, reason, tmp_path):
    done = subprocess.run(
        [BUILD / "weir", "serve", "--demo", *options], capture_output=True, text=True,
        timeout=SECONDS, cwd=tmp_path)
    assert done.returncode == 64 and reason in done.stderr, done.stderr
