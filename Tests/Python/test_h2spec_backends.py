"""A backend that violates HTTP/2 fails its own call with a status, and no other call.

RFC 9113 requires an error code for each violation; the backend must receive it.
"""

import contextlib
import json
import struct
import threading

import frames
import grpc
import pytest

from conftest import Mesh, wait_for
from frame_server import FrameServer
from peer import (
    ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM,
    FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, NO_ERROR, PADDED, PING, PRIORITY,
    PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE)

IDLE = 9_999
FIELDS = frames.header_block([(":status", "200"), ("content-type", "application/grpc")])
LARGEST = 0x7FFF_FFFF


def frame(kind, flags=0, stream=0, payload=b""):
    """A frame; stream None is that of the call."""
    return lambda connection, call: connection.send(
        kind, flags, call if stream is None else stream, payload)


def settings(identifier, value):
    return frame(SETTINGS, 0, 0, struct.pack(">HI", identifier, value))


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def fields(*pairs, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, None, frames.header_block(pairs))


def go_away(last, code=NO_ERROR):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def both(*steps):
    return lambda connection, call: [step(connection, call) for step in steps]


# Frames between the headers and the message of a response, and the code that Weir sends.
DURING = {
    "PRIORITY on stream 0 (6.3)": (frame(PRIORITY, 0, 0, bytes(5)), PROTOCOL_ERROR),
    "PRIORITY of 4 bytes (6.3)": (frame(PRIORITY, 0, None, bytes(4)), FRAME_SIZE_ERROR),
    "DATA on stream 0 (6.1)": (frame(DATA, 0, 0, b"x"), PROTOCOL_ERROR),
    "DATA on an idle stream (5.1)": (frame(DATA, 0, IDLE, b"x"), PROTOCOL_ERROR),
    "DATA with more padding than payload (6.1)": (
        frame(DATA, PADDED, None, b"\xffx"), PROTOCOL_ERROR),
    "DATA over the maximum frame size (4.2)": (
        frame(DATA, 0, None, bytes(16_385)), FRAME_SIZE_ERROR),
    "DATA over the stream's window (6.9)": (
        lambda connection, call: [
            connection.send(DATA, 0, call, b"\0\x00\x20\0\0" + bytes(16_379))
            for _ in range(200)], FLOW_CONTROL_ERROR),
    "HEADERS on stream 0 (6.2)": (frame(HEADERS, END_HEADERS, 0, FIELDS), PROTOCOL_ERROR),
    "HEADERS on an idle stream (5.1)": (frame(HEADERS, END_HEADERS, IDLE, FIELDS), PROTOCOL_ERROR),
    "HEADERS on an even stream (5.1.1)": (frame(HEADERS, END_HEADERS, 2, FIELDS), PROTOCOL_ERROR),
    "HEADERS with an index beyond the tables (RFC 7541 2.3.3)": (
        frame(HEADERS, END_HEADERS | END_STREAM, None, b"\xff\x23"), COMPRESSION_ERROR),
    "HEADERS with index 0 (RFC 7541 6.1)": (
        frame(HEADERS, END_HEADERS | END_STREAM, None, b"\x80"), COMPRESSION_ERROR),
    "HEADERS with too large a dynamic table (RFC 7541 6.3)": (
        frame(HEADERS, END_HEADERS | END_STREAM, None, b"\x3f\xe2\x1f"), COMPRESSION_ERROR),
    "PING within a header block (6.10)": (
        both(frame(HEADERS, 0, None, b""), frame(PING, 0, 0, bytes(8))), PROTOCOL_ERROR),
    "CONTINUATION without HEADERS (6.10)": (
        frame(CONTINUATION, END_HEADERS, None, b""), PROTOCOL_ERROR),
    "PUSH_PROMISE though push is disabled (8.4)": (
        frame(PUSH_PROMISE, END_HEADERS, None, struct.pack(">I", 2) + FIELDS), PROTOCOL_ERROR),
    "RST_STREAM on stream 0 (6.4)": (
        frame(RST_STREAM, 0, 0, struct.pack(">I", CANCEL)), PROTOCOL_ERROR),
    "RST_STREAM on an idle stream (6.4)": (
        frame(RST_STREAM, 0, IDLE, struct.pack(">I", CANCEL)), PROTOCOL_ERROR),
    "RST_STREAM of 3 bytes (6.4)": (frame(RST_STREAM, 0, None, bytes(3)), FRAME_SIZE_ERROR),
    "SETTINGS_ENABLE_PUSH of 2 (6.5.2)": (settings(2, 2), PROTOCOL_ERROR),
    "SETTINGS_ENABLE_PUSH of 1 (6.5.2)": (settings(2, 1), PROTOCOL_ERROR),
    "SETTINGS_INITIAL_WINDOW_SIZE of 2^31 (6.5.2)": (settings(4, 1 << 31), FLOW_CONTROL_ERROR),
    "SETTINGS_MAX_FRAME_SIZE of 0 (6.5.2)": (settings(5, 0), PROTOCOL_ERROR),
    "SETTINGS_MAX_FRAME_SIZE of 2^24 (6.5.2)": (settings(5, 1 << 24), PROTOCOL_ERROR),
    "SETTINGS of 5 bytes (6.5)": (frame(SETTINGS, 0, 0, bytes(5)), FRAME_SIZE_ERROR),
    "SETTINGS on a stream (6.5)": (frame(SETTINGS, 0, None), PROTOCOL_ERROR),
    "SETTINGS with ACK and a payload (6.5)": (frame(SETTINGS, ACK, 0, bytes(6)), FRAME_SIZE_ERROR),
    "PING of 7 bytes (6.7)": (frame(PING, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "PING on a stream (6.7)": (frame(PING, 0, None, bytes(8)), PROTOCOL_ERROR),
    "GOAWAY of 7 bytes (6.8)": (frame(GOAWAY, 0, 0, bytes(7)), FRAME_SIZE_ERROR),
    "GOAWAY on a stream (6.8)": (frame(GOAWAY, 0, None, bytes(8)), PROTOCOL_ERROR),
    "GOAWAY with a higher last stream than before (6.8)": (
        both(go_away(1_001), go_away(LARGEST)), PROTOCOL_ERROR),
    "WINDOW_UPDATE by 0 on stream 0 (6.9)": (window(0, 0), PROTOCOL_ERROR),
    "WINDOW_UPDATE of 3 bytes (6.9)": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), FRAME_SIZE_ERROR),
    "WINDOW_UPDATE over 2^31 - 1 on stream 0 (6.9.1)": (window(0, LARGEST), FLOW_CONTROL_ERROR),
    "WINDOW_UPDATE by 0 on the stream (6.9)": (window(None, 0), PROTOCOL_ERROR),
    "WINDOW_UPDATE over 2^31 - 1 on the stream (6.9.1)": (
        window(None, LARGEST), FLOW_CONTROL_ERROR),
    "trailers with a pseudo-header field (8.1)": (
        fields((":status", "200"), ("grpc-status", "0")), PROTOCOL_ERROR),
    "trailers with capitals (8.2.1)": (fields(("Grpc-Status", "0")), PROTOCOL_ERROR),
    "trailers with a connection-specific field (8.2.2)": (
        fields(("grpc-status", "0"), ("connection", "close")), PROTOCOL_ERROR),
    "a second response (8.1)": (
        fields((":status", "200"), flags=END_HEADERS), PROTOCOL_ERROR),
}

