"""Measures Weir with idle connections, TLS, two loops, and while its policy changes."""

import json
import os
import pathlib
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

from contender import RELEASE, ROOT, SHAPES, Contender, grpc_load, measure, ratio, table
from frames import PREFACE, first_and_later_block, frame, read_frame
from passthrough import start_upstream

os.environ["WEIR_BUILD"] = str(RELEASE)
sys.path.insert(0, str(ROOT / "Tests/Python"))
import conftest  # noqa: E402
import grpc  # noqa: E402

PATH = "/helloworld.Greeter/SayHello"
CONNECTIONS = 2_000
IDLE_TARGET_KIB = 16
# Requests per second of the load on each of 10 connections.
RATE, REQUESTS = 200, 6_000
# Changes per second, and whether they change the endpoint with many backends.
CHANGES = [(0, False), (200, False), (1_000, False), (200, True)]
WIDE = [f"wide-{number}" for number in range(62)]
ROUNDS = 5


def start(name, *options):
    """The demo's server with one loop, and its admin address."""
    server = Contender(
        name, [RELEASE / "weir", "serve", "--json", "--demo", "--store", "memory:", "--loops", "1",
               "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0", *options], "")
    addresses = json.loads(server.process.stdout.readline())
    scheme = "https" if "--tls-cert" in options else "http"
    server.url = f"{scheme}://{addresses['data']}{PATH}"
    return server, addresses


def idle_memory():
    """Bytes per idle connection that has made one request."""
    server, addresses = start("idle")
    host, port = addresses["data"].split(":")
    headers, _ = first_and_later_block([
        (":method", "POST"), (":scheme", "http"), (":path", PATH), (":authority", "a"),
        ("content-type", "application/grpc"), ("te", "trailers")])
    request = frame(1, 4, 1, headers) + frame(0, 1, 1, b"\0\0\0\0\5\x0a\3Ada")
    sockets = []
    try:
        for number in range(CONNECTIONS + 200):
            if number == 200:
                before = server.resident_bytes()
            connection = socket.create_connection((host, int(port)))
            connection.sendall(PREFACE + frame(4, 0, 0) + request)
            with connection.makefile("rb") as stream:
                while True:
                    kind, flags, number, _ = read_frame(stream)
                    if kind == 4 and not flags & 1:
                        connection.sendall(frame(4, 1, 0))
                    if number == 1 and flags & 1:
                        break
            sockets.append(connection)
        return (server.resident_bytes() - before) / CONNECTIONS
    finally:
        for connection in sockets:
            connection.close()
        server.stop()


def tls(folder):
    """CPU time with TLS as a ratio to that without it, by shape."""
    certificates = conftest.Authority(folder / "tls")
    certificates.issue("weir", "IP:127.0.0.1")
    cert, key = certificates.cert("weir"), certificates.key("weir")
    servers = [start("plaintext")[0], start("TLS", "--tls-cert", cert, "--tls-key", key)[0]]
    try:
        for server in servers:
            server.arguments = list(map(str, grpc_load(folder)))
        measure(servers, SHAPES[1:], rounds=8)
    finally:
        for server in servers:
            server.stop()
    return [ratio(servers[1], servers[0], shape) for shape in SHAPES[1:]]


def loops(folder):
    """Requests per second and CPU time with two loops, as ratios to those with one. The server and
    the load share both cores.
    """
    servers = [
        Contender(f"{number} loops", [RELEASE / "FixtureServer", number], "http://{}" + PATH,
                  map(str, grpc_load(folder)), True, cores=("0,1", "0,1"))
        for number in (1, 2)]
    shape = SHAPES[2]
    try:
        measure(servers, [shape], rounds=8)
    finally:
        for server in servers:
            server.stop()
    return ratio(servers[1], servers[0], shape, figure=0), ratio(servers[1], servers[0], shape)


