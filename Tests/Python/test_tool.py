"""The command `weir`: its exit codes, its JSON, its completions, and what the demo suggests."""

import json
import subprocess

from conftest import BUILD, Server


def test_the_suggestions_of_serve_work(demo):
    """What `weir serve --demo` prints to try next."""
    server = Server(
        [BUILD / "weir", "serve", "--demo", "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
    try:
        assert server.first_line.startswith("console on http://127.0.0.1:")
        assert server.process.stdout.readline().startswith("weir serves on 127.0.0.1:")
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
