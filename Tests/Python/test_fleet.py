"""Several servers on one etcd: they share one state, even after network partitions."""

import concurrent.futures
import contextlib
import json
import random
import signal
import socket
import subprocess
import threading

import grpc
import pytest
from conftest import BUILD, admin_of, metric, start_weir, tool, wait_for
from etcd import Etcd

TTL = 3
KEYS = [f"key {number}".encode() for number in range(100)]


class Fleet:
    """Servers that share one etcd, each with its own state directory."""

    def __init__(self, stubs, etcd, folder):
        self.stubs, self.pb, self.etcd, self.folder = stubs, stubs.admin, etcd, folder
        self.servers, self.admins = [], []

    def options(self, name, endpoints=None):
        store = f"etcd:http://{endpoints or self.etcd.address}?prefix=fleet&ttl={TTL}"
        return ["--demo", "--store", store, "--name", name, "--state-dir", self.folder / name]

    def start(self, name, endpoints=None, options=()):
        server = start_weir(*self.options(name, endpoints), *options)
        self.servers.append(server)
        self.admins.append(admin_of(self.stubs, server))
        return server

    def stop(self):
        for server in self.servers:
            server.close_admin()
            server.stop(signal.SIGKILL)

    def revisions(self):
        return [admin.ListEndpoints(self.pb.ListEndpointsRequest(), timeout=5).revision
                for admin in self.admins]

    def set(self, admin, share, **options):
        return admin.SetTraffic(self.pb.SetTrafficRequest(
            endpoint="greeter", weights=[
                self.pb.BackendWeight(backend="greeter-v1", weight=share),
                self.pb.BackendWeight(backend="greeter-v2", weight=1 - share)], **options),
            timeout=10)

    def endpoint(self, admin):
        return admin.GetEndpoint(self.pb.GetEndpointRequest(name="greeter"), timeout=5)

    def owners(self, admin):
        return [admin.ExplainRoute(self.pb.ExplainRouteRequest(
            path="/helloworld.Greeter/SayHello", shard_key=key), timeout=5).backend
            for key in KEYS]

    def instances(self, index):
        return self.admins[index].ListInstances(self.pb.ListInstancesRequest(), timeout=10)

    def leader(self, index):
        return [i.name for i in self.instances(index).instances if i.leader]


@pytest.fixture
def etcd(tmp_path):
    server = Etcd(tmp_path / "etcd")
    yield server
    server.stop()


@pytest.fixture
def fleet(stubs, etcd, tmp_path):
    fleet = Fleet(stubs, etcd, tmp_path)
    yield fleet
    fleet.stop()


@pytest.fixture
def three(fleet):
    for name in ("one", "two", "three"):
        fleet.start(name)
    return fleet


def test_a_change_through_any_is_served_by_all_with_the_same_keys(three):
    rng = random.Random(4)
    moved = 0
    before = three.owners(three.admins[0])
    for number in range(12):
        reply = three.set(three.admins[number % 3], round(rng.uniform(0.1, 0.9), 2))
        wait_for(lambda: three.revisions() == [reply.revision] * 3)
        maps = [three.endpoint(admin) for admin in three.admins]
        assert maps[0] == maps[1] == maps[2]
        owners = [three.owners(admin) for admin in three.admins]
        assert owners[0] == owners[1] == owners[2]
        moved += owners[0] != before
        before = owners[0]
    assert moved > 3
    # The explanation matches the routing.
    for server in three.servers:
        with grpc.insecure_channel(server.data) as channel:
            call = three.stubs.hello_grpc.GreeterStub(channel).SayHello
            for key, owner in list(zip(KEYS, before))[:10]:
                _, done = call.with_call(
                    three.stubs.hello.HelloRequest(name="Ada"), timeout=5,
                    metadata=[("x-serve-shard-key", key.decode())])
                assert ("x-serve-backend", owner) in done.trailing_metadata()


