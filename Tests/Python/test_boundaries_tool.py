"""Boundary values for every limit of `weir serve`, and YAML scalars in a configuration."""

import concurrent.futures
import copy
import itertools
import json
import re
import signal
import subprocess

import grpc
import pytest
import yaml

from boundaries import TEXTS, shown
from boundary_client import Subject, environment
from boundary_pipe import Ask, Pipe, grpc_fields, health_check, is_healthy
from conftest import BUILD, SECONDS, Server
from peer import message
from test_boundaries_admin import configuration

AT_ONCE = 4
# Arguments of a program cannot contain a NUL.
ARGUMENTS = [text for text in TEXTS if "\0" not in text]
FEW = ["", "-1", "0.5", str(2**63), "NaN", "1e300", "0x1"]
SAY_HELLO = Ask("call", grpc_fields("/helloworld.Greeter/SayHello"), message())


def weir(*arguments, server=None):
    """The output of the tool, and whether it is safe for a terminal."""
    run = subprocess.run(
        [BUILD / "weir", *map(str, arguments)], capture_output=True, timeout=SECONDS,
        env={**environment(), **({"WEIR_ADMIN": server.admin} if server else {})})
    said = run.stdout + run.stderr
    fault = None
    if run.returncode not in (0, 1, 64):
        fault = f"exit status {run.returncode}: {said[-300:]!r}"
    elif any(byte < 0x20 and byte != 0x0a or byte == 0x7f for byte in said):
        fault = f"control characters: {said[-300:]!r}"
    elif len(run.stderr) > 8_192:
        fault = f"an error of {len(run.stderr)} bytes"
    output, error = (text.decode(errors="replace") for text in (run.stdout, run.stderr))
    return run.returncode, output, error, fault


def at_once(run, inputs, group):
    """Runs a function for each input, and fails with the results."""
    inputs = list(inputs)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        faults = [fault for fault in pool.map(lambda each: run(*each), inputs) if fault]
    print(f"{group}: {len(inputs)} inputs")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:200])
    return len(inputs)


# Limits.


def limits():
    lines = weir("serve", "--list-limits")[1].splitlines()
    return [line.split()[0] for line in lines[1:]]


def bounds(name):
    """The smallest and the largest value, from the error for another one."""
    code, _, error, fault = weir("serve", "--limit", f"{name}=x")
    found = re.search(r"from (\S+) to ([\d.]+\d)", error)
    assert code == 64 and found and not fault, (name, error)
    return found.groups()


def values():
    """Each limit with few values, and one of each kind with all of them."""
    names = limits()
    assert len(names) >= 38
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(names, pool.map(bounds, names)))
    every = {"max-resets", "drain-delay"}
    for name, (least, most) in found.items():
        below, above = (f"{float(bound) + step:f}" for bound, step in ((least, -1), (most, 1)))
        texts = [least, most, below, above, *FEW]
        for text in dict.fromkeys([*texts, *(ARGUMENTS if name in every else [])]):
            yield name, least, most, text


def is_valid(least, most, text):
    """Whether a limit accepts a value: a number in its range, as digits."""
    return re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) and float(least) <= float(text) <= float(most)


