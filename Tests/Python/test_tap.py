"""`weir tap` and `weir trace`: filters, limits, roles and masks."""

import json
import os
import signal
import socket
import subprocess

import grpc
import pytest

from conftest import BUILD, SECONDS, free_port, load, metric, start_demo, start_weir, tool
from peer import DATA, END_HEADERS, END_STREAM, Peer, message, request_fields
from scripted_backend import BEGIN, ScriptedBackend
from test_security import authority, guarded  # noqa: F401
from waiting import PATIENCE, polled

GREETER = "/helloworld.Greeter/SayHello"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def parent(trace=TRACE):
    return [("traceparent", f"00-{trace}-00f067aa0ba902b7-01")]


class Tap:
    """`weir tap --json`, open."""

    def __init__(self, server, *arguments):
        self.server, before = server, metric(server, "weir_taps")
        self.process = subprocess.Popen(
            [BUILD / "weir", "tap", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "WEIR_ADMIN": server.admin, "NO_COLOR": "1"})
        polled(lambda: metric(server, "weir_taps"), lambda open: open > before)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(SECONDS)
        self.process.stdout.close()
        self.process.stderr.close()

    def call(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        """Waits for the end; returns the calls and the errors."""
        output, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 0, errors
        return output.splitlines(), errors

    def failure(self):
        """Waits for the end with an error, and returns the error."""
        _, errors = self.process.communicate(timeout=SECONDS)
        assert self.process.returncode == 1, errors
        return errors.strip()


def hello(server, path=GREETER, key=None, metadata=()):
    with grpc.insecure_channel(server.data) as channel:
        metadata = list(metadata) + ([("x-serve-shard-key", key)] if key else [])
        try:
            return channel.unary_unary(path)(b"", timeout=SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            return error


def test_a_tap_shows_calls_as_they_end(demo):
    with Tap(demo, "greeter", "--json") as tap:
        hello(demo, metadata=parent(), key="secret-key")
        call = tap.call()
        assert call["endpoint"] == "greeter" and call["status"] == "OK"
        assert call["method"] == GREETER and call["traceId"] == TRACE and call["protocol"] == "grpc"
        assert call["attempts"] == 1 and float(call["durationUs"]) > 0
        assert call["client"] == "<masked>" and call["message"] == ""
        hello(demo, path="/helloworld.Greeter/No")
        call = tap.call()
        assert call["status"] == "UNIMPLEMENTED" and call["message"] == "<masked>"
    polled(lambda: metric(demo, "weir_taps"), lambda open: open == 0)


def test_filters_and_the_aligned_output(demo):
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    with Tap(demo, "greeter", "--key", "ada", "--count", "2", "--json") as keyed, \
            Tap(demo, "greeter", "--status", "UNIMPLEMENTED", "--count", "1") as failed, \
            Tap(demo, "greeter", "--backend", "greeter-v2", "--count", "2", "--json") as second:
        hello(demo, path="/helloworld.Greeter/No")
        for number in range(200):
            hello(demo, key="ada" if number in (3, 150) else f"user-{number}")
        calls = [json.loads(line) for line in keyed.end()[0]]
        assert len(calls) == 2 and len({each["shardPoint"] for each in calls}) == 1
        assert {json.loads(line)["backend"] for line in second.end()[0]} == {"greeter-v2"}
        lines, _ = failed.end()
        assert lines[0].split() == [
            "TIME", "STATUS", "BACKEND", "REPLICA", "TRIES", "DURATION", "METHOD", "TRACE"]
        assert "UNIMPLEMENTED" in lines[1] and "/helloworld.Greeter/No" in lines[1]
        assert len(lines) == 2


def test_shadow_copies_are_shown_on_request(demo):
    tool(demo, "shadow", "set", "greeter", "greeter-v3=1")
    with Tap(demo, "greeter", "--json") as plain, \
            Tap(demo, "greeter", "--json", "--shadows") as both:
        hello(demo)
        hello(demo)
        calls = [both.call() for _ in range(4)]
        assert sorted(each["shadow"] for each in calls) == [False, False, True, True]
        assert not plain.call()["shadow"] and not plain.call()["shadow"]


def test_limits_drop_calls_and_count_them(stubs):
    server = start_demo("--limit", "max-taps=2", "--limit", "max-tap-calls-per-second=1000")
    with Tap(server, "greeter", "--rate", "1", "--json") as slow, \
            Tap(server, "greeter", "--share", "0.01", "--json") as few:
        for _ in range(50):
            hello(server)
        assert slow.call()
        name = "weir_tap_calls_dropped_total"
        polled(lambda: metric(server, name), lambda dropped: dropped >= 40)
        refused = tool(server, "tap", "greeter", check=False)
        assert refused.returncode == 1 and "max-taps" in refused.stderr, refused.stderr
        assert few.process.poll() is None
    polled(lambda: metric(server, "weir_taps"), lambda open: open == 0)
    assert server.stop() == 0


def test_a_reader_that_stops_delays_no_call(demo):
    with Tap(demo, "greeter", "--rate", "10000", "--json") as tap:
        tap.process.send_signal(signal.SIGSTOP)
        with grpc.insecure_channel(demo.data) as channel:
            call = channel.unary_unary(GREETER)
            # The buffers of the sockets, and of the tap, are full before the end.
            for _ in range(4_000):
                call(b"", timeout=SECONDS)
        tap.process.send_signal(signal.SIGCONT)
        assert tap.call()["status"] == "OK"


def test_a_tap_ends_when_the_server_drains(demo):
    with Tap(demo, "greeter", "--json") as tap:
        assert demo.stop() == 0
        assert "connecting again" in tap.process.stderr.readline()


@pytest.mark.parametrize("method, body", [("Tap", b"{}"), ("Watch", b"{}")])
def test_a_stream_that_begins_during_the_drain_does_not_delay_it(method, body):
    server = start_demo()
    host, port = server.admin.rsplit(":", 1)
    framed = message(body)
    head = (f"POST /weir.admin.v1.Admin/{method} HTTP/1.1\r\nhost: {host}\r\n"
            f"content-type: application/connect+json\r\ncontent-length: {len(framed)}\r\n\r\n")
    with socket.create_connection((host, int(port))) as client:
        server.process.send_signal(signal.SIGTERM)
        client.sendall(head.encode() + framed)
        # The drain has a limit of 30 s.
        assert server.process.wait(15 * PATIENCE) == 0


def test_a_time_limit_and_errors(demo):
    ended = tool(demo, "tap", "greeter", "--seconds", "0.1")
    assert ended.stdout == "" and ended.stderr == ""
    for arguments, code, reason in [
        (["nothing"], 1, "nothing"),
        (["greeter", "--backend", "nothing"], 1, "nothing"),
        (["greeter", "--status", "BAD"], 1, "statuses[0]"),
        (["greeter", "--share", "0"], 1, "share"),
        (["greeter", "--share", "1.5"], 1, "share"),
        (["greeter", "--rate", "0"], 64, "1 to 10000"),
        (["greeter", "--rate", "10001"], 64, "1 to 10000"),
        (["greeter", "--seconds", "0.09"], 64, "0.1 to 86400"),
        (["greeter", "--count", "0"], 64, "1 to 2147483647"),
        (["greeter", "--key", ""], 64, "needs a shard key"),
        ([], 64, "endpoint"),
    ]:
        done = tool(demo, "tap", *arguments, check=False)
        assert done.returncode == code and reason in done.stderr, (arguments, done)


def test_the_server_checks_each_field_of_a_tap(demo, stubs):
    types = stubs.admin
    with grpc.insecure_channel(demo.admin) as channel:
        admin = stubs.admin_grpc.AdminStub(channel)

        def refused(**fields):
            with pytest.raises(grpc.RpcError) as caught:
                next(admin.Tap(types.TapRequest(**fields), timeout=SECONDS))
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            return caught.value.details()

        assert "calls_per_second" in refused(calls_per_second=10_001)
        assert "calls_per_second" in refused(calls_per_second=2**32 - 1)
        for share in (0, -1, 1.000001, float("nan"), float("inf")):
            assert "share" in refused(share=share)
        assert "shard_key" in refused(shard_key=b"x")
        assert "statuses[1]" in refused(statuses=["OK", "ok\n\x1b"])
        assert "backends" in refused(backends=["greeter-v1"] * 65)
        for accepted in (
                {"calls_per_second": 10_000}, {"share": 1}, {"share": 1e-300},
                {"statuses": ["OK"] * 100}, {"endpoint": "greeter", "shard_key": b"\x00\xff"}):
            stream = admin.Tap(types.TapRequest(**accepted), timeout=SECONDS)
            assert not next(stream).HasField("call")
            stream.cancel()
        for trace in ("", "0" * 32, "x" * 32, TRACE[:31], TRACE + "0", TRACE * 10_000):
            with pytest.raises(grpc.RpcError) as caught:
                admin.GetTrace(types.GetTraceRequest(trace_id=trace), timeout=SECONDS)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_a_tap_without_an_endpoint_shows_refused_requests(demo, stubs):
    with grpc.insecure_channel(demo.admin) as channel:
        stream = stubs.admin_grpc.AdminStub(channel).Tap(stubs.admin.TapRequest(), timeout=SECONDS)
        next(stream)
        hello(demo, path="/no.Such/Method")
        call = next(stream).call
        assert call.endpoint == "" and call.method == "/no.Such/Method" and call.attempts == 0
        stream.cancel()


# Traces.


def test_a_trace_shows_retries_and_shadow_copies(stubs):
    server = start_weir()
    seen = []

    def answer(*_):
        seen.append(1)
        return [BEGIN + [("grpc-status", "14")]] if len(seen) == 1 else \
            [BEGIN, b"", [("grpc-status", "0")]]
    backend = ScriptedBackend(answer)
    copies = ScriptedBackend(lambda *_: [BEGIN + [("grpc-status", "5"), ("grpc-message", "why")]])
    tool(server, "backend", "create", "a", "--upstream", backend.address, "--retry",
         "UNAVAILABLE")
    tool(server, "backend", "create", "b", "--upstream", copies.address)
    tool(server, "endpoint", "create", "raw", "--route", "/test.Raw/", "--backend", "a")
    tool(server, "shadow", "set", "raw", "b=1")
    hello(server, path="/test.Raw/X", metadata=parent())
    hello(server, path="/test.Raw/X", metadata=parent("1" * 32))

    def read():
        return json.loads(tool(server, "trace", TRACE, "--json", check=False).stdout)["calls"]
    calls = {each["backend"]: each for each in polled(read, lambda calls: len(calls) == 2)}
    [failed] = calls["a"]["failedAttempts"]
    assert failed["status"] == "UNAVAILABLE" and failed["replica"] == backend.address
    assert calls["a"]["attempts"] == 2 and calls["a"]["status"] == "OK"
    assert calls["b"]["shadow"] and calls["b"]["status"] == "NOT_FOUND"
    assert calls["b"]["message"] == "<masked>"
    sent = f"00-{TRACE.upper()}-00f067aa0ba902b7-01"
    text = tool(server, "trace", sent, "--reveal-secrets").stdout
    assert "failed attempt" in text and "b (shadow)" in text and "why" in text
    assert server.stop() == 0
    backend.close()
    copies.close()


@pytest.mark.parametrize("sent", [
    [], parent("0" * 32), [("traceparent", f"ff-{TRACE}-00f067aa0ba902b7-01")],
    [("traceparent", f"00-{TRACE.upper()}-00f067aa0ba902b7-01")], [("traceparent", "x" * 5_000)]])
def test_calls_without_a_valid_context_are_not_kept(demo, sent):
    hello(demo, metadata=sent)
    done = tool(demo, "trace", TRACE, check=False)
    assert done.returncode == 1 and "has no call of the trace" in done.stderr
    assert json.loads(tool(demo, "trace", TRACE, "--json", check=False).stdout) == {"calls": []}


def test_two_contexts_count_as_none(demo):
    with Peer(demo.data) as peer:
        peer.headers(1, request_fields(GREETER) + parent() * 2, END_HEADERS)
        peer.send(DATA, END_STREAM, 1, message())
        assert peer.status(1) == 0
    assert tool(demo, "trace", TRACE, check=False).returncode == 1


def test_the_ring_is_bounded_and_can_be_off():
    for limit, expected in ((3, 3), (0, 0)):
        server = start_demo("--limit", f"max-traced-calls={limit}", "--loops", "1")
        for _ in range(5):
            hello(server, metadata=parent())
        calls = json.loads(tool(server, "trace", TRACE, "--json", check=False).stdout)["calls"]
        assert len(calls) == expected
        assert server.stop() == 0


@pytest.mark.parametrize("text", ["", "x", "0" * 32, TRACE[1:], f"{TRACE}-", "é" * 32])
def test_an_invalid_trace_id_is_a_usage_error(demo, text):
    done = tool(demo, "trace", "--", text, check=False)
    assert done.returncode == 64 and "32 hexadecimal digits" in done.stderr


# Deletion.


def test_a_tap_ends_when_its_endpoint_or_its_backends_are_deleted():
    server = start_demo()
    for name in ("other", "second"):
        tool(server, "backend", "create", name, "--upstream", "127.0.0.1:1", "--wait", "0")
    tool(server, "endpoint", "create", "e", "--route", "/p.E/", "--backend", "greeter-v1")
    with Tap(server, "e") as tapped, Tap(server, "greeter", "--json") as kept, \
            Tap(server, "--", "greeter") as all_backends, \
            Tap(server, "greeter", "--backend", "other", "--backend", "second") as both, \
            Tap(server, "greeter", "--backend", "other", "--backend", "greeter-v1") as one:
        tool(server, "endpoint", "delete", "e")
        assert "NOT_FOUND: the endpoint 'e' was deleted, which ends the tap" in tapped.failure()
        tool(server, "backend", "delete", "other")
        assert both.process.poll() is None
        tool(server, "backend", "delete", "second")
        assert "each backend of the filter was deleted" in both.failure()
        # The others continue.
        hello(server)
        assert kept.call()["endpoint"] == "greeter"
        assert metric(server, "weir_taps") == 3
        assert all(each.process.poll() is None for each in (kept, all_backends, one))
    server.stop()


# Roles.


def test_roles_and_masks(guarded):  # noqa: F811
    types, admin = guarded.stubs.admin, guarded.stub()

    def tap(who, **fields):
        stream = admin.Tap(
            types.TapRequest(**fields), metadata=guarded.metadata(who), timeout=SECONDS)
        try:
            next(stream)
            return "open"
        except grpc.RpcError as error:
            return error.code().name
        finally:
            stream.cancel()

    def trace(who, **fields):
        try:
            admin.GetTrace(types.GetTraceRequest(trace_id=TRACE, **fields),
                           metadata=guarded.metadata(who), timeout=SECONDS)
            return "read"
        except grpc.RpcError as error:
            return error.code().name

    assert tap("watcher", endpoint="greeter") == "PERMISSION_DENIED"
    assert tap("bot", endpoint="greeter") == "open"
    assert tap("bot") == "PERMISSION_DENIED"
    assert tap("bot", endpoint="greeter", reveal_secrets=True) == "PERMISSION_DENIED"
    assert tap("root") == "open" and tap("root", reveal_secrets=True) == "open"
    assert trace("watcher") == "read"
    assert trace("bot", reveal_secrets=True) == "PERMISSION_DENIED"
    assert trace("root", reveal_secrets=True) == "read"
