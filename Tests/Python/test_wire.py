"""Calls of all kinds, and their failures, with grpcio and raw sockets."""

import gzip
import signal
import socket
import threading
import time

import grpc
import pytest

from conftest import BUILD, Server, memory, start_demo
from peer import DATA, ECHO, END_STREAM, Peer, message
from waiting import highest, wait_for


def failure(call):
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


# The four kinds of call.


def test_unary(channel):
    assert channel.unary_unary(ECHO)(b"hello") == b"hello"
    assert channel.unary_unary(ECHO)(b"") == b""


def test_client_streaming(channel):
    upload = channel.stream_unary("/test.Raw/Upload")
    assert upload(iter([b"a", b"bc", b""])) == b"3 3"
    assert upload(iter([])) == b"0 0"


def test_server_streaming(channel):
    download = channel.unary_stream("/test.Raw/Download")
    assert [len(chunk) for chunk in download(b"3 10")] == [10, 10, 10]
    assert list(download(b"0 10")) == []


def test_bidirectional_ping_pong(channel):
    sent = threading.Semaphore(1)

    def requests():
        for number in range(50):
            sent.acquire(timeout=10)
            yield str(number).encode()

    replies = []
    for reply in channel.stream_stream("/test.Raw/Chat")(requests(), timeout=20):
        replies.append(reply)
        sent.release()
    assert replies == [str(number).encode() for number in range(50)]


def test_ten_megabytes_each_way(channel):
    chunk = b"x" * 100_000
    assert channel.stream_unary("/test.Raw/Upload")(iter([chunk] * 100)) == b"100 10000000"
    total = sum(len(c) for c in channel.unary_stream("/test.Raw/Download")(b"100 100000"))
    assert total == 10_000_000
    back = channel.stream_stream("/test.Raw/Chat")(iter([chunk] * 100), timeout=30)
    assert sum(len(reply) for reply in back) == 10_000_000


def test_a_blocking_handler_does_not_hold_up_the_loop(channel):
    blocking = [channel.unary_unary("/test.Blocking/Sleep").future(b"x") for _ in range(8)]
    start = time.monotonic()
    assert channel.unary_unary(ECHO)(b"quick") == b"quick"
    assert time.monotonic() - start < 10
    assert [call.result(timeout=20) for call in blocking] == [b"x"] * 8


# Metadata and encodings.


def test_metadata_reaches_the_handler_and_the_client(channel):
    sent = [("x-text", "a b"), ("x-bin", b"\x00\xff\x80"), ("x-text", "second"),
            ("x-serve-shard-key", "k"), ("x-serve-shadow", "1")]
    _, call = channel.unary_unary(ECHO).with_call(b"", metadata=sent)
    trailers = [(key, value) for key, value in call.trailing_metadata()]
    for pair in sent[:4]:
        assert pair in trailers
    # Only Weir may mark a copy.
    assert "x-serve-shadow" not in dict(trailers)
    assert dict(trailers)["x-serve-backend"] == "raw"


def test_gzip_both_ways(channel):
    message = b"z" * 100_000
    reply = channel.unary_unary(ECHO)(message, compression=grpc.Compression.Gzip)
    assert reply == message


def test_an_unknown_encoding_is_named(channel):
    error = failure(
        lambda: channel.unary_unary(ECHO)(b"x" * 10_000, compression=grpc.Compression.Deflate))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "deflate" in error.details()


# Failures.


def test_a_handlers_error_reaches_the_caller(channel):
    error = failure(lambda: channel.unary_unary("/test.Raw/Fail")(b""))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert error.details() == "100 % broken: ü"
    assert dict(error.trailing_metadata())["reason"] == "asked for"


def test_any_other_error_leaks_nothing(channel):
    error = failure(lambda: channel.unary_unary("/test.Raw/Crash")(b""))
    assert error.code() == grpc.StatusCode.UNKNOWN
    assert "hunter2" not in str(error)