def test_the_fleet_is_listed_and_has_one_leader(three):
    def settled():
        listed = three.instances(1).instances
        return len(listed) == 3 and len({i.revision for i in listed}) == 1

    wait_for(settled)
    reply = three.instances(1)
    assert [i.name for i in reply.instances] == ["one", "three", "two"]
    assert [i.name for i in reply.instances if i.answering] == ["two"]
    assert {i.version for i in reply.instances} == {"0.1.0"}
    assert {(i.data_address, i.admin_address) for i in reply.instances} == {
        (s.data, s.admin) for s in three.servers}
    assert three.leader(0) == three.leader(1) == three.leader(2) == ["one"]
    page = tool(three.servers[0], "fleet", "list").stdout
    assert "leader, this one" in page and f"state in etcd:http://{three.etcd.address}" in page


def test_commands_about_the_calls_of_one_server_name_the_others(three):
    wait_for(lambda: len(three.instances(1).instances) == 3)
    one, two, third = three.servers
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with grpc.insecure_channel(one.data) as channel:
        channel.unary_unary("/helloworld.Greeter/SayHello")(
            b"", timeout=5, metadata=[("traceparent", f"00-{trace}-00f067aa0ba902b7-01")])
    note = (f"weir: only the server 'two' was asked; others of its fleet may have calls of the "
            f"trace: 'one' ({one.admin}), 'three' ({third.admin}); ask each with: weir trace "
            f"{trace} --admin ADDRESS")
    absent = tool(two, "trace", trace, check=False)
    assert absent.returncode == 1 and note in absent.stderr
    found = tool(one, "trace", trace)
    assert "SayHello" in found.stdout and "only the server 'one' was asked" in found.stderr
    assert json.loads(tool(one, "trace", trace, "--json").stdout)["calls"]
    tapped = tool(three.servers[2], "tap", "greeter", "--seconds", "0.2")
    assert "only the server 'three' was asked" in tapped.stderr


def test_a_killed_leader_is_followed_within_its_lease(three):
    wait_for(lambda: len(three.instances(1).instances) == 3)
    three.servers[0].stop(signal.SIGKILL)
    took = wait_for(lambda: three.leader(1) not in ([], ["one"]), seconds=TTL + 5)
    # etcd checks leases twice a second.
    assert took < TTL + 2
    assert three.leader(1) == three.leader(2)
    wait_for(lambda: [i.name for i in three.instances(1).instances] == ["three", "two"])


def test_a_restarted_server_is_listed_once(fleet):
    fleet.start("one")
    other = fleet.start("other")
    wait_for(lambda: len(fleet.instances(0).instances) == 2)
    before = {i.name: i.id for i in fleet.instances(0).instances}
    for _ in range(2):
        other.stop(signal.SIGKILL)
        other = fleet.start("other", options=["--data", other.data, "--admin", other.admin])
        wait_for(lambda: {i.name: i.id for i in fleet.instances(0).instances} != before)
        before = {i.name: i.id for i in fleet.instances(0).instances}
        assert [i.name for i in fleet.instances(0).instances] == ["one", "other"]
        assert [i.name for i in fleet.instances(len(fleet.admins) - 1).instances] == [
            "one", "other"]
    assert "servers have the name" not in tool(fleet.servers[0], "fleet", "list").stdout


def test_a_leader_that_ends_hands_over_at_once(three):
    wait_for(lambda: len(three.instances(1).instances) == 3)
    three.servers[0].stop()
    assert wait_for(lambda: three.leader(1) not in ([], ["one"])) < 1
    assert len(three.instances(1).instances) == 2