# Frames instead of a response.
INSTEAD = {
    "DATA before HEADERS (8.1)": (frame(DATA, 0, None, bytes(5)), PROTOCOL_ERROR),
    "headers without :status (8.3.2)": (
        fields(("content-type", "application/grpc")), PROTOCOL_ERROR),
    "two :status (8.3.2)": (fields((":status", "200"), (":status", "200")), PROTOCOL_ERROR),
    "a :status of letters (8.3.2)": (fields((":status", "abc")), PROTOCOL_ERROR),
    "a pseudo-header field of requests (8.3)": (
        fields((":status", "200"), (":path", "/")), PROTOCOL_ERROR),
    "less DATA than content-length (8.1.1)": (
        both(fields((":status", "200"), ("content-type", "application/grpc"),
                    ("content-length", "9"), flags=END_HEADERS),
             frame(DATA, END_STREAM, None, bytes(5))), PROTOCOL_ERROR),
}

# Frames after a response. No call fails.
AFTER = {
    "DATA on a closed stream (6.1)": (frame(DATA, 0, None, b"late"), STREAM_CLOSED),
    "HEADERS on a closed stream (5.1)": (fields(("late", "1")), None),
    "RST_STREAM on a closed stream (5.1)": (
        frame(RST_STREAM, 0, None, struct.pack(">I", CANCEL)), None),
    "WINDOW_UPDATE on a closed stream (5.1)": (window(None, 1), None),
    "PRIORITY on a closed stream (5.3.2)": (frame(PRIORITY, 0, None, bytes(5)), None),
    "an unknown frame (5.5)": (frame(0xBE, 0xFF, None, b"?"), None),
}


