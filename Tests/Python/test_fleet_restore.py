"""Fleets whose etcd was restored from a backup, has lost its data, or is down at the start."""

import contextlib
import shutil
import subprocess

import grpc
import pytest
from conftest import BUILD, SECONDS, metric, polled, tool, wait_for

from test_fleet import etcd, fleet  # noqa: F401


class Backups:
    """Copies of the data of an etcd, which is stopped while they are made or restored."""

    def __init__(self, etcd):
        self.etcd, self.folder = etcd, f"{etcd.folder}.backup"

    @contextlib.contextmanager
    def stopped(self):
        self.etcd.stop()
        yield
        self.etcd.start()

    def make(self):
        with self.stopped():
            shutil.copytree(self.etcd.folder, self.folder)

    def restore(self):
        with self.stopped():
            shutil.rmtree(self.etcd.folder)
            shutil.copytree(self.folder, self.etcd.folder)

    def empty(self):
        with self.stopped():
            shutil.rmtree(self.etcd.folder)


@pytest.fixture
def backups(etcd):
    return Backups(etcd)


def change(fleet, *shares, admin=0):
    """The revision after some changes."""
    for share in shares:
        revision = fleet.set(fleet.admins[admin], share).revision
    return revision


def diverge(fleet, backups):
    """Servers whose etcd was restored to an earlier revision, and the revision that they serve."""
    backups.make()
    for server in fleet.servers:
        wait_for(lambda: metric(server, "weir_store_up") == 1)
    revision = change(fleet, 0.2, 0.3, 0.4)
    wait_for(lambda: set(fleet.revisions()) == {revision})
    backups.restore()
    for server in fleet.servers:
        wait_for(lambda: metric(server, "weir_store_diverged") == 1)
    return revision


