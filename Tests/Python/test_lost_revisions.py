"""Stores that have lost their latest revisions, and backups."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from conftest import BUILD, SECONDS, tool

from test_state import HALF, servers, state  # noqa: F401


def weir(*arguments):
    """Runs a command until it ends."""
    return subprocess.run(
        [BUILD / "weir", *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS)


def serve(folder, *options):
    """A server that does not start."""
    return weir("serve", "--demo", "--state-dir", folder, "--data", "127.0.0.1:0",
                "--admin", "127.0.0.1:0", *options)


@pytest.fixture
def killed(servers, tmp_path):
    """The folder of a killed server, whose latest revisions are only in the write-ahead log."""
    first = servers("--demo", "--state-dir", tmp_path)
    first.stop()
    second = servers("--demo", "--state-dir", tmp_path)
    for share in (0.1, 0.2, 0.3):
        tool(second, "shadow", "set", "greeter", f"greeter-v2={share}")
    second.stop(signal.SIGKILL)
    return tmp_path


def flip(file):
    """Changes a byte in the first page of the write-ahead log."""
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [
    lambda folder: (folder / "weir.db-wal").unlink(),
    lambda folder: os.truncate(folder / "weir.db-wal", 4_000),
    lambda folder: flip(folder / "weir.db-wal"),
], ids=["deleted", "truncated", "changed"])
def test_a_lost_log_is_reported_until_the_loss_is_accepted(servers, killed, damage):
    damage(killed)
    for _ in range(2):
        checked = state("check", "--state-dir", killed, check=False)
        assert checked.returncode == 1
        assert "revisions 0 to 3" in checked.stdout
        assert "revisions 4 to 6 are missing" in checked.stderr
        refused = serve(killed)
        assert refused.returncode == 1 and "revisions 4 to 6 are missing" in refused.stderr
        assert "--accept-lost-revisions" in refused.stderr
    saved = state("export", "--state-dir", killed, check=False)
    assert saved.returncode == 1 and "only revisions up to 3 are intact" in saved.stderr

    again = servers("--demo", "--state-dir", killed, "--accept-lost-revisions")
    tool(again, *HALF)
    assert json.loads(tool(again, "history", "--json").stdout)["currentRevision"] == "4"
    again.stop()
    assert "continuing from revision 3: " in again.process.stderr.read()
    assert "revisions 0 to 4" in state("check", "--state-dir", killed).stdout


@pytest.mark.parametrize("damage, text", [
    (lambda file: os.truncate(file, 0), "is empty"), (pathlib.Path.unlink, "is missing"),
], ids=["empty", "missing"])
def test_an_empty_or_missing_database_is_not_a_new_one(servers, killed, damage, text):
    saved = killed.parent / f"{killed.name}.json"
    saved.write_text(state("export", "--state-dir", killed).stdout)
    damage(killed / "weir.db")
    lost = "all revisions up to 6 are missing"
    for run in (state("check", "--state-dir", killed, check=False), serve(killed),
                state("import", saved, "--state-dir", killed, check=False)):
        assert run.returncode == 1 and text in run.stderr and lost in run.stderr
    state("import", saved, "--state-dir", killed, "--accept-lost-revisions")
    again = servers("--demo", "--state-dir", killed)
    assert "greeter-v2=0.3" in tool(again, "history").stdout


def test_the_state_is_private(servers, tmp_path):
    folder = tmp_path / "state"
    weir_server = servers("--demo", "--state-dir", folder)
    tool(weir_server, *HALF)
    assert folder.stat().st_mode & 0o777 == 0o700
    names = {file.name for file in folder.iterdir()}
    assert names == {"weir.db", "weir.db-wal", "weir.db-shm", "weir.db.lock", "weir.db.latest"}
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    weir_server.stop()
    (folder / "weir.db").chmod(0o644)
    again = servers("--demo", "--state-dir", folder)
    assert (folder / "weir.db").stat().st_mode & 0o777 == 0o600
    again.stop()
    assert "was open to other users (mode 0644)" in again.process.stderr.read()


def test_a_backup_of_a_running_server_starts_another(servers, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path / "a")
    tool(first, *HALF)
    copy = tmp_path / "backup.db"
    run = state("backup", copy, "--state-dir", tmp_path / "a")
    assert "revisions 0 to 4" in run.stdout and copy.stat().st_mode & 0o777 == 0o600
    again = state("backup", copy, "--state-dir", tmp_path / "a", check=False)
    assert again.returncode == 1 and "exists: choose another name" in again.stderr
    # The server continues, and the copy does not change.
    tool(first, "traffic", "set", "greeter", "greeter-v1=1")
    assert "revisions 0 to 4" in state("check", "--store", f"sqlite:{copy}").stdout
    second = servers("--demo", "--store", f"sqlite:{copy}")
    assert "greeter-v2=0.5" in tool(second, "history", "--limit", 1).stdout
    standard = state("backup", "-", "--state-dir", tmp_path / "a", check=False)
    assert standard.returncode == 64
    assert "a backup requires the path of a new file" in standard.stderr
    missing = state("backup", tmp_path / "none.db", "--state-dir", tmp_path / "b", check=False)
    assert missing.returncode == 1 and not (tmp_path / "b").exists()
    assert not (tmp_path / "none.db").exists()


def test_an_older_backup_over_a_state_is_noticed(servers, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path)
    state("backup", tmp_path / "backup.db", "--state-dir", tmp_path)
    tool(first, *HALF)
    first.stop()
    (tmp_path / "backup.db").rename(tmp_path / "weir.db")
    refused = serve(tmp_path)
    assert refused.returncode == 1 and "revision 4 is missing" in refused.stderr
    servers("--demo", "--state-dir", tmp_path, "--accept-lost-revisions")


def test_a_second_server_is_refused_after_the_lock_file_was_deleted(servers, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path)
    (tmp_path / "weir.db.lock").unlink()
    for _ in range(2):
        refused = serve(tmp_path)
        assert refused.returncode == 1 and "is in use by another process" in refused.stderr
    tool(first, *HALF)
    first.stop()
    second = servers("--state-dir", tmp_path)
    assert "0.5" in tool(second, "endpoint", "list").stdout
