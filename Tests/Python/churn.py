"""Workers that are scaled, replaced and killed under load (`make churn TIME=600`).

Calls that may fail (see the manual, "Backends", "Retries"):

- Scaling and replacing workers fails no call.
- A killed worker fails the calls whose responses it had started; they end with UNAVAILABLE.
- It also fails calls whose requests exceed the retry buffer (64 KiB).
- Weir retries every other call on another worker, because the backend retries UNAVAILABLE.

A failed call must be of the second or third kind, and a worker must have been killed during the
call.
"""

import argparse
import collections
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "Benchmarks")]

import grpc  # noqa: E402

from conftest import PATIENCE, ROOT, SECONDS, Mesh, load_stubs, wait_for  # noqa: E402

READY = 3
# More than `retry-buffer-bytes`.
LARGE = bytes(200_000)
SMALL = b"0.005"
# The number of messages of a stream, and the seconds between two.
STREAM = b"10 0.02"


class Churn:
    """A worker backend under load, and the changes of its workers."""

    FEWEST, MOST = 2, 4

    def __init__(self, mesh, seed=None):
        self.mesh = mesh
        self.seed = random.randrange(1 << 32) if seed is None else seed
        print(f"seed {self.seed}")
        self.random = random.Random(self.seed)
        self.counts, self.failed = collections.Counter(), collections.Counter()
        self.wrong = []
        self.killed = {}
        self.versions = 0
        self.stopped = threading.Event()
        mesh.tool("backend", "create", "churned", "--worker", self.command(), "--replicas",
                  self.FEWEST, "--retry", "UNAVAILABLE", "--wait", SECONDS)
        mesh.endpoint("churned", "/test.Raw/", "churned")

    def command(self):
        self.versions += 1
        return (f"env NAME=version-{self.versions} {sys.executable} "
                f"{ROOT}/Tests/Python/interop_server.py {self.mesh.stubs.path}")

    # The load.

    def call(self, kind, may_fail, make):
        """Makes a call, and checks whether it may fail.

        `may_fail` returns whether a killed worker may fail the call, once it has failed.
        """
        began = time.monotonic()
        try:
            make()
            self.counts[kind] += 1
        except grpc.RpcError as error:
            ended = time.monotonic()
            code = error.code().name
            self.failed[f"{kind}: {code}"] += 1
            killed = any(began <= last and first <= ended for first, last in self.killed.values())
            if code != "UNAVAILABLE" or not killed or not may_fail():
                self.wrong.append(f"{kind} after {ended - began:.3f} s: {code} {error.details()}")

    def unary(self, channel):
        name = channel.unary_unary("/test.Raw/Name")
        self.call("small", lambda: False, lambda: name(SMALL, timeout=30))

    def large(self, channel):
        seen = channel.unary_unary("/test.Raw/Size")
        self.call("large", lambda: True, lambda: seen(LARGE, timeout=30))

    def stream(self, channel):
        call = channel.unary_stream("/test.Raw/Trickle")(STREAM, timeout=30)

        def began():
            # The worker that has sent the first headers.
            return int(dict(call.initial_metadata()).get("x-pid", 0)) in self.killed

        self.call("stream", began, lambda: collections.deque(call, maxlen=0))

    def metrics(self, channel):
        """Checks that each sample occurs once, even while a worker and its successor run."""
        url = f"http://{self.mesh.weir.admin}/metrics"
        with urllib.request.urlopen(url, timeout=30) as response:
            lines = response.read().decode().splitlines()
        samples = collections.Counter(
            line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#"))
        self.wrong += [f"{count} samples of {name}" for name, count in samples.items() if count > 1]
        self.counts["metrics"] += 1
        time.sleep(0.1)

    def load(self, make):
        with grpc.insecure_channel(self.mesh.weir.data) as channel:
            while not self.stopped.is_set():
                make(channel)

    # Changes of the workers.

    def pids(self):
        return [replica.pid for replica in self.mesh.status("churned").replicas
                if replica.state == READY and replica.pid]

    def settle(self):
        """Waits until every worker is ready."""
        def settled():
            backend = self.mesh.admin.GetBackend(
                self.mesh.stubs.admin.GetBackendRequest(name="churned"), timeout=10)
            replicas = backend.status.replicas
            return len(replicas) == backend.worker.replicas and all(
                replica.state == READY and replica.revision == backend.revision
                for replica in replicas)
        wait_for(settled, 3 * SECONDS)

    def update(self, *options, wait=3 * SECONDS):
        self.mesh.tool("backend", "update", "churned", *options, "--wait", wait)

    def scale(self, replicas):
        self.update("--replicas", replicas)
        self.counts["scalings"] += 1

    def replace(self):
        self.update("--worker", self.command())
        self.counts["replacements"] += 1

    def kill(self):
        pid = self.random.choice(self.pids())
        self.killed[pid] = (time.monotonic(), float("inf"))
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            # A replacement has already ended it.
            del self.killed[pid]
            return
        # Its connections end with it. After a short time, they cannot fail calls.
        self.killed[pid] = (self.killed[pid][0], time.monotonic() + PATIENCE)
        self.counts["kills"] += 1

    def replace_and_kill(self):
        self.update("--worker", self.command(), wait=0)
        self.counts["replacements"] += 1
        time.sleep(self.random.uniform(0, 2))
        self.kill()

    def supersede(self):
        """An update to a command that never listens, and the next update."""
        self.update("--worker", "sleep 600", wait=0)
        time.sleep(self.random.uniform(0, 1))
        self.replace()

    def cycle(self):
        """Runs each change once."""
        for change in (
                lambda: self.scale(self.MOST), self.replace, self.kill, self.replace_and_kill,
                lambda: self.scale(self.random.randint(self.FEWEST, self.MOST)), self.kill,
                self.supersede, lambda: self.scale(self.FEWEST)):
            change()
            self.settle()

    def run(self, seconds, report=lambda churn: None):
        """Runs whole cycles until the time has passed."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.load, args=[make])
                   for make in (self.unary, self.unary, self.unary, self.large, self.stream,
                                self.stream, self.metrics)]
        for thread in threads:
            thread.start()
        try:
            while True:
                self.cycle()
                report(self)
                if time.monotonic() > end:
                    return
        finally:
            self.stopped.set()
            for thread in threads:
                thread.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        mesh = Mesh(load_stubs(pathlib.Path(folder)))
        log = []
        threading.Thread(target=lambda: log.extend(mesh.weir.process.stderr), daemon=True).start()
        try:
            churn = Churn(mesh, options.seed)
            churn.run(options.seconds, lambda churn: print(
                f"{time.monotonic() - began:.0f} s: {dict(churn.counts)}, "
                f"failed {dict(churn.failed)}, {len(churn.wrong)} wrongly", flush=True))
        finally:
            code = mesh.stop()
    for kind, count in sorted(churn.counts.items()):
        print(f"{count:10,} {kind}")
    for kind, count in sorted(churn.failed.items()):
        print(f"{count:10,} failed, {kind}")
    wrong = churn.wrong[:20]
    if code:
        wrong.append(f"the server ended with {code}: {''.join(log[-20:])}")
    for line in wrong:
        print("WRONG:", line)
    print(f"{len(churn.wrong)} calls failed that must not, in {time.monotonic() - began:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
