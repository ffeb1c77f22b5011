"""Boundary values in HTTP/1.1 requests: every header that Weir reads, and the request line."""

import socket

import pytest

from boundaries import TEXTS, shown
from boundary_client import Subject
from boundary_headers import table
from conftest import BUILD, SECONDS

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
# The value of these fields determines the end of the request.
BODIES = {
    ("transfer-encoding", b"chunked"): b"0\r\n\r\n", ("content-length", b"0"): b"",
    **{("content-length", value): b"x" * int(value) for value in (
        b"1", b" 1", b"1 ", b"\t1\t", b"01", b"5", b"6")},
}


class Line:
    """An HTTP/1.1 connection that sends any bytes."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), SECONDS / 4)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = self.socket.makefile("rb")

    def close(self):
        self.input.close()
        self.socket.close()

    def ask(self, request, is_head=False):
        """Status, fields and body of the final response; raises ValueError or OSError for a fault.
        """
        try:
            self.socket.sendall(request)
        except ConnectionError:
            # The server answered and closed before it had read the whole request.
            pass
        status = 100
        while status < 200:
            line = self.input.readline()
            if not line:
                raise ConnectionError("closed without a response")
            if not line.startswith(b"HTTP/1.") or not line.endswith(b"\r\n"):
                raise ValueError(f"status line {line!r}")
            status, fields = int(line.split()[1]), self._fields()
        body = b"" if is_head or status in (204, 304) else self._body(fields)
        return status, fields, body

    def _fields(self):
        fields = {}
        while (line := self.input.readline()) != b"\r\n":
            name, colon, value = line[:-2].partition(b":")
            name, value = name.lower(), value.strip(b" \t")
            if not line.endswith(b"\r\n") or not colon or not name or name.strip(TOKEN) \
                    or any(byte < 0x20 and byte != 9 or byte == 0x7f for byte in value):
                raise ValueError(f"field {line!r}")
            fields[name.decode()] = value.decode("latin-1")
        return fields

    def _body(self, fields):
        if "content-length" in fields:
            return self.input.read(int(fields["content-length"]))
        if fields.get("transfer-encoding") != "chunked":
            return self.input.read()
        body = b""
        while size := int(self.input.readline(), 16):
            body += self.input.read(size)
            self.input.readline()
        self.input.readline()
        return body


class Lines:
    """Sends requests to a port, each followed by a valid one on the same connection."""

    def __init__(self, subject, port, check):
        self.subject, self.port, self.check = subject, port, check
        self.line = None

    def send(self, label, request, is_head=False):
        self.subject.inputs += 1
        try:
            self.line = self.line or Line(getattr(self.subject, self.port))
            status, fields, body = self.line.ask(request, is_head)
            if status >= 400 and not body and not is_head:
                self.subject.fault(label, f"status {status} without a body")
            if not 200 <= status <= 599:
                self.subject.fault(label, f"status {status}")
            if fields.get("connection") == "close" or "connection: close" in str(request).lower():
                self._renew()
        except (ValueError, OSError) as fault:
            self.subject.fault(label, f"{type(fault).__name__} {fault}")
            self._renew()
        self._is_well(label)

    def _is_well(self, label):
        """The connection finds the next request; otherwise a new connection works."""
        for attempt in range(2):
            try:
                self.line = self.line or Line(getattr(self.subject, self.port))
                if self.line.ask(self.check)[0] == 200:
                    return
            except (ValueError, OSError):
                pass
            if attempt == 0:
                self._renew()
                if self.subject.has_crashed():
                    self.subject.restart(label)
        self.subject.fault(label, "the next request failed")

    def _renew(self):
        if self.line:
            self.line.close()
        self.line = None


def requests(path):
    """Each header with each value, and each value in the request line."""
    for method in (b"GET", b"POST"):
        for name, value in table():
            if name.startswith(":"):
                continue
            host = b"" if name == "host" else b"host: 127.0.0.1\r\n"
            head = b"%s %s HTTP/1.1\r\n%s%s: %s\r\n" % (method, path, host, name.encode(), value)
            body = BODIES.get((name, value), b"")
            if method == b"POST" and name not in ("content-length", "transfer-encoding"):
                head, body = head + b"content-length: 2\r\n", b"hi"
            yield f"{method.decode()} {name}: {shown(value)}", head + b"\r\n" + body
    for text in TEXTS:
        value = text.encode()
        for label, line in [("method", b"%s %s HTTP/1.1" % (value, path)),
                            ("target", b"GET %s HTTP/1.1" % value),
                            ("query", b"GET %s?%s HTTP/1.1" % (path, value)),
                            ("version", b"GET %s HTTP/%s" % (path, value)),
                            ("name", b"GET %s HTTP/1.1\r\n%s: 1" % (path, value))]:
            yield f"{label} {shown(text)}", line + b"\r\nhost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    subject = Subject([BUILD / "FixtureServer"], tmp_path_factory.mktemp("http1"))
    yield subject
    assert subject.stop() == 0, subject.last_words()


@pytest.mark.parametrize("port, path", [
    ("data", b"/dynamic?bytes=1"), ("admin", b"/healthz")])
def test_of_requests(subject, port, path):
    before = subject.inputs
    subject.faults.clear()
    lines = Lines(subject, port, b"GET %s HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" % path)
    for label, request in requests(path):
        lines.send(label, request, is_head=request.startswith(b"HEAD "))
    print(f"HTTP/1.1 {path.decode()}: {subject.inputs - before} inputs")
    assert not subject.faults, subject.summary()
    assert subject.inputs - before > 3_000
