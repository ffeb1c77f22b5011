"""Each option of each command and each environment variable, with boundary values. The tool must
not end by a signal or hang, and an error names the invalid value without control characters.

The table is generated from the tool's description of its commands (`--experimental-dump-help`).
test_boundaries_tool.py covers the limits of `serve`.
"""

import concurrent.futures
import json
import os
import select
import signal
import subprocess
import unicodedata

import pytest

from conftest import BUILD, SECONDS, start_demo, tool

WEIR = str(BUILD / "weir")
CONTROL = "\x1b[2J\x1b]0;x\x07\r\n\x7f\x85\u202e\u2066"
BOUNDARIES = [
    "", "-1", "0", "+1", "2147483647", "2147483649", "4294967296", "9007199254740992",
    "9223372036854775807", "-9223372036854775808", "18446744073709551615", "99999999999999999999",
    "nan", "inf", "-inf", "1e300", "1e-300", "0x1", " 1", "1 ", CONTROL, "9" * 65_536,
]
# Values for numbers that are part of a text.
NUMBERS = ["-1", "0", "65536", "9223372036854775807", "99999999999999999999", "nan", "1e300"]
# Values for text, which has no numeric bounds.
TEXTS = ["", "-1", "0", "nan", CONTROL, "x" * 65_536]
# Numbers within other values, by the name of the value.
FORMS = {
    "data": ["127.0.0.1:{}"], "admin": ["127.0.0.1:{}"], "host:port": ["127.0.0.1:{}", "[::1]:{}"],
    "address,...": ["127.0.0.1:{}", "unix:{}"],
    "backend=weight": ["greeter-v1={}"], "backend=proportion": ["greeter-v2={}"],
    "field=amount": ["message={}", "message={}%"], "name=value": ["{}=1", "x={}"],
    "store": ["sqlite:{}"], "code,...": ["{},INTERNAL"], "url": ["http://127.0.0.1:{}"],
    "headers": ["a={}"], "attributes": ["a={}"],
}
# The number of concurrent commands.
PARALLEL = 4


def commands():
    """Each command: its words and its arguments."""
    text = subprocess.run([WEIR, "--experimental-dump-help"], capture_output=True,
        check=True).stdout

    def walk(command, path):
        if not command.get("subcommands"):
            yield path, command.get("arguments", [])
        for child in command.get("subcommands", []):
            if child["commandName"] != "help":
                yield from walk(child, [*path, child["commandName"]])

    return list(walk(json.loads(text)["command"], []))


def flag(argument):
    return "--" + next(name["name"] for name in argument["names"] if name["kind"] == "long")


# Values for required arguments, by the name of the value.
NEEDED = {
    "endpoint": "greeter", "name": "greeter-v1", "backend=weight": "greeter-v1=1",
    "backend=proportion": "greeter-v2=0.5", "path": "/helloworld.Greeter/SayHello",
    "method": "helloworld.Greeter/SayHello", "file": "missing", "from": "1", "revision": "1",
    "role": "viewer", "backend": "greeter-v1", "reason": "incident",
    "trace-id": "4bf92f3577b34da6a3ce929d0e0e4736",
}
# Options that another option requires.
WITH = {
    "--interval": ["--watch", "--count", "1"], "--burst": ["--requests-per-second", "1"],
    "--replicas": ["--worker", "true"], "--tls-ca": ["--upstream", "127.0.0.1:1"],
    "--tls-certificate": ["--upstream", "127.0.0.1:1"], "--tls-key": ["--upstream", "127.0.0.1:1"],
    "--tls-server-name": ["--upstream", "127.0.0.1:1"], "--admin-tls-ca": ["--admin-tls"],
    "--admin-tls-cert": ["--admin-tls"], "--admin-tls-key": ["--admin-tls"],
    "--admin-tls-server-name": ["--admin-tls"],
}
# The same for options of `serve` with a common beginning.
SERVE_WITH = {
    "--otlp-": ["--otlp=https://127.0.0.1:1"], "--trace-": ["--otlp=https://127.0.0.1:1"],
    "--access-log-": ["--access-log=-"],
}


