"""The examples of the manual's page about gRPC-Web and Connect."""

import subprocess

from conftest import SECONDS
from test_manual import PAGES, block, blocks, steps, succeed


def here(text, server):
    return text.replace("127.0.0.1:8000", server.data).replace("127.0.0.1:8001", server.admin)


def test_the_examples_with_curl(demo):
    found = [step for text in blocks(PAGES["WebProtocols"]) for step in steps(text)]
    assert len(found) > 3
    for command, shown in found:
        printed = succeed(here(command, demo), demo)
        if shown.strip():
            assert printed.strip() == shown.strip()
        elif "curl" in command:
            assert printed.startswith('{"'), printed


def test_the_example_with_fetch(demo):
    """Node's fetch stands for a browser's."""
    script = block("WebProtocols", "const response", "js") + "console.log(message);"
    run = subprocess.run(
        ["node", "--input-type=module", "-e", here(script, demo)], capture_output=True, text=True,
        timeout=SECONDS, check=True)
    assert "Ada" in run.stdout


def test_the_command_for_browsers(demo):
    command = block("WebProtocols", "weir endpoint create").strip()
    succeed("weir backend create shop-v1 --upstream 127.0.0.1:1 --wait 0", demo)
    succeed(command, demo)
    assert "https://app.example" in succeed("weir export", demo)
