"""The README: its tour is run, its example is the one that the tests compile."""

import pathlib
import re
import subprocess
import time

from conftest import BUILD

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def shape(text):
    """A text without parts that vary: figures, units, widths and bars."""
    text = re.sub(r"0x[0-9a-f]+|\d+(\.\d+)?( (us|ms|s|%))?|(?<= )-(?= |$)", "N", text)
    text = re.sub(r"[+-]N", "N", re.sub(r"[█·]+", "=", text))
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]
    return [line for line in lines if line]


def test_the_tour_prints_what_the_readme_shows(demo, weir, monkeypatch):
    steps = []
    for block in blocks("console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    assert len(steps) > 8
    environment = {
        "WEIR_AUTHOR": "ada", "WEIR_ADMIN": demo.admin, "WEIR_ADDRESS": demo.data, "NO_COLOR": "1",
        "PATH": f"{BUILD}:/usr/bin:/bin"}
    for command, shown in steps:
        end = time.monotonic() + 10
        while True:
            run = subprocess.run(
                command, shell=True, env=environment, text=True, timeout=30,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            # A copy is answered slightly later than its call.
            if "report" not in command or "being compared" not in run.stdout and \
                    "1 compared" in run.stdout or time.monotonic() > end:
                break
        refused = any(line.startswith("weir: INVALID") for line in shown)
        assert run.returncode == (1 if refused else 0), run.stdout
        if "stats" in command:
            # The statuses and shares vary, the rows do not.
            assert shape(run.stdout)[0] == shape("\n".join(shown))[0]
            assert len(shape(run.stdout)) == len(shape("\n".join(shown)))
        else:
            assert shape(run.stdout) == shape("\n".join(shown)), command
            if "explain" in command or "call" in command:
                assert run.stdout.split() == "\n".join(shown).split()


def test_the_example_is_the_one_that_is_compiled():
    (example,) = blocks("swift")
    assert example in (ROOT / "Tests/WeirTests/WeirServerTests.swift").read_text()


def test_every_command_of_the_reference_exists(weir):
    table = README[README.index("### The `weir` command"):README.index("### Metadata")]
    for command in re.findall(r"`weir (\w+)(?: (list|show|set))?", table) + [
            ("shadow", name) for name in ("set", "compare", "report", "reset")]:
        words = [word for word in command if word]
        assert "OVERVIEW" in weir(*words, "--help").stdout


def test_the_suggestions_of_serve_work(demo):
    """The suggestions that `weir serve --demo` prints."""
    from conftest import Server

    server = Server(
        [BUILD / "weir", "serve", "--demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
    try:
        assert server.first_line.startswith("weir serves on 127.0.0.1:")
        commands = []
        while len(commands) < 3:
            line = server.process.stdout.readline()
            if line.startswith("  "):
                commands.append(line.strip())
        commands[2] += " --count 1"
        for command in commands:
            run = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=30)
            assert run.returncode == 0, run.stderr
    finally:
        assert server.stop() == 0


def test_exit_codes(weir):
    assert weir("traffic", "show", "nope", check=False).returncode == 1
    assert weir("traffic", "set", "greeter", "half", check=False).returncode == 64
    assert weir("endpoint", "list", "--admin", "127.0.0.1:1", check=False).returncode == 69
    assert weir("serve", "--data", "nonsense", check=False).returncode == 64
    assert weir("endpoint", "list", "--admin", "nonsense", check=False).returncode == 64
    assert weir("serve", "--loops", "0", check=False).returncode == 64


def test_json_is_json(weir):
    import json

    for command in (["backend", "list"], ["endpoint", "list"], ["traffic", "show", "greeter"],
                    ["stats"], ["explain", "/helloworld.Greeter/SayHello"],
                    ["shadow", "set", "greeter", "greeter-v2=0.5"], ["shadow", "list", "greeter"],
                    ["shadow", "compare", "greeter", "--ignore", "x"],
                    ["shadow", "report", "greeter"],
                    ["shadow", "reset", "greeter"],
                    ["endpoint", "create", "e", "--route", "/a.B/", "--backend", "greeter-v1"],
                    ["endpoint", "delete", "e"]):
        assert isinstance(json.loads(weir(*command, "--json").stdout), dict)


def test_completion_scripts_are_made(weir):
    for shell in ("bash", "zsh", "fish"):
        assert "traffic" in weir("--generate-completion-script", shell).stdout