def line(path, arguments, tested, value):
    """A command line in which one argument has a value."""
    words, positional = [], []
    names = {flag(a) for a in arguments if a["kind"] != "positional"}
    for argument in arguments:
        is_tested = argument is tested
        if argument["kind"] == "positional":
            if is_tested or not argument["isOptional"]:
                positional.append(value if is_tested else NEEDED[argument["valueName"]])
        elif is_tested:
            words.append(f"{flag(argument)}={value}")
        elif argument["kind"] == "option" and not argument["isOptional"]:
            words.append(f"{flag(argument)}={NEEDED[argument['valueName']]}")
    if tested["kind"] == "option" and path != ["serve"] and path != ["call"]:
        words += [word for word in WITH.get(flag(tested), [])]
    # Without a limit, `tap` does not end.
    if path == ["tap"] and (tested["kind"] == "positional" or flag(tested) != "--seconds"):
        words.append("--seconds=0.1")
    if "--dry-run" in names:
        words.append("--dry-run")
    if path == ["endpoint", "limit"] and "--requests-per-second" not in " ".join(words):
        words.append("--none")
    return [*path, *words, "--", *positional]


def forms(name):
    """Values with numbers in them."""
    return [form.format(number) for form in FORMS.get(name, []) for number in NUMBERS]