def set_limit(name, least, most, text):
    """Checks that the server runs with the limit, or reports why the value is invalid."""
    label = f"{name}={shown(text)}"
    arguments = ["serve", "--demo", "--json", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                 "--limit", f"{name}={text}"]
    process = subprocess.Popen(
        [BUILD / "weir", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=environment())
    try:
        line = process.stdout.readline()
        if not line:
            return refused(label, name, least, most, text, process)
        addresses = json.loads(line)
        for port in ("data", "admin"):
            pipe = Pipe(addresses[port])
            # Sequential requests, because some limits allow only one.
            [health] = pipe.exchange([health_check()])
            [answer] = pipe.exchange([SAY_HELLO if port == "data" else health_check()])
            pipe.close()
            if not is_healthy(health) or answer.status != 0:
                return f"{label}: {port} {health} {answer}"
        return None
    finally:
        process.kill()
        process.communicate()


def refused(label, name, least, most, text, process):
    error = process.stderr.read().decode(errors="replace")
    code = process.wait(SECONDS)
    if code != 64:
        return f"{label}: exit status {code}: {error[-300:]!r}"
    if is_valid(least, most, text) and not (float(text) != int(float(text)) and "." in text):
        return f"{label}: refused: {error[:200]!r}"
    # A long value may be shortened, and control characters escaped.
    value = text[:20] if text.isprintable() else ""
    wanted = (name, least, most, value) if text else (name, "NAME=VALUE")
    missing = [part for part in wanted if part not in error]
    if missing or len(error) > 2_048:
        return f"{label}: the error of {len(error)} bytes does not say {missing}: {error[:300]!r}"
    return None


def test_limits():
    assert at_once(set_limit, values(), "limits") > 500


# YAML.

PLACE = "here-"
INDENT = " " * 60
SCALARS = [
    "", "true", "yes", "on", "null", "~", "0", "-1", "+1", "0x10", "0o7", "010", "0b1", "1_000",
    "1.5", ".inf", "-.inf", ".nan", "1e300", "-1e300", "1e-300", "1e400", "9007199254740993",
    str(2**31), str(2**63), str(2**64 - 1), str(2**64), "-9223372036854775809", "9" * 20,
    "2026-11-28", "2026-11-28T00:00:00Z", "9999-12-31T23:59:60Z", "12:30:45", "1s", "-1s", "1e300s",
    "315576000001s", "0.0000000001s", "'1'", '"1"', '"\\0\\e[2J"', '"\\ud800"', "text # comment",
    "!!binary aGk=", "!!binary '*'", "!!int '1'", "!!float x", "!!null x", "!!str 1", "!foo x",
    "!<tag:x> y", "&a x", "*a", "[]", "{}", "[1]", "{a: 1}", "[[[[]]]]", "[", "}", "@x", "`x", "%x",
    "- x", "? x", "<<", "=", f"|\n{INDENT}a\n{INDENT}b", f">-\n{INDENT}a\n\n{INDENT}b", "\t1",
    "\u202e", "x" * 65_536, "9" * 60_000,
]


def kinds(descriptor, path=(), inside=()):
    """Each field below a message: its path, and the kind of its values."""
    for field in descriptor.fields:
        here = (*path, field.name)
        message_type = field.message_type
        if message_type and message_type.GetOptions().map_entry:
            yield here, "map"
            yield (*here, "key"), "map value"
            continue
        if field.is_repeated:
            yield here, "repeated"
            here = (*here, 0)
        if not message_type:
            names = {1: "double", 8: "bool", 9: "string", 12: "bytes", 14: "enum"}
            yield here, names.get(field.type, "integer")
        elif message_type.full_name.startswith("google.protobuf."):
            yield here, message_type.name
        elif message_type.full_name not in inside:
            yield here, "message"
            yield from kinds(message_type, here, (*inside, message_type.full_name))


def documents(stubs, address):
    """Configurations with a scalar in one field: every scalar in a kind, and one in each field."""
    by_kind = {}
    for path, kind in kinds(stubs.admin.Configuration.DESCRIPTOR):
        by_kind.setdefault(kind, []).append(path)
    assert len(by_kind) >= 11 and sum(map(len, by_kind.values())) > 120
    for kind, paths in by_kind.items():
        # For kinds with few fields, every second scalar.
        scalars = SCALARS if len(paths) > 5 else SCALARS[len(by_kind) % 2::2]
        count = max(len(scalars), len(paths))
        for path, scalar in itertools.islice(
                zip(itertools.cycle(paths), itertools.cycle(scalars)), count):
            yield path, scalar, document(configuration(address), path, scalar)


def document(content, path, scalar):
    content = here = copy.deepcopy(content)
    for step, following in zip(path, path[1:]):
        if isinstance(here, dict):
            step = camel(step)
        if isinstance(here, dict) and step not in here:
            here[step] = [] if isinstance(following, int) else {}
        if isinstance(here, list) and not here:
            here.append({})
        here = here[step]
    if isinstance(here, list):
        here[:1] = [PLACE]
    else:
        here[camel(path[-1])] = PLACE
    return yaml.safe_dump(content, default_flow_style=False).replace(PLACE, scalar)


def camel(name):
    return re.sub("_(.)", lambda found: found[1].upper(), name)


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    subject = Subject(
        [BUILD / "weir", "serve", "--json", "--store", "memory:", "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0"], tmp_path_factory.mktemp("yaml"))
    yield subject
    assert subject.stop() == 0, subject.last_words()


def test_yaml(subject, stubs, tmp_path):
    takes_prune = ["--prune"] if "--prune" in weir("apply", "--help")[1] else []
    codes = []

    def apply(number, path, scalar, text):
        file = tmp_path / f"{number}.yaml"
        file.write_text(text)
        where = ".".join(map(str, path))
        label = f"{where}: {shown(scalar)}"
        dry = ["--dry-run"] if number % 2 else []
        code, _, error, fault = weir("apply", *takes_prune, *dry, "-f", file, server=subject)
        codes.append(code)
        if fault:
            return f"{label}: {fault}"
        if code and not re.search(r"\.yaml:\d+(:\d+)?: ", error):
            return f"{label}: not located: {error[:300]!r}"
        with_pipe = Pipe(subject.admin)
        [answer] = with_pipe.exchange([health_check()])
        with_pipe.close()
        return None if is_healthy(answer) else f"{label}: {answer}"

    inputs = [(number, *each) for number, each in enumerate(documents(stubs, "127.0.0.1:1"))]
    assert at_once(apply, inputs, "YAML") > 600
    assert codes.count(0) > 50 and codes.count(64) > 100, codes
