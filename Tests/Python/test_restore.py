"""The output of `weir export` can be applied, and has the same meaning for other YAML readers."""

import random

import yaml

from conftest import tool
from google.protobuf import descriptor_pb2

from test_state import servers  # noqa: F401

# Texts that some version of YAML does not read as a string.
WORDS = [
    "", "~", "null", "Null", "NULL", "true", "True", "yes", "Yes", "no", "on", "Off", "y", "N", "=", "<<",
    "5", "-5", "+5", "0", "-0", "007", "0o7", "0x1F", "0b11", "1_000", "1e5", "1.", ".5", "5.0", "-.inf",
    ".nan", "inf", "nan", "12:30", "1:1:1", "190:20:30.15", "2001-01-01", "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43.10 -5", "a: b", "a #b", "#a", "- a", "-", "--", "---", "...", "? a", ": a", "a:",
    "&a", "*a", "!a", "!!str a", "|", ">", "%a", "@a", "`a", "{a}", "[a]", "{", "]", ",a", "'a'", '"a"',
    "\\", "a\\nb", " a", "a ", "\ta", "a\tb", "a\nb", "a\n\n  b\n", "\n", "a\r\nb", "a\rb", "é", "日本", "\U0001f600",
    "\x85", "\u2028", "a\ufeff", "\u00a0a", "\x7f", "\x01", "x" * 300, "word " * 60,
]


def create_worker(weir, folder, values):
    """Creates a worker with these arguments and values of its environment."""
    file = folder / "worker.yaml"
    file.write_text(yaml.safe_dump({"worker": {"command": ["true", *values], "environment": {
        f"E{number}": value for number, value in enumerate(values)}}}, default_style='"'))
    tool(weir, "backend", "create", "w", "--wait", "0", "-f", file)


def apply(weir, folder, text, check=True):
    file = folder / "export.yaml"
    file.write_text(text)
    return tool(weir, "apply", "-f", file, check=check)


def export(weir, *options):
    """The export without its first line, which contains the revision."""
    return tool(weir, "export", *options).stdout


def made_up(seed, count):
    """Texts of the words above."""
    numbers = random.Random(seed)
    return ["".join(numbers.choices(WORDS, k=numbers.randint(1, 4))) for _ in range(count)]


def test_an_export_of_any_text_is_read_as_the_same_text(servers, tmp_path):
    weir = servers()
    values = WORDS + made_up(1, 400)
    create_worker(weir, tmp_path, values)
    exported = export(weir, "--reveal-secrets")
    worker = yaml.safe_load(exported)["backends"][0]["worker"]
    assert worker["command"] == ["true", *values]
    assert worker["environment"] == {f"E{number}": value for number, value in enumerate(values)}
    assert "no changes" in apply(weir, tmp_path, exported).stdout
    other = servers()
    apply(other, tmp_path, exported)
    assert export(other, "--reveal-secrets") == exported


NAMES = ["null", "true", "yes", "no", "on", "y", "n", "5", "1e5", "0x1f", "2001-01-01", "1_0", "nan", "a" * 63]


def test_an_export_with_any_name_is_applied(servers, tmp_path):
    weir = servers()
    for name in NAMES:
        tool(weir, "backend", "create", name, "--upstream", "127.0.0.1:9", "--wait", "0")
        tool(weir, "endpoint", "create", name, "--route", f"/p.N{NAMES.index(name)}/", "--backend", name)
    exported = export(weir)
    assert {backend["name"] for backend in yaml.safe_load(exported)["backends"]} == set(NAMES)
    assert "no changes" in apply(weir, tmp_path, exported).stdout
    other = servers()
    apply(other, tmp_path, exported)
    assert export(other) == exported


def test_the_admin_port_accepts_the_values_that_it_returns(servers, tmp_path):
    weir = servers()
    descriptors = descriptor_pb2.FileDescriptorSet()
    file = descriptors.file.add(name="large.proto", package="large", syntax="proto3")
    file.message_type.add(name="Message")
    # Over the limit of a message on the data port.
    file.source_code_info.location.add(path=[4, 0], span=[1, 2, 3], leading_comments="x" * (9 << 19))
    (tmp_path / "large.binpb").write_bytes(descriptors.SerializeToString())
    tool(weir, "backend", "create", "large", "--upstream", "127.0.0.1:9", "--wait", "0",
         "--descriptor-set", tmp_path / "large.binpb")
    exported = export(weir)
    other = servers()
    apply(other, tmp_path, exported)
    assert export(other) == exported

    small = servers("--limit", "max-admin-message-bytes=1000000")
    text = apply(small, tmp_path, exported, check=False).stderr
    assert "RESOURCE_EXHAUSTED" in text and "limit is 1000000 bytes (max-admin-message-bytes)" in text
