"""A scripted HTTP/2 server that sends given frames, to simulate faulty upstreams."""

import socket
import threading

import frames

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, PADDED, ACK = 1, 4, 8, 1
REFUSED_STREAM = 7


class FrameServer:
    """Calls `answer(connection, stream)` for each complete request, on the connection's thread."""

    def __init__(self, answer, greeting=None, max_streams=None, answers_pings=True):
        self.answer, self.greeting, self.max_streams = answer, greeting, max_streams
        self.answers_pings = answers_pings
        self.requests = self.connections = 0
        self.errors = []  # The type, stream and code of each RST_STREAM and GOAWAY from clients.
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connected, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(
                target=Connection(self, connected).serve, daemon=True).start()

    def close(self):
        self.listener.close()


class Connection:
    def __init__(self, server, connected):
        self.server, self.socket, self.requests = server, connected, 0
        # Sends the parts of a response without waiting for acknowledgements (Nagle's algorithm).
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open = self.most_open = 0
        self.acknowledged = []  # The payloads of the client's PING acknowledgements.

    def send(self, kind, flags, stream, payload=b""):
        self.socket.sendall(frames.frame(kind, flags, stream, payload))

    def serve(self):
        try:
            if self.server.greeting is not None:
                self.socket.sendall(self.server.greeting)
                self.socket.recv(1)
                return self.socket.close()
            settings = b""
            if self.server.max_streams:
                settings = b"\x00\x03" + self.server.max_streams.to_bytes(4, "big")
            self.send(SETTINGS, 0, 0, settings)
            stream = self.socket.makefile("rb")
            stream.read(len(frames.PREFACE))
            while found := frames.read_frame(stream):
                kind, flags, number, payload = found
                if kind in (RST_STREAM, GOAWAY):
                    code = payload[0 if kind == RST_STREAM else 4:][:4]
                    self.server.errors.append((kind, number, int.from_bytes(code, "big")))
                if kind == SETTINGS and not flags & ACK:
                    self.send(SETTINGS, ACK, 0)
                elif kind == PING and not flags & ACK and self.server.answers_pings:
                    self.send(PING, ACK, 0, payload)
                elif kind == PING and flags & ACK:
                    self.acknowledged.append(payload)
                elif kind == HEADERS:
                    self.open += 1
                    self.most_open = max(self.most_open, self.open)
                if kind in (DATA, HEADERS) and flags & END_STREAM:
                    self.requests += 1
                    self.server.requests += 1
                    self.server.answer(self, number)
        except OSError:
            pass
        finally:
            self.socket.close()

    def ping(self, data):
        self.send(PING, 0, 0, data)

    # A gRPC response: these three frames in order.

    def begin(self, stream):
        headers = [(":status", "200"), ("content-type", "application/grpc")]
        self.send(HEADERS, END_HEADERS, stream, frames.header_block(headers))

    def message(self, stream, message=b"ok", padding=None):
        body = b"\x00" + len(message).to_bytes(4, "big") + message
        if padding is None:
            self.send(DATA, 0, stream, body)
        else:
            self.send(DATA, PADDED, stream, bytes([padding]) + body + bytes(padding))

    def finish(self, stream):
        self.open -= 1
        trailers = frames.header_block([("grpc-status", "0")])
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, trailers)

    def reply(self, stream, message=b"ok"):
        """Sends a whole response."""
        self.begin(stream)
        self.message(stream, message)
        self.finish(stream)

    def reset(self, stream, code):
        self.open -= 1
        self.send(RST_STREAM, 0, stream, code.to_bytes(4, "big"))

    def go_away(self, last):
        self.send(GOAWAY, 0, 0, last.to_bytes(4, "big") + (0).to_bytes(4, "big"))
