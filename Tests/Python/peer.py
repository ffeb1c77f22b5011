"""A scripted HTTP/2 client that sends given frames and decodes the responses."""

import socket
import struct

import frames
import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 0x1, 0x1, 0x4, 0x8, 0x20

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, \
    ENHANCE_YOUR_CALM = range(12)

ECHO = "/test.Raw/Echo"


def message(payload=b"", flag=0):
    """A message with gRPC's prefix."""
    return struct.pack(">BI", flag, len(payload)) + payload


def request_fields(path=ECHO, method="POST", content_type="application/grpc"):
    return [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a"),
            ("content-type", content_type), ("te", "trailers")]


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"Frame({self.kind}, {self.flags:#x}, {self.stream}, {self.payload[:60]!r})"

    @property
    def code(self):
        """The error code of RST_STREAM and GOAWAY."""
        offset = 0 if self.kind == RST_STREAM else 4
        return struct.unpack_from(">I", self.payload, offset)[0]

    @property
    def reason(self):
        """The debug data of GOAWAY."""
        return self.payload[8:].decode()

    @property
    def ends(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & END_STREAM)


class Peer:
    """A connection. Without `greets` it sends no preface; `tls` is an SSLContext."""

    def __init__(self, address, settings=(), source="127.0.0.1", greets=True, timeout=10,
                 receive_buffer=None, tls=None):
        host, port = address.rsplit(":", 1)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(timeout)
        self.socket.bind((source, 0))
        self.socket.connect((host, int(port)))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname=host)
        self.input = self.socket.makefile("rb")
        self.decoder = hpack.Decoder()
        if greets:
            self.raw(frames.PREFACE)
            self.settings(*settings)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.input.close()
        self.socket.close()

    # Sending.

    def raw(self, data):
        self.socket.sendall(data)

    def send(self, kind, flags, stream, payload=b""):
        self.raw(frames.frame(kind, flags, stream, payload))

    def settings(self, *pairs):
        self.send(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))

    def window(self, stream, increment):
        self.send(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))

    def reset(self, stream, code=CANCEL):
        self.send(RST_STREAM, 0, stream, struct.pack(">I", code))

    def headers(self, stream, fields, flags=END_HEADERS | END_STREAM):
        self.send(HEADERS, flags, stream, frames.header_block(fields))

    def request(self, stream, path=ECHO, body=b"", ends=True, **options):
        """Sends a request with one message; with `body=None`, only the headers."""
        self.headers(stream, request_fields(path, **options), END_HEADERS)
        if body is not None:
            self.send(DATA, END_STREAM if ends else 0, stream, message(body))

    # Receiving.

    def frames(self):
        """Received frames until the connection ends; acknowledges SETTINGS and PINGs."""
        while True:
            try:
                found = frames.read_frame(self.input)
            except ConnectionError:
                return
            if found is None:
                return
            frame = Frame(*found)
            try:
                if frame.kind == SETTINGS and not frame.flags & ACK:
                    self.send(SETTINGS, ACK, 0)
                if frame.kind == PING and not frame.flags & ACK:
                    self.send(PING, ACK, 0, frame.payload)
            except OSError:
                # The bytes that the server sent before it closed are still read.
                pass
            yield frame

    def until(self, holds):
        """The first frame for which the condition holds; None if the connection ends without one.
        """
        return next((frame for frame in self.frames() if holds(frame)), None)

    def response(self, stream):
        """Headers and trailers together, and the body. A reset raises AssertionError."""
        fields, body = {}, b""
        for frame in self.frames():
            if frame.kind == GOAWAY and frame.code != NO_ERROR:
                raise AssertionError(f"GOAWAY {frame.code} {frame.reason}")
            if frame.kind == HEADERS:
                # Header blocks of other streams change the decoder's table too.
                found = self.decoder.decode(frame.payload)
                if frame.stream == stream:
                    fields.update(found)
            if frame.stream != stream:
                continue
            assert frame.kind in (HEADERS, DATA, WINDOW_UPDATE), frame
            if frame.kind == DATA:
                body += frame.payload
            if frame.ends:
                return fields, body
        raise AssertionError("the connection ended")

    def status(self, stream):
        return int(self.response(stream)[0]["grpc-status"])

    def is_alive(self):
        """Whether the server answers a PING."""
        try:
            self.send(PING, 0, 0, b"are you?")
        except OSError:
            return False
        return self.until(
            lambda frame: frame.kind == PING and frame.flags & ACK
            and frame.payload == b"are you?") is not None

    def ended(self):
        """The code and the reason of the GOAWAY at the end of the connection; NO_ERROR without one.
        """
        code, reason = NO_ERROR, ""
        for frame in self.frames():
            if frame.kind == GOAWAY:
                code, reason = frame.code, frame.reason
        return code, reason
