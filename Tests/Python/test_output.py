"""The log of a server and the output of commands: pipes without a reader, full disks, closed
descriptors, control characters, and crash traces.
"""

import concurrent.futures
import fcntl
import json
import math
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
import urllib.request

import grpc
import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor

from conftest import BUILD, PATIENCE, SECONDS, free_port, metric, started, tool, wait_for
from test_options import CONTROL, check, check_all, controls

WEIR = str(BUILD / "weir")
# The environment of the tests may configure Swift's backtracer.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "SWIFT_BACKTRACE"}


class Logged:
    """A demo server with the standard error, and optionally the standard output, of a test."""

    def __init__(self, *options, shell="", environment=None, **streams):
        self.data, self.admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        command = [WEIR, "serve", "--demo", "--data", self.data, "--admin", self.admin, *options]
        if shell:
            command = ["sh", "-c", f"exec {' '.join(command)} {shell}"]
        self.process = started(subprocess.Popen(
            command, env={**ENVIRONMENT, **(environment or {})},
            **{"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
               "stdout": subprocess.DEVNULL if shell else subprocess.PIPE, **streams}))
        # The server handles signals after it has written this line.
        if not shell:
            self.process.stdout.readline()
        wait_for(lambda: self.answers() or self.process.poll() is not None)

    def answers(self):
        try:
            with urllib.request.urlopen(f"http://{self.admin}/healthz", timeout=SECONDS):
                return self.process.poll() is None
        except OSError:
            return False

    def log_lines(self, count=3):
        """Makes the server log lines: a worker prints them and ends."""
        command = f"sh -c 'seq {count}; exit 1'"
        tool(self, "backend", "create", "noisy", "--worker", command, "--wait", "0")
        wait_for(lambda: "exited with code 1" in tool(self, "backend", "show", "noisy").stdout)
        tool(self, "backend", "delete", "noisy")

    def stop(self):
        self.process.terminate()
        return self.process.wait(SECONDS)


# The log of a server


def test_a_log_without_a_reader_ends_no_server_and_continues_with_the_next_reader(tmp_path):
    fifo = str(tmp_path / "log")
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY)
    server = Logged(stderr=writer)
    os.close(writer)
    assert metric(server, "weir_log_lines_lost_total") == 0
    assert b"state read" in os.read(reader, 65_536)
    os.close(reader)
    server.log_lines()
    lost = metric(server, "weir_log_lines_lost_total")
    assert lost >= 3
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    server.log_lines()
    text = os.read(reader, 65_536).decode()
    first, second = text.splitlines()[:2]
    assert "warning weir: log lines were lost count=" in first
    assert int(first.split("count=")[1].split()[0]) >= lost
    assert first.endswith('reason="Broken pipe"')
    assert " weir: " in second
    assert server.answers() and server.stop() == 0
    os.close(reader)


