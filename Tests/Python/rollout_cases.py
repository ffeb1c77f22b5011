"""Runs rollouts of known releases against real gRPC servers, and prints what was decided.

    python rollout_cases.py [--identical 40] [--cases NAME,NAME]

Beside each decision stands what the default rules of Argo Rollouts and Flagger decide on the same
responses. A minute of these rules is INTERVAL seconds here, because the rollouts take a minute
instead of an hour.
"""

import argparse
import asyncio
import dataclasses
import pathlib
import random
import sys
import tempfile
import time
import zlib

import grpc

INTERVAL = 5
REQUIRED_SUCCESS = 0.99
FLAGGER_FAILED_CHECKS = 5
USERS = 500
RATE = 60
PLAN = ("--steps", "10%,30%,100%", "--minimum", "15s", "--minimum-requests", "60", "--bake", "15s",
        "--maximum", "120s")


@dataclasses.dataclass
class Release:
    """How a version answers. `age` is the time since its first request, in seconds."""

    failing: float = 0.01
    code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    slowness: float = 1.0
    leaks_after: float = float("inf")
    failing_users: int = 0

    def outcome(self, key, age, rng):
        """The latency in seconds, and the status."""
        latency = rng.uniform(0.050, 0.060) * self.slowness
        failing = self.failing if age < self.leaks_after else 0.3
        is_failing_user = key and zlib.crc32(key.encode()) % USERS < self.failing_users
        failed = is_failing_user or rng.random() < failing
        return latency, self.code if failed else grpc.StatusCode.OK


@dataclasses.dataclass
class Case:
    name: str
    candidate: Release
    expected: str
    baseline: Release = dataclasses.field(default_factory=Release)
    gates: tuple = ("errors<1.5x", "p99<1.2x", "codes<2x")
    rate: float = RATE
    # A few users with most of the requests.
    heavy: bool = False
    reachable: bool = True
    options: tuple = ()


CASES = [
    Case("5 times as many errors", Release(failing=0.05), "aborted"),
    Case("latency 20 % longer", Release(slowness=1.2), "aborted",
         gates=("errors<1.5x", "p99<1.1x")),
    Case("all NOT_FOUND", Release(failing=1, code=grpc.StatusCode.NOT_FOUND), "aborted"),
    Case("30 % errors after 25 s", Release(leaks_after=25), "aborted"),
    Case("heavy users fail by chance", Release(failing_users=15), "succeeded",
         baseline=Release(failing_users=15), heavy=True),
    Case("no traffic", Release(), "paused", rate=0),
    Case("no replica", Release(), "paused", reachable=False),
]


class Server:
    """A grpcio server that answers as a release, and records its responses."""

    def __init__(self, release, seed):
        self.release, self.random = release, random.Random(seed)
        # Of each response: time, whether it is OK, key.
        self.responses = []
        self.begun = None

    async def start(self):
        self.server = grpc.aio.server()
        self.server.add_generic_rpc_handlers((self,))
        self.address = "127.0.0.1:%d" % self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()

    def service(self, details):
        if details.method.startswith("/test."):
            return grpc.unary_unary_rpc_method_handler(self.answer)
        return None

    async def answer(self, request, context):
        now = time.monotonic()
        self.begun = self.begun or now
        key = dict(context.invocation_metadata()).get("x-serve-shard-key", "")
        latency, code = self.release.outcome(key, now - self.begun, self.random)
        await asyncio.sleep(latency)
        self.responses.append((now, code == grpc.StatusCode.OK, key))
        if code != grpc.StatusCode.OK:
            await context.abort(code, "on purpose")
        return request


def intervals(responses):
    """The shares of successful responses in the intervals with responses."""
    if not responses:
        return []
    start = responses[0][0]
    groups = {}
    for moment, is_ok, _ in responses:
        groups.setdefault(int((moment - start) / INTERVAL), []).append(is_ok)
    return [sum(group) / len(group) for _, group in sorted(groups.items())]


def argo(responses):
    """One failed measurement aborts (failureLimit 0)."""
    if not responses:
        return "aborted (no data)"
    return "aborted" if min(intervals(responses)) < REQUIRED_SUCCESS else "promoted"


def flagger(responses):
    """Five failed checks abort. A check without data fails."""
    if not responses:
        return "aborted (no data)"
    failed = sum(share < REQUIRED_SUCCESS for share in intervals(responses))
    return "aborted" if failed >= FLAGGER_FAILED_CHECKS else "promoted"


