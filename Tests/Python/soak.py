"""A long test of all features (`make soak TIME=1800`): calls of all kinds, short-lived clients, a
policy change every second, shadows, killed upstreams, slow readers and clients that disconnect.

Only expected requests may fail. At the end, connections, streams, files and memory must return to
their initial values.
"""

import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "Benchmarks")]

import grpc  # noqa: E402
import weir  # noqa: E402

from conftest import BUILD, Server, load_stubs, memory  # noqa: E402
from peer import END_HEADERS, Peer, request_fields  # noqa: E402

HELLO = "/helloworld.Greeter/SayHello"
NAME = b"\n\x03Ada"


class Soak:
    def __init__(self, seconds, folder):
        self.end = time.monotonic() + seconds
        self.seconds, self.folder = seconds, folder
        self.counts = collections.Counter()
        self.failures = []
        self.stubs = load_stubs(folder / "stubs")
        self.server = Server(
            [str(BUILD / "weir"), "serve", "--json", "--demo", "--data", "127.0.0.1:0", "--admin",
             "127.0.0.1:0", "--store", f"sqlite:{folder}/weir.db", "--keep-revisions", "100",
             "--limit", "slow-reader-timeout=5"])
        addresses = json.loads(self.server.first_line)
        self.data, self.admin = addresses["data"], addresses["admin"]
        # Reads the log, because a full pipe would block the server.
        self.log = []
        threading.Thread(
            target=lambda: self.log.extend(self.server.process.stderr), daemon=True).start()
        self.upstreams = [self.upstream() for _ in range(3)]
        self.client = weir.connect(self.admin, timeout=30)
        self.client.create_backend("interop", [address for _, address in self.upstreams])
        self.client.create_endpoint("interop", backend="interop",
            route="/grpc.testing.TestService/")

    @property
    def goes_on(self):
        return time.monotonic() < self.end

    def upstream(self, address=None):
        command = [sys.executable, HERE / "interop_server.py", self.stubs.path]
        server = Server(list(map(str, command + ([address] if address else []))))
        return server, address or f"127.0.0.1:{server.first_line.strip()}"

    # The load.

    def unary(self):
        """Short-lived channels, with and without shard keys."""
        while self.goes_on:
            with grpc.insecure_channel(self.data) as channel:
                call = channel.unary_unary(HELLO)
                for number in range(random.randint(1, 300)):
                    metadata = [("x-serve-shard-key", str(number))] if number % 2 else []
                    self.check("unary", lambda: call(NAME, metadata=metadata, timeout=30))

    def streams(self):
        """The other three kinds of call, which may fail with UNAVAILABLE when an upstream is
        killed.
        """
        messages, service = self.stubs.messages, self.stubs.interop_grpc
        while self.goes_on:
            with grpc.insecure_channel(self.data) as channel:
                stub = service.TestServiceStub(channel)
                for _ in range(random.randint(1, 20)):
                    payload = messages.Payload(body=bytes(random.randint(0, 100_000)))
                    self.check("client streaming", lambda: stub.StreamingInputCall(
                        iter([messages.StreamingInputCallRequest(payload=payload)] * 5),
                        timeout=30), may="UNAVAILABLE")
                    request = messages.StreamingOutputCallRequest(
                        response_parameters=[messages.ResponseParameters(size=10_000)] * 10)
                    self.check("server streaming", lambda: list(stub.StreamingOutputCall(
                        request, timeout=30)), may="UNAVAILABLE")
                    self.check("bidirectional", lambda: list(stub.FullDuplexCall(
                        iter([request] * 3), timeout=30)), may="UNAVAILABLE")

    def retried(self):
        """Unary calls to the same upstreams, which Weir retries on another replica."""
        with grpc.insecure_channel(self.data) as channel:
            stub = self.stubs.interop_grpc.TestServiceStub(channel)
            while self.goes_on:
                self.check("forwarded", lambda: stub.EmptyCall(
                    self.stubs.empty.Empty(), timeout=30), may="UNAVAILABLE")
                time.sleep(0.002)

    def plain_http(self):
        while self.goes_on:
            self.check("plain HTTP", lambda: urllib.request.urlopen(
                f"http://{self.admin}/metrics", timeout=30).read())
            time.sleep(0.5)

    def check(self, kind, call, may=None):
        try:
            call()
            self.counts[kind] += 1
        except grpc.RpcError as error:
            if error.code().name == may:
                self.counts[f"{kind}: {may}, as meant"] += 1
            else:
                self.failures.append(f"{kind}: {error.code().name} {error.details()}")
        except OSError as error:
            self.failures.append(f"{kind}: {error!r}")

    def changes(self):
        """A canary every second, with changing shadows."""
        while self.goes_on:
            share = random.random()
            self.client.set_traffic("greeter", {"greeter-v1": share, "greeter-v2": 1 - share})
            self.client.shadow_traffic(
                "greeter", random.choice(["greeter-v1", "greeter-v2"]), random.choice([0, 0.1, 1]))
            self.counts["changes"] += 2
            time.sleep(1)

    def kills(self):
        """Kills an upstream, and restarts it at its address."""
        while self.goes_on:
            time.sleep(3)
            place = random.randrange(len(self.upstreams))
            server, address = self.upstreams[place]
            server.process.kill()
            server.process.wait()
            time.sleep(0.5)
            self.upstreams[place] = self.upstream(address)
            self.counts["kills"] += 1

    def bad_clients(self):
        """Clients that do not read, reset requests, disconnect during a call, or send nothing."""
        while self.goes_on:
            peers = []
            for _ in range(20):
                peer = Peer(self.data, settings=[(4, 0)])
                for stream in (1, 3, 5):
                    peer.request(stream, HELLO, NAME)
                peer.headers(7, request_fields(HELLO), END_HEADERS)
                peer.reset(3)
                peers.append(peer)
            time.sleep(random.random())
            for peer in peers:
                peer.close()
            self.counts["bad clients"] += len(peers)

    def run(self):
        self.unary_once()
        before = self.figures()
        work = [self.unary, self.unary, self.streams, self.retried, self.plain_http, self.changes,
                self.kills, self.bad_clients]
        threads = [threading.Thread(target=self.guard(one)) for one in work]
        for thread in threads:
            thread.start()
        reported_at = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            time.sleep(1)
            if time.monotonic() - reported_at > 30:
                reported_at = time.monotonic()
                print(f"{int(self.end - reported_at)} s to go: {self.figures()}, "
                      f"{sum(self.counts.values())} done, {len(self.failures)} failed", flush=True)
        return before, self.settled(before)

    def guard(self, work):
        def run():
            try:
                work()
            except Exception as error:
                self.failures.append(f"{work.__name__} broke off: {error!r}")
        return run

    def unary_once(self):
        """Makes the first calls of each kind, whose one-time allocations are not a leak."""
        with grpc.insecure_channel(self.data) as channel:
            for _ in range(2_000):
                channel.unary_unary(HELLO)(NAME, timeout=30)

    def figures(self):
        process = self.server.process
        text = urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=30).read().decode()
        values = collections.Counter()
        for line in text.splitlines():
            name = line.split("{")[0].split(" ")[0]
            if name in ("weir_connections", "weir_requests_in_flight", "weir_buffered_bytes"):
                values[name.removeprefix("weir_")] += int(float(line.split()[-1]))
        files = len(os.listdir(f"/proc/{process.pid}/fd"))
        return {"files": files, "memory": memory(process), **values}

    def settled(self, before):
        """The figures after all clients have disconnected, as soon as they equal the initial ones.
        """
        end = time.monotonic() + 30
        while True:
            now = self.figures()
            if time.monotonic() > end or all(
                    now[name] <= before[name] for name in before if name != "memory"):
                return now
            time.sleep(0.5)

    def close(self):
        self.client.close()
        code = self.server.stop()
        for server, _ in self.upstreams:
            server.process.kill()
            server.process.wait()
        return code


# Allocators keep some memory, and the history and the reports are kept on purpose.
MEMORY_SLACK = 64 << 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "stubs").mkdir()
        soak = Soak(seconds, folder)
        try:
            before, after = soak.run()
        finally:
            code = soak.close()
    for kind, count in sorted(soak.counts.items()):
        print(f"{count:10,} {kind}")
    wrong = [f"{failure}" for failure in soak.failures[:20]]
    for name in before:
        print(f"{name:20} {before[name]:>15,} before {after[name]:>15,} after")
        slack = MEMORY_SLACK if name == "memory" else 0
        if after[name] > before[name] + slack:
            wrong.append(f"{name} did not return to its initial value")
    if code != 0:
        wrong.append(f"the server ended with {code}: {''.join(soak.log[-20:])}")
    for line in wrong:
        print("WRONG:", line)
    print(f"{len(soak.failures)} unexpected failures of requests in {seconds} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