def is_number(path, arguments, argument, folder):
    """Whether the tool parses the argument as a number."""
    # `serve` does not start with this flag.
    words = [*path, *(["--list-limits"] if path == ["serve"] else [])]
    words += line(path, arguments, argument, "x")[len(path):]
    done = subprocess.run(
        [WEIR, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=SECONDS,
        cwd=folder,
        env={**os.environ, "WEIR_ADMIN": "127.0.0.1:1"})
    return "use a number from" in done.stderr or "use a whole number from" in done.stderr


def table(folder):
    """Command lines with boundary values: all values for the first command with an option or
    argument, one value for the others.
    """
    first, lines = {}, []
    for path, arguments in commands():
        for argument in arguments:
            if argument["kind"] == "flag" or path == ["serve"]:
                continue
            key = (argument.get("valueName"), argument.get("abstract"))
            if key in first:
                lines.append(line(path, arguments, argument, CONTROL))
            first.setdefault(key, (path, arguments, argument))
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        numeric = list(pool.map(lambda known: is_number(*known, folder), first.values()))
    # Among them: --timeout twice, --wait, --interval, --count, --limit, --before, --noise, --allowed, --burst.
    assert sum(numeric) >= 20
    for (path, arguments, argument), is_numeric in zip(first.values(), numeric, strict=True):
        values = BOUNDARIES if is_numeric else TEXTS + forms(argument["valueName"])
        lines += [line(path, arguments, argument, value) for value in values]
    return lines


def controls(text):
    """Whether a text could control a terminal."""
    return any(
        character != "\n" and (unicodedata.category(character) == "Cc"
                               or character in "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e"
                                               "\u2066\u2067\u2068\u2069")
        for character in text)


def check(words, code, output, errors):
    """The fault of an ended command; None if there is none."""
    shown = " ".join(word[:60] for word in words)
    if not 0 <= code < 128:
        return f"{shown!r}: ended with {code}: {errors[-300:]!r}"
    if code and not errors.strip():
        return f"{shown!r}: failed with {code} without an error"
    if controls(errors) or controls(output):
        return f"{shown!r}: wrote control characters: {(errors + output)[:300]!r}"
    if any(len(line) > 8_192 for line in errors.splitlines()):
        return f"{shown!r}: wrote an error of {len(errors)} characters"
    return None


def run(words, environment, folder):
    try:
        done = subprocess.run(
            [WEIR, *words], capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS,
            env={**os.environ, "NO_COLOR": "1", **environment}, cwd=folder)
    except subprocess.TimeoutExpired:
        return f"{' '.join(word[:60] for word in words)!r}: did not end"
    return check(
        words, done.returncode, done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"))


def check_all(tasks):
    """Runs tasks concurrently; fails with the faults that they found."""
    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        faults = [fault for fault in pool.map(lambda task: task(), tasks) if fault]
    assert not faults, f"{len(faults)} of {len(tasks)}:\n" + "\n".join(faults[:40])
    print(f"{len(tasks)} inputs")


@pytest.fixture(scope="module")
def server():
    server = start_demo()
    yield server
    assert tool(server, "traffic", "show", "greeter").returncode == 0
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-10000:]


def environment_of(server):
    return {"WEIR_ADMIN": server.admin, "WEIR_ADDRESS": server.data}


def test_every_option_of_every_command_with_boundary_values(server, tmp_path):
    lines = table(tmp_path)
    assert len(lines) > 1_000
    environment = environment_of(server)
    check_all([lambda words=words: run(words, environment, tmp_path) for words in lines])


def serve(words, environment, folder, prefix=()):
    """Runs `weir serve` until it has started or failed."""
    arguments = {"--data": "127.0.0.1:0", "--admin": "127.0.0.1:0"}
    given = {word.split("=")[0] for word in words}
    defaults = [f"{name}={value}" for name, value in arguments.items() if name not in given]
    if not given & {"--store", "--state-dir"} and "STATE_DIRECTORY" not in environment:
        defaults.append("--store=memory:")
    process = subprocess.Popen(
        [*prefix, WEIR, "serve", *defaults, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL, env={**os.environ, "NO_COLOR": "1", **environment}, cwd=folder)
    try:
        if not select.select([process.stdout], [], [], SECONDS)[0]:
            return f"serve {words!r}: neither started nor failed"
        line = process.stdout.readline().decode(errors="replace")
        if line:
            process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"serve {words!r}: did not end"
    finally:
        process.kill()
        process.wait()
    fault = check(["serve", *words], process.returncode, line + rest.decode(), errors.decode())
    if line and process.returncode and not fault:
        fault = f"serve {words!r}: started, but ended with {process.returncode}"
    return fault


def test_every_option_of_serve_with_boundary_values(tmp_path):
    (arguments,) = [arguments for path, arguments in commands() if path == ["serve"]]
    options = [argument for argument in arguments if argument["kind"] == "option"]
    assert len(options) > 15
    tasks, numbers = [], 0
    for option in options:
        # A certificate requires its key.
        pair = flag(option).replace("-cert", "-key") if flag(option).endswith("-cert") else ""
        if is_number(["serve"], arguments, option, tmp_path):
            values, numbers = BOUNDARIES, numbers + 1
        else:
            values = TEXTS + forms(option["valueName"])
        # Some are refused without another one.
        needed = next((words for start, words in SERVE_WITH.items()
                       if flag(option).startswith(start)), [])
        for value in values:
            words = [f"{flag(option)}={value}", *needed]
            words += [f"{pair}={value}"] if pair else []
            tasks.append(lambda words=words: serve(words, {}, tmp_path))
    assert numbers >= 4
    check_all(tasks)


CLIENT_VARIABLES = [
    "WEIR_ADMIN", "WEIR_TOKEN", "WEIR_AUTHOR", "WEIR_ADMIN_TLS_CA", "WEIR_ADMIN_TLS_CERT",
    "WEIR_ADMIN_TLS_KEY", "WEIR_ADMIN_TLS_SERVER_NAME", "TERM", "NO_COLOR", "HOME", "COLUMNS",
]
SERVER_VARIABLES = [
    "STATE_DIRECTORY", "XDG_STATE_HOME", "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDNAMES",
]
# Those of OpenTelemetry, which have an effect only with an endpoint.
EXPORT_VARIABLES = [
    *(f"OTEL_EXPORTER_OTLP_{name}" for name in (
        "ENDPOINT", "INSECURE", "HEADERS", "TIMEOUT", "COMPRESSION", "PROTOCOL", "CERTIFICATE",
        "CLIENT_CERTIFICATE", "CLIENT_KEY", "TRACES_ENDPOINT", "LOGS_TIMEOUT")),
    "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_EXPORTER",
    "OTEL_LOGS_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
    *(f"OTEL_{queue}_{name}" for queue in ("BSP", "BLRP") for name in (
        "MAX_QUEUE_SIZE", "MAX_EXPORT_BATCH_SIZE", "SCHEDULE_DELAY")),
]
EXPORTING = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": "https://127.0.0.1:1", "OTEL_TRACES_SAMPLER": "traceidratio",
}


def test_every_environment_variable_with_boundary_values(server, tmp_path):
    change = ["traffic", "set", "greeter", "greeter-v1=1", "--dry-run"]
    call = ["call", "helloworld.Greeter/SayHello"]
    environment = environment_of(server)
    tasks = []
    for value in TEXTS:
        for variable in CLIENT_VARIABLES:
            tasks.append(lambda given={**environment, variable: value}: run(change, given,
                tmp_path))
        for variable in ["WEIR_TLS_CA", "WEIR_TLS_CERT", "WEIR_TLS_KEY", "WEIR_TLS_SERVER_NAME"]:
            tasks.append(lambda given={**environment, variable: value}: run(call, given, tmp_path))
    for value in TEXTS + forms("host:port"):
        tasks.append(lambda given={**environment, "WEIR_ADDRESS": value}: run(call, given,
            tmp_path))
    for value in TEXTS + NUMBERS:
        for variable in SERVER_VARIABLES:
            tasks.append(lambda given={variable: value}: serve([], given, tmp_path))
        for variable in EXPORT_VARIABLES:
            tasks.append(
                lambda given={**EXPORTING, variable: value}: serve([], given, tmp_path))
    check_all(tasks)


@pytest.mark.parametrize("count", ["0", "-1", "1", "1024", "2147483647", "2147483648", "nan"])
def test_sockets_that_a_service_manager_does_not_give(count, tmp_path):
    """LISTEN_FDS declares more sockets than exist."""
    as_manager = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    assert serve([], {"LISTEN_FDS": count}, tmp_path, as_manager) is None


@pytest.mark.parametrize("words,reason", [
    (["call", "a.B/C", "--timeout=1e300"],
        "'1e300' is invalid for '--timeout <timeout>': use a number from 0.001 to 604800"),
    (["call", "a.B/C", "--timeout=nan"], "use a number from 0.001 to 604800"),
    (["stats", "--interval=0"],
        "'0' is invalid for '--interval <interval>': use a number from 0.1 to 60"),
    (["stats", "--count=0"], "use a whole number from 1 to 2147483647"),
    (["history", "--limit=-1"], "use a whole number from 0 to 4294967295"),
    (["diff", "18446744073709551616"], "use a whole number from 0 to 18446744073709551615"),
    (["serve", "--loops=1025"], "use a whole number from 1 to 1024"),
    (["serve", "--keep-days=inf"], "use a number from 0.001 to 36500"),
    (["serve", "--limit=max-connections=1e300"], "max-connections"),
    (["traffic", "set", "e", "b=0,5"], "invalid number '0,5'"),
    (["shadow", "set", "e", "b=nan"], "invalid number 'nan'"),
    (["backend", "create", "b", "--wait=inf"], "use a number from 0 to 86400"),
])
def test_an_error_names_the_option_the_value_and_the_range(words, reason):
    done = subprocess.run([WEIR, *words], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 64
    assert reason in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("path", ["/", "/dev/full/x", "no-such-file", "\x1b[2J", "/proc/self/mem"])
def test_a_file_that_cannot_be_read_is_an_error(path):
    done = subprocess.run(
        [WEIR, "apply", "-f", path], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 64
    assert "cannot read" in done.stderr
    assert not controls(done.stderr)


def test_standard_input_that_cannot_be_read_is_an_error():
    directory = os.open("/", os.O_RDONLY)
    done = subprocess.run(
        [WEIR, "apply", "-f", "-"], stdin=directory, capture_output=True, text=True,
        timeout=SECONDS)
    os.close(directory)
    assert done.returncode == 64
    assert "cannot read standard input: Is a directory" in done.stderr
    closed = subprocess.run(
        ["sh", "-c", f"exec {WEIR} apply -f - <&-"], capture_output=True, text=True,
        timeout=SECONDS)
    assert closed.returncode == 64
    assert "cannot read standard input: Bad file descriptor" in closed.stderr
