"""Counts heap allocations per unary request of a server, in steady state.

A preloaded library counts them in the server's process, over sequential requests on one connection.
bench.py (release build) and the tests (debug build) use it.
"""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile

from frames import PREFACE, frame, header_block, read_frame

HERE = pathlib.Path(__file__).resolve().parent
WARM_UP, REQUESTS = 500, 2_000
PATH = "/helloworld.Greeter/SayHello"


class Client:
    """A minimal HTTP/2 client that repeats the same request."""

    def __init__(self, address):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.stream = self.socket.makefile("rb")
        self.number = -1
        # A connection window that fits all responses.
        window = frame(8, 0, 0, struct.pack(">I", 1 << 30))
        self.socket.sendall(PREFACE + frame(4, 0, 0) + window)
        self.headers = header_block([
            (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "a"),
            ("content-type", "application/grpc"), ("te", "trailers")])
        message = b"\x0a\x40" + b"x" * 64
        self.body = struct.pack(">BI", 0, len(message)) + message

    def request(self):
        self.number += 2
        self.socket.sendall(
            frame(1, 0x4, self.number, self.headers)
            + frame(0, 0x1, self.number, self.body))
        received = b""
        while True:
            kind, flags, stream, payload = read_frame(self.stream)
            if kind == 4 and not flags & 1:
                self.socket.sendall(frame(4, 1, 0))
            if stream == self.number:
                received += payload if kind == 0 else b""
                if flags & 1:
                    assert received == self.body, "the server did not echo"
                    return


def count(process):
    process.send_signal(signal.SIGUSR1)
    while True:
        line = process.stderr.readline()
        if line.startswith("allocations "):
            return int(line.split()[1])


def measure(server):
    """Allocations per request of a FixtureServer executable."""
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "count_allocations.so"
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "count_allocations.c"],
            check=True)
        process = subprocess.Popen(
            [server, "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "LD_PRELOAD": str(library)})
        try:
            client = Client(process.stdout.readline().split()[0])
            for _ in range(WARM_UP):
                client.request()
            before = count(process)
            for _ in range(REQUESTS):
                client.request()
            return (count(process) - before) / REQUESTS
        finally:
            process.terminate()
            process.wait(20)
