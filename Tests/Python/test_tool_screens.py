"""What `weir` shows on terminals of several sizes, and which control sequences it sends."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
import unicodedata

import pytest

from conftest import BUILD, PATIENCE, started, tool

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def screen(server, *arguments, columns=80, rows=24, until=None, **environment):
    """The output on a terminal until the command exits or the output contains a text."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = started(subprocess.Popen(
        [BUILD / "weir", *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**variables, "TERM": "xterm", "WEIR_ADMIN": server.admin,
             "WEIR_ADDRESS": server.data, **environment}))
    os.close(theirs)
    output, end = b"", time.monotonic() + 20 * PATIENCE
    while time.monotonic() < end and not (until and until in output):
        if select.select([ours], [], [], 0.1)[0]:
            try:
                output += os.read(ours, 65_536)
            except OSError:
                break  # The command has exited.
    process.terminate()
    process.wait(20 * PATIENCE)
    os.close(ours)
    return output.decode()


def width(line):
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def lines(output):
    return CONTROL.sub("", output).replace("\r", "").split("\n")


LONG = "a-backend-with-a-name-that-is-longer-than-those-of-most-users"


@pytest.fixture
def long_names(demo):
    """Objects with long names at the server of the demo."""
    tool(demo, "backend", "create", LONG, "--upstream", "127.0.0.1:1", "--wait", "0")
    tool(demo, "endpoint", "create", "an-endpoint-of-another-team-of-the-company", "--route",
         "/company.team.product.v1.Service/", "--backend", LONG, "--comment",
         "a comment with 日本語 that explains at length why an operator changed the traffic")
    tool(demo, "shadow", "set", "greeter", "greeter-v3=50%")
    return demo


@pytest.mark.parametrize("columns", [40, 50, 80, 120])
def test_pages_fit_the_terminal(long_names, columns):
    demo = long_names
    for command in (
            ["stats"], ["stats", "--watch", "--count", "1"], ["doctor"], ["endpoint", "ls"],
            ["endpoint", "show", "greeter"], ["backend", "ls"], ["backend", "show", LONG],
            ["traffic", "show", "greeter"], ["shadow", "ls", "greeter"],
            ["shadow", "report", "greeter"], ["fleet", "ls"], ["history"], ["rollout", "ls"],
            ["rollout", "start", "greeter", "--to", "greeter-v3", "--steps", "20%,100%",
             "--dry-run"]):
        shown = lines(screen(demo, *command, columns=columns))
        assert max(map(width, shown)) <= columns, shown
        assert any(shown)


def test_wide_shows_all_columns_on_a_narrow_terminal(demo):
    heading = lines(screen(demo, "stats", "--wide", columns=40))[0]
    assert "MAX" in heading and len(heading) > 40


@pytest.mark.parametrize("rows", [4, 6, 24])
def test_a_repeated_page_fits_the_height(demo, rows):
    output = screen(demo, "stats", "--watch", "--count", "1", rows=rows)
    shown = lines(output)
    assert len([line for line in shown if line]) < rows, shown
    assert "Ctrl-C" in output
    assert ("more lines" in output) == (rows == 4)


@pytest.mark.parametrize("variables", [{"TERM": "dumb"}, {"NO_COLOR": "1"}])
def test_terminals_that_want_no_control_sequences_receive_none(demo, variables):
    for command in (["stats"], ["stats", "--watch", "--count", "2"], ["backend", "list"]):
        output = screen(demo, *command, **variables)
        assert "\x1b" not in output and "greeter" in output
    # An empty variable counts as unset.
    assert "\x1b" in screen(demo, "stats", NO_COLOR="")


def test_a_pipe_receives_all_columns_and_no_control_sequences(weir):
    heading = weir("stats").stdout.splitlines()[0]
    assert "\x1b" not in heading and "MAX" in heading


def test_a_small_weight_is_visible(weir):
    weir("traffic", "set", "greeter", "greeter-v1=99%", "greeter-v2=1%")
    (row,) = [line for line in weir("traffic", "show", "greeter").stdout.splitlines()
              if line.startswith("greeter-v2")]
    assert "▎" in row and "0.01" in row
