"""Ray Serve's page "Advanced Traffic Patterns", scenario by scenario, as the examples run it.

Random results are checked to within six standard deviations, which fails once in 500 million runs.
"""

import importlib
import math
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

EXAMPLES = ROOT / "clients/python/examples"


def masked(text):
    """A text without its numbers and spacing."""
    return re.sub(r"\d+", "N", re.sub(r" +", " ", text)).strip()


def shown_in_readme(name):
    readme = (ROOT / "clients/python/README.md").read_text()
    return masked(re.search(rf"\$ python {name}\.py\n(.*?)\n(\$|```)", readme, re.S).group(1))


@pytest.fixture
def example(client, monkeypatch, capsys):
    """Runs an example's `main` against a new server; its output must equal that of the README."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def run(name, *arguments):
        found = importlib.import_module(name).main(client, *arguments)
        assert masked(capsys.readouterr().out) == shown_in_readme(name)
        return found

    return run


def assert_shares(counts, requests, shares):
    """Checks that each backend answered its share of the requests, and together all."""
    assert sum(counts.values()) == requests
    assert set(counts) <= set(shares)
    for backend, share in shares.items():
        margin = 6 * math.sqrt(requests * share * (1 - share))
        assert abs(counts.get(backend, 0) - requests * share) <= margin, (backend, counts)


def test_splitting_traffic(example, client):
    counts = example("splitting_traffic", 2_000)
    assert_shares(counts, 2_000, {"backend1": 0.5, "backend2": 0.5})
    # The server counted the same.
    assert client.stats("fifty-fifty").requests("fifty-fifty") == dict(counts)


def test_canary_deployments(example, client):
    seen = example("canary", 2_000)
    assert list(seen) == ["before", "one canary", "two canaries", "promoted", "reverted"]
    assert_shares(seen["before"], 2_000, {"default_backend": 1})
    assert_shares(seen["one canary"], 2_000, {"default_backend": 0.99, "new_backend": 0.01})
    assert_shares(
        seen["two canaries"], 2_000,
        {"default_backend": 0.98, "new_backend": 0.01, "new_backend2": 0.01})
    assert seen["two canaries"]["new_backend2"] > 0
    assert_shares(seen["promoted"], 2_000, {"new_backend": 1})
    assert_shares(seen["reverted"], 2_000, {"default_backend": 1})
    assert client.get_traffic("canary_endpoint") == {"default_backend": 1.0}


def test_incremental_rollout(example, client):
    seen = list(example("incremental_rollout", 2_000).items())
    shares = [0, 0.1, 0.2, 0.5, 1, 0]
    moved = ["10%", "10%", "30%", "50%"]
    assert [label.split(", ")[1] for label, _ in seen[1:5]] == [
        f"{share} of keys moved" for share in moved]
    for (_, counts), share in zip(seen, shares):
        assert_shares(counts, 2_000, {"existing_backend": 1 - share, "new_backend": share})
    assert client.get_traffic("incremental_endpoint") == {"existing_backend": 1.0}


def test_session_affinity(example):
    backend_of = example("session_affinity", 200)
    counts = {name: list(backend_of.values()).count(name) for name in set(backend_of.values())}
    assert_shares(counts, 200, {"backend1": 0.5, "backend2": 0.5})


def test_shadow_testing(example, client):
    answered, copied, afterwards = example("shadow_testing", 2_000)
    assert answered == {"existing_backend": 2_000}
    for backend, share in {"new_backend_1": 0.5, "new_backend_2": 0.1}.items():
        margin = 6 * math.sqrt(2_000 * share * (1 - share))
        assert abs(copied[backend] - 2_000 * share) <= margin
    # With proportion 0, nothing is copied.
    assert afterwards == copied
    assert client.get_endpoint("shadowed_endpoint").shadows == {}


def test_an_example_as_a_script(client):
    run = subprocess.run(
        [sys.executable, "splitting_traffic.py"], cwd=EXAMPLES, capture_output=True, text=True,
        timeout=120, env={**os.environ, "WEIR_ADMIN": client.address})
    assert run.returncode == 0, run.stderr
    assert masked(run.stdout) == shown_in_readme("splitting_traffic")
    # The example deletes its objects.
    assert client.list_backends() == {} and client.list_endpoints() == {}
