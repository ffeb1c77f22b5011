"""Measures the cost of a stored state: the start with a large state, changes, and the time until a
whole fleet serves a change.
"""

import os
import pathlib
import random
import signal
import statistics
import sys
import tempfile
import threading
import time

from contender import RELEASE, ROOT, table

os.environ["WEIR_BUILD"] = str(RELEASE)
sys.path.insert(0, str(ROOT / "Tests/Python"))
import conftest  # noqa: E402
import grpc  # noqa: E402
from etcd import Etcd  # noqa: E402

ENDPOINTS, BACKENDS = 1_000, 4
STARTS = 5
CHANGES = 300
START_TARGET_MS = 100


def configuration(upstream):
    """A configuration with 1,000 endpoints; the last one has the demo's service."""
    lines = ["backends:"]
    for endpoint in range(ENDPOINTS):
        for backend in range(BACKENDS):
            lines += [f"- name: b{endpoint}-{backend}",
                      f"  upstream: {{addresses: ['{upstream}']}}"]
    lines.append("endpoints:")
    for endpoint in range(ENDPOINTS):
        route = "/helloworld.Greeter/" if endpoint == ENDPOINTS - 1 else f"/p.S{endpoint}/"
        weights = ", ".join(f"b{endpoint}-{backend}: 0.25" for backend in range(BACKENDS))
        lines += [f"- name: e{endpoint}", f"  route: {route}", f"  weights: {{{weights}}}"]
    return "\n".join(lines) + "\n"


def first_answer(stubs, folder):
    """Milliseconds from the start of the process to the first response."""
    port = conftest.free_port()
    start = time.perf_counter()
    server = conftest.Server(
        [RELEASE / "weir", "serve", "--json", "--state-dir", folder, "--data",
         f"127.0.0.1:{port}", "--admin", "127.0.0.1:0"])
    try:
        ready = time.perf_counter()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stubs.hello_grpc.GreeterStub(channel).SayHello(
                stubs.hello.HelloRequest(name="Ada"), timeout=10, wait_for_ready=True)
            return (time.perf_counter() - start) * 1e3, (ready - start) * 1e3
    finally:
        server.stop(signal.SIGKILL)


def starts(stubs):
    upstream = conftest.start_demo()
    with tempfile.TemporaryDirectory() as folder:
        try:
            file = pathlib.Path(folder) / "weir.yaml"
            file.write_text(configuration(upstream.data))
            server = conftest.start_weir("--state-dir", folder)
            try:
                start = time.perf_counter()
                conftest.tool(server, "apply", "-f", file)
                applied = time.perf_counter() - start
                rate = changes(stubs, server)
            finally:
                server.stop(signal.SIGKILL)
            taken = [first_answer(stubs, folder) for _ in range(STARTS)]
            size = sum(f.stat().st_size for f in pathlib.Path(folder).glob("weir.db*"))
        finally:
            upstream.stop(signal.SIGKILL)
    best = min(taken)
    print(f"\nA stored state of {ENDPOINTS} endpoints x {BACKENDS} backends and {CHANGES} later changes, "
          f"{size / 1e6:.1f} MB\n")
    table([
        ["process start to first response", f"{best[0]:.0f} ms",
            f"target: below {START_TARGET_MS} ms"],
        ["of that until it listens", f"{best[1]:.0f} ms", ""],
        ["weir apply of all of it", f"{applied * 1e3:.0f} ms", ""],
        ["a change (SQLite, synced)", f"{1e3 / rate:.2f} ms", ""],
    ])


def changes(stubs, server):
    """Sequential changes per second."""
    admin = conftest.admin_of(stubs, server)
    rng = random.Random(1)
    start = time.perf_counter()
    for _ in range(CHANGES):
        name = rng.randrange(ENDPOINTS)
        share = rng.uniform(0.1, 0.9)
        admin.SetTraffic(stubs.admin.SetTrafficRequest(endpoint=f"e{name}", weights=[
            stubs.admin.BackendWeight(backend=f"b{name}-0", weight=share),
            stubs.admin.BackendWeight(backend=f"b{name}-1", weight=1 - share)]))
    taken = time.perf_counter() - start
    server.close_admin()
    return CHANGES / taken


def fleet(stubs):
    """Milliseconds until three servers on one etcd serve a change."""
    with tempfile.TemporaryDirectory() as folder:
        etcd = Etcd(f"{folder}/etcd")
        store = f"etcd:http://{etcd.address}"
        servers = [conftest.start_weir("--demo", "--store", store, "--name", f"s{number}",
                                       "--state-dir", f"{folder}/s{number}")
                   for number in range(3)]
        try:
            admins = [conftest.admin_of(stubs, server) for server in servers]
            served = [{} for _ in admins]
            watches = [admin.Watch(stubs.admin.WatchRequest()) for admin in admins]

            def follow(watch, times):
                try:
                    for event in watch:
                        times[event.revision] = time.perf_counter()
                except grpc.RpcError:
                    return

            threads = [threading.Thread(target=follow, args=pair)
                       for pair in zip(watches, served)]
            for thread in threads:
                thread.start()
            everywhere, answered = [], []
            rng = random.Random(2)
            for number in range(CHANGES):
                share = rng.uniform(0.1, 0.9)
                start = time.perf_counter()
                revision = admins[number % 3].SetTraffic(stubs.admin.SetTrafficRequest(
                    endpoint="greeter", weights=[
                        stubs.admin.BackendWeight(backend="greeter-v1", weight=share),
                        stubs.admin.BackendWeight(backend="greeter-v2", weight=1 - share)]),
                    timeout=10).revision
                answered.append((time.perf_counter() - start) * 1e3)
                while not all(revision in times for times in served):
                    time.sleep(0.0002)
                everywhere.append((max(times[revision] for times in served) - start) * 1e3)
            for watch in watches:
                watch.cancel()
            for thread in threads:
                thread.join()
        finally:
            for server in servers:
                server.close_admin()
                server.stop(signal.SIGKILL)
            etcd.stop()
    print(f"\nA change in a fleet of three on one etcd, {CHANGES} times\n")
    table([["", "p50", "p99"]] + [
        [name, *(f"{value:.1f} ms" for value in percentiles(values))]
        for name, values in (("answered", answered), ("served everywhere", everywhere))])


def percentiles(values):
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[98]


def run():
    with tempfile.TemporaryDirectory() as folder:
        stubs = conftest.load_stubs(pathlib.Path(folder))
        starts(stubs)
        fleet(stubs)


if __name__ == "__main__":
    run()
