"""The log of `weir serve`: its level, its forms, and repeated lines."""

import json
import re
import socket
import ssl
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


def test_an_error_of_tls_has_no_path_of_a_source_file(certificates):
    server = start_demo(
        "--log-level", "debug", "--tls-cert", certificates / "server.pem", "--tls-key",
        certificates / "server.key")
    host, port = server.data.rsplit(":", 1)
    context = ssl.create_default_context(cafile=certificates / "ca.pem")
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection((host, int(port)), timeout=SECONDS)
    raw = plain.dup()
    with raw, context.wrap_socket(plain, server_hostname="model.internal") as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        assert client.recv(1)
        # A record that was not encrypted with the key of the connection.
        raw.sendall(b"\x17\x03\x03\0\x20" + b"x" * 32)
        while raw.recv(1_000):
            pass
    assert server.stop() == 0
    (line,) = [line for line in server.process.stderr if "connection error" in line]
    assert "BAD_RECORD_MAC" in line
    assert not any(part in line for part in (".cc", "/", "NIOSSL", "error:")), line
