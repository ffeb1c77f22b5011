"""Measures the cost of traces for unary calls that Weir passes through: for calls that their caller
has not sampled, and for sampled ones with a collector that answers, hangs, or refuses connections.
"""

import concurrent.futures
import contextlib
import socket
import statistics
import sys

import grpc

from contender import SHAPES, grpc_load, measure, ratio, table
from passthrough import start_upstream, start_weir
from ports import free_port

ROUNDS = 10
# Connections, streams each, requests, and requests per second on each connection: a rate that
# leaves the cores mostly idle.
CALM, CALM_RATE = (10, 1, 10_000), 200
CALM_ROUNDS = 5
SHAPE = SHAPES[2]
PARENT = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"


class Collector(grpc.GenericRpcHandler):
    """Accepts every export."""

    def service(self, _):
        return grpc.unary_unary_rpc_method_handler(lambda *_: b"")


@contextlib.contextmanager
def collectors():
    """The addresses of a collector that answers, one that hangs, and one that does not exist."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([Collector()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with socket.create_server(("127.0.0.1", 0)) as hung:
        yield {
            "answering": f"127.0.0.1:{port}",
            "hung": "127.0.0.1:%d" % hung.getsockname()[1],
            "dead": f"127.0.0.1:{free_port()}",
        }
    server.stop(None)


def compare(folder):
    """The contenders after the load, and the latencies of each round at a low rate."""
    upstream, address = start_upstream()
    off = ("--limit", "max-traced-calls=0")
    contenders = []

    def add(name, options, parent=None):
        contender = start_weir(address, name, options=options)
        contender.arguments = list(map(str, grpc_load(folder)))
        if parent is not None:
            contender.arguments += ["-H", PARENT + parent]
        contenders.append(contender)

    with collectors() as addresses:
        traces = {
            name: ("--otlp", f"http://{collector}") for name, collector in addresses.items()}
        try:
            add("no header, traces off", off)
            add("no header, traces on", traces["hung"])
            add("not sampled, traces off", off, "0")
            add("not sampled, traces on", traces["hung"], "0")
            for name, options in traces.items():
                add(f"sampled, collector {name}", options, "1")
            measure(contenders, shapes=[SHAPE], rounds=ROUNDS)
            latencies = {contender.name: [] for contender in contenders}
            for number in range(CALM_ROUNDS):
                for contender in contenders:
                    print(f"latencies {number + 1} of {CALM_ROUNDS}: {contender.name}",
                          end="\033[K\r", file=sys.stderr)
                    latencies[contender.name].append(
                        contender.latencies(folder, *CALM, rate=CALM_RATE))
            print(end="\033[K", file=sys.stderr)
            memory = {contender.name: contender.resident_bytes() for contender in contenders}
        finally:
            for contender in contenders:
                contender.stop()
            upstream.terminate()
            upstream.wait(20)
    return contenders, latencies, memory


def report(contenders, latencies, memory):
    print(f"\nTraces of unary calls passed through; CPU time of Weir per request, and the caller's "
          f"latency at {CALM_RATE * CALM[0]} req/s (median of {CALM_ROUNDS} rounds)\n")
    rows = [["call", f"c={SHAPE[0]} m={SHAPE[1]}", "p50", "p99", "memory"]]
    for contender in contenders:
        p50, p99, _ = [statistics.median(column) for column in zip(*latencies[contender.name])]
        rows.append([
            contender.name, contender.text(SHAPE), f"{p50:.0f} us", f"{p99:.0f} us",
            f"{memory[contender.name] / 2**20:.0f} MiB"])
    table(rows)
    by_name = {contender.name: contender for contender in contenders}
    print(f"\nRatios of CPU time (medians [quartiles] of {ROUNDS} pairs)")
    rows = []
    for kind in ("no header", "not sampled"):
        on, off = (by_name[f"{kind}, traces {state}"] for state in ("on", "off"))
        cost = statistics.median(
            first[1] - second[1]
            for first, second in zip(on.results[SHAPE], off.results[SHAPE])) * 1_000
        rows.append([f"{kind}: traces on / off", ratio(on, off, SHAPE), f"{cost:.0f} ns",
                     "target: below 50 ns"])
    table(rows)
    print("(target: p99 with a hung or dead collector as with one that answers)")
