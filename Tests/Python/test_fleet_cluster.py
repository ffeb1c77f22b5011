"""A fleet on an etcd cluster of three members: what each server serves and reports when members,
their data or the network fail. The manual has the table, in "State"."""

import contextlib
import shutil
import subprocess

import grpc
import pytest
from conftest import SECONDS, free_port, metric, polled, tool, wait_for
from etcd import EtcdProcess

from test_fleet import Fleet, Proxy

NAMES = ("one", "two", "three")


class Member:
    """One member of a cluster."""

    def __init__(self, folder, name, peers):
        self.folder, self.name, self.peers = folder / name, name, peers
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = None

    def start(self, state="new"):
        client, peer = f"http://{self.address}", self.peers[self.name]
        self.process = EtcdProcess(
            self.port, self.folder, "--name", self.name, "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer,
            "--initial-cluster", ",".join(f"{name}={url}" for name, url in self.peers.items()),
            "--initial-cluster-state", state, "--strict-reconfig-check=false",
            "--heartbeat-interval", "50", "--election-timeout", "500")

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(SECONDS)
            self.process = None


class Cluster:
    """Three members of etcd on loopback."""

    def __init__(self, folder):
        peers = {f"m{number}": f"http://127.0.0.1:{free_port()}" for number in range(3)}
        self.members = [Member(folder, name, peers) for name in peers]
        self.folder = folder
        self.start()

    @property
    def address(self):
        return ",".join(member.address for member in self.members)

    @property
    def running(self):
        return ",".join(member.address for member in self.members if member.process)

    def start(self):
        for member in self.members:
            if not member.process:
                member.start()
        for member in self.members:
            wait_for(member.process.listens)

    def stop(self):
        for member in self.members:
            member.stop()

    @contextlib.contextmanager
    def stopped(self):
        self.stop()
        yield
        self.start()

    def back_up(self):
        with self.stopped():
            for member in self.members:
                shutil.copytree(member.folder, f"{member.folder}.backup")

    def restore(self):
        with self.stopped():
            for member in self.members:
                shutil.rmtree(member.folder)
                shutil.copytree(f"{member.folder}.backup", member.folder)

    def empty(self):
        with self.stopped():
            for member in self.members:
                shutil.rmtree(member.folder)

    def run(self, *arguments):
        return subprocess.run(
            ["etcdctl", f"--endpoints={self.running}", *arguments], capture_output=True, text=True,
            timeout=SECONDS, env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"})

    def control(self, *arguments):
        """Runs a command when the cluster has a leader."""
        wait_for(lambda: self.run("put", "test", "test").returncode == 0)
        run = self.run(*arguments)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def compact(self):
        status = self.control("endpoint", "status", "--write-out=fields")
        revision = next(
            line.split()[-1] for line in status.splitlines() if line.startswith('"Revision"'))
        self.control("compact", "--physical", revision)
        self.control("defrag")


class Cut(contextlib.ExitStack):
    """The network of one server, which a test can interrupt."""

    def __init__(self, cluster):
        super().__init__()
        self.proxies = [
            self.enter_context(contextlib.closing(Proxy(member.port)))
            for member in cluster.members]
        self.address = ",".join(proxy.address for proxy in self.proxies)

    def set(self, is_cut):
        for proxy in self.proxies:
            proxy.flowing.clear() if is_cut else proxy.flowing.set()


@pytest.fixture
def cluster(tmp_path):
    folder = tmp_path / "etcd"
    folder.mkdir()
    cluster = Cluster(folder)
    yield cluster
    cluster.stop()


@pytest.fixture
def fleet(stubs, cluster, tmp_path):
    """Three servers; a test can interrupt the third one's network."""
    fleet = Fleet(stubs, cluster, tmp_path)
    with Cut(cluster) as fleet.network:
        for name in NAMES:
            fleet.start(name, fleet.network.address if name == "three" else None)
        revision = change(fleet, fleet.admins[0], 0.9)
        wait_for(lambda: fleet.revisions() == [revision] * 3)
        yield fleet
        fleet.network.set(False)
        fleet.stop()


def report(fleet):
    """What each server serves and reports: the share of v1, the revision and the state."""
    rows = []
    for admin, server in zip(fleet.admins, fleet.servers):
        listed = admin.ListInstances(fleet.pb.ListInstancesRequest(), timeout=10).instances
        own = next(instance for instance in listed if instance.answering)
        with grpc.insecure_channel(server.data) as channel:
            fleet.stubs.hello_grpc.GreeterStub(channel).SayHello(
                fleet.stubs.hello.HelloRequest(name="Ada"), timeout=5)
        state = fleet.pb.InstanceState.Name(own.state).removeprefix("INSTANCE_STATE_").lower()
        up, diverged = metric(server, "weir_store_up"), metric(server, "weir_store_diverged")
        if (up == 1) != (state == "current") or (diverged == 1) != (state == "diverged"):
            state = f"{state}, but up is {up} and diverged {diverged}"
        share = fleet.endpoint(admin).weights[0].weight
        rows.append((round(share, 2), own.revision, state))
    return rows


def settle(fleet, rows):
    """Waits until the servers report these rows."""
    reported = []

    def holds():
        reported[:] = report(fleet)
        return reported == rows

    try:
        wait_for(holds, seconds=2 * SECONDS)
    except AssertionError:
        assert reported == rows


def refusal(fleet, admin, share):
    """Why a change is refused; nothing if it is accepted."""
    try:
        fleet.set(admin, share)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        assert "traffic is not affected" in error.details()
        return error.details()


def change(fleet, admin, share):
    """Changes the share; returns the revision. etcd refuses writes while it elects a leader."""
    polled(lambda: refusal(fleet, admin, share), lambda reason: not reason)
    return fleet.endpoint(admin).revision


def changes_are(fleet, *accepted):
    for admin, expected in zip(fleet.admins, accepted):
        share = round(fleet.endpoint(admin).weights[0].weight - 0.01, 2)
        if expected:
            change(fleet, admin, share)
        else:
            assert refusal(fleet, admin, share), "a change was accepted"


def all_are_up(fleet):
    for server in fleet.servers:
        wait_for(lambda: metric(server, "weir_store_up") == 1)


def revision_of(fleet):
    return max(fleet.revisions())


def test_one_member_is_lost(fleet, cluster):
    for member in cluster.members:
        member.stop()
        revision = revision_of(fleet)
        all_are_up(fleet)
        share = round(0.5 + revision / 100, 2)
        revision = change(fleet, fleet.admins[1], share)
        settle(fleet, [(share, revision, "current")] * 3)
        cluster.start()
        all_are_up(fleet)


def test_two_members_are_lost(fleet, cluster):
    revision = revision_of(fleet)
    for member in cluster.members[:2]:
        member.stop()
    settle(fleet, [(0.9, revision, "stale")] * 3)
    changes_are(fleet, False, False, False)
    # One of them suffices for a majority.
    cluster.members[0].start()
    settle(fleet, [(0.9, revision, "current")] * 3)
    changes_are(fleet, True, True, True)


def test_one_member_loses_its_data(fleet, cluster):
    revision = revision_of(fleet)
    lost = cluster.members[2]
    lost.stop()
    shutil.rmtree(lost.folder)
    # An operator replaces the member.
    members = cluster.control("member", "list").splitlines()
    identity = next(line.split(",")[0] for line in members if f" {lost.name}," in line)
    cluster.control("member", "remove", identity)
    settle(fleet, [(0.9, revision, "current")] * 3)
    changes_are(fleet, True, True, True)
    cluster.control("member", "add", lost.name, f"--peer-urls={lost.peers[lost.name]}")
    lost.start("existing")
    wait_for(lost.process.listens)
    # The new member is needed for a majority.
    cluster.members[0].stop()
    revision = revision_of(fleet)
    share = fleet.endpoint(fleet.admins[2]).weights[0].weight
    settle(fleet, [(share, revision, "current")] * 3)
    changes_are(fleet, True, True, True)


def test_all_data_is_lost(fleet, cluster):
    revision = revision_of(fleet)
    cluster.empty()
    settle(fleet, [(0.9, revision, "diverged")] * 3)
    changes_are(fleet, False, False, False)
    assert "is empty" in tool(fleet.servers[1], "state", "adopt", check=False).stderr
    tool(fleet.servers[1], "state", "restore")
    settle(fleet, [(0.9, revision, "current")] * 3)
    changes_are(fleet, True, True, True)


def test_a_backup_is_restored(fleet, cluster):
    cluster.back_up()
    backup = revision_of(fleet)
    all_are_up(fleet)
    change(fleet, fleet.admins[0], 0.8)
    revision = change(fleet, fleet.admins[1], 0.7)
    wait_for(lambda: fleet.revisions() == [revision] * 3)
    cluster.restore()
    settle(fleet, [(0.7, revision, "diverged")] * 3)
    changes_are(fleet, False, False, False)
    listed = tool(fleet.servers[2], "fleet", "list").stdout
    assert listed.count("diverged") == 3 and listed.count("restored from a backup") == 3
    # One adopts what is in etcd, the others keep their state until they do.
    tool(fleet.servers[0], "state", "adopt")
    settle(fleet, [(0.9, backup, "current")] + [(0.7, revision, "diverged")] * 2)
    for share in (0.6, 0.5, 0.4):
        latest = change(fleet, fleet.admins[0], share)
    settle(fleet, [(0.4, latest, "current")] + [(0.7, revision, "diverged")] * 2)
    for server in fleet.servers[1:]:
        tool(server, "state", "adopt")
    settle(fleet, [(0.4, latest, "current")] * 3)
    changes_are(fleet, True, True, True)


def test_a_server_is_cut_off_while_etcd_is_compacted(fleet, cluster):
    revision = revision_of(fleet)
    fleet.network.set(True)
    settle(fleet, [(0.9, revision, "current")] * 2 + [(0.9, revision, "stale")])
    for number in range(60):
        latest = change(fleet, fleet.admins[number % 2], (number + 1) / 100)
    cluster.compact()
    settle(fleet, [(0.6, latest, "current")] * 2 + [(0.9, revision, "stale")])
    changes_are(fleet, True, True, False)
    latest = revision_of(fleet)
    share = fleet.endpoint(fleet.admins[1]).weights[0].weight
    fleet.network.set(False)
    settle(fleet, [(share, latest, "current")] * 3)
    changes_are(fleet, True, True, True)


def test_a_server_is_cut_off_while_a_backup_is_restored(fleet, cluster):
    cluster.back_up()
    all_are_up(fleet)
    revision = change(fleet, fleet.admins[0], 0.8)
    wait_for(lambda: fleet.revisions() == [revision] * 3)
    fleet.network.set(True)
    cluster.restore()
    for server in fleet.servers[:2]:
        wait_for(lambda: metric(server, "weir_store_diverged") == 1)
    for server in fleet.servers[:2]:
        tool(server, "state", "adopt")
    for share in (0.1, 0.2, 0.3):
        latest = change(fleet, fleet.admins[1], share)
    settle(fleet, [(0.3, latest, "current")] * 2 + [(0.8, revision, "stale")])
    # It finds a different revision with the same number, and applies nothing.
    fleet.network.set(False)
    settle(fleet, [(0.3, latest, "current")] * 2 + [(0.8, revision, "diverged")])
    changes_are(fleet, True, True, False)
    tool(fleet.servers[2], "state", "adopt")
    latest = revision_of(fleet)
    share = fleet.endpoint(fleet.admins[1]).weights[0].weight
    settle(fleet, [(share, latest, "current")] * 3)
