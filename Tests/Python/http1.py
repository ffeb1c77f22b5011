"""An HTTP/1 client that sends raw bytes, which client libraries refuse."""

import socket

from conftest import SECONDS


class Answer:
    """An HTTP/1 response."""

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
    """An HTTP/1 connection that sends the given bytes."""

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
            pass  # The server has already answered and closed.

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return data

    def answer(self, method="GET"):
        """The next response; None if the server closed without one."""
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
        """Waits for the next byte or the end; returns whether the server closed."""
        return not self.buffer and not self._more()


def send(address, data, method="GET"):
    """Sends bytes and returns the response; closes the connection if the response requires it."""
    with Raw(address) as raw:
        raw.send(data)
        answer = raw.answer(method)
        if answer and answer.is_closed:
            assert raw.is_closed()
        return answer
