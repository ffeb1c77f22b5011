"""Kills a server at random moments while an operator moves rollouts. After each start, checks that
every acknowledged decision exists, and that the weights are those of the rollout.

    python rollout_torture.py --rounds 100
"""

import argparse
import pathlib
import random
import signal
import sys
import tempfile
import threading

import grpc

STEPS = [f"{share}%" for share in range(10, 101, 10)]
ABORTED, SUCCEEDED = 7, 8


class Operator:
    """Moves the rollout of one endpoint, and records the answers."""

    def __init__(self, stubs, endpoint, seed):
        self.pb, self.endpoint = stubs.admin, endpoint
        self.random = random.Random(seed)
        self.answered = 0
        # The latest answer, and whether a request after it has no answer.
        self.last, self.is_unanswered = None, False

    def prepare(self, admin):
        pb = self.pb
        for name in self.names():
            admin.CreateBackend(pb.CreateBackendRequest(backend=pb.Backend(
                name=name, upstream=pb.UpstreamKind(addresses=["127.0.0.1:1"]))))
        admin.CreateEndpoint(pb.CreateEndpointRequest(
            name=self.endpoint, route=f"/p.{self.endpoint}/", backend=self.names()[0]))

    def names(self):
        return [f"{self.endpoint}-v1", f"{self.endpoint}-v2"]

    def move(self, admin):
        pb, endpoint = self.pb, self.endpoint
        if self.last is None or self.last.phase in (ABORTED, SUCCEEDED):
            admin.SetTraffic(pb.SetTrafficRequest(
                endpoint=endpoint,
                weights=[pb.BackendWeight(backend=self.names()[0], weight=1)]))
            plan = pb.RolloutPlan(candidate=self.names()[1], steps=STEPS)
            return admin.StartRollout(pb.StartRolloutRequest(endpoint=endpoint, plan=plan)).rollout
        kind = self.random.choices(
            ["Advance", "Pause", "Resume", "Promote", "Abort"], [8, 2, 2, 1, 1])[0]
        request = getattr(pb, f"{kind}RolloutRequest")(endpoint=endpoint)
        return getattr(admin, f"{kind}Rollout")(request)

    def run(self, admin, stopped):
        while not stopped.is_set():
            self.is_unanswered = True
            try:
                self.last = self.move(admin)
                self.answered += 1
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.FAILED_PRECONDITION:
                    # The server was killed.
                    return
            self.is_unanswered = False

    def check(self, admin):
        pb = self.pb
        endpoint = admin.GetEndpoint(pb.GetEndpointRequest(name=self.endpoint))
        weights = {weight.backend: weight.weight for weight in endpoint.weights}
        try:
            found = admin.GetRollout(pb.GetRolloutRequest(endpoint=self.endpoint))
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND
            found = None
        if self.last is not None:
            assert found, f"the rollout of {self.endpoint} is lost"
            assert found.revision >= self.last.revision, "an acknowledged decision is lost"
            if not self.is_unanswered:
                # The server itself may have paused it, because no requests arrive.
                assert found.phase == self.last.phase or found.pause == "no_traffic"
                assert found.step == self.last.step
        if found:
            expected = found.weight
            is_restarting = self.is_unanswered and found.phase in (ABORTED, SUCCEEDED)
            share = weights.get(self.names()[1], 0)
            assert abs(share - expected) < 1e-9 or is_restarting and share == 0, \
                f"the weights {weights} are not those of phase {found.phase}, step {found.step}"
        self.last, self.is_unanswered = found, False


def torture(stubs, start, rounds, seed=1, report=lambda *_: None):
    """Returns the number of acknowledged decisions."""
    rng = random.Random(seed)
    operators = [Operator(stubs, f"e{number}", rng.random()) for number in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            server = start("--state-dir", folder)
            channel = grpc.insecure_channel(server.admin)
            admin = stubs.admin_grpc.AdminStub(channel)
            try:
                for operator in operators:
                    operator.prepare(admin) if number == 0 else operator.check(admin)
                stopped = threading.Event()
                threads = [threading.Thread(target=operator.run, args=(admin, stopped))
                           for operator in operators]
                for thread in threads:
                    thread.start()
                stopped.wait(rng.uniform(0, 0.3))
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()
                stopped.set()
                for thread in threads:
                    thread.join()
            finally:
                channel.close()
                server.stop(signal.SIGKILL)
            report(number, sum(operator.answered for operator in operators))
    return sum(operator.answered for operator in operators)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import conftest

    with tempfile.TemporaryDirectory() as folder:
        stubs = conftest.load_stubs(pathlib.Path(folder))

        def report(number, answered):
            if number % 20 == 0:
                print(f"round {number}: {answered} decisions answered", flush=True)

        answered = torture(stubs, conftest.start_weir, options.rounds, options.seed, report)
    print(f"{options.rounds} rounds: {answered} answered decisions, all there, with their weights")


if __name__ == "__main__":
    main()