class Changes:
    """Changes the weights of an endpoint at a rate, on a separate thread: of the demo's, or of one
    with so many backends that its affinity map is cut into about a thousand intervals.
    """

    def __init__(self, stubs, address, rate, wide):
        self.channel = grpc.insecure_channel(address)
        self.admin = stubs.admin_grpc.AdminStub(self.channel)
        self.stubs, self.rate, self.made, self.ends = stubs, rate, 0, threading.Event()
        self.endpoint = "wide" if wide else "greeter"
        self.backends = WIDE if wide else ["greeter-v1", "greeter-v2"]
        self.random = random.Random(1)
        self.thread = threading.Thread(target=self.run)
        self.start = time.perf_counter()
        self.thread.start()

    def run(self):
        while self.rate and not self.ends.is_set():
            parts = [0.2 + self.random.random() for _ in self.backends]
            self.admin.SetTraffic(self.stubs.admin.SetTrafficRequest(
                endpoint=self.endpoint,
                weights=[self.stubs.admin.BackendWeight(backend=name, weight=part / sum(parts))
                         for name, part in zip(self.backends, parts)]))
            self.made += 1
            self.ends.wait(max(0, self.made / self.rate - (time.perf_counter() - self.start)))

    def stop(self):
        """Changes per second."""
        self.ends.set()
        self.thread.join()
        self.channel.close()
        return self.made / (time.perf_counter() - self.start)


def create_wide(stubs, admin_address, upstream):
    """Creates the endpoint with many backends."""
    admin = stubs.admin
    with grpc.insecure_channel(admin_address) as channel:
        stub = stubs.admin_grpc.AdminStub(channel)
        for name in WIDE:
            stub.CreateBackend(admin.CreateBackendRequest(backend=admin.Backend(
                name=name, upstream=admin.UpstreamKind(addresses=[upstream]))))
        stub.CreateEndpoint(admin.CreateEndpointRequest(
            name="wide", route="/wide.Service/", backend=WIDE[0]))


def changes(folder, stubs):
    """The changes per second that were made, and the median p50 and p99 of callers, by rate and
    width of the endpoint.
    """
    upstream, address = start_upstream()
    server, addresses = start("changes")
    server.arguments = list(map(str, grpc_load(folder)))
    results = {condition: [] for condition in CHANGES}
    try:
        create_wide(stubs, addresses["admin"], address)
        for _ in range(ROUNDS):
            for condition, rounds in results.items():
                changing = Changes(stubs, addresses["admin"], *condition)
                p50, p99, _ = server.latencies(folder, 10, 1, REQUESTS, rate=RATE)
                rounds.append((changing.stop(), p50, p99))
    finally:
        server.stop()
        upstream.terminate()
        upstream.wait(20)
    return {condition: [statistics.median(column) for column in zip(*rounds)]
            for condition, rounds in results.items()}


def run():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        per_connection = idle_memory()
        shallow, deep = tls(folder)
        rate, cost = loops(folder)
        latencies = changes(folder, conftest.load_stubs(folder))
    print("\nOther conditions\n")
    table([
        ["memory of an idle connection", f"{per_connection / 1024:.1f} KiB",
         f"target: below {IDLE_TARGET_KIB} KiB"],
        ["CPU with TLS / without, c=10 m=1", shallow, ""],
        ["CPU with TLS / without, c=10 m=100", deep, ""],
        ["req/s of 2 loops / 1, c=10 m=100, on 2 cores with the load", rate, ""],
        ["CPU of 2 loops / 1, c=10 m=100", cost, ""],
    ])
    print(f"\nLatency of callers at {10 * RATE} req/s while the traffic policy changes (medians of "
          f"{ROUNDS} rounds)\n")
    base = latencies[CHANGES[0]][2]
    table([["changes per second", "made", "p50", "p99", "to none"]] + [
        [f"{rate}{' of an endpoint with 62 backends' if wide else ''}", f"{made:.0f}",
         f"{p50:.0f} us", f"{p99:.0f} us", f"{p99 / base:.2f}"]
        for (rate, wide), (made, p50, p99) in latencies.items()])
    print("(target: p99 within 1.1 of that without changes)")


if __name__ == "__main__":
    run()
