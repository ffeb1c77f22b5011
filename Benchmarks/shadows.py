"""Measures the cost of a shadow with proportion 1 for clients, for healthy and failing shadows."""

import statistics
import sys

from contender import SHAPES, grpc_load, measure, table
from passthrough import start_upstream, start_weir
from ports import free_port

# Connections, streams each, requests: at full speed, and at a rate that leaves the cores mostly
# idle. The shadow's server shares the core of the load and the upstream. It runs with `nice`, to
# approximate another machine.
FULL = (10, 1, 30_000)
CALM, CALM_RATE = (10, 1, 6_000), 200
ROUNDS = 5


def compare(folder):
    """The contenders after the load, and the latencies of each round at full speed and at a low
    rate.
    """
    modes = {"healthy": (), "hanging": ("hang",), "slow (100 ms)": ("slow",), "100 MB": ("flood",)}
    upstream, address = start_upstream()
    servers = {name: start_upstream(*arguments, yields=True) for name, arguments in modes.items()}
    contenders = [start_weir(address, "none")]
    contenders += [start_weir(address, name, shadow) for name, (_, shadow) in servers.items()]
    contenders.append(start_weir(address, "refusing", f"127.0.0.1:{free_port()}"))
    full = {contender.name: [] for contender in contenders}
    calm = {contender.name: [] for contender in contenders}
    try:
        for contender in contenders:
            contender.arguments = list(map(str, grpc_load(folder)))
            contender.pauses = True
        measure(contenders, rounds=ROUNDS)
        for number in range(ROUNDS):
            for contender in contenders:
                print(f"latencies {number + 1} of {ROUNDS}: {contender.name}", end="\033[K\r",
                      file=sys.stderr)
                full[contender.name].append(contender.latencies(folder, *FULL))
                calm[contender.name].append(contender.latencies(folder, *CALM, rate=CALM_RATE))
        print(end="\033[K", file=sys.stderr)
        memory = {contender.name: contender.resident_bytes() for contender in contenders}
    finally:
        for contender in contenders:
            contender.stop()
        for server in [upstream, *(server for server, _ in servers.values())]:
            server.terminate()
            server.wait(20)
    return contenders, full, calm, memory


def middle(rounds):
    return [statistics.median(column) for column in zip(*rounds)]


def report(contenders, full, calm, memory):
    print("\nUnary calls passed through to an upstream, with a shadow at 100 %; CPU time of Weir per request, and "
          f"the caller's latency at c={FULL[0]} m={FULL[1]}, at full speed and at {CALM_RATE * CALM[0]} "
          f"req/s (median of {ROUNDS} rounds)\n")
    base, calm_base = middle(full[contenders[0].name]), middle(calm[contenders[0].name])
    rows = [["shadow"] + [f"c={c} m={m}" for c, m, _ in SHAPES]
            + ["p50", "p99", "to none", "calm p50", "calm p99", "to none", "memory"]]
    for contender in contenders:
        p50, p99, _ = middle(full[contender.name])
        calm50, calm99, _ = middle(calm[contender.name])
        rows.append(
            [contender.name] + [f"{contender.cpu(shape):.2f} us" for shape in SHAPES]
            + [f"{p50:.0f} us", f"{p99:.0f} us", f"{p99 / base[1]:.2f}", f"{calm50:.0f} us",
               f"{calm99:.0f} us", f"{calm99 / calm_base[1]:.2f}",
               f"{memory[contender.name] / 2**20:.0f} MiB"])
    table(rows)
    print("(target: p99 with a hanging shadow at most 1.05 of that without one; no request failed)")
