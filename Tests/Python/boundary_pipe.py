"""Requests with boundary values over one HTTP/2 connection, and the faults of responses."""

import dataclasses
import select
import socket
import struct
import time

import frames
import hpack
from grpc_health.v1 import health_pb2

from conftest import SECONDS
from peer import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, Frame, message)

INTERNAL, UNKNOWN = 13, 2
# The limit of a status message: a longer one is not useful, and floods the log.
LONGEST_MESSAGE = 4_096


def grpc_fields(path, *fields):
    return [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a"),
            ("content-type", "application/grpc"), ("te", "trailers"), *fields]


@dataclasses.dataclass
class Ask:
    """A request, and the accepted responses."""

    label: str
    fields: list
    body: bytes = b""
    trailers: list = None
    # Accepted statuses and results that would otherwise be faults.
    may: frozenset = frozenset()
    # Sent on its own connection, because it may end the connection.
    is_alone: bool = False
    # Ends the call when the first message arrives.
    is_stream: bool = False

    def judge(self, answer):
        """The fault of the response; None if it is correct."""
        return answer.fault(self.may)


@dataclasses.dataclass
class Answer:
    """The response on a stream, or the end of its connection."""

    fields: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    # "ended", "reset", "closed" or "silent"
    end: str = "silent"
    code: int = NO_ERROR
    reason: str = ""
    illegal: str = ""

    @property
    def status(self):
        """`grpc-status`; None without one."""
        status = self.fields.get("grpc-status", "")
        return int(status) if status.isdecimal() else None

    @property
    def message(self):
        return self.fields.get("grpc-message", "")

    def fault(self, may=frozenset()):
        if self.illegal:
            return f"illegal field {self.illegal}"
        if self.end == "silent":
            return "no answer"
        if self.end == "closed":
            return None if self.code != NO_ERROR and "close" in may else \
                f"connection closed: GOAWAY {self.code} {self.reason}"
        if self.end == "reset":
            return None if self.code != NO_ERROR and "reset" in may else f"RST_STREAM {self.code}"
        http = self.fields.get(":status", "")
        if self.status is None and "grpc-status" in self.fields:
            return f"grpc-status {self.fields['grpc-status']!r}"
        if self.status is None:
            return self._http_fault(int(http) if http.isdecimal() else 0, may)
        # Weir forwards an unknown code of the backend unchanged.
        if self.status > 16 and "any status" not in may:
            return f"grpc-status {self.status}"
        if self.status in (INTERNAL, UNKNOWN) and self.status not in may:
            return f"grpc-status {self.status} {self.message}"
        if self.status and not self.message and "silent" not in may and not self.body:
            return f"grpc-status {self.status} without a message"
        if len(self.message) > LONGEST_MESSAGE and "long" not in may:
            return f"a message of {len(self.message)} bytes"
        return None

    def _http_fault(self, http, may):
        content_type = self.fields.get("content-type", "")
        # The trailers of gRPC-Web are the end of the body.
        is_web = content_type.startswith("application/grpc-web") and b"grpc-status: " in self.body
        if http == 200 and content_type.startswith("application/grpc") and not is_web:
            return "a response without grpc-status"
        if not 200 <= http <= 599:
            return f"status {self.fields}"
        # The HTTP headers that state the supported values.
        says = {"allow", "accept-post"} & self.fields.keys()
        if http >= 400 and not self.body and not says and "silent" not in may:
            return f"HTTP status {http} without a body"
        return None


def health_check(label="health check"):
    return Ask(label, grpc_fields("/grpc.health.v1.Health/Check"), message())


def is_healthy(answer):
    reply = health_pb2.HealthCheckResponse.FromString(answer.body[5:]) if answer.body else None
    return answer.status == 0 and reply.status == health_pb2.HealthCheckResponse.SERVING