class Run:
    """One endpoint with two versions, its callers and its rollout."""

    def __init__(self, mesh, case, number, seed):
        self.mesh, self.case = mesh, case
        self.endpoint = f"e{number}"
        self.method = f"/test.E{number}/Call"
        self.random = random.Random(seed)
        self.servers = [Server(case.baseline, seed + 1), Server(case.candidate, seed + 2)]
        self.users = set()

    async def tool(self, *arguments, check=True):
        return await asyncio.to_thread(lambda: self.mesh.tool(*arguments, check=check))

    async def prepare(self):
        for number, server in enumerate(self.servers):
            await server.start()
            address = server.address
            if number == 1 and not self.case.reachable:
                await server.server.stop(None)
            await self.tool(
                "backend", "create", f"{self.endpoint}-v{number + 1}", "--upstream", address,
                "--wait", "0")
        await self.tool(
            "endpoint", "create", self.endpoint, "--route", self.method.removesuffix("Call"),
            "--backend", f"{self.endpoint}-v1")

    def key(self):
        if self.random.random() < 0.2:
            return None
        if self.case.heavy and self.random.random() < 0.7:
            return f"user-{self.random.randrange(10)}"
        return f"user-{self.random.randrange(USERS)}"

    async def load(self, channel):
        call = channel.unary_unary(self.method)
        running = set()

        async def send(key):
            metadata = [("x-serve-shard-key", key)] if key else None
            try:
                await call(b"x", metadata=metadata, timeout=5)
            except grpc.RpcError:
                pass

        while True:
            key = self.key()
            if key:
                self.users.add(key)
            task = asyncio.ensure_future(send(key))
            running.add(task)
            task.add_done_callback(running.discard)
            await asyncio.sleep(self.random.expovariate(self.case.rate))

    def status(self):
        request = self.mesh.stubs.admin.GetRolloutRequest(endpoint=self.endpoint)
        return self.mesh.admin.GetRollout(request, timeout=20)

    async def decide(self):
        """The final phase, or the reason for which the rollout waits."""
        names = self.mesh.stubs.admin.RolloutPhase.Name
        end = time.monotonic() + 300
        while time.monotonic() < end:
            status = await asyncio.to_thread(self.status)
            phase = names(status.phase).removeprefix("ROLLOUT_PHASE_").lower()
            if phase in ("succeeded", "aborted", "paused"):
                return phase, status.reason or status.pause
            await asyncio.sleep(0.5)
        return "running", ""

    async def run(self):
        await self.prepare()
        async with grpc.aio.insecure_channel(self.mesh.weir.data) as channel:
            load = asyncio.ensure_future(self.load(channel)) if self.case.rate else None
            await asyncio.sleep(5 if load else 0)
            gates = [part for gate in self.case.gates for part in ("--gate", gate)]
            await self.tool("rollout", "start", self.endpoint, "--to", f"{self.endpoint}-v2",
                            *PLAN, *gates, *self.case.options)
            phase, reason = await self.decide()
            if load:
                load.cancel()
        candidate = sorted(self.servers[1].responses)
        exposed = {key for _, _, key in candidate if key}
        for server in self.servers:
            await server.server.stop(None)
        share = len(exposed) / len(self.users) if self.users else 0
        return phase, reason, len(candidate), share, argo(candidate), flagger(candidate)


def row(name, phase, requests, share, argo, flagger, reason=""):
    print(f"{name:28} {phase:10} {requests:>9} {share:>8} {argo:>18} {flagger:>18}  {reason}",
          flush=True)


async def identical(mesh, count, seed):
    """Runs of two equal releases; as many at a time as one core carries."""
    case = Case("identical", Release(), "succeeded", rate=20)
    results = []
    for first in range(0, count, 10):
        runs = [Run(mesh, case, 100 + number, seed + 10 * number)
                for number in range(first, min(count, first + 10))]
        results += await asyncio.gather(*(run.run() for run in runs))

    def share(column, word):
        return f"{sum(result[column].startswith(word) for result in results)}/{count} {word}"

    row(f"identical ({count} runs)", share(0, "aborted"),
        sorted(result[2] for result in results)[count // 2], "100 %", share(4, "aborted"),
        share(5, "aborted"))
    return [result for result in results if result[0] not in ("succeeded", "aborted")]


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identical", type=int, default=40)
    parser.add_argument("--cases", default="", help="words in the names of the cases")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import conftest

    failed = []
    with tempfile.TemporaryDirectory() as folder:
        mesh = conftest.Mesh(conftest.load_stubs(pathlib.Path(folder)))
        try:
            row("case", "decision", "requests", "users", "Argo Rollouts", "Flagger", "reason")
            words = options.cases.split(",")
            for number, case in enumerate(CASES):
                if not any(word in case.name for word in words):
                    continue
                phase, reason, count, share, *others = await Run(
                    mesh, case, number, options.seed).run()
                row(case.name, phase, count, f"{share:.0%}", *others, reason[:60])
                if phase != case.expected:
                    failed.append(f"{case.name}: {phase}, expected {case.expected}")
            if options.identical:
                failed += await identical(mesh, options.identical, options.seed)
        finally:
            mesh.stop()
    for failure in failed:
        print(failure)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    asyncio.run(main())
