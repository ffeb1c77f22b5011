"""A scripted backend that computes the frames of each response from the path and the body."""

import os
import signal
import socket
import threading

import frames
import hpack

from frame_server import Connection
from peer import (
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, WINDOW_UPDATE,
    message)

HEALTH = "/grpc.health.v1.Health/Check"
BEGIN = [(":status", "200"), ("content-type", "application/grpc")]


class ScriptedBackend:
    """`answer(path, payload)` returns the parts of a response: lists of fields, bytes for messages.

    The last part ends the stream.
    """

    def __init__(self, answer, listener=None):
        self.answer = answer
        self.listener = listener or socket.create_server(("127.0.0.1", 0))
        if not listener:
            self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(
                target=ScriptedConnection(self, connected).serve, daemon=True).start()

    def close(self):
        self.listener.close()


class ScriptedConnection(Connection):
    def __init__(self, server, connected):
        if connected.family == socket.AF_INET:
            super().__init__(server, connected)
        self.server, self.socket = server, connected
        self.decoder = hpack.Decoder(max_header_list_size=1 << 24)
        self.paths, self.bodies, self.block = {}, {}, b""

    def serve(self):
        try:
            # Windows that fit every body, so that no updates are needed.
            self.send(SETTINGS, 0, 0, b"\x00\x04\x7f\xff\xff\xff")
            self.send(WINDOW_UPDATE, 0, 0, (2**31 - 1 - 65_535).to_bytes(4, "big"))
            stream = self.socket.makefile("rb")
            # A client with TLS starts differently.
            if stream.read(len(frames.PREFACE)) != frames.PREFACE:
                return
            while found := frames.read_frame(stream):
                self._received(*found)
        except OSError:
            pass
        finally:
            self.socket.close()

    def _received(self, kind, flags, number, payload):
        if kind == SETTINGS and not flags & ACK:
            self.send(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.send(PING, ACK, 0, payload)
        elif kind in (HEADERS, CONTINUATION):
            self.block = payload if kind == HEADERS else self.block + payload
            if kind == HEADERS:
                self.block_ends = flags & END_STREAM
            if flags & END_HEADERS:
                fields = dict(self.decoder.decode(self.block, raw=True))
                self.paths.setdefault(number, fields.get(b":path", b"").decode("latin-1"))
                self._ended(number, self.block_ends)
        elif kind == DATA:
            self.bodies[number] = self.bodies.get(number, b"") + payload
            self._ended(number, flags & END_STREAM)

    def _ended(self, number, ends):
        if not ends:
            return
        path, body = self.paths.pop(number), self.bodies.pop(number, b"")
        parts = [[*BEGIN, ("grpc-status", "12"), ("grpc-message", "no health service")]] \
            if path == HEALTH else self.server.answer(path, body[5:])
        # Sent at once, because no other frame may be between the frames of a header block.
        self.socket.sendall(b"".join(
            self._part(number, part, index == len(parts) - 1) for index, part in enumerate(parts)))

    @staticmethod
    def _part(number, part, is_last):
        end = END_STREAM if is_last else 0
        if isinstance(part, bytes):
            data = message(part)
            pieces = [data[i:i + 16_384] for i in range(0, len(data), 16_384)]
            return b"".join(
                frames.frame(DATA, end if index == len(pieces) - 1 else 0, number, piece)
                for index, piece in enumerate(pieces))
        block = frames.header_block(part)
        pieces = [block[i:i + 16_384] for i in range(0, len(block), 16_384)]
        sent = b""
        for index, piece in enumerate(pieces):
            kind, flags = (HEADERS, end) if index == 0 else (CONTINUATION, 0)
            flags |= END_HEADERS if index == len(pieces) - 1 else 0
            sent += frames.frame(kind, flags, number, piece)
        return sent


def ok(payload=b"ok"):
    """The parts of a successful response."""
    return [BEGIN, payload, [("grpc-status", "0")]]


def serve_worker(answer):
    """Serves on the socket from Weir, until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.environ["WEIR_WORKER_SOCKET"])
    listener.listen()
    ScriptedBackend(answer, listener)
    signal.sigwait([signal.SIGTERM])
