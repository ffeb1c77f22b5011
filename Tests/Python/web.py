"""Calls of gRPC-Web and Connect over HTTP/1.1 and HTTP/2, byte by byte."""

import base64
import http.client
import json
import struct

from peer import (
    ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE, Peer,
    message)

TRAILERS, END = 0x80, 2


class Response:
    """Status, header fields by name, and body; HTTP/2's trailers are fields too."""

    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def __repr__(self):
        return f"Response({self.status}, {self.fields}, {self.body[:200]!r})"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def frames(self):
        """The frames of the body: flag and payload."""
        return split(self.body)

    @property
    def grpc_web(self):
        """The messages and the trailers of a gRPC-Web response, in binary or text."""
        body = self.body
        if "-text" in self.fields["content-type"]:
            body = decode_text(body)
        if not body:
            return [], self.fields
        *messages, (flag, block) = split(body)
        assert flag == TRAILERS and all(flag == 0 for flag, _ in messages), self
        assert "grpc-status" not in self.fields, "the status is in the headers and in the body"
        lines = block.decode("latin-1").split("\r\n")
        assert lines.pop() == "", "the last line does not end"
        return [payload for _, payload in messages], dict(
            line.split(": ", 1) for line in lines)

    @property
    def connect_stream(self):
        """The messages and the end of a Connect stream."""
        *messages, (flag, end) = self.frames
        assert flag == END and all(flag == 0 for flag, _ in messages), self
        return [payload for _, payload in messages], json.loads(end)


def split(body):
    frames = []
    while body:
        flag, length = struct.unpack_from(">BI", body)
        assert len(body) >= 5 + length, "a frame is incomplete"
        frames.append((flag, body[5:5 + length]))
        body = body[5 + length:]
    return frames


def decode_text(body):
    """Units of base64, each perhaps with padding."""
    assert len(body) % 4 == 0
    return b"".join(
        base64.b64decode(body[start:start + 4], validate=True)
        for start in range(0, len(body), 4))


class HTTP1:
    """Requests over HTTP/1.1; with a context over TLS."""

    version = "HTTP/1.1"

    def __init__(self, address, tls=None):
        host, port = address.rsplit(":", 1)
        self.connection = (
            http.client.HTTPSConnection(host, int(port), timeout=20, context=tls) if tls
            else http.client.HTTPConnection(host, int(port), timeout=20))

    def close(self):
        self.connection.close()

    def ask(self, method, target, fields=None, body=None):
        self.connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in pairs(fields):
            self.connection.putheader(name, value)
        if body is not None:
            self.connection.putheader("content-length", str(len(body)))
        self.connection.endheaders(body)
        response = self.connection.getresponse()
        body = response.read()
        fields = {}
        for name, value in response.getheaders():
            name = name.lower()
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        return Response(response.status, fields, body)


class HTTP2:
    """Requests over HTTP/2 with prior knowledge, or over TLS with ALPN; keeps to the windows."""

    version = "HTTP/2"

    def __init__(self, address, tls=None):
        if tls:
            tls.set_alpn_protocols(["h2"])
        self.peer = Peer(address, tls=tls)
        self.received = self.peer.frames()
        self.stream = 1
        self.initial, self.connection_window = 65_535, 65_535

    def close(self):
        self.peer.close()

    def ask(self, method, target, fields=None, body=None):
        stream, self.stream = self.stream, self.stream + 2
        head = [(":method", method), (":scheme", "http"), (":path", target), (":authority", "a")]
        head += [(name.lower(), value) for name, value in pairs(fields)]
        self.peer.headers(stream, head, END_HEADERS | (0 if body else END_STREAM))
        self.window, self.fields, self.body, self.ended = self.initial, {}, b"", False
        body = body or b""
        while body and not self.ended:
            room = min(self.window, self.connection_window, 16_384, len(body))
            if room <= 0:
                self._read(stream)
                continue
            piece, body = body[:room], body[room:]
            self.peer.send(DATA, 0 if body else END_STREAM, stream, piece)
            self.window -= room
            self.connection_window -= room
        while not self.ended:
            self._read(stream)
        status = int(self.fields.pop(":status"))
        return Response(status, self.fields, self.body)

    def _read(self, stream):
        """Handles one frame."""
        frame = next(self.received, None)
        assert frame, "the connection ended"
        if frame.kind == SETTINGS and not frame.flags & ACK:
            for start in range(0, len(frame.payload), 6):
                name, value = struct.unpack_from(">HI", frame.payload, start)
                if name == 4:
                    self.window += value - self.initial
                    self.initial = value
        elif frame.kind == WINDOW_UPDATE:
            increment = struct.unpack(">I", frame.payload)[0]
            if frame.stream == 0:
                self.connection_window += increment
            elif frame.stream == stream:
                self.window += increment
        elif frame.kind == HEADERS:
            for name, value in self.peer.decoder.decode(frame.payload):
                if frame.stream == stream:
                    self.fields[name] = (
                        f"{self.fields[name]}, {value}" if name in self.fields else value)
        elif frame.kind == DATA:
            self.peer.window(0, max(1, len(frame.payload)))
            if frame.stream == stream:
                self.body += frame.payload
                if not frame.ends:
                    self.peer.window(stream, max(1, len(frame.payload)))
        assert frame.stream != stream or frame.kind != RST_STREAM or self.ended, frame
        assert frame.kind != GOAWAY, frame.reason
        self.ended = self.ended or frame.stream == stream and frame.ends


VERSIONS = [HTTP1, HTTP2]


def connect(client, path, value, codec="json", **fields):
    """A unary call of Connect; the value is JSON or bytes."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return client.ask("POST", path, {
        "content-type": f"application/{codec}", "connect-protocol-version": "1",
        **named(fields)}, body)


def connect_stream(client, path, values, codec="json", **fields):
    """A stream of Connect with these requests."""
    body = b"".join(
        message(value if isinstance(value, bytes) else json.dumps(value).encode())
        for value in values)
    return client.ask("POST", path, {
        "content-type": f"application/connect+{codec}", "connect-protocol-version": "1",
        **named(fields)}, body)


def grpc_web(client, path, values, form="", **fields):
    """A call of gRPC-Web; the form is "", "+json" or "-text"."""
    body = b"".join(
        message(value if isinstance(value, bytes) else json.dumps(value).encode())
        for value in values)
    if form.startswith("-text"):
        body = base64.b64encode(body)
    return client.ask("POST", path, {
        "content-type": f"application/grpc-web{form}", "x-grpc-web": "1", **named(fields)}, body)


def pairs(fields):
    """Fields of a dictionary, or of a list of pairs."""
    return list((fields or {}).items()) if not isinstance(fields, list) else fields


def named(fields):
    return {name.replace("_", "-"): value for name, value in fields.items()}
