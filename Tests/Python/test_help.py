"""The help of every command: examples, width, connection options and exit codes."""

import concurrent.futures
import json
import os
import re
import subprocess

from conftest import BUILD

WEIR = str(BUILD / "weir")
COLUMNS = 80
EXIT_CODES = "Exit codes: see 'weir --help'."


def commands():
    """The words of each command and of each group, and whether it is a group."""
    text = subprocess.run(
        [WEIR, "--experimental-dump-help"], capture_output=True, check=True).stdout

    def walk(command, path):
        children = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
        yield path, bool(children)
        for child in children:
            yield from walk(child, (*path, child["commandName"]))

    return list(walk(json.loads(text)["command"], ()))


def help_of(words):
    return subprocess.run(
        [WEIR, *words, "--help"], capture_output=True, text=True, check=True, timeout=60,
        env=os.environ | {"COLUMNS": str(COLUMNS)}).stdout


def faults(words, is_group, text):
    """What the help of a command lacks."""
    lines = text.splitlines()
    path = " ".join(("weir", *words))
    if not re.search(r"^Examples?:\n  .*\bweir\b", text, re.MULTILINE):
        yield "no example"
    for line in lines:
        if len(line) > COLUMNS:
            yield f"wide: {line}"
    examples = [line for line in lines if line.startswith("  ")]
    if not is_group and not any(path in line for line in examples):
        yield f"no example of {path}"
    usages = [line for line in lines if line.startswith("USAGE:")]
    if len(usages) != 1 or "--admin" in usages[0]:
        yield f"usage: {usages}"
    connection = text.count("\nCONNECTION:\n"), text.count("--admin <host:port>")
    if connection not in ((0, 0), (1, 1)):
        yield f"connection options: {connection}"
    if words and lines[-1] != EXIT_CODES:
        yield f"exit codes: {lines[-1]}"


def test_the_help_of_every_command_is_complete_and_fits():
    listed = commands()
    assert len(listed) > 40
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        texts = list(pool.map(lambda command: help_of(command[0]), listed))
    found = [
        f"{' '.join(words)}: {fault}" for (words, is_group), text in zip(listed, texts)
        for fault in faults(words, is_group, text)]
    assert not found, "\n".join(found)


def test_the_table_of_exit_codes_is_in_the_help_of_the_tool():
    table = help_of(()).split("Exit codes:\n")[1].split("\n\n")[0]
    assert re.findall(r"^  (\d+) ", table, re.MULTILINE) == ["0", "1", "2", "64", "69", "74"]
    # Each command with the code 2 is named there, and explains it.
    named = re.findall(r"'weir ([a-z ]+?)(?: --[a-z]+)?'", table.replace("\n", " "))
    assert len(named) == 4
    for command in named:
        assert re.search(r"Exit codes?\b[^.]*2", help_of(command.split())), command