class Pipe:
    """One HTTP/2 connection that sends several requests at once, within the server's windows."""

    LARGE_WINDOW = 2**31 - 1 - 65_535

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        self.input, self.output = b"", bytearray(frames.PREFACE)
        self._send(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31 - 1))
        self._send(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.LARGE_WINDOW))
        self.window, self.stream_window, self.windows = 65_535, 65_535, {}
        self.next_stream, self.is_open, self.end = 1, True, (NO_ERROR, "")

    def close(self):
        self.socket.close()
        self.is_open = False

    def __del__(self):
        self.socket.close()

    def exchange(self, asks, seconds=SECONDS / 4):
        """The responses to concurrent requests, in order."""
        self.answers, self.waiting = {}, []
        for ask in asks:
            stream, self.next_stream = self.next_stream, self.next_stream + 2
            self.answers[stream] = (ask, Answer())
            self._begin(ask, stream)
        end = time.monotonic() + seconds
        while self.is_open and any(answer.end == "silent" for _, answer in self.answers.values()):
            left = end - time.monotonic()
            if left <= 0:
                break
            self._fill()
            self._turn(left)
        if not self.is_open:
            for _, answer in self.answers.values():
                if answer.end == "silent":
                    answer.end, (answer.code, answer.reason) = "closed", self.end
        return [answer for _, answer in self.answers.values()]

    # Sending.

    def _send(self, kind, flags, stream, payload=b""):
        self.output += frames.frame(kind, flags, stream, payload)

    def _begin(self, ask, stream):
        self._headers(stream, ask.fields, 0 if ask.body or ask.trailers else END_STREAM)
        if ask.body or ask.trailers:
            self.windows[stream] = self.stream_window
            self.waiting.append([stream, ask.body, ask.trailers])

    def _headers(self, stream, fields, flags):
        block = frames.header_block(fields)
        parts = [block[i:i + 16_384] for i in range(0, len(block), 16_384)]
        for number, part in enumerate(parts):
            last = END_HEADERS if number == len(parts) - 1 else 0
            self._send(HEADERS if number == 0 else CONTINUATION,
                       last | (flags if number == 0 else 0), stream, part)

    def _fill(self):
        """Sends the bytes of the bodies that the windows allow."""
        for entry in list(self.waiting):
            stream, body, trailers = entry
            if self.answers[stream][1].end != "silent":
                self.waiting.remove(entry)
                continue
            while body:
                size = min(len(body), 16_384, self.window, self.windows[stream])
                if size <= 0:
                    break
                ends = size == len(body) and not trailers
                self._send(DATA, END_STREAM if ends else 0, stream, body[:size])
                body = entry[1] = body[size:]
                self.window -= size
                self.windows[stream] -= size
            if not body:
                if trailers:
                    self._headers(stream, trailers, END_STREAM)
                self.waiting.remove(entry)

    # Receiving.

    def _turn(self, seconds):
        readable, writable, _ = select.select(
            [self.socket], [self.socket] if self.output else [], [], seconds)
        try:
            if writable:
                del self.output[:self.socket.send(self.output)]
        except OSError:
            # The bytes that the server sent before it closed are still read.
            self.output.clear()
        if not readable:
            return
        try:
            received = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        if not received:
            return self.close()
        self.input += received
        start = 0
        while len(self.input) - start >= 9:
            length = int.from_bytes(self.input[start:start + 3], "big")
            if len(self.input) - start < 9 + length:
                break
            kind, flags, stream = struct.unpack_from(">BBI", self.input, start + 3)
            start += 9 + length
            self._received(Frame(kind, flags, stream, self.input[start - length:start]))
        self.input = self.input[start:]

    def _received(self, frame):
        if frame.kind == SETTINGS and not frame.flags & ACK:
            self._settings(frame.payload)
        elif frame.kind == PING and not frame.flags & ACK:
            self._send(PING, ACK, 0, frame.payload)
        elif frame.kind == WINDOW_UPDATE:
            increment = int.from_bytes(frame.payload, "big")
            if frame.stream == 0:
                self.window += increment
            elif frame.stream in self.windows:
                self.windows[frame.stream] += increment
        elif frame.kind == GOAWAY:
            self.end = (frame.code, frame.reason)
            # Nothing follows an error, but the server may close later.
            self.is_open = frame.code == NO_ERROR
        elif frame.kind in (HEADERS, CONTINUATION, DATA, RST_STREAM):
            self._of_stream(frame)

    def _settings(self, payload):
        for name, value in struct.iter_unpack(">HI", payload):
            if name == 4:
                for stream in self.windows:
                    self.windows[stream] += value - self.stream_window
                self.stream_window = value
        self._send(SETTINGS, ACK, 0)

    def _of_stream(self, frame):
        ask, answer = self.answers.get(frame.stream, (None, Answer()))
        if frame.kind in (HEADERS, CONTINUATION):
            self.block = frame.payload if frame.kind == HEADERS else self.block + frame.payload
            if frame.kind == HEADERS:
                self.block_ends = frame.ends
            if not frame.flags & END_HEADERS:
                return
            decoded = self.decoder.decode(self.block, raw=True)
            for name, value in decoded:
                if illegal(name, value):
                    answer.illegal = f"{name!r}: {value[:60]!r}"
                if name == b"grpc-status" and sum(name == other for other, _ in decoded) > 1:
                    answer.illegal = "grpc-status, twice"
                answer.fields[name.decode("latin-1")] = value.decode("latin-1")
            frame.flags |= END_STREAM if self.block_ends else 0
        elif frame.kind == DATA:
            answer.body += frame.payload
            if ask and ask.is_stream and answer.end == "silent":
                self._send(RST_STREAM, 0, frame.stream, struct.pack(">I", 8))
                answer.end, answer.fields["grpc-status"] = "ended", "0"
        elif frame.kind == RST_STREAM:
            if answer.end == "silent":
                answer.end, answer.code = "reset", frame.code
            return
        if frame.kind != RST_STREAM and frame.flags & END_STREAM and answer.end == "silent":
            answer.end = "ended"


def illegal(name, value):
    """Whether a field may not be sent (RFC 9113 section 8.2.1)."""
    return (any(byte in b"\0\r\n" for byte in value) or value != value.strip(b" \t")
            or any(byte <= 0x20 or 0x41 <= byte <= 0x5a or byte >= 0x7f for byte in name))
