"""Kills a server at random moments while several writers change its state. After each start, checks
that every acknowledged change exists, and that no change exists in part.

    python torture.py --rounds 1000
"""

import argparse
import concurrent.futures
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time

import grpc

WRITERS = 4
BACKENDS = [f"b{number}" for number in range(6)]
# More than a round makes, but few enough that the server also deletes old changes while it is
# killed.
KEPT = 500


class Writer:
    """Changes one endpoint repeatedly, and records the requests and the responses."""

    def __init__(self, number, stubs, seed):
        self.endpoint = f"e{number}"
        self.pb = stubs.admin
        self.random = random.Random(seed)
        # Of this round: revision -> the returned endpoint.
        self.acknowledged = {}
        # The last requested change, if it was not answered.
        self.asked = None

    def change(self, admin):
        chosen = self.random.sample(BACKENDS, self.random.randint(1, 4))
        parts = [self.random.random() + 0.01 for _ in chosen]
        weights = {name: part / sum(parts) for name, part in zip(chosen, parts)}
        self.asked = weights
        reply = admin.SetTraffic(self.pb.SetTrafficRequest(
            endpoint=self.endpoint,
            weights=[self.pb.BackendWeight(backend=name, weight=weight)
                     for name, weight in weights.items()]), timeout=10)
        self.acknowledged[reply.revision] = reply.endpoint
        self.asked = None

    def run(self, admin, stopped):
        while not stopped.is_set():
            try:
                self.change(admin)
            except grpc.RpcError:
                # The server was killed.
                return


def prepare(admin, pb, writers):
    for name in BACKENDS:
        admin.CreateBackend(pb.CreateBackendRequest(backend=pb.Backend(
            name=name, upstream=pb.UpstreamKind(addresses=["127.0.0.1:1"]))))
    for writer in writers:
        admin.CreateEndpoint(pb.CreateEndpointRequest(
            name=writer.endpoint, route=f"/p.{writer.endpoint}/", backend=BACKENDS[0]))


def same_weights(endpoint, asked):
    found = {weight.backend: weight.weight for weight in endpoint.weights}
    return found.keys() == asked.keys() and all(
        abs(found[name] - asked[name]) < 1e-9 for name in asked)


def check(admin, pb, writers, known):
    """Compares the server's state with the responses; returns the latest revision, and the number
    of changes that exist without a response.
    """
    listed = admin.ListRevisions(pb.ListRevisionsRequest(limit=1000))
    current, oldest = listed.current_revision, listed.oldest_revision
    answered = {revision: (writer, endpoint) for writer in writers
                for revision, endpoint in writer.acknowledged.items()}
    lost = [revision for revision in answered if revision > current]
    assert not lost, f"acknowledged revisions {lost} are lost; the latest is {current}"
    unanswered = []
    assert oldest <= known, f"a round made more changes than the {KEPT} kept ones"
    for revision in range(known + 1, current + 1):
        reply = admin.GetRevision(pb.GetRevisionRequest(revision=revision))
        state = {endpoint.name: endpoint for endpoint in reply.endpoints}
        assert reply.revision.summary, f"revision {revision} has no summary"
        if revision in answered:
            writer, endpoint = answered[revision]
            # Weights, intervals and all, bit for bit.
            assert state[writer.endpoint].SerializeToString(deterministic=True) == \
                endpoint.SerializeToString(deterministic=True), f"revision {revision} is another"
        else:
            unanswered.append(revision)
            changed = [w for w in writers if state[w.endpoint].revision == revision]
            assert len(changed) == 1 and changed[0].asked, f"no writer requested revision {revision}"
            assert same_weights(state[changed[0].endpoint], changed[0].asked), \
                f"revision {revision} exists in part"
    assert len(unanswered) <= len(writers)
    # The server serves the latest revision of each endpoint.
    for writer in writers:
        if not writer.acknowledged or writer.asked:
            continue
        latest = writer.acknowledged[max(writer.acknowledged)]
        now = admin.GetEndpoint(pb.GetEndpointRequest(name=writer.endpoint))
        assert now == latest, f"endpoint {writer.endpoint} differs from the last response"
    return current, len(unanswered)


def torture(stubs, start, rounds, seed=1, report=lambda *_: None):
    """Returns the number of acknowledged changes, and of those that existed without a response."""
    rng = random.Random(seed)
    pb = stubs.admin
    answered = unanswered = known = 0
    with tempfile.TemporaryDirectory() as folder:
        writers = [Writer(number, stubs, rng.random()) for number in range(WRITERS)]
        for number in range(rounds + 1):
            server = start("--state-dir", folder, "--keep-revisions", str(KEPT))
            channel = grpc.insecure_channel(server.admin)
            admin = stubs.admin_grpc.AdminStub(channel)
            try:
                if number == 0:
                    prepare(admin, pb, writers)
                    known = admin.ListEndpoints(pb.ListEndpointsRequest()).revision
                else:
                    known, without = check(admin, pb, writers, known)
                    unanswered += without
                for writer in writers:
                    writer.acknowledged, writer.asked = {}, None
                stopped = threading.Event()
                with concurrent.futures.ThreadPoolExecutor(WRITERS) as pool:
                    running = [pool.submit(writer.run, admin, stopped) for writer in writers]
                    time.sleep(rng.uniform(0, 0.3))
                    server.process.send_signal(signal.SIGKILL)
                    server.process.wait()
                    stopped.set()
                    for future in running:
                        future.result()
                answered += sum(len(writer.acknowledged) for writer in writers)
            finally:
                channel.close()
                server.stop(signal.SIGKILL)
            report(number, answered, unanswered)
    return answered, unanswered


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    import conftest

    with tempfile.TemporaryDirectory() as folder:
        stubs = conftest.load_stubs(pathlib.Path(folder))

        def report(number, answered, unanswered):
            if number % 50 == 0:
                print(f"round {number}: {answered} changes answered, {unanswered} more stored",
                      flush=True)

        answered, unanswered = torture(
            stubs, conftest.start_weir, options.rounds, options.seed, report)
    print(f"{options.rounds} rounds: {answered} answered changes, all there; {unanswered} that were "
          "not answered, all of them whole")


if __name__ == "__main__":
    main()
