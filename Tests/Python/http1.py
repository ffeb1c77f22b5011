"""A client of HTTP/1 that sends bytes as they are, which client libraries refuse to do."""

import socket

from conftest import SECONDS


class Answer:
    """A response of HTTP/1."""

    def __init__(self, version, status, fields, body, is_closed):
        self.version, self.status, self.fields = version, status, fields
        self.body, self.is_closed = body, is_closed

    def __repr__(self):
        return f"Answer({self.status}, {self.fields}, {self.body[:80]!r}, {self.is_closed})"

    def get(self, name):
        values = [value for key, value in self.fields if key == name]
        assert len(values) <= 1, self.fields
        return values[0] if values else None


class Raw:
    """A connection of HTTP/1 that sends what it is given."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server has answered and closed already.

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return data

    def answer(self, method="GET"):
        """The next response; None when the server has closed without one."""
        while b"\r\n\r\n" not in self.buffer:
            if not self._more():
                assert not self.buffer, self.buffer
                return None
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        fields = [(name.lower(), value) for name, value in (line.split(": ", 1) for line in lines)]
        length = int(dict(fields).get("content-length", 0)) if method != "HEAD" else 0
        while len(self.buffer) < length:
            assert self._more(), "the body is incomplete"
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        is_closed = dict(fields).get("connection") == "close"
        return Answer(version, int(status), fields, body, is_closed)

    def is_closed(self):
        """Whether the server closes now; waits for it."""
        return not self.buffer and not self._more()


def send(address, data, method="GET"):
    """The response to some bytes; closed when the response says so."""
    with Raw(address) as raw:
        raw.send(data)
        answer = raw.answer(method)
        if answer and answer.is_closed:
            assert raw.is_closed()
        return answer