def during(offend):
    """The violation between the headers of a response and its message."""
    return lambda connection, call: (
        connection.begin(call), offend(connection, call), connection.message(call),
        connection.finish(call))


def after(offend):
    return lambda connection, call: (connection.reply(call), offend(connection, call))


# The response to each request, the code that the backend receives, and whether its call succeeds.
CASES = {
    **{name: (during(offend), code, False) for name, (offend, code) in DURING.items()},
    **{name: (offend, code, False) for name, (offend, code) in INSTEAD.items()},
    **{name: (after(offend), code, True) for name, (offend, code) in AFTER.items()},
}


class BadServer(FrameServer):
    """Continues to read after its client closed the connection, for the client's last frames."""

    def __init__(self, answer):
        super().__init__(self.answer_what_it_can)
        self.bad_answer = answer

    def answer_what_it_can(self, connection, stream):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.bad_answer(connection, stream)


class Backends:
    """A server with a backend for each case, and a correct one that answers after `release` is set.
    """

    def __init__(self, stubs, folder):
        # A window that the flood exceeds before the caller has read it.
        limits = [f"{name}=65536" for name in ("stream-window-bytes", "forward-buffer-bytes")]
        self.mesh = Mesh(stubs, options=[word for limit in limits for word in ("--limit", limit)])
        self.release = threading.Event()
        self.servers = {name: BadServer(answer) for name, (answer, _, _) in CASES.items()}
        self.servers["good"] = FrameServer(self._answer_when_released)
        self.numbers = {name: number for number, name in enumerate(self.servers)}
        file = folder / "weir.yaml"
        file.write_text(json.dumps({
            # The backends answer a health check like any request.
            "backends": [
                {"name": f"b{number}", "upstream": {"addresses": [self.servers[name].address]},
                 "options": {"health_check": {"interval": "0s"}}}
                for name, number in self.numbers.items()],
            "endpoints": [
                {"name": f"e{number}", "route": f"/test.B{number}/", "weights": {f"b{number}": 1}}
                for number in self.numbers.values()]}))
        self.mesh.tool("apply", "-f", file)

    def _answer_when_released(self, connection, stream):
        connection.begin(stream)
        assert self.release.wait(60)
        connection.message(stream)
        connection.finish(stream)

    def call(self, name):
        method = self.mesh.channel.unary_unary(f"/test.B{self.numbers[name]}/Call")
        return method.future(b"", timeout=10, wait_for_ready=True)

    def stop(self):
        assert self.mesh.stop() == 0, self.mesh.weir.process.stderr.read()[-30000:]
        for server in self.servers.values():
            server.close()


@pytest.fixture(scope="module")
def backends(stubs, tmp_path_factory):
    backends = Backends(stubs, tmp_path_factory.mktemp("backends"))
    yield backends
    backends.stop()


@pytest.mark.parametrize("name", CASES)
def test_a_backend_that_sends(backends, name):
    _, code, succeeds = CASES[name]
    backends.release.clear()
    other = backends.call("good")
    error = backends.call(name).exception()
    if succeeds:
        assert error is None
    else:
        assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL)
        assert error.details() and "the server closed" not in error.details()
    if code is not None:
        received = backends.servers[name].errors
        wait_for(lambda: any(error_code == code for _, _, error_code in received), 5)
    backends.release.set()
    assert other.result() == b"ok"


def test_a_malformed_response_is_not_repeated(mesh):
    """A retry would fail too, and the replica serves other calls."""
    asked = []

    def answer(connection, stream):
        asked.append(stream)
        fields(("content-type", "application/grpc"))(connection, stream)

    server = FrameServer(answer)
    try:
        mesh.raw(server.address,
            options=["--retry", "UNAVAILABLE,INTERNAL", "--health-interval", "0"])
        for number in range(1, 11):
            with pytest.raises(grpc.RpcError) as caught:
                mesh.channel.unary_unary("/test.Raw/Name")(b"", timeout=10)
            assert caught.value.code() == grpc.StatusCode.INTERNAL
            assert caught.value.details() == "backend 'raw': the stream was reset: PROTOCOL_ERROR"
            assert len(asked) == number
        assert {kind for kind, _, _ in server.errors} == {RST_STREAM}
    finally:
        server.close()
