"""Measures Weir beside its peers on this machine, and prints ratios.

Server and load generator are pinned to a core each; every server has one loop or thread. CPU time
is the server process's own. Runs are interleaved, and the best of each is taken.
"""

import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

import count_allocations

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / ".build" / "release"
# connections, streams each, requests
SHAPES = [(1, 1, 20_000), (10, 1, 100_000), (10, 100, 400_000)]
ROUNDS = 3
MAX_ALLOCATIONS = 6
PAYLOAD = 64


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Contender:
    def __init__(self, name, command, url, arguments=(), address_from_output=False):
        self.name, self.arguments = name, list(arguments)
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *map(str, command)], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        if address_from_output:
            url = url.format(self.process.stdout.readline().split()[0])
        self.url = url
        self.results = {}

    def load(self, connections, streams, requests):
        before = cpu_seconds(self.process)
        output = subprocess.run(
            ["taskset", "-c", "1", "h2load", "-c", str(connections), "-m", str(streams),
             "-n", str(requests), *self.arguments, self.url],
            capture_output=True, text=True, timeout=120, check=True).stdout
        spent = cpu_seconds(self.process) - before
        if f"{requests} succeeded" not in output:
            sys.exit(f"{self.name}: requests failed\n{output}")
        rate = float(re.search(r"([\d.]+) req/s", output).group(1))
        return rate, spent / requests * 1e6

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def build_peer(folder):
    subprocess.run(
        ["protoc", f"-I{ROOT / 'protos'}", f"--cpp_out={folder}", f"--grpc_out={folder}",
         "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin", "helloworld/helloworld.proto"],
        check=True)
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "grpc++", "protobuf"], capture_output=True, text=True,
        check=True).stdout.split()
    server = folder / "echo_server"
    subprocess.run(
        ["g++", "-O2", "-std=c++17", f"-I{folder}", "-o", server,
         ROOT / "Benchmarks/echo_server.cc", folder / "helloworld/helloworld.pb.cc",
         folder / "helloworld/helloworld.grpc.pb.cc", *flags],
        check=True)
    return server


def wait_for(url):
    host, port = re.match(r"http://([^:]+):(\d+)", url).groups()
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"nothing listens at {url}")


def compare(folder):
    message = b"\x0a" + bytes([PAYLOAD]) + b"x" * PAYLOAD
    (folder / "body").write_bytes(struct.pack(">BI", 0, len(message)) + message)
    (folder / "file").write_bytes(b"x" * (PAYLOAD + 5))
    grpc = ["-d", folder / "body", "-H", "content-type: application/grpc", "-H", "te: trailers"]
    path = "/helloworld.Greeter/SayHello"
    peer_port, file_port = free_port(), free_port()
    contenders = [
        Contender("weir", [RELEASE / "FixtureServer", "1"], "http://{}" + path, grpc, True),
        Contender(
            "nghttpd", ["nghttpd", "-n", "1", "--no-tls", "-a", "127.0.0.1", "-d", folder, file_port],
            f"http://127.0.0.1:{file_port}/file"),
        Contender(
            "grpc C++", [build_peer(folder), peer_port], f"http://127.0.0.1:{peer_port}{path}", grpc),
    ]
    try:
        for contender in contenders:
            wait_for(contender.url)
            contender.load(10, 10, 5_000)
        for number in range(ROUNDS):
            for shape in SHAPES:
                for contender in contenders:
                    print(f"round {number + 1} of {ROUNDS}: {contender.name} c={shape[0]} "
                          f"m={shape[1]}", end="\033[K\r", file=sys.stderr)
                    result = contender.load(*shape)
                    best = contender.results.get(shape, (0, float("inf")))
                    contender.results[shape] = (max(best[0], result[0]), min(best[1], result[1]))
        print(end="\033[K", file=sys.stderr)
    finally:
        for contender in contenders:
            contender.stop()
    return contenders


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = [cell.ljust(widths[0]) if index == 0 else cell.rjust(widths[index])
                        for index, cell in enumerate(row)]
        print("  ".join([first, *rest]))


def report(contenders):
    print(f"Unary echo of {PAYLOAD} bytes, plaintext; CPU time of the server per request\n")
    rows = [["server"] + [f"c={c} m={m}" for c, m, _ in SHAPES]]
    for contender in contenders:
        rows.append([contender.name] + [
            f"{cpu:.2f} us ({rate / 1000:.1f} k/s)"
            for rate, cpu in (contender.results[shape] for shape in SHAPES)])
    table(rows)
    weir, nghttpd, peer = contenders
    deep = SHAPES[-1]
    print("\nRatios at c=10 m=100")
    table([
        ["weir CPU / nghttpd CPU", f"{weir.results[deep][1] / nghttpd.results[deep][1]:.2f}",
         "target: below 1"],
        ["weir req/s / grpc C++ req/s", f"{weir.results[deep][0] / peer.results[deep][0]:.2f}",
         "target: at least 5"],
    ])


def policy():
    lines = subprocess.run(
        ["taskset", "-c", "0", RELEASE / "PolicyBenchmark"], capture_output=True, text=True,
        check=True).stdout.splitlines()
    print("\nPolicy decision")
    rows = [["kind", "backends", "intervals", "ns", "target"]]
    for line in lines:
        kind, backends, intervals, nanoseconds = line.split()
        target = "below 50" if kind == "keyed" else "below 20"
        rows.append([kind, backends, intervals, f"{float(nanoseconds):.1f}", target])
    table(rows)


def allocations():
    per_request = count_allocations.measure(RELEASE / "FixtureServer")
    print(f"\nHeap allocations per unary request: {per_request:.2f} (at most {MAX_ALLOCATIONS})")
    return per_request <= MAX_ALLOCATIONS


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        report(compare(folder))
        policy()
        if not allocations():
            sys.exit("too many allocations")


if __name__ == "__main__":
    main()