def refused_start(fleet, name):
    run = subprocess.run(
        [BUILD / "weir", "serve", *map(str, fleet.options(name)),
         "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
        capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 1
    return run.stderr


def stop(fleet, server):
    """Removes a server from the fleet; returns its log."""
    index = fleet.servers.index(server)
    server.close_admin()
    server.stop()
    del fleet.servers[index], fleet.admins[index]
    return server.process.stderr.read()


def refusal(fleet, server):
    run = tool(server, "traffic", "set", "greeter", "greeter-v1=1", check=False)
    assert run.returncode == 69
    return run.stderr


def test_a_restored_history_is_not_applied_to_a_later_state(fleet, backups):
    first = fleet.start("one")
    revision = diverge(fleet, backups)
    served = fleet.endpoint(fleet.admins[0])
    # Another server continues from the restored state, past the revision that the first one serves.
    second = fleet.start("two", options=["--accept-lost-revisions"])
    assert change(fleet, 0.6, 0.7, 0.8, 0.9, admin=1) == revision + 1
    assert f"revision {revision} of the store is not the one that this server serves" in refusal(
        fleet, first)
    assert fleet.endpoint(fleet.admins[0]) == served
    # The restored etcd contains the former record of the first server until it writes a new one.
    listed = polled(lambda: tool(second, "fleet", "list").stdout,
                    lambda listed: f"{revision}  diverged" in listed)
    assert f"{revision + 1}  current" in listed and "'weir state adopt'" in listed
    assert "the store contains another history" in stop(fleet, first)

    # A restart changes nothing: it serves its copy, and rejects changes.
    again = fleet.start("one")
    assert fleet.endpoint(fleet.admins[1]) == served
    assert (metric(again, "weir_store_diverged"), metric(again, "weir_store_up")) == (1, 0)
    assert "is not the one that this server serves" in refusal(fleet, again)

    plan = tool(again, "state", "adopt", "--dry-run").stdout
    assert f"the server was at revision {revision}, the store at revision {revision + 1}" in plan
    assert f"they are equal up to revision {revision - 3}" in plan
    assert "(nothing has changed)" in plan and '~ endpoint  greeter' in plan
    assert fleet.endpoint(fleet.admins[1]) == served
    tool(again, "state", "adopt")
    assert fleet.endpoint(fleet.admins[1]) == fleet.endpoint(fleet.admins[0])
    assert (metric(again, "weir_store_diverged"), metric(again, "weir_store_up")) == (0, 1)
    revision = change(fleet, 0.5, admin=1)
    wait_for(lambda: fleet.revisions() == [revision] * 2)
    # The copy follows.
    assert "adopting the history of the store" in stop(fleet, again)
    latest = fleet.start("one")
    assert metric(latest, "weir_store_up") == 1


def test_a_state_that_is_restored_is_followed_by_all(fleet, backups):
    first, second = fleet.start("one"), fleet.start("two")
    revision = diverge(fleet, backups)
    served = fleet.endpoint(fleet.admins[0])
    plan = tool(first, "state", "restore", "--dry-run").stdout
    assert f"would contain revision {revision} (nothing has changed)" in plan
    assert f"they are equal up to revision {revision - 3}" in plan
    assert metric(first, "weir_store_diverged") == 1
    assert f"the store contains revision {revision}" in tool(first, "state", "restore").stdout
    # The other server has the same history, and continues without a command.
    for server in (first, second):
        wait_for(lambda: metric(server, "weir_store_up") == 1)
    assert change(fleet, 0.5, admin=1) == revision + 1
    wait_for(lambda: fleet.revisions() == [revision + 1] * 2)
    # The whole history exists, for rollbacks and for servers that start later.
    third = fleet.start("three")
    assert tool(third, "history", "--json").stdout == tool(first, "history", "--json").stdout
    tool(third, "rollback", revision)
    assert fleet.endpoint(fleet.admins[2]).weights == served.weights


def test_an_emptied_etcd_is_neither_served_nor_adopted(fleet, backups):
    first = fleet.start("one")
    revision = change(fleet, 0.5)
    backups.empty()
    wait_for(lambda: metric(first, "weir_store_diverged") == 1)
    assert "was emptied or restored from a backup" in refusal(fleet, first)

    # The first server registers again within its lease.
    def listed():
        return fleet.etcd.control("get", "--prefix", "fleet/v1/members/", "--keys-only").strip()

    wait_for(listed)
    text = refused_start(fleet, "two")
    assert f"the server 'one' serves revision {revision}, but the latest one in etcd:" in text
    assert "--accept-lost-revisions" in text
    run = tool(first, "state", "adopt", check=False)
    assert run.returncode == 1 and "is empty" in run.stderr and "weir state restore" in run.stderr
    tool(first, "state", "restore")
    second = fleet.start("two")
    assert fleet.revisions() == [revision] * 2
    assert metric(second, "weir_store_up") == metric(first, "weir_store_up") == 1


def test_nothing_is_adopted_or_restored_without_need(fleet):
    first = fleet.start("one")
    for command in ("adopt", "restore"):
        run = tool(first, "state", command, check=False)
        assert run.returncode == 1
        assert "contains the history that this server serves" in run.stderr
    fleet.etcd.stop()
    wait_for(lambda: metric(first, "weir_store_up") == 0)
    for command in ("adopt", "restore"):
        run = tool(first, "state", command, check=False)
        assert run.returncode == 69, run.stderr
    fleet.etcd.start()


def test_a_server_that_starts_without_etcd_serves_its_copy(fleet, stubs):
    first = fleet.start("one")
    revision = change(fleet, 0.25)
    served = fleet.endpoint(fleet.admins[0])
    assert metric(first, "weir_state_copy_up") == 1
    stop(fleet, first)
    fleet.etcd.stop()
    # A server without a copy has nothing to serve.
    assert "no etcd endpoint responds" in refused_start(fleet, "two")
    again = fleet.start("one")
    admin = fleet.admins[0]
    assert fleet.endpoint(admin) == served
    listed = tool(again, "fleet", "list").stdout
    assert f"{revision}  stale" in listed and "cannot be reached" in listed
    _, done = admin.GetEndpoint.with_call(fleet.pb.GetEndpointRequest(name="greeter"))
    assert "x-weir-stale" in dict(done.trailing_metadata())
    with grpc.insecure_channel(again.data) as channel:
        stubs.hello_grpc.GreeterStub(channel).SayHello(
            stubs.hello.HelloRequest(name="Ada"), timeout=5)
    assert "traffic is not affected" in refusal(fleet, again)

    fleet.etcd.start()
    wait_for(lambda: metric(again, "weir_store_up") == 1)
    assert change(fleet, 0.75) == revision + 1
    text = stop(fleet, again)
    assert "serving the copy of the state on this machine, which may be stale" in text
    assert "the store is back" in text


def test_a_copy_that_cannot_be_kept_is_reported_and_not_needed(fleet):
    fleet.start("one")
    (fleet.folder / "two").write_text("not a directory")
    second = fleet.start("two")
    change(fleet, 0.5, admin=1)
    assert metric(second, "weir_state_copy_up") == 0
    assert "no copy of the state is kept on this machine" in stop(fleet, second)
    # A copy that another server uses is not kept either.
    third = fleet.start("three", options=["--state-dir", fleet.folder / "one"])
    assert "is in use by process" in stop(fleet, third)


@pytest.mark.parametrize("change_keys", [
    ("put {latest} garbage",), ("del {latest}",), ("del {first}",), ("put {middle} garbage",),
    ("del {middle}", "del {latest}"), ("put {head} 2",), ("put {head} banana",),
    ("del {head}",)], ids=" and ".join)
def test_changes_of_other_programs_in_etcd_are_detected_and_repaired(fleet, change_keys):
    first, second = fleet.start("one"), fleet.start("two")
    latest = change(fleet, 0.5, 0.6, 0.7, 0.8)
    wait_for(lambda: fleet.revisions() == [latest] * 2)
    served = fleet.endpoint(fleet.admins[0])
    keys = {"head": "fleet/v1/head"}
    for name, revision in ("first", 1), ("middle", 3), ("latest", latest):
        keys[name] = f"fleet/v1/log/{revision:020}"
    for command in change_keys:
        fleet.etcd.control(*command.format(**keys).split())
    for server in first, second:
        wait_for(lambda: metric(server, "weir_store_diverged") == 1)
    assert "traffic is not affected" in refusal(fleet, first)
    # The problem persists, also after a restart.
    stop(fleet, second)
    second = fleet.start("two")
    assert metric(second, "weir_store_diverged") == 1
    assert fleet.endpoint(fleet.admins[1]) == served
    assert tool(first, "state", "adopt", check=False).returncode in (1, 69)
    tool(first, "state", "restore")
    wait_for(lambda: metric(second, "weir_store_up") == 1)
    assert change(fleet, 0.9, admin=1) == latest + 1
    wait_for(lambda: fleet.revisions() == [latest + 1] * 2)
    third = fleet.start("three")
    assert tool(third, "history", "--json").stdout == tool(first, "history", "--json").stdout


def test_the_copy_is_a_store_that_the_tool_reads(fleet):
    first = fleet.start("one")
    revision = change(fleet, 0.5, 0.6)
    exported = tool(first, "state", "export", "--store", fleet.options("one")[2]).stdout
    stop(fleet, first)
    copy = f"sqlite:{fleet.folder / 'one' / 'etcd-fleet.db'}"
    run = subprocess.run(
        [BUILD / "weir", "state", "check", "--store", copy], capture_output=True, text=True,
        timeout=SECONDS)
    assert run.returncode == 0 and f"to {revision}," in run.stdout
    run = subprocess.run(
        [BUILD / "weir", "state", "export", "--store", copy], capture_output=True, text=True,
        timeout=SECONDS)
    assert run.stdout == exported
