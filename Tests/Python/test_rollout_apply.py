"""Rollouts in the files of `weir apply`."""

import json

import pytest

from conftest import start_weir, tool

FILE = """
backends:
  - {name: v1, upstream: {addresses: ["127.0.0.1:1"]}}
  - {name: v2, upstream: {addresses: ["127.0.0.1:%d"]}}
endpoints:
  - name: raw
    route: /test.Raw/
    weights: {v1: 1}
    rollout: {candidate: v2, steps: ["10%%", "50%%"], bake: 60s}
"""


@pytest.fixture
def apply(tmp_path):
    server = start_weir("--store", "memory:")

    def run(text, *options, check=True):
        path = tmp_path / "weir.yaml"
        path.write_text(text)
        return tool(server, "apply", "-f", path, *options, check=check)

    run.server = server
    yield run
    server.stop()


def phase(server):
    shown = json.loads(tool(server, "rollout", "status", "raw", "--json").stdout)
    return shown["phase"].removeprefix("ROLLOUT_PHASE_")


def share(server, backend="v2"):
    shown = json.loads(tool(server, "traffic", "show", "raw", "--json").stdout)
    return next(
        (one.get("weight", 0) for one in shown["weights"] if one["backend"] == backend), 0)


def applied(server):
    """The revisions without those of the rollout itself, whose backends do not exist."""
    shown = json.loads(tool(server, "history", "--json").stdout)
    return [one["revision"] for one in shown["revisions"] if one["author"] != "rollout/raw"]


def test_apply_starts_it_once(apply):
    shown = apply(FILE % 2, "--dry-run").stdout
    assert "raw" in shown
    apply(FILE % 2)
    server = apply.server
    assert abs(share(server) - 0.1) < 1e-9
    before = applied(server)
    apply(FILE % 2)
    assert applied(server) == before
    # A file without it leaves its weights, and says so.
    without = "\n".join(line for line in (FILE % 2).splitlines() if "rollout:" not in line)
    assert "because a rollout to 'v2' is running" in apply(without).stderr
    assert abs(share(server) - 0.1) < 1e-9
    tool(server, "rollout", "abort", "raw")
    again = apply(FILE % 2)
    assert "its rollout to 'v2' has ended" in again.stderr
    assert phase(server) == "ABORTED" and share(server) == 0
    # Another program under the name of the candidate.
    apply(FILE % 3)
    assert abs(share(server) - 0.1) < 1e-9


def test_an_export_contains_it(apply, tmp_path):
    apply(FILE % 2)
    exported = tool(apply.server, "export").stdout
    assert "rollout:" in exported and "candidate: v2" in exported
    before = applied(apply.server)
    apply(exported)
    assert applied(apply.server) == before
    # Another server starts it from the same weights.
    tool(apply.server, "rollout", "advance", "raw")
    exported = tool(apply.server, "export").stdout
    other = start_weir("--store", "memory:")
    try:
        path = tmp_path / "exported.yaml"
        path.write_text(exported)
        tool(other, "apply", "-f", path)
        assert abs(share(other) - 0.1) < 1e-9
    finally:
        other.stop()


def test_an_invalid_rollout_is_rejected_with_its_place(apply):
    rejected = apply((FILE % 2).replace('"50%"', '"5%"'), check=False)
    assert rejected.returncode == 1
    assert "endpoints[0].rollout.steps[1]" in rejected.stderr
    assert "raw" not in tool(apply.server, "endpoint", "list").stdout
