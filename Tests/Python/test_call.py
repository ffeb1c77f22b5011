"""`weir call`: protocols, files and standard input."""

import json
import os
import subprocess

import pytest

from conftest import BUILD, start_demo

GREETER = "helloworld.Greeter"


@pytest.fixture(scope="module")
def server():
    server = start_demo()
    yield server
    server.stop()


def call(server, method, *arguments, check=True, **options):
    run = subprocess.run(
        [BUILD / "weir", "call", f"{GREETER}/{method}", "--json", "--address", server.data,
         *arguments], capture_output=True, text=True, timeout=60, **options)
    assert not check or run.returncode == 0, run.stderr
    return run


def messages(run):
    return [json.loads(line)["message"] for line in run.stdout.splitlines()]


PROTOCOLS = ["grpc", "grpc-web", "connect"]
KEY = ("--shard-key", "user-10")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_protocol_gets_the_same_answers(server, protocol):
    ada = ("--data", '{"name": "Ada"}')
    for method, data in [
            ("SayHello", ada), ("SayHelloStreamReply", ada),
            ("SayHelloToAll", ada + ("--data", '{"name": "Grace"}')),
            ("SayHelloBidiStream", ada + ("--data", '{"name": "Grace"}'))]:
        expected = call(server, method, *data, *KEY)
        run = call(server, method, *data, *KEY, "--protocol", protocol)
        assert run.stdout == expected.stdout and run.stdout
        assert run.stderr == expected.stderr and "answered by" in run.stderr


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_each_protocol_reports_failures_and_deadlines(fixture_server, protocol):
    def fail(method, *arguments, code=1):
        run = subprocess.run(
            [BUILD / "weir", "call", method, "--address", fixture_server.data, "--protocol",
             protocol, *arguments], capture_output=True, text=True, timeout=60)
        assert run.returncode == code
        return run.stderr

    assert "UNIMPLEMENTED" in fail(f"{GREETER}/Nothing")
    assert "NOT_FOUND" in fail("nothing.Service/Method")
    assert "invalid --metadata" not in fail(f"{GREETER}/SayHello", "--data", "{", code=64)


def test_a_message_from_a_file_and_from_standard_input(server, tmp_path):
    (tmp_path / "ada.json").write_text('{\n  "name": "Ada"\n}\n')
    expected = messages(call(server, "SayHello", "--data", '{"name": "Ada"}', *KEY))
    path = tmp_path / "ada.json"
    assert messages(call(server, "SayHello", "--data", f"@{path}", *KEY)) == expected
    with path.open() as file:
        assert messages(call(server, "SayHello", "--data", "-", *KEY, stdin=file)) == expected


def test_each_line_of_a_file_is_a_message_of_a_stream(server, tmp_path):
    path = tmp_path / "names.jsonl"
    path.write_text('{"name": "Ada"}\r\n\n  {"name": "Grace"}')
    run = call(server, "SayHelloBidiStream", "--data", '{"name": "Zoe"}', "--data", f"@{path}")
    assert [text.split()[-1].strip("!.") for text in messages(run)] == ["Zoe", "Ada", "Grace"]
    run = call(server, "SayHelloToAll", "--data", "-", input=path.read_text())
    assert "Ada, Grace" in messages(run)[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_lines_are_sent_and_answered_one_by_one(server, protocol):
    with subprocess.Popen(
            [BUILD / "weir", "call", f"{GREETER}/SayHelloBidiStream", "--json", "--data", "-",
             "--address", server.data, "--protocol", protocol], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for name in ("Ada", "Grace"):
            process.stdin.write(json.dumps({"name": name}) + "\n")
            process.stdin.flush()
            assert name in json.loads(process.stdout.readline())["message"]
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(30) == 0


def test_the_command_ends_with_the_call_although_its_input_is_open(server):
    reader, writer = os.pipe()
    try:
        run = call(server, "SayHelloBidiStream", "--data", "-", "--timeout", "0.5", stdin=reader,
                   check=False)
        assert run.returncode == 1 and "DEADLINE_EXCEEDED" in run.stderr
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("arguments,text,reason", [
    (["--data", "@/nothing/here"], "", "cannot read '/nothing/here'"),
    (["--data", "@/"], "", "cannot read '/'"),
    (["--data", "-"], '{"name": "Ada"}\n{"name": 1}\n', "standard input, line 2: field name"),
    (["--data", "-"], '{"name": "Ada"}\n\n{\n', "standard input, line 3: invalid JSON"),
    (["--data", "-"], "{}\n\xff", "standard input, line 2: invalid JSON"),
    (["--data", "-", "--data", "-"], "", "--data - can be given once"),
    (["--data", "@"], "", "cannot read ''"),
])
def test_invalid_input_names_its_place(server, arguments, text, reason):
    run = subprocess.run(
        [BUILD / "weir", "call", f"{GREETER}/SayHelloBidiStream", "--address", server.data,
         *arguments], input=text.encode("latin-1"), capture_output=True, timeout=60)
    assert run.returncode == 64
    assert reason in run.stderr.decode(), run.stderr


def test_a_closed_standard_input_is_an_error(server):
    run = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", BUILD / "weir", "call", f"{GREETER}/SayHelloToAll",
         "--address", server.data, "--data", "-"], capture_output=True, text=True, timeout=60)
    assert run.returncode != 0 and run.stderr


def test_an_unknown_protocol_is_refused(server):
    run = call(server, "SayHello", "--protocol", "soap", check=False)
    assert run.returncode == 64 and "grpc-web" in run.stderr


@pytest.mark.parametrize(
    "item", ["ä=b", ":path=/x", "te=x", "a b=c", "=x", "grpc-timeout=1S", "a=ü"])
def test_metadata_that_would_not_be_sent_is_refused(server, item):
    run = call(server, "SayHello", "--metadata", item, check=False)
    assert run.returncode == 64 and "invalid --metadata" in run.stderr


def test_a_file_may_have_a_byte_order_mark(server, tmp_path):
    (tmp_path / "ada.json").write_bytes(b'\xef\xbb\xbf{"name": "Ada"}')
    assert "Ada" in call(server, "SayHello", "--data", f"@{tmp_path}/ada.json").stdout
