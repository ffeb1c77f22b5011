"""Counts the runtime calls of a server per unary request, in steady state: heap allocations, and
retains and releases of Swift objects.

A preloaded library counts them in the server's process, over sequential requests on one connection.
Noise of the machine does not affect them. bench.py (release build) and the tests (debug build) use
the counts.
"""

import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile

from frames import PREFACE, first_and_later_block, frame, hello_request, read_frame

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
        self.headers, self.later_headers = first_and_later_block([
            (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "a"),
            ("content-type", "application/grpc"), ("te", "trailers")])
        self.body = hello_request(b"x" * 64)

    def batch(self, size):
        """Sends requests in one write, and reads their responses."""
        first = self.number + 2
        self.number += 2 * size
        streams = range(first, self.number + 2, 2)
        requests = b""
        for stream in streams:
            requests += frame(1, 0x4, stream, self.headers) + frame(0, 0x1, stream, self.body)
            self.headers = self.later_headers
        self.socket.sendall(requests)
        bodies, ended = dict.fromkeys(streams, b""), 0
        while ended < size:
            kind, flags, stream, payload = read_frame(self.stream)
            if kind == 4 and not flags & 1:
                self.socket.sendall(frame(4, 1, 0))
            if kind == 0:
                bodies[stream] += payload
            if stream and flags & 1:
                assert bodies[stream] == self.body, "the server did not echo"
                ended += 1


def count(process):
    process.send_signal(signal.SIGUSR1)
    while True:
        line = process.stderr.readline()
        if line.startswith("allocations "):
            return [int(word) for word in line.split()[1::2]]


def measure(server, depth=1):
    """Allocations, and retains with releases, per request of a FixtureServer executable.

    `depth` requests arrive at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        library = pathlib.Path(folder) / "runtime_calls.so"
        subprocess.run(
            ["cc", "-O2", "-shared", "-fPIC", "-o", library, HERE / "runtime_calls.c"],
            check=True)
        process = subprocess.Popen(
            [server, "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "LD_PRELOAD": str(library)})
        try:
            client = Client(process.stdout.readline().split()[0])
            for _ in range(WARM_UP // depth):
                client.batch(depth)
            before = count(process)
            for _ in range(REQUESTS // depth):
                client.batch(depth)
            return [(after - first) / REQUESTS for first, after in zip(before, count(process))]
        finally:
            process.terminate()
            process.wait(20)