@pytest.mark.parametrize("streams",
    ["2>/dev/full", ">/dev/full 2>&1", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_full_disk_and_closed_descriptors_end_no_server(streams, tmp_path):
    server = Logged("--state-dir", str(tmp_path / "state"), shell=streams, environment={
        "SWIFT_BACKTRACE": f"enable=yes,output-to={tmp_path}"})
    server.log_lines()
    assert server.answers()
    assert metric(server, "weir_log_lines_lost_total") >= 3
    for descriptor in range(3):  # No database or socket has such a number.
        target = os.readlink(f"/proc/{server.process.pid}/fd/{descriptor}")
        assert target.startswith("/dev/"), target
    assert server.stop() == 0, [file.read_text() for file in tmp_path.glob("*.log")]
    check = subprocess.run([WEIR, "state", "check", "--state-dir", tmp_path / "state"],
                           capture_output=True, text=True)
    assert check.returncode == 0, check.stderr


def test_a_reader_of_the_log_that_stands_still_holds_up_no_request():
    reader, writer = os.pipe()
    server = Logged(stderr=writer)
    os.close(writer)
    # More than the capacity of the pipe.
    for _ in range(4):
        server.log_lines(900)
    begin = time.monotonic()
    assert tool(server, "call", "helloworld.Greeter/SayHello").returncode == 0
    assert time.monotonic() - begin < 5 * PATIENCE
    assert metric(server, "weir_log_lines_lost_total") > 0
    os.set_blocking(reader, False)
    server.process.terminate()
    text = b""
    while server.process.poll() is None:
        if select.select([reader], [], [], 0.1)[0]:
            text += os.read(reader, 1 << 20)
    assert server.process.returncode == 0
    assert b"log lines were lost count=" in text
    os.close(reader)


def test_one_event_is_one_line_without_control_characters(tmp_path):
    log = open(tmp_path / "log", "w+b")
    server = Logged(stderr=log)
    program = tmp_path / "worker.py"
    program.write_text(f"import sys; sys.stdout.buffer.write({CONTROL.encode()!r} + b'text \\xff\\0' "
                       "+ b'x' * 1000000 + b'\\nlast\\n')")
    tool(server, "backend", "create", "noisy", "--worker", f"{sys.executable} {program}", "--wait",
        "0")
    wait_for(lambda: "last" in tool(server, "backend", "show", "noisy").stdout)
    assert server.stop() == 0
    log.seek(0)
    text = log.read().decode()
    assert not controls(text)
    assert "\\u{1B}[2J" in text and "\\u{202E}" in text and "text" in text
    for line in text.split("\n")[:-1]:
        assert len(line.encode()) < 8_192
        assert " weir: " in line, line[:200]


def test_a_worker_that_prints_without_end_adds_little_to_the_log(tmp_path):
    log = open(tmp_path / "log", "w+b")
    server = Logged(stderr=log)
    tool(server, "backend", "create", "noisy", "--worker", "yes 'some line of output'", "--wait",
        "0")
    wait_for(lambda: b"omitted lines of the worker" in pathlib.Path(log.name).read_bytes())
    size, begin = os.fstat(log.fileno()).st_size, time.monotonic()
    before = cpu_seconds(server.process.pid)
    # Weir logs the number of omitted lines periodically.
    wait_for(lambda: pathlib.Path(log.name).read_bytes().count(b"omitted lines of the worker") >= 4)
    seconds = time.monotonic() - begin
    assert os.fstat(log.fileno()).st_size - size < seconds * (1 << 18)
    assert cpu_seconds(server.process.pid) - before < seconds / 2
    assert server.stop() == 0
    omitted = [line for line in pathlib.Path(log.name).read_text().splitlines() if "omitted lines" in line]
    assert all(int(line.split("count=")[1].split()[0]) > 0 for line in omitted)
    assert "worker=noisy#0" in omitted[0]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Signals and crashes


def test_signals_that_the_server_does_not_use_do_not_end_it():
    server = Logged()
    names = ["USR1", "USR2", "PIPE", "WINCH", "HUP", "XFSZ", "ALRM", "VTALRM", "PROF", "IO", "PWR",
        "STKFLT", "XCPU"]
    for number in [*(signal.Signals[f"SIG{name}"] for name in names), *range(signal.SIGRTMIN, 65)]:
        server.process.send_signal(number)
        assert server.process.poll() is None, number
    assert tool(server, "call", "helloworld.Greeter/SayHello").returncode == 0
    assert server.answers() and server.stop() == 0


def test_workers_do_not_inherit_that_signals_are_ignored(tmp_path):
    program = tmp_path / "worker.sh"
    # In a shell, a program ended by a signal has the exit code 128 + the signal's number.
    program.write_text(
        "for s in PIPE USR1 USR2 XFSZ; do sh -c \"kill -$s \\$\\$\"; codes=\"$codes $?\"; done\n"
        "echo codes $codes; exit 1\n")
    server = Logged()
    tool(server, "backend", "create", "w", "--worker", f"sh {program}", "--wait", "0")
    expected = "codes " + " ".join(str(128 + number) for number in (
        signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXFSZ))
    wait_for(lambda: expected in tool(server, "backend", "show", "w").stdout)
    assert server.stop() == 0


@pytest.mark.parametrize("name", ["SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV"])
@pytest.mark.parametrize("environment", [{}, {"SWIFT_BACKTRACE": "enable=no"}])
def test_a_crash_is_short_and_leaves_a_trace(name, environment, tmp_path):
    log = open(tmp_path / "log", "w+b")
    server = Logged(stderr=log, environment=environment)
    number = getattr(signal, name)
    server.log_lines(100)
    begin = time.monotonic()
    server.process.send_signal(number)
    assert server.process.wait(SECONDS) == -number
    assert time.monotonic() - begin < 0.9 * PATIENCE
    log.seek(0)
    *lines, last = log.read().decode().split("\n")
    crash = next(i for i, line in enumerate(lines) if line.startswith("weir: crashed: signal"))
    assert f"signal {number} ({name}, " in lines[crash]
    assert f"process {server.process.pid}" in lines[crash]
    # All earlier lines were written. A slow machine may have started the worker again.
    assert sum(" info weir: " in line for line in lines[:crash]) >= 100
    assert len(frames := lines[crash + 1:]) > 3
    assert all(line.endswith("]") and "[0x" in line for line in frames)
    assert any("/weir(+0x" in line for line in frames)


def test_a_crash_with_a_log_that_is_not_read_is_short_too():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4_096)
    server = Logged(stderr=writer)
    os.close(writer)
    server.log_lines(900)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGSEGV)
    assert server.process.wait(SECONDS) in (-signal.SIGSEGV, -signal.SIGALRM)
    assert time.monotonic() - begin < 3 * PATIENCE
    os.close(reader)


