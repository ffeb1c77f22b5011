"""Each limit at its bound and one beyond, over the wire. Swift tests cover the limits that need no
socket.
"""

import signal
import socket
import subprocess
import threading
import time

import frames
import grpc
import pytest

from conftest import BUILD, ROOT, Server, metric, start_weir, tool, wait_for
from peer import (
    CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS, NO_ERROR, PING,
    PRIORITY, REFUSED_STREAM, RST_STREAM, Peer, message, request_fields)
from waiting import polled

BLOCK = frames.header_block(request_fields())


@pytest.fixture
def serve():
    """Starts fixture servers with one loop; the keyword `max_resets=10` sets the limit
    `max-resets`.
    """
    servers = []

    def start(**limits):
        options = [f"{name.replace('_', '-')}={value}" for name, value in limits.items()]
        server = Server([str(BUILD / "FixtureServer"), "1", *options])
        server.data, server.admin = server.first_line.split()
        servers.append(server)
        return server

    yield start
    for server in servers:
        code = server.stop()
        assert code == 0, server.process.stderr.read()[-20000:]


def echoes(server):
    with Peer(server.data) as peer:
        peer.request(1, body=b"hello")
        return peer.response(1)[1] == message(b"hello")


def is_closed(peer):
    """Waits for the end of the connection; raises TimeoutError without one."""
    return peer.ended() is not None


# Connections.


def test_connections(serve):
    server = serve(max_connections=3)
    peers = [Peer(server.data) for _ in range(3)]
    assert all(peer.is_alive() for peer in peers)
    with Peer(server.data, greets=False) as fourth:
        assert fourth.ended() == (NO_ERROR, "")
    assert 'weir_connections_refused_total{port="data"} 1' in metrics(server)
    peers.pop().close()
    wait_for(lambda: echoes_or_not(server))
    for peer in peers:
        peer.close()


def echoes_or_not(server):
    try:
        return echoes(server)
    except (AssertionError, OSError):
        return False


def metrics(server):
    import urllib.request
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=20) as response:
        return response.read().decode()


def test_connections_of_one_address(serve):
    server = serve(max_connections_per_address=2)
    mine = [Peer(server.data) for _ in range(2)]
    assert all(peer.is_alive() for peer in mine)
    with Peer(server.data, greets=False) as third:
        assert third.ended() == (NO_ERROR, "")
    with Peer(server.data, source="127.0.0.2") as other:
        assert other.is_alive()
    for peer in mine:
        peer.close()


def test_connections_of_operators_are_counted_apart(serve):
    server = serve(max_admin_connections=2, max_connections=1)
    operators = [Peer(server.admin) for _ in range(2)]
    assert all(peer.is_alive() for peer in operators)
    with Peer(server.admin, greets=False) as third:
        assert third.ended() == (NO_ERROR, "")
    assert echoes(server)
    for peer in operators:
        peer.close()


# Timeouts. Times just below a timeout cannot be measured reliably; Swift tests cover the exact
# bounds.


@pytest.mark.parametrize("beginning", [
    b"", b"PRI * HT", frames.PREFACE, frames.PREFACE + frames.frame(4, 0, 0),
    b"GET / HTTP/1.1\r\nx: "])
def test_the_first_request_is_waited_for_so_long(serve, beginning):
    server = serve(first_request_timeout=1)
    start = time.monotonic()
    with Peer(server.data, greets=False) as peer, Peer(server.data) as busy:
        peer.raw(beginning)
        busy.request(1, body=b"hello")
        assert busy.response(1)
        # The server sends no response.
        while peer.socket.recv(4096):
            pass
        assert 0.9 < time.monotonic() - start < 8
        assert busy.is_alive()


def test_a_header_block_is_waited_for_so_long(serve):
    server = serve(headers_timeout=1)
    with Peer(server.data) as peer, Peer(server.data) as other:
        peer.request(1, body=b"hello")
        assert peer.response(1)
        start = time.monotonic()
        peer.send(HEADERS, 0, 3, BLOCK[:10])
        assert peer.ended()[1].startswith("headers took longer than 1")
        assert 0.9 < time.monotonic() - start < 8
        assert other.is_alive()


