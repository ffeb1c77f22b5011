"""`weir rollout` on terminals, with plans in files, and across restarts of the server."""

import json
import os
import signal
import subprocess

import pytest

from conftest import BUILD, SECONDS, free_port, start_weir, started, tool, wait_for
from test_tool_screens import lines, screen

PLAN = """
to: greeter-v3
steps: 1%, 10%, 100%
gates: [errors<1.5x, p99<1.2x]
bake: 90s
minimum: 1m
on-inconclusive: abort
require: proof
holdout: 5%
"""


@pytest.fixture
def server(tmp_path):
    """A demo server that can be restarted on its ports."""
    data, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))

    def start():
        return start_weir(
            "--demo", "--store", f"sqlite:{tmp_path}/weir.db", "--data", data, "--admin", admin)

    running = start()
    running.again = start
    yield running
    running.stop(signal.SIGKILL)


def waiting(server, *arguments):
    return started(subprocess.Popen(
        [BUILD / "weir", "rollout", *arguments], text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "WEIR_ADMIN": server.admin, "NO_COLOR": "1"}))


def test_a_plan_in_a_file_has_the_short_forms_of_the_options(demo, tmp_path):
    file = tmp_path / "rollout.yaml"
    file.write_text(PLAN)
    reply = tool(demo, "rollout", "start", "greeter", "-f", file, "--alpha", "0.01", "--json")
    plan = json.loads(reply.stdout)["rollout"]["plan"]
    assert plan["candidate"] == "greeter-v3" and plan["steps"] == ["1%", "10%", "100%"]
    assert plan["bake"] == "90s" and plan["minimum"] == "60s"
    assert plan["holdout"] == 0.05 and plan["alpha"] == 0.01
    assert plan["require"] == "ROLLOUT_REQUIREMENT_PROOF"
    assert plan["onInconclusive"] == "ROLLOUT_INCONCLUSIVE_ABORT"
    file.write_text(PLAN.replace("90s", "soon"))
    wrong = tool(demo, "rollout", "start", "greeter", "-f", file, check=False)
    assert wrong.returncode == 64 and f"{file}:5: bake" in wrong.stderr


@pytest.mark.parametrize("columns", [50, 80, 120])
def test_a_rollout_fits_the_terminal(demo, columns):
    tool(demo, "rollout", "start", "greeter", "--to", "greeter-v3", "--steps",
         "shadow:100%,20%,50%,100%")
    for command in (["status", "greeter"], ["list"]):
        shown = lines(screen(demo, "rollout", *command, columns=columns))
        assert max(map(len, shown)) <= columns, shown
    watched = screen(
        demo, "rollout", "status", "greeter", "--watch", columns=columns, until=b"Ctrl-C")
    assert max(map(len, lines(watched))) <= columns, watched
    assert "steps" in watched and "owned by the rollout" in watched


def test_each_decision_shows_the_rollout_and_the_next_step(demo):
    tool(demo, "rollout", "start", "greeter", "--to", "greeter-v3", "--steps", "20%,100%")
    paused = tool(demo, "rollout", "pause", "greeter").stdout
    assert "paused, step" in paused and "weir rollout resume greeter" in paused
    assert "paused" not in tool(demo, "rollout", "resume", "greeter").stdout
    assert "step 2 of 2" in tool(demo, "rollout", "advance", "greeter").stdout
    dry = tool(demo, "rollout", "abort", "greeter", "--dry-run").stdout
    assert "nothing has changed" in dry
    both = tool(demo, "rollout", "resume", "greeter", "--adopt", "--restore", check=False)
    assert both.returncode == 64
    assert "aborted" in tool(demo, "rollout", "abort", "greeter", "--immediate").stdout
    decisions = tool(demo, "rollout", "history", "greeter", "--json").stdout
    assert len(json.loads(decisions)["revisions"]) >= 4
    one = tool(demo, "rollout", "history", "greeter", "--limit", "1", "--json").stdout
    assert len(json.loads(one)["revisions"]) == 1


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_wait_and_watch_continue_after_a_restart(server, end):
    tool(server, "rollout", "start", "greeter", "--to", "greeter-v3", "--steps", "20%,100%",
         "--minimum", "1h", "--maximum", "2h")
    commands = [waiting(server, "status", "greeter", "--wait"),
                waiting(server, "status", "greeter", "--watch", "--json")]
    # Both have received a first state.
    assert "step 1 of 2" in commands[0].stderr.readline()
    assert json.loads(commands[1].stdout.readline())["endpoint"] == "greeter"
    server.stop(end)
    for command in commands:
        assert "connecting again" in command.stderr.readline()
    again = server.again()
    try:
        assert json.loads(commands[1].stdout.readline())["endpoint"] == "greeter"
        tool(again, "rollout", "abort", "greeter", "--immediate")
        output, errors = commands[0].communicate(timeout=SECONDS)
        assert commands[0].returncode == 2, errors
        assert "aborted" in output
        commands[1].communicate(timeout=SECONDS)
        assert commands[1].returncode == 0
    finally:
        again.stop(signal.SIGKILL)


def test_a_server_that_never_answered_is_reported_at_once(demo):
    command = waiting(demo, "status", "greeter", "--wait", "--admin", f"127.0.0.1:{free_port()}")
    _, errors = command.communicate(timeout=SECONDS)
    assert command.returncode == 69 and "connecting again" not in errors


def test_stats_watch_ends_when_its_endpoint_is_deleted(server):
    watch = started(subprocess.Popen(
        [BUILD / "weir", "stats", "greeter", "--watch", "--json", "--interval", "0.2"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"WEIR_ADMIN": server.admin}))
    assert watch.stdout.readline()
    tool(server, "endpoint", "delete", "greeter")
    _, errors = watch.communicate(timeout=20)
    assert watch.returncode == 1 and "endpoint 'greeter' was deleted" in errors


def test_stats_watch_continues_after_a_restart(server):
    command = started(subprocess.Popen(
        [BUILD / "weir", "stats", "--watch", "--json", "--interval", "0.2"], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "WEIR_ADMIN": server.admin}))
    assert json.loads(command.stdout.readline())["backends"]
    server.stop(signal.SIGKILL)
    assert "connecting again" in command.stderr.readline()
    again = server.again()
    try:
        wait_for(lambda: json.loads(command.stdout.readline())["backends"])
    finally:
        command.terminate()
        command.wait(SECONDS)
        again.stop(signal.SIGKILL)
