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
    assert rejected.returncode == 64
    assert "endpoints[0].rollout.steps[1]" in rejected.stderr
    assert "raw" not in tool(apply.server, "endpoint", "list").stdout


def test_check_reports_what_differs(apply):
    def check(text):
        return apply(text, "--check", check=False).returncode

    text = FILE % 2
    without = "\n".join(line for line in text.splitlines() if "rollout:" not in line)
    assert check(text) == 2
    apply(text)
    assert check(text) == 0
    assert check(text.replace('"10%"', '"20%"')) == 2
    assert check(without) == 2
    assert check(without.replace("{v1: 1}", "{v1: 0.9, v2: 0.1}")) == 2
    # Without the endpoint and the candidate, the running rollout rejects the file.
    less = "backends:\n  - {name: v1, upstream: {addresses: [\"127.0.0.1:1\"]}}\n"
    rejected = apply(less, "--check", check=False)
    assert rejected.returncode == 2 and "a rollout to 'v2' is running" in rejected.stderr
    assert apply(less, "--prune", check=False).returncode == 1
    # Other errors do not count as differences.
    assert check(text.replace('"50%"', '"5%"')) == 64
    tool(apply.server, "rollout", "abort", "raw")
    assert check(text) == 2
    tool(apply.server, "rollout", "start", "raw", "--to", "v2")
    tool(apply.server, "rollout", "promote", "raw")
    assert check(text) == 0


def test_a_change_that_reverts_is_not_exported(apply):
    text = "\n".join(line for line in (FILE % 2).splitlines() if "rollout:" not in line)
    apply(text)
    tool(apply.server, "traffic", "set", "raw", "v2=1", "--for", "1h")
    exported = tool(apply.server, "export")
    assert "v1: 1" in exported.stdout and "v2: 1" not in exported.stdout
    assert "the weights of endpoint 'raw' revert at" in exported.stderr
    again = apply(exported.stdout)
    assert "which revert to v1=1" in again.stderr and share(apply.server) == 1
    assert apply(exported.stdout, "--check").returncode == 0
    assert apply(text.replace("{v1: 1}", "{v2: 1}"), "--check", check=False).returncode == 2
    # Other weights replace the change.
    apply(text.replace("{v1: 1}", "{v1: 50%, v2: 1/2}"))
    assert share(apply.server) == 0.5
    assert "reverts" not in tool(apply.server, "traffic", "show", "raw").stdout


def test_short_forms(apply):
    apply((FILE % 2).replace(
        "{candidate: v2, steps: [\"10%\", \"50%\"], bake: 60s}",
        "{to: v2, steps: 10%, gate: [errors<3x], bake: 2h, on-inconclusive: abort}").replace(
        "{v1: 1}", "{v1: 100%}"))
    shown = json.loads(tool(apply.server, "rollout", "status", "raw", "--json").stdout)
    assert shown["plan"]["bake"] == "7200s" and shown["plan"]["gates"] == ["errors<3x"]
    wrong = apply((FILE % 2).replace("bake: 60s", "on-inconclusive: no"), check=False)
    assert wrong.returncode == 64
    assert "weir.yaml:9: endpoints[0].rollout.on_inconclusive: " in wrong.stderr


def test_the_history_of_a_rollout_has_the_decisions_of_apply_and_rollback(apply):
    server = apply.server
    without = "\n".join(line for line in (FILE % 2).splitlines() if "rollout:" not in line)
    apply(without)
    before = applied(server)[0]
    apply(FILE % 2, "--author", "ci")
    tool(server, "rollout", "abort", "raw", "--keep-weights", "--author", "ann")
    assert abs(share(server) - 0.1) < 1e-9
    apply((FILE % 2).replace('"50%"', '"60%"').replace("v2, steps", "v3, steps").replace(
        "endpoints:", '  - {name: v3, upstream: {addresses: ["127.0.0.1:4"]}}\nendpoints:'),
        "--author", "ci")
    tool(server, "rollback", before, "--author", "bob")
    shown = json.loads(tool(server, "rollout", "history", "raw", "--json").stdout)
    authors = [one["author"] for one in shown["revisions"] if one["author"] != "rollout/raw"]
    assert authors == ["bob", "ci", "ann", "ci"]
    forged = tool(server, "traffic", "set", "raw", "v1=1", "--author", "rollout/raw", check=False)
    assert forged.returncode == 1 and "--author: begins with" in forged.stderr