def test_writers_through_all_servers_lose_no_change(three):
    pb = three.pb
    for number in range(6):
        three.admins[0].CreateEndpoint(pb.CreateEndpointRequest(
            name=f"e{number}", route=f"/p.E{number}/", backend="greeter-v1"))
    wait_for(lambda: len(set(three.revisions())) == 1)
    start = three.revisions()[0]

    def write(number):
        revisions = []
        for step in range(15):
            reply = three.admins[number % 3].SetTraffic(pb.SetTrafficRequest(
                endpoint=f"e{number}", weights=[
                    pb.BackendWeight(backend="greeter-v1", weight=1 - (step + 1) / 100),
                    pb.BackendWeight(backend="greeter-v2", weight=(step + 1) / 100)]), timeout=20)
            revisions.append(reply.revision)
        return revisions

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        written = list(pool.map(write, range(6)))
    # Each change has its own revision, and no other revisions exist.
    assert sorted(sum(written, [])) == list(range(start + 1, start + 91))
    wait_for(lambda: three.revisions() == [start + 90] * 3)
    for admin in three.admins:
        for number in range(6):
            weights = admin.GetEndpoint(pb.GetEndpointRequest(name=f"e{number}")).weights
            assert weights[1].weight == 0.15


def test_of_two_that_expect_the_same_revision_one_is_reported_the_current_one(three):
    wait_for(lambda: len(set(three.revisions())) == 1)
    revision = three.revisions()[0]

    def write(admin):
        try:
            return three.set(admin, 0.5, expected_revision=revision).revision
        except grpc.RpcError as error:
            return error

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(write, three.admins))
    winners = [a for a in answers if isinstance(a, int)]
    losers = [a for a in answers if not isinstance(a, int)]
    assert winners == [revision + 1]
    for error in losers:
        assert error.code() == grpc.StatusCode.ABORTED
        assert f"the current one is {revision + 1}" in error.details()


def test_a_watch_continues_at_another_server_without_gap_or_repetition(three):
    pb = three.pb
    wait_for(lambda: len(set(three.revisions())) == 1)
    watch = three.admins[0].Watch(pb.WatchRequest(), timeout=30)
    seen = [next(watch).revision]
    stopped = threading.Event()

    def write():
        share = 0
        while not stopped.is_set():
            share = share % 90 + 1
            three.set(three.admins[share % 3], share / 100)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for hop in range(6):
            for _ in range(10):
                seen.append(next(watch).revision)
            watch.cancel()
            admin = three.admins[(hop + 1) % 3]
            # The other server may not have the change yet.
            wait_for(lambda: admin.ListEndpoints(pb.ListEndpointsRequest()).revision >= seen[-1])
            watch = admin.Watch(pb.WatchRequest(from_revision=seen[-1]), timeout=30)
    finally:
        stopped.set()
        writer.join()
        watch.cancel()
    assert seen == list(range(seen[0], seen[0] + 61))


def test_without_etcd_all_servers_serve_and_catch_up_when_it_returns(three):
    reply = three.set(three.admins[0], 0.5)
    wait_for(lambda: three.revisions() == [reply.revision] * 3)
    owners = three.owners(three.admins[0])
    three.etcd.stop()
    for server in three.servers:
        wait_for(lambda: metric(server, "weir_store_up") == 0)
    for admin, server in zip(three.admins, three.servers):
        with pytest.raises(grpc.RpcError) as caught:
            three.set(admin, 0.1)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        assert "traffic is not affected" in caught.value.details()
        assert three.owners(admin) == owners
        _, done = admin.GetEndpoint.with_call(three.pb.GetEndpointRequest(name="greeter"))
        assert "x-weir-stale" in dict(done.trailing_metadata())
        with grpc.insecure_channel(server.data) as channel:
            three.stubs.hello_grpc.GreeterStub(channel).SayHello(
                three.stubs.hello.HelloRequest(name="Ada"), timeout=5)
    reported = three.instances(0)
    assert reported.store_failure and [i.name for i in reported.instances] == ["one"]

    three.etcd.start()
    for server in three.servers:
        wait_for(lambda: metric(server, "weir_store_up") == 1)
    reply = three.set(three.admins[2], 0.25)
    wait_for(lambda: three.revisions() == [reply.revision] * 3)
    wait_for(lambda: len(three.instances(0).instances) == 3)


