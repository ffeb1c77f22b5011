"""The log of `weir serve`: its level, its forms, and repeated lines."""

import json
import re
import subprocess

import pytest

from conftest import BUILD, SECONDS, start_demo, tool, wait_for
from test_output import Logged

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


def lines(*options):
    """The log of a server that starts and drains."""
    server = start_demo(*options)
    assert server.stop() == 0
    return server.process.stderr.read().splitlines()


def test_text_is_the_default():
    log = lines()
    assert log and all(re.match(rf"{TIME} [a-z]+ weir: ", line) for line in log), log
    assert any(line.endswith("notice weir: draining signal=SIGTERM") for line in log)


def test_json_has_one_object_a_line():
    log = [json.loads(line) for line in lines("--log-format", "json")]
    assert all(re.fullmatch(TIME, line["time"]) for line in log)
    (draining,) = [line for line in log if line["message"] == "draining"]
    assert draining["signal"] == "SIGTERM"
    assert (draining["level"], draining["logger"]) == ("notice", "weir")


def test_logfmt_has_pairs():
    log = lines("--log-format", "logfmt")
    pair = r'[a-z_.-]+=(?:[^ "=]+|"(?:[^"\\]|\\.)*")'
    assert log and all(re.fullmatch(rf"{pair}(?: {pair})*", line) for line in log), log
    assert any("level=notice logger=weir msg=draining signal=SIGTERM" in line for line in log)


@pytest.mark.parametrize("level,has_notice", [
    ("debug", True), ("info", True), ("notice", True), ("warning", False), ("critical", False)])
def test_lines_below_the_level_are_not_written(level, has_notice):
    log = lines("--log-level", level)
    assert any("draining" in line for line in log) == has_notice


@pytest.mark.parametrize("option", ["--log-level", "--log-format"])
@pytest.mark.parametrize("value", ["", "x", "INFO", "json ", "\x1b[2J"])
def test_an_invalid_value_is_a_usage_error(option, value):
    done = subprocess.run(
        [BUILD / "weir", "serve", option, value], capture_output=True, text=True,
        timeout=SECONDS)
    assert done.returncode == 64
    assert "use " in done.stderr and "\x1b" not in done.stderr


def test_repeated_lines_are_throttled(tmp_path):
    path = tmp_path / "log"
    server = Logged(stderr=path.open("wb"))
    # A worker prints identical and different lines.
    command = "sh -c 'for i in 1 2 3 4 5 6 7 8 9; do echo same; echo line $i; done; sleep 60'"
    tool(server, "backend", "create", "noisy", "--worker", command, "--wait", "0")
    wait_for(lambda: "line 9" in path.read_text())
    assert server.stop() == 0
    log = path.read_text().splitlines()
    same = [line for line in log if re.search(r"\bsame\b", line)]
    assert len([line for line in same if "repeated=" not in line]) == 3, same
    assert [re.search(r"repeated=(\d+)", line)[1] for line in same if "repeated=" in line] == ["6"]
    assert len([line for line in log if re.search(r"\bline \d", line)]) == 9
