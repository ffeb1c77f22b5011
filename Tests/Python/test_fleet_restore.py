"""Fleets whose etcd was restored from a backup, or has lost its data."""

import shutil
import subprocess

from conftest import BUILD, SECONDS, metric, tool, wait_for

from test_fleet import TTL, etcd, fleet  # noqa: F401


def refused_start(etcd, name, *options):
    run = subprocess.run(
        [BUILD / "weir", "serve", "--store", f"etcd:http://{etcd.address}?prefix=fleet&ttl={TTL}", "--name", name,
         "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0", *options],
        capture_output=True, text=True, timeout=SECONDS)
    assert run.returncode == 1
    return run.stderr


def stop(server):
    server.stop()
    return server.process.stderr.read()


def test_a_restored_history_is_not_applied_to_a_later_state(fleet, etcd):
    first = fleet.start("one")
    etcd.stop()
    shutil.copytree(etcd.folder, f"{etcd.folder}.backup")
    etcd.start()
    wait_for(lambda: metric(first, "weir_store_up") == 1)
    for share in (0.2, 0.3, 0.4):
        revision = fleet.set(fleet.admins[0], share).revision
    served = fleet.endpoint(fleet.admins[0])

    etcd.stop()
    shutil.rmtree(etcd.folder)
    shutil.move(f"{etcd.folder}.backup", etcd.folder)
    etcd.start()
    wait_for(lambda: metric(first, "weir_store_up") == 0)
    # Another server continues from the restored state, past the revision that the first one serves.
    second = fleet.start("two", options=["--accept-lost-revisions"])
    for share in (0.6, 0.7, 0.8, 0.9):
        assert fleet.set(fleet.admins[1], share).revision <= revision + 1
    run = tool(first, "traffic", "set", "greeter", "greeter-v1=1", check=False)
    assert run.returncode == 69
    assert f"revision {revision} of the store is not the one that is served" in run.stderr
    assert metric(first, "weir_store_up") == 0
    assert fleet.endpoint(fleet.admins[0]) == served
    assert "was reset or restored" in stop(first)
    # After a restart, it serves what the store holds.
    again = fleet.start("one")
    assert fleet.endpoint(fleet.admins[2]) == fleet.endpoint(fleet.admins[1])
    assert metric(again, "weir_store_up") == metric(second, "weir_store_up") == 1


def test_a_server_does_not_start_on_an_etcd_that_lost_what_others_serve(fleet, etcd):
    first = fleet.start("one")
    revision = fleet.set(fleet.admins[0], 0.5).revision
    etcd.stop()
    shutil.rmtree(etcd.folder)
    etcd.start()

    # The first server announces itself again within its lease.
    def listed():
        run = subprocess.run(
            ["etcdctl", f"--endpoints={etcd.address}", "get", "--prefix", "fleet/v1/members/", "--keys-only"],
            capture_output=True, text=True, timeout=SECONDS, env={"ETCDCTL_API": "3", "PATH": "/usr/bin"})
        return run.stdout.strip()

    wait_for(listed)
    text = refused_start(etcd, "two")
    assert f"the server 'one' serves revision {revision}, but the latest one in etcd:" in text
    assert "--accept-lost-revisions" in text
    assert "the store is back, but cannot be used" in stop(first)
    second = fleet.start("two")
    assert metric(second, "weir_store_up") == 1