def test_the_environment_may_choose_swifts_backtracer(tmp_path):
    log = open(tmp_path / "log", "w+b")
    server = Logged(stderr=log, environment={"SWIFT_BACKTRACE": "enable=tty"})
    server.process.send_signal(signal.SIGSEGV)
    assert server.process.wait(SECONDS) == -signal.SIGSEGV
    log.seek(0)
    assert b"crashed" not in log.read()


# The output of commands


@pytest.fixture(scope="module")
def demo_server(tmp_path_factory):
    server = Logged()
    server.environment = {**os.environ, "WEIR_ADMIN": server.admin, "WEIR_ADDRESS": server.data}
    folder = tmp_path_factory.mktemp("files")
    server.access, server.state = str(folder / "access"), str(folder / "state")
    tool(server, "access", "add", server.access, "ada", "--role", "viewer")
    assert Logged("--state-dir", server.state).stop() == 0
    yield server
    assert server.stop() == 0


COMMANDS = [
    ["--help"], ["--version"], ["help", "serve"], ["--experimental-dump-help"],
    ["--generate-completion-script", "bash"], ["serve", "--list-limits"], ["backend", "list"],
    ["backend", "show", "greeter-v1"], ["endpoint", "list"], ["traffic", "show", "greeter"],
    ["traffic", "set", "greeter", "greeter-v1=1", "--dry-run"], ["shadow", "list", "greeter"],
    ["shadow", "report", "greeter"], ["explain", "/helloworld.Greeter/SayHello"], ["stats"],
    ["stats", "--watch", "--interval", "0.1"], ["call", "helloworld.Greeter/SayHello"], ["export"],
    ["history"], ["diff", "1"], ["fleet", "list"], ["access", "list", "ACCESS"],
    ["state", "check", "--state-dir", "STATE"], ["state", "export", "--state-dir", "STATE"],
]
JSON_COMMANDS = [
    [*words, "--json"] for words in COMMANDS
    if words[0] not in ("--help", "--version", "help", "--experimental-dump-help", "serve", "state",
                        "--generate-completion-script")]


def invoke(server, words, stdout, shell=""):
    files = {"ACCESS": server.access, "STATE": server.state}
    words = [files.get(word, word) for word in words]
    command = [WEIR, *words]
    if shell:
        command = ["sh", "-c", f"exec {' '.join(command)} {shell}"]
    return subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=server.environment,
        timeout=SECONDS)


@pytest.mark.parametrize("words", COMMANDS + JSON_COMMANDS, ids=" ".join)
def test_a_command_that_cannot_write_its_output_fails(words, demo_server):
    with open("/dev/full", "w") as full:
        done = invoke(demo_server, words, full)
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1] == (
        "weir: cannot write standard output: No space left on device")
    done = invoke(demo_server, words, None, ">&-")
    assert done.returncode == 74
    assert done.stderr.splitlines()[-1] == (
        "weir: cannot write standard output: Bad file descriptor")
    reader, writer = os.pipe()
    os.close(reader)
    done = invoke(demo_server, words, writer)
    os.close(writer)
    assert done.returncode == 74
    assert "cannot write" not in done.stderr


