"""Tests of the manual's package that embeds Weir; `make test-embedding` builds it and runs them."""

import shlex
import subprocess

import grpc
import pytest
import weir as weir_client

from conftest import BUILD, ROOT, SECONDS, free_port, started, wait_for
from test_manual import PAGES, blocks, steps

PRICES = ROOT / ".build-embedding/debug/Prices"


@pytest.fixture
def address():
    """The address of the running program, which has made its endpoint."""
    data, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
    process = started(subprocess.Popen([PRICES, data, admin]))
    with grpc.insecure_channel(data) as channel:
        grpc.channel_ready_future(channel).result(timeout=SECONDS)
    with weir_client.connect(admin) as client:
        def traffic():
            try:
                return client.get_traffic("prices")
            except weir_client.NotFound:
                return None

        wait_for(lambda: traffic() == {"prices-v1": 0.9, "prices-v2": 0.1})
    yield data
    process.terminate()
    assert process.wait(SECONDS) == 0


def call(address, *arguments):
    return subprocess.run(
        [BUILD / "weir", *arguments, "--address", address], capture_output=True, text=True,
        timeout=SECONDS, check=False)


def test_the_program_answers_as_the_manual_shows(address):
    ((command, shown),) = [step for text in blocks(PAGES["Embedding"]) for step in steps(text)]
    run = call(address, *shlex.split(command)[1:])
    assert (run.stdout + run.stderr).split() == shown.split()
    assert run.returncode == 0


def test_an_error_of_the_handler_reaches_the_caller(address):
    run = call(address, "call", "prices.v1.Prices/GetPrice", "--data", "{}")
    assert run.returncode == 1
    assert "INVALID_ARGUMENT: the request names no article" in run.stderr