def test_idle_connections_get_a_goaway(serve):
    server = serve(idle_timeout=1)
    with Peer(server.data) as peer, Peer(server.data) as busy:
        peer.request(1, body=b"hello")
        assert peer.response(1)
        busy.request(1, "/test.Raw/Wait", b"")
        goaway = peer.until(lambda frame: frame.kind == GOAWAY)
        assert goaway.code == NO_ERROR
        assert peer.ended() == (NO_ERROR, "")
        assert busy.is_alive()
    # The same over HTTP/1.1, between two requests and within one.
    server = serve(http1_idle_timeout=1)
    host, port = server.data.split(":")
    for unfinished in (b"", b"POST /dynamic HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nx"):
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.sendall(b"POST /dynamic HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
            assert raw.recv(4096).startswith(b"HTTP/1.1 200")
            start = time.monotonic()
            raw.sendall(unfinished)
            while raw.recv(4096):
                pass
            assert 0.9 < time.monotonic() - start < 8


def test_silent_clients_are_asked_for_a_sign_of_life(serve):
    server = serve(keepalive_interval=1, keepalive_timeout=1)
    with Peer(server.data) as lively, Peer(server.data) as dead:
        for peer in (lively, dead):
            peer.request(1, "/test.Raw/Wait", b"")
        # Only one of the two clients reads frames and answers PINGs.
        reading = threading.Thread(target=lambda: lively.until(lambda frame: frame.kind == GOAWAY))
        reading.start()
        stream = dead.input
        kinds = []
        while (found := frames.read_frame(stream)) is not None:
            kinds.append(found[0])
        assert PING in kinds
        lively.reset(1)
        lively.request(3, body=b"still here")
        lively.send(GOAWAY, 0, 0, bytes(8))
        reading.join(10)
        assert not reading.is_alive()


def test_too_many_pings(serve):
    server = serve(max_ping_strikes=2, min_ping_interval=100)
    with Peer(server.data) as good, Peer(server.data) as bad:
        # The first PING has no previous one, and two strikes are allowed.
        for peer, count in ((good, 3), (bad, 4)):
            for _ in range(count):
                peer.send(PING, 0, 0, bytes(8))
        good.request(1, body=b"hello")
        assert good.response(1)
        assert bad.ended() == (ENHANCE_YOUR_CALM, "too_many_pings")


def test_streams_that_are_broken_off(serve):
    server = serve(max_resets=20)
    with Peer(server.data) as good, Peer(server.data) as bad:
        for peer, count in ((good, 20), (bad, 60)):
            for number in range(count):
                peer.headers(2 * number + 1, request_fields("/test.Raw/Wait"), END_HEADERS)
                peer.reset(2 * number + 1)
        good.request(1001, body=b"hello")
        assert good.response(1001)
        code, _ = bad.ended()
        assert code == ENHANCE_YOUR_CALM


@pytest.mark.parametrize("kind, payload, stream", [
    (PRIORITY, b"\0\0\0\0\x10", 1001), (4, b"", 0), (8, b"\0\0\0\1", 0), (0xBE, b"", 0)],
    ids=["PRIORITY", "SETTINGS", "WINDOW_UPDATE", "unknown"])
def test_frames_without_content(serve, kind, payload, stream):
    server = serve(max_overhead_frames=100)
    with Peer(server.data) as good, Peer(server.data) as bad:
        # The client's SETTINGS, an acknowledgement and a PING count too.
        for peer, count in ((good, 80), (bad, 300)):
            peer.raw(frames.frame(kind, 0, stream, payload) * count)
        good.request(1, body=b"hello")
        assert good.response(1)
        assert bad.ended() == (ENHANCE_YOUR_CALM, "too_many_frames_without_content")


def test_continuations(serve):
    server = serve(max_continuations=4)
    with Peer(server.data) as good, Peer(server.data) as bad:
        for peer, count in ((good, 4), (bad, 5)):
            peer.send(HEADERS, 0, 1, BLOCK)
            for number in range(count):
                peer.send(CONTINUATION, END_HEADERS if number == count - 1 else 0, 1,
                          frames.header_block([(f"x-{number}", "1")]))
            peer.send(DATA, END_STREAM, 1, message(b"hello")) if peer is good else None
        assert good.response(1)[1] == message(b"hello")
        assert is_closed(bad)


# Requests.


def test_streams_of_a_connection(serve):
    server = serve(max_concurrent_streams=3)
    with Peer(server.data) as peer:
        for stream in (1, 3, 5, 7):
            peer.headers(stream, request_fields(), END_HEADERS)
        refused = peer.until(lambda frame: frame.kind == RST_STREAM)
        assert (refused.stream, refused.code) == (7, REFUSED_STREAM)
        peer.send(DATA, END_STREAM, 5, message(b"third"))
        assert peer.response(5)[1] == message(b"third")


def size(fields):
    """The size as in RFC 9113 section 6.5.2."""
    return sum(len(name) + len(value) + 32 for name, value in fields)


@pytest.mark.parametrize("extra, status", [(0, 0), (1, 8)])
def test_bytes_of_headers(serve, extra, status):
    server = serve(max_header_list_bytes=1_000)
    fields = request_fields()
    for name in ("x-one", "x-two", "x-three"):
        fields.append((name, "v" * 100))
    fields.append(("x-pad", "v" * (1_000 - size(fields) - len("x-pad") - 32 + extra)))
    assert size(fields) == 1_000 + extra
    with Peer(server.data) as peer:
        peer.headers(1, fields, END_HEADERS)
        peer.send(DATA, END_STREAM, 1, message(b"x"))
        assert peer.status(1) == status


# Blocks over four times the limit of 16,384 bytes: many fields, and one field of 4,000 bytes that
# is referenced many times.
LARGE = {
    "70 kB": frames.header_block([(f"x-{number}", "v" * 10_000) for number in range(7)]),
    "an HPACK bomb": b"\x40\x06x-bomb\x7f\xa1\x1e" + b"v" * 4_000 + b"\xbe" * 100_000,
}


def send_block(peer, stream, block):
    pieces = [block[start:start + 16_384] for start in range(0, len(block), 16_384)]
    for number, piece in enumerate(pieces):
        last = END_HEADERS if piece is pieces[-1] else 0
        peer.send(CONTINUATION if number else HEADERS, last if number else last | END_STREAM,
            stream, piece)


@pytest.mark.parametrize("name", LARGE)
def test_headers_over_four_times_the_limit_end_only_their_stream(serve, name):
    """A proxy may share a connection to the server between clients."""
    server = serve()
    with Peer(server.data) as peer:
        peer.request(1, "/test.Raw/Wait")
        send_block(peer, 3, BLOCK + LARGE[name])
        reset = peer.until(lambda frame: frame.kind == RST_STREAM)
        assert (reset.stream, reset.code) == (3, ENHANCE_YOUR_CALM)
        peer.request(5, body=b"hello")
        assert peer.response(5)[1] == message(b"hello")
        peer.reset(1)


@pytest.mark.parametrize("part", ["a value", "a name"])
def test_a_field_over_64_kib_ends_only_its_stream(serve, part):
    """nghttp2's decoder would end the connection."""
    server = serve()
    long = "x" * 70_000
    field = ("x-long", long) if part == "a value" else (long, "v")
    with Peer(server.data) as peer:
        send_block(peer, 1, BLOCK + frames.header_block([field]))
        fields, _ = peer.response(1)
        assert fields["grpc-status"] == "8" and "16384 bytes" in fields["grpc-message"]
        peer.request(3, body=b"hello")
        assert peer.response(3)[1] == message(b"hello")


def test_trailers_over_the_limit_end_only_their_call(serve):
    server = serve(max_header_fields=20)
    with Peer(server.data) as peer:
        peer.request(1, body=b"hello", ends=False)
        trailers = frames.header_block([(f"x-{number}", "1") for number in range(21)])
        peer.send(HEADERS, END_HEADERS | END_STREAM, 1, trailers)
        fields, _ = peer.response(1)
        assert fields["grpc-status"] == "8"
        assert fields["grpc-message"].startswith("the trailers are over the limit of 20 fields")
        peer.request(3, body=b"hello")
        assert peer.response(3)[1] == message(b"hello")


def test_an_invalid_block_is_complete_too(serve):
    server = serve(headers_timeout=1)
    with Peer(server.data) as peer, Peer(server.data) as slow:
        assert peer.is_alive() and slow.is_alive()
        peer.headers(1, request_fields() + [("x name", "v")])
        assert peer.until(lambda frame: frame.kind == RST_STREAM).stream == 1
        slow.send(HEADERS, 0, 1, BLOCK[:10])
        assert slow.ended()[1].startswith("headers took longer than 1")
        assert peer.is_alive()


def test_few_file_descriptors_leave_some_for_operators():
    server = start_weir("--demo", "--loops", "1", prefix=["prlimit", "--nofile=64:64"])
    try:
        idle = [socket.create_connection(server.data.rsplit(":", 1)) for _ in range(80)]
        assert tool(server, "endpoint", "list").returncode == 0
        assert metric(server, 'weir_connections_refused_total{port="data"}') > 30
        for connection in idle:
            connection.close()
        wait_for(lambda: tool(server, "call", "helloworld.Greeter/SayHello",
            check=False).returncode == 0)
        server.process.send_signal(signal.SIGTERM)
        errors = server.process.communicate(timeout=30)[1]
        assert "the limit of 64 file descriptors allows max-connections=" in errors
    finally:
        server.process.kill()


def test_more_loops_than_file_descriptors_allow_are_refused():
    run = subprocess.run(
        ["prlimit", "--nofile=1024:1024", BUILD / "weir", "serve", "--store", "memory:", "--loops",
            "340"],
        capture_output=True, text=True, timeout=30)
    assert run.returncode == 1 and "340 event loops require 1400 file descriptors" in run.stderr


@pytest.mark.parametrize("extra, status", [(0, 0), (1, 8)])
def test_fields_of_headers(serve, extra, status):
    server = serve(max_header_fields=20)
    fields = request_fields()
    fields += [(f"x-{number}", "1") for number in range(20 - len(fields) + extra)]
    with Peer(server.data) as peer:
        peer.headers(1, fields, END_HEADERS)
        peer.send(DATA, END_STREAM, 1, message(b"x"))
        assert peer.status(1) == status


@pytest.mark.parametrize("extra, status", [(0, 0), (1, 8)])
def test_bytes_of_a_message(serve, extra, status):
    server = serve(max_message_bytes=1_000)
    with Peer(server.data) as peer:
        peer.request(1, "/test.Raw/Size", bytes(1_000 + extra))
        assert peer.status(1) == status


def test_requests_in_flight(serve):
    server = serve(max_requests_in_flight_per_loop=2)
    with Peer(server.data) as peer:
        for stream in (1, 3):
            peer.request(stream, "/test.Raw/Wait")
        peer.request(5, body=b"x")
        fields, _ = peer.response(5)
        assert fields["grpc-status"] == "8" and "2 requests are in flight" in fields["grpc-message"]
        peer.reset(1)
        peer.request(7, body=b"x")
        assert peer.status(7) == 0
    assert 'weir_requests_refused_total{reason="requests"} 1' in metrics(server)


def test_calls_of_blocking_handlers(serve):
    server = serve(max_blocking_calls=2, blocking_threads=1)
    with Peer(server.data) as peer:
        for stream in (1, 3, 5):
            peer.request(stream, "/test.Blocking/Sleep")
        # The error is the first response.
        fields, _ = peer.response(5)
        assert fields["grpc-status"] == "8"
        assert peer.status(3) == 0


def test_blocking_handlers_that_begin_too_late(serve):
    # Each takes 50 ms on the only thread.
    server = serve(blocking_threads=1, max_queueing_delay=0.2)
    with grpc.insecure_channel(server.data) as channel:
        call = channel.unary_unary("/test.Blocking/Sleep")
        futures = []

        def refused():
            # A busy machine may send them no faster than the server answers them.
            burst = [call.future(b"", timeout=60) for _ in range(60)]
            burst[15].exception()
            futures.extend([*burst, call.future(b"", timeout=60)])
            return [future.exception() for future in futures if future.exception()]

        errors = polled(refused, bool)
        for error in errors:
            assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "blocking handlers start" in error.details()
        assert all(future.exception() or future.result() == b"" for future in futures)
        assert call(b"", timeout=20) == b""
    assert f'weir_requests_refused_total{{reason="delay"}} {len(errors)}' in metrics(server)


# Memory.


@pytest.mark.parametrize("limit, words", [
    ("max_buffered_bytes", "bytes are buffered"),
    ("max_buffered_bytes_per_connection", "bytes of this connection are buffered")])
def test_bytes_in_memory(serve, limit, words):
    server = serve(**{limit: 1_000_000}, max_ping_strikes=1_000_000)
    part = 300_000
    with Peer(server.data) as peer:
        def half(stream, count):
            """The first bytes of a message of a megabyte."""
            peer.headers(stream, request_fields("/test.Raw/Size"), END_HEADERS)
            body = message(bytes(1_000_000))[:count]
            for start in range(0, count, 16_000):
                credit(peer, body[start:start + 16_000], stream)

        sent = {}

        def credit(peer, data, stream):
            # The window is 64 KiB; the server credits bytes that it has read.
            if sent.get(stream, 0) + len(data) > 48_000:
                assert peer.is_alive()
                sent[stream] = 0
            peer.send(DATA, 0, stream, data)
            sent[stream] = sent.get(stream, 0) + len(data)

        for stream in (1, 3, 5):
            half(stream, part)
        assert peer.is_alive()
        assert 900_000 - 50 <= buffered(server) <= 900_000
        peer.headers(7, request_fields("/test.Raw/Size"), END_HEADERS)
        for start in range(0, 128_000, 16_000):
            credit(peer, (message(bytes(1_000_000)))[start:start + 16_000], 7)
        fields, _ = peer.response(7)
        assert fields["grpc-status"] == "8" and words in fields["grpc-message"]
        # Rejected bytes are not buffered, so a request within the limit succeeds.
        assert buffered(server) <= 900_000
        peer.reset(1)
        peer.request(9, body=b"small")
        assert peer.response(9)[1] == message(b"small")
    wait_for(lambda: buffered(server) == 0)


def buffered(server):
    return metric(server, "weir_buffered_bytes")


def test_a_slow_reader_is_reset_and_its_neighbour_is_not(serve):
    server = serve(slow_reader_timeout=1)
    with Peer(server.data, settings=[(4, 0)]) as peer:
        peer.request(1, "/test.Raw/Download", b"1 100")
        peer.request(3, "/test.Raw/Download", b"1 10")
        peer.window(3, 100)
        reset = peer.until(lambda frame: frame.kind == RST_STREAM)
        assert reset.stream == 1
        peer.request(5, "/test.Raw/Download", b"1 10")
        peer.window(5, 100)
        assert peer.until(lambda frame: frame.stream == 5 and frame.ends)
    wait_for(lambda: buffered(server) == 0)


# Requests per second.


def test_requests_per_second():
    server = start_weir("--demo")
    tool(server, "endpoint", "limit", "greeter", "--requests-per-second", "0.5", "--burst", "3")
    text = tool(server, "endpoint", "list").stdout
    assert "0.5/s, 3 at once" in text
    with grpc.insecure_channel(server.data) as channel:
        call = channel.unary_unary("/helloworld.Greeter/SayHello")
        for _ in range(3):
            call(b"", timeout=20)
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=20)
    error = refused.value
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "endpoint 'greeter' is over its limit of requests per second"
    trailing = dict(error.trailing_metadata())
    assert 0 < int(trailing["grpc-retry-pushback-ms"]) <= 2_000
    from google.protobuf import duration_pb2
    from google.rpc import status_pb2
    (detail,) = status_pb2.Status.FromString(trailing["grpc-status-details-bin"]).details
    assert detail.type_url == "type.googleapis.com/google.rpc.RetryInfo"
    # RetryInfo is one message field, the delay.
    delay = duration_pb2.Duration.FromString(detail.value[2:])
    milliseconds = delay.seconds * 1_000 + delay.nanos // 1_000_000
    assert milliseconds == int(trailing["grpc-retry-pushback-ms"])
    run = tool(server, "endpoint", "limit", "greeter", "--requests-per-second", "0", check=False)
    assert run.returncode == 64
    assert "'--requests-per-second <requests-per-second>': use a number from" in run.stderr
    tool(server, "endpoint", "limit", "greeter", "--none")
    assert "at once" not in tool(server, "endpoint", "list").stdout
    with grpc.insecure_channel(server.data) as channel:
        for _ in range(10):
            channel.unary_unary("/helloworld.Greeter/SayHello")(b"", timeout=20)
    history = tool(server, "history").stdout
    assert "greeter: at most 0.5/s" in history and "greeter: no rate limit" in history
    assert server.stop() == 0


def test_wrong_limits_are_refused():
    import subprocess
    for option, words in [
            ("max-everything=1", "unknown limit 'max-everything'"),
            ("max-resets=x",
             "invalid max-resets 'x': it must be a whole number from 10 to 2147483647"),
            ("max-resets", "invalid --limit 'max-resets': use NAME=VALUE")]:
        run = subprocess.run(
            [BUILD / "weir", "serve", "--limit", option], capture_output=True, text=True,
            timeout=20)
        assert run.returncode == 64 and words in run.stderr