@pytest.mark.parametrize("words", [
    ["stats", "--watch", "--interval", "60"],
    ["shadow", "report", "greeter", "--watch", "--interval", "60"],
    ["stats", "--watch", "--interval", "60", "--json"]], ids=" ".join)
def test_a_watch_ends_soon_after_its_reader(words, demo_server):
    reader, writer = os.pipe()
    process = started(subprocess.Popen(
        [WEIR, *words], stdout=writer, stderr=subprocess.PIPE, env=demo_server.environment))
    os.close(writer)
    os.close(reader)
    begin = time.monotonic()
    assert process.wait(SECONDS) == 74
    assert time.monotonic() - begin < 5 * PATIENCE
    assert process.stderr.read() == b""


def test_the_first_line_of_a_watch_is_all_that_head_needs(demo_server):
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{WEIR} stats --watch --interval 0.1 | head -1"],
        capture_output=True, text=True, env=demo_server.environment, timeout=SECONDS)
    assert done.stdout.startswith("ENDPOINT")
    assert done.stderr == ""
    assert done.returncode == 74


def test_closed_standard_error_ends_no_command(demo_server):
    for words in (["history"], ["backend", "show", "nothing"], ["history", "--limit=x"]):
        full = invoke(demo_server, words, subprocess.DEVNULL, "2>/dev/full")
        closed = invoke(demo_server, words, subprocess.DEVNULL, "2>&-")
        assert full.returncode == closed.returncode == (0 if words == ["history"] else full.returncode)
        assert full.returncode in (0, 1, 64)


def test_a_token_that_cannot_be_shown_is_not_added(demo_server, tmp_path):
    file = tmp_path / "access"
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [WEIR, "access", "add", file, "ada", "--role", "viewer"], stdout=full,
            stderr=subprocess.PIPE)
    assert done.returncode == 74
    assert not file.exists()


INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-2**31, 2**31 - 1),
    FieldDescriptor.CPPTYPE_ENUM: (-2**31, 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-2**63, 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def value_of(field, number):
    """Control characters for text, and the number clamped to the field's range."""
    if field.type == field.TYPE_STRING:
        return f"{field.name}{CONTROL}"
    if field.type == field.TYPE_BYTES:
        return CONTROL.encode()
    if field.cpp_type == field.CPPTYPE_BOOL:
        return True
    if field.cpp_type in INTEGERS:
        least, greatest = INTEGERS[field.cpp_type]
        return 0 if math.isnan(number) else int(max(least, min(greatest, number)))
    return float(number)


def filled(message, number, depth=0):
    """A message in which all fields have values; of a oneof, the last field."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if field.message_type and field.message_type.GetOptions().map_entry:
            entry = field.message_type.fields_by_name
            if entry["value"].type == field.TYPE_STRING:
                target[value_of(entry["key"], number)] = value_of(entry["value"], number)
        elif field.message_type:
            if depth < 6:
                for child in [target.add(), target.add()] if field.is_repeated else [target]:
                    child.SetInParent()
                    filled(child, number, depth + 1)
        elif field.is_repeated:
            target.extend([value_of(field, number)] * 2)
        else:
            setattr(message, field.name, value_of(field, number))
    return message


class HostileServer:
    """An admin service whose responses have control characters in all texts, and one number."""

    def __init__(self, stubs):
        self.number, self.status = 0, None
        service = stubs.admin.DESCRIPTOR.services_by_name["Admin"]
        classes = {
            method.name: message_factory.GetMessageClass(method.output_type)
            for method in service.methods}

        def answer(name, _, context):
            if self.status:
                context.abort(grpc.StatusCode.INTERNAL, self.status)
            return filled(classes[name](), self.number)

        def handler(method):
            def unary(request, context):
                return answer(method.name, request, context)

            def stream(request, context):
                yield answer(method.name, request, context)

            make = grpc.unary_stream_rpc_method_handler if method.server_streaming else (
                grpc.unary_unary_rpc_method_handler)
            return make(
                stream if method.server_streaming else unary,
                response_serializer=classes[method.name].SerializeToString)

        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            service.full_name, {method.name: handler(method) for method in service.methods})])
        self.admin = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()


@pytest.fixture(scope="module")
def hostile(stubs):
    server = HostileServer(stubs)
    yield server
    server.server.stop(None)


ADMIN_COMMANDS = [
    *([*words, *(["--count", "1"] if "--watch" in words else [])]
      for words in COMMANDS if [*words, "--json"] in JSON_COMMANDS and words[0] not in ("call",
          "access")),
    ["shadow", "report", "greeter", "--samples"],
    ["backend", "create", "b", "--upstream", "127.0.0.1:1", "--wait", "0"],
    ["backend", "update", "b", "--wait", "0"], ["backend", "delete", "b"],
    ["endpoint", "create", "e", "--backend", "b"],
    ["endpoint", "limit", "e", "--none"], ["endpoint", "delete", "e"],
    ["shadow", "set", "e", "b=1"],
    ["shadow", "compare", "e"], ["shadow", "reset", "e"], ["rollback", "1"], ["apply", "-f", "-"],
]


@pytest.mark.parametrize("number", [1, 1e300, float("nan"), float("-inf")], ids=str)
def test_answers_of_a_server_are_shown_escaped_whatever_they_are(number, hostile):
    """Each command, as text and as JSON. Invalid numbers may be an error."""
    hostile.number, hostile.status = number, None

    def run(words):
        done = subprocess.run(
            [WEIR, *words], capture_output=True, text=True, timeout=SECONDS, input="backends: []\n",
            env={**os.environ, "WEIR_ADMIN": hostile.admin, "NO_COLOR": "1"})
        fault = check(words, done.returncode, done.stdout, done.stderr)
        if not fault and "--json" in words and done.returncode == 0:
            json.loads(done.stdout)
        if not fault and done.returncode not in (0, 1, 2):
            fault = f"{words}: {done.returncode} {done.stderr}"
        if not fault and number == 1 and done.returncode == 1:
            fault = f"{words}: {done.stderr}"
        return fault

    lines = [[*words, *json] for words in ADMIN_COMMANDS for json in ([], ["--json"])]
    check_all([lambda words=words: run(words) for words in lines])


def test_errors_of_a_server_are_shown_escaped_on_one_line(hostile):
    hostile.status = f"a{CONTROL}\nweir: forged"
    for words in ADMIN_COMMANDS:
        done = subprocess.run(
            [WEIR, *words], capture_output=True, text=True, timeout=SECONDS, input="backends: []\n",
            env={**os.environ, "WEIR_ADMIN": hostile.admin, "NO_COLOR": "1"})
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("weir: INTERNAL: a\\u{1B}[2J") and done.stderr.count("\n") == 1
        assert not controls(done.stderr)


def test_history_and_replies_are_shown_escaped(demo_server):
    """A comment, if the server accepts it, adds one line; JSON keeps its meaning."""
    before = tool(demo_server, "history").stdout
    done = tool(demo_server, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5",
                "--comment", f"a{CONTROL}\n 9 forged", check=False)
    assert done.returncode in (0, 1)
    assert not controls(done.stdout + done.stderr)
    after = tool(demo_server, "history").stdout
    assert len(after.splitlines()) == len(before.splitlines()) + (done.returncode == 0)
    assert not controls(after)
    name = f"g{CONTROL}h"
    for options in ([], ["--json"]):
        done = tool(
            demo_server, "call", "helloworld.Greeter/SayHello", "--data",
            json.dumps({"name": name}), *options)
        assert not controls(done.stdout + done.stderr)
        assert name in json.loads(done.stdout)["message"]


def test_a_status_message_of_an_upstream_is_escaped(mesh, stubs):
    """The error of a call contains the server's message, escaped and on one line."""
    server = mesh.upstream()
    mesh.backend("raw", "--upstream", server.address)
    mesh.endpoint("raw", "/grpc.testing.TestService/", "raw")
    request = {"response_status": {"code": 13, "message": f"a{CONTROL}\nweir: forged"}}
    done = mesh.tool(
        "call", "grpc.testing.TestService/UnaryCall", "--data", json.dumps(request), check=False)
    assert done.returncode == 1
    assert not controls(done.stderr)
    assert not any(line.startswith("weir: forged") for line in done.stderr.splitlines())


def test_a_server_error_of_many_kilobytes_is_cut(demo_server):
    done = tool(demo_server, "endpoint", "create", "x" * 100_000, "--backend", "greeter-v1",
        check=False)
    assert done.returncode == 1
    assert len(done.stderr) < 8_192
