"""Measures Weir and its peers on this machine, and prints ratios.

The server and the load generator are pinned to one core each; every server has one loop or thread.
CPU time is that of the server process. Runs are interleaved; tables show medians [quartiles].
"""

import pathlib
import subprocess
import sys
import tempfile

import runtime_calls
import conditions
import passthrough
import shadows
import state
import streams
import tracing
import web_protocols
from contender import (
    PAYLOAD, RELEASE, ROOT, ROUNDS, SHAPES, Contender, grpc_load, measure, ratio, table)
from ports import free_port

# Runtime calls per unary request, by the number of requests that arrive at once: allocations, and
# retains with releases.
MAX_RUNTIME_CALLS = {1: (2, 210), 100: (2, 70)}


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


def compare(folder):
    grpc = grpc_load(folder)
    path = "/helloworld.Greeter/SayHello"
    # nghttpd answers the same request with a file of the size of the response.
    served = folder / "served" / path[1:]
    served.parent.mkdir(parents=True)
    served.write_bytes(b"x" * (PAYLOAD + 7))
    peer_port, file_port = free_port(), free_port()
    contenders = [
        Contender("weir", [RELEASE / "FixtureServer", "1"], "http://{}" + path, grpc, True),
        Contender(
            "nghttpd",
            ["nghttpd", "-n", "1", "--no-tls", "-a", "127.0.0.1", "-d", folder / "served",
             file_port],
            f"http://127.0.0.1:{file_port}{path}", grpc),
        Contender(
            "grpc C++", [build_peer(folder), peer_port], f"http://127.0.0.1:{peer_port}{path}",
            grpc),
    ]
    try:
        measure(contenders)
    finally:
        for contender in contenders:
            contender.stop()
    return contenders


def report(contenders):
    print(f"Unary echo of {PAYLOAD} bytes, plaintext; CPU time of the server per request\n")
    rows = [["server"] + [f"c={c} m={m}" for c, m, _ in SHAPES]]
    for contender in contenders:
        rows.append([contender.name] + [contender.text(shape) for shape in SHAPES])
    table(rows)
    weir, nghttpd, peer = contenders
    shallow, deep = SHAPES[1:]
    print(f"\nRatios (medians [quartiles] of {ROUNDS} pairs)")
    table([
        ["weir CPU / nghttpd CPU, c=10 m=100", ratio(weir, nghttpd, deep), "target: at most 1.0"],
        ["weir CPU / nghttpd CPU, c=10 m=1", ratio(weir, nghttpd, shallow), "target: at most 1.1"],
        ["weir req/s / grpc C++ req/s, c=10 m=100", ratio(weir, peer, deep, figure=0),
         "target: at least 10"],
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


def runtime():
    """Prints the runtime calls per request. Returns whether they are within the thresholds."""
    print("\nRuntime calls of the server per unary request")
    rows = [["requests at once", "allocations", "limit", "retains and releases", "limit"]]
    is_within = True
    for depth, limits in MAX_RUNTIME_CALLS.items():
        counts = runtime_calls.measure(RELEASE / "FixtureServer", depth)
        is_within &= all(count <= limit for count, limit in zip(counts, limits))
        rows.append([str(depth)] + [
            cell for count, limit in zip(counts, limits) for cell in (f"{count:.1f}", str(limit))])
    table(rows)
    return is_within


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        report(compare(folder))
        passthrough.report(*passthrough.compare(folder))
        web_protocols.report(web_protocols.compare(folder))
        streams.report(streams.compare(folder, folder / "echo_server"))
        shadows.report(*shadows.compare(folder))
        tracing.report(*tracing.compare(folder))
        policy()
        state.run()
        conditions.run()
        if not runtime():
            sys.exit("more runtime calls than the limit")


if __name__ == "__main__":
    main()
