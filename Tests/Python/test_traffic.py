"""Traffic splits of the demo, measured by an ordinary grpcio client."""

import collections
import json
import pathlib
import time

import grpc
import pytest
import xxhash

from conftest import load

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def greeter(demo, stubs):
    with grpc.insecure_channel(demo.data) as channel:
        yield stubs.hello_grpc.GreeterStub(channel)


@pytest.fixture
def admin(demo, stubs):
    with grpc.insecure_channel(demo.admin) as channel:
        yield stubs.admin_grpc.AdminStub(channel)


def set_traffic(admin, stubs, **weights):
    return admin.SetTraffic(stubs.admin.SetTrafficRequest(
        endpoint="greeter",
        weights=[
            stubs.admin.BackendWeight(backend=name.replace("_", "-"), weight=weight)
            for name, weight in weights.items()
        ]))


def backend_of(greeter, stubs, key=None):
    metadata = [("x-serve-shard-key", key)] if key else None
    reply, call = greeter.SayHello.with_call(
        stubs.hello.HelloRequest(name="Ada"), metadata=metadata, timeout=10)
    backend = dict(call.trailing_metadata())["x-serve-backend"]
    expected = {"greeter-v1": "Hello Ada!", "greeter-v2": "Good day, Ada."}
    assert reply.message == expected[backend]
    return backend


def test_without_a_key_the_split_fits_the_weights(greeter, stubs):
    counts = collections.Counter(backend_of(greeter, stubs) for _ in range(2_000))
    # 0.9 / 0.1 of 2,000; five standard deviations are 67.
    assert abs(counts["greeter-v1"] - 1_800) < 67


def test_keys_stick_and_only_the_keys_in_the_map_move(greeter, admin, stubs):
    keys = [f"user-{number}" for number in range(300)]
    seed = xxhash.xxh64_intdigest(b"greeter", seed=0)

    def owners(endpoint):
        def owner(key):
            point = xxhash.xxh64_intdigest(key.encode(), seed=seed)
            return [i.backend for i in endpoint.intervals if i.start <= point][-1]

        return {key: owner(key) for key in keys}

    def observed():
        return {key: backend_of(greeter, stubs, key) for key in keys}

    before = observed()
    assert observed() == before
    assert before == owners(admin.GetEndpoint(stubs.admin.GetEndpointRequest(name="greeter")))

    reply = set_traffic(admin, stubs, greeter_v1=0.8, greeter_v2=0.2)
    assert reply.moved_share == pytest.approx(0.1)
    after = observed()
    predicted = owners(reply.endpoint)
    assert after == predicted
    moved = {key for key in keys if before[key] != after[key]}
    assert moved and all(before[key] == "greeter-v1" for key in moved)

    reply = set_traffic(admin, stubs, greeter_v1=0.9, greeter_v2=0.1)
    assert reply.moved_share == pytest.approx(0.1)
    assert observed() == before


def test_the_published_vectors_hold_for_another_implementation_of_xxh64():
    vectors = json.loads((ROOT / "protos" / "vectors" / "affinity.json").read_text())
    checked = 0
    for case in vectors["cases"]:
        seed = xxhash.xxh64_intdigest(case["endpoint"].encode(), seed=0)
        for choice in case["choices"]:
            point = xxhash.xxh64_intdigest(choice["key"].encode(), seed=seed)
            owners = [i["backend"] for i in case["intervals"] if int(i["start"]) <= point]
            assert (str(point), owners[-1]) == (choice["point"], choice["backend"])
            checked += 1
    assert checked > 100


def test_a_thousand_changes_a_second_fail_no_request(demo, greeter, admin, stubs):
    failures, answered = [], collections.Counter()
    changes, pending = 500, []
    with grpc.insecure_channel(demo.data) as channel:
        stub = stubs.hello_grpc.GreeterStub(channel)

        def ask():
            try:
                answered[backend_of(stub, stubs)] += 1
            except grpc.RpcError as error:
                failures.append(error)

        with load(ask, threads=2):
            start = time.monotonic()
            for number in range(changes):
                weight = (number % 11) / 10
                pending.append(admin.SetTraffic.future(stubs.admin.SetTrafficRequest(
                    endpoint="greeter", weights=[
                        stubs.admin.BackendWeight(backend="greeter-v1", weight=weight),
                        stubs.admin.BackendWeight(backend="greeter-v2", weight=1 - weight)])))
            revisions = [change.result(timeout=20).revision for change in pending]
            seconds = time.monotonic() - start
    print(f"{changes / seconds:.0f} changes a second, {sum(answered.values())} requests")
    assert not failures
    assert sum(answered.values()) > 0
    # Each change has its own revision.
    assert sorted(revisions) == list(range(min(revisions), min(revisions) + changes))