class Proxy:
    """Forwards connections to a port. While `flowing` is cleared, it forwards nothing and closes
    nothing, like a network partition."""

    def __init__(self, port):
        self.target = port
        self.flowing = threading.Event()
        self.flowing.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    client.close()
                    continue
                self.sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self.pump, args=(source, target), daemon=True).start()

    def pump(self, source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self.flowing.wait()
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def close(self):
        for each in (self.listener, *self.sockets):
            each.close()


def test_a_server_without_etcd_serves_its_last_state_and_catches_up(fleet):
    fleet.start("one")
    proxy = Proxy(fleet.etcd.port)
    try:
        cut = fleet.start("cut", proxy.address)
        reply = fleet.set(fleet.admins[0], 0.5)
        wait_for(lambda: fleet.revisions() == [reply.revision] * 2)
        proxy.flowing.clear()
        latest = fleet.set(fleet.admins[0], 0.25)
        assert fleet.revisions() == [latest.revision, reply.revision]
        with grpc.insecure_channel(cut.data) as channel:
            fleet.stubs.hello_grpc.GreeterStub(channel).SayHello(
                fleet.stubs.hello.HelloRequest(name="Ada"), timeout=5)
        # The expired lease reveals the partition to the server and to the others.
        wait_for(lambda: metric(cut, "weir_store_up") == 0)
        wait_for(lambda: [i.name for i in fleet.instances(0).instances] == ["one"])
        with pytest.raises(grpc.RpcError) as caught:
            fleet.set(fleet.admins[1], 0.9)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        proxy.flowing.set()
        wait_for(lambda: metric(cut, "weir_store_up") == 1)
        wait_for(lambda: fleet.revisions() == [latest.revision] * 2)
        assert fleet.endpoint(fleet.admins[1]) == fleet.endpoint(fleet.admins[0])
        wait_for(lambda: len(fleet.instances(0).instances) == 2)
    finally:
        proxy.close()


def test_a_dead_endpoint_of_etcd_is_passed_over(fleet):
    proxy = Proxy(fleet.etcd.port)
    weir = fleet.start("one", f"{proxy.address},{fleet.etcd.address}")
    fleet.set(fleet.admins[0], 0.5)
    proxy.close()
    fleet.set(fleet.admins[0], 0.25)
    assert metric(weir, "weir_store_up") == 1


def test_etcd_is_reached_by_tls_with_a_certificate_of_ones_own(stubs, tmp_path, certificates):
    etcd = Etcd(tmp_path / "etcd", "https", [
        "--cert-file", certificates / "server.pem", "--key-file", certificates / "server.key",
        "--client-cert-auth", "--trusted-ca-file", certificates / "ca.pem"])
    store = f"etcd:https://{etcd.address}?ca={certificates / 'ca.pem'}&server_name=model.internal"
    own = f"&cert={certificates / 'client.pem'}&key={certificates / 'client.key'}"
    try:
        weir = start_weir("--demo", "--store", store + own, "--state-dir", tmp_path / "state")
        try:
            tool(weir, "traffic", "set", "greeter", "greeter-v2=1")
            assert "state in etcd:https://" in tool(weir, "fleet", "list").stdout
        finally:
            weir.stop(signal.SIGKILL)
        # Without credentials the store is not reachable, and the error contains the reason.
        run = subprocess.run(
            [BUILD / "weir", "serve", "--store", store, "--data", "127.0.0.1:0",
             "--admin", "127.0.0.1:0"], capture_output=True, text=True, timeout=40)
        assert run.returncode == 1 and "no etcd endpoint responds: " in run.stderr
    finally:
        etcd.stop()


def test_a_server_that_starts_later_has_the_state_of_the_others(fleet, tmp_path):
    first = fleet.start("one")
    for share in range(1, 60):
        fleet.set(fleet.admins[0], share / 100)
    second = fleet.start("two")
    assert tool(second, "export").stdout == tool(first, "export").stdout
    assert tool(second, "history", "--json").stdout == tool(first, "history", "--json").stdout
    # A state moves unchanged from etcd to a file.
    listed = json.loads(tool(first, "endpoint", "list", "--json").stdout)
    assert listed["endpoints"][0]["weights"][0]["weight"] == 0.59
