"""Failing system calls of the SQLite store, and unusual files instead of it."""

import os
import pathlib
import random
import subprocess
import tempfile

import pytest

from conftest import BUILD, PATIENCE, tool

from test_lost_revisions import serve
from test_state import HALF, servers, state  # noqa: F401

# About 20 seconds; `make store-faults` tries all of them.
SAMPLE = 300


@pytest.fixture
def quick_folder(tmp_path):
    """A directory in memory if possible, because a disk needs time for each synchronization."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield pathlib.Path(folder)


def test_no_system_call_that_fails_loses_a_revision(quick_folder):
    seed = int(os.environ.get("WEIR_SEED", random.randrange(1 << 32)))
    run = subprocess.run(
        [BUILD / "StoreFaults", quick_folder, str(SAMPLE), str(seed)], capture_output=True,
        text=True, timeout=120 * PATIENCE)
    now = quick_folder / "now"
    print(run.stdout, run.stderr[-4_000:])
    assert run.returncode == 0, f"the last one: {now.read_text() if now.exists() else 'none'}"


def test_names_of_databases_mean_files(servers, tmp_path):
    for store in ("sqlite::memory:", "sqlite:file:weir.db?mode=memory"):
        inside = ("env", "-C", tmp_path)
        first = servers("--demo", "--store", store, prefix=inside)
        tool(first, *HALF)
        first.stop()
        second = servers("--demo", "--store", store, prefix=inside)
        assert "greeter-v2=0.5" in tool(second, "history").stdout
        second.stop()


def test_one_database_has_one_server_whichever_path_leads_to_it(servers, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir(0o700)
    servers("--demo", "--state-dir", tmp_path / "a").stop()
    (tmp_path / "b" / "weir.db").symlink_to(tmp_path / "a" / "weir.db")
    first = servers("--demo", "--state-dir", tmp_path / "b")
    tool(first, *HALF)
    second = serve(tmp_path / "a")
    assert second.returncode == 1 and f"in use by process {first.process.pid}" in second.stderr
    first.stop()
    for name in ("a", "b"):
        assert "revisions 0 to 4" in state("check", "--state-dir", tmp_path / name).stdout
    (tmp_path / "a" / "weir.db").unlink()
    dangling = serve(tmp_path / "b")
    assert dangling.returncode == 1 and "weir.db' cannot be used" in dangling.stderr