def test_deadline(channel):
    start = time.monotonic()
    error = failure(lambda: channel.unary_unary("/test.Raw/Wait")(b"", timeout=0.2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - start < 10


def in_flight(fixture_server, stubs):
    with grpc.insecure_channel(fixture_server.admin) as channel:
        admin = stubs.admin_grpc.AdminStub(channel)
        stats = admin.GetStats(stubs.admin.GetStatsRequest(endpoint="raw"))
        (row,) = stats.backends
        return row.in_flight, {status.name: status.count for status in row.statuses}


def test_cancellation_reaches_the_handler(fixture_server, stubs, channel):
    before = in_flight(fixture_server, stubs)[1].get("CANCELLED", 0)
    call = channel.unary_unary("/test.Raw/Wait").future(b"")
    wait_for(lambda: in_flight(fixture_server, stubs)[0] == 1)
    call.cancel()
    wait_for(lambda: in_flight(fixture_server, stubs)[0] == 0)
    assert in_flight(fixture_server, stubs)[1]["CANCELLED"] == before + 1


def test_the_limit_of_a_message_to_the_byte(fixture_server):
    limit = 4 << 20
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(fixture_server.data, options) as channel:
        size = channel.unary_unary("/test.Raw/Size")
        assert size(b"x" * limit) == str(limit).encode()
        error = failure(lambda: size(b"x" * (limit + 1)))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(limit) in error.details()
        # Small on the wire, large after decompression.
        error = failure(lambda: size(b"x" * (limit + 1), compression=grpc.Compression.Gzip))
        assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("path", ["/test.Raw/Nope", "/no.Such/Method", "/nonsense"])
def test_unknown_methods_and_services(channel, path):
    error = failure(lambda: channel.unary_unary(path)(b""))
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert path in error.details()


def test_bytes_that_do_not_form_a_message(channel):
    error = failure(lambda: channel.unary_unary("/helloworld.Greeter/SayHello")(b"\x0a\x05a"))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "helloworld.HelloRequest" in error.details()


def test_headers_over_the_limit(channel):
    metadata = [("x-large", "v" * 20_000)]
    error = failure(lambda: channel.unary_unary(ECHO)(b"", metadata=metadata))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


# Raw frames.


@pytest.mark.parametrize("body, status", [
    (message(b"hi"), 0), (b"\x02" + message(b"hi")[1:], 13), (message(b"hi")[:-1], 13), (b"", 13),
    (message(b"a") + message(b"b"), 13), (message(b"hi", flag=1), 13), (b"\x00\xff\xff\xff\xff", 8),
], ids=["valid", "flag", "truncated", "empty", "two", "no encoding", "huge"])
def test_framing(fixture_server, body, status):
    with Peer(fixture_server.data) as peer:
        peer.request(1, body=None)
        peer.send(DATA, END_STREAM, 1, body)
        assert peer.status(1) == status
        # The connection continues.
        peer.request(3, body=b"again")
        assert peer.response(3)[1] == message(b"again")


def test_a_foreign_content_type_gets_415_and_a_foreign_method_405(fixture_server):
    with Peer(fixture_server.data) as peer:
        peer.request(1, body=b"hi", content_type="text/plain")
        headers, body = peer.response(1)
        assert headers[":status"] == "415" and b"application/grpc" in body
        assert headers["accept-post"].startswith("application/grpc, ")
        peer.request(3, method="PUT")
        assert peer.response(3)[0][":status"] == "405"


@pytest.mark.parametrize("bytes_sent", [
    bytes(range(256)) * 4, b"\x16\x03\x01\x02\x00\x01\x00",
], ids=["garbage", "tls"])
def test_a_connection_that_is_not_http_is_closed(fixture_server, channel, bytes_sent):
    host, port = fixture_server.data.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(bytes_sent)
        raw.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while piece := raw.recv(4_096):
                received += piece
        except ConnectionResetError:
            pass
    assert b"HTTP/1.1" not in received
    assert channel.unary_unary(ECHO)(b"still here") == b"still here"


def test_a_client_that_never_reads_costs_one_buffer(fixture_server, channel):
    channel.unary_unary(ECHO)(b"warm")
    before = memory(fixture_server.process)
    with Peer(fixture_server.data) as peer:
        peer.request(1, "/test.Raw/Download", b"2000 100000")
        # The client requests 200 MB; the server produces only as much as the client reads.
        assert highest(lambda: memory(fixture_server.process), 1) - before < 20 << 20
        assert channel.unary_unary(ECHO)(b"others") == b"others"


# Drain.


def test_a_running_request_finishes_after_sigterm_and_new_ones_are_refused(stubs):
    server = Server([BUILD / "FixtureServer"])
    data = server.first_line.split()[0]
    with grpc.insecure_channel(data) as channel:
        go = threading.Event()

        def requests():
            yield b"first"
            go.wait(10)
            yield b"second"

        replies = channel.stream_stream("/test.Raw/Chat")(requests(), timeout=15)
        assert next(replies) == b"first"
        server.process.send_signal(signal.SIGTERM)
        host, port = data.split(":")
        wait_for(lambda: socket.socket().connect_ex((host, int(port))) != 0)
        go.set()
        assert list(replies) == [b"second"]
    assert server.process.wait(10) == 0


def test_a_drain_is_bounded_and_a_second_signal_ends_it():
    for second_signal in (False, True):
        server = start_demo("--limit", "drain-timeout=" + ("1" if not second_signal else "30"))
        channel = grpc.insecure_channel(server.data)
        never = threading.Event()

        def requests():
            yield b""
            never.wait(20)

        replies = channel.stream_stream("/helloworld.Greeter/SayHelloBidiStream")(requests())
        next(replies)
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        host, port = server.data.split(":")
        wait_for(lambda: socket.socket().connect_ex((host, int(port))) != 0)
        if second_signal:
            server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
        assert time.monotonic() - start < 15
        never.set()
        channel.close()
