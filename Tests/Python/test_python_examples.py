"""The scenarios of Ray Serve's pages on batching and deployment, as the examples run them.

`test_traffic_patterns.py` has those on traffic.
"""

import math
import os
import signal
import subprocess
import sys

import pytest
import requests

import weir
from test_traffic_patterns import EXAMPLES, example  # noqa: F401


def test_batching(example):  # noqa: F811
    by_http, by_handle, sizes = example("batching")
    assert by_http == by_handle == list(range(1, 10))
    assert max(sizes) == 4 and sum(sizes) == 18


def test_deploying_a_model(example):  # noqa: F811
    first, versions = example("deploying_a_model")
    assert first == {"result": "setosa", "version": "v1"}
    assert abs(versions["v2"] - 100) <= 6 * math.sqrt(400 * 0.25 * 0.75)
    assert sum(versions.values()) == 400


def test_scaling_and_updating(example, client, monkeypatch):  # noqa: F811
    monkeypatch.setenv("WEIR_ADMIN", client.address)
    config, answer = example("scaling_and_updating")
    assert config.num_replicas == 1 and answer["model"] == "new"
    assert client.list_backends() == {} and client.list_endpoints() == {}


def test_serving_forever(client):
    def start():
        program = subprocess.Popen(
            [sys.executable, "serving_forever.py"], cwd=EXAMPLES, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "WEIR_ADMIN": client.address})
        assert program.stdout.readline() == f"serves http://{client.data_address}/counter\n"
        return program

    def count():
        return requests.get(f"http://{client.data_address}/counter", timeout=20).json()["count"]

    first = start()
    assert [count(), count()] == [1, 2]
    first.kill()
    first.wait(20)
    first.stdout.close()
    second = start()
    assert count() == 1
    second.send_signal(signal.SIGINT)
    second.wait(20)
    second.stdout.close()
    assert client.list_backends() == {} and client.list_endpoints() == {}


# A program for Ray Serve 1.0, whose first line is `import ray` and `from ray import serve` there.
RAY = """
from weir import ray, serve
import numpy as np
import requests

@serve.accept_batch
def adder(flask_requests):
    numbers = [int(request.args["number"]) for request in flask_requests]
    return (np.array(numbers) + 1).astype(int).tolist()

class Composed:
    def __init__(self):
        self.client = serve.connect()
        self.adder = self.client.get_handle("adder")

    async def __call__(self, flask_request):
        first = await self.adder.remote(number=flask_request.json["number"])
        return {"twice": await self.adder.remote(number=first), "data": flask_request.method}

ray.init(num_cpus=8)
client = serve.start()
client.create_backend("adder:v0", adder, config={"max_batch_size": 4})
client.create_endpoint("adder", backend="adder:v0", route="/adder", methods=["GET"])
client.create_backend(
    "composed:v1", Composed, config=serve.BackendConfig(max_concurrent_queries=10),
    ray_actor_options={"num_cpus": 1})
client.create_endpoint("composed", backend="composed:v1", route="/composed", methods=["POST"])

@ray.remote
def send_query(number):
    return int(requests.get(f"http://{DATA}/adder?number={number}").text)

assert ray.get([send_query.remote(i) for i in range(9)]) == list(range(1, 10))
handle = client.get_handle("adder")
assert ray.get([handle.remote(number=i) for i in range(9)]) == list(range(1, 10))
ready, rest = ray.wait([handle.remote(number=1), handle.remote(number=2)], num_returns=2)
assert (len(ready), rest) == (2, [])
assert requests.post(f"http://{DATA}/composed", json={"number": 1}).json() == {
    "twice": 3, "data": "POST"}
refused = requests.post(f"http://{DATA}/adder?number=1")
assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
assert requests.get(f"http://{DATA}/-/routes").json() == {
    "/adder": ["adder", ["GET"]], "/composed": ["composed", ["POST"]]}
assert client.list_backends()["adder:v0"]["num_replicas"] == 1
assert client.list_endpoints()["adder"]["methods"] == ("GET",)
client.update_backend_config("adder:v0", {"num_replicas": 2, "max_batch_size": 2})
assert client.get_backend_config("adder:v0").max_batch_size == 2
client.set_traffic("adder", {"adder:v0": 1.0})
try:
    client.delete_backend("adder:v0")
except ValueError:
    client.delete_endpoint("adder")
    client.delete_backend("adder:v0")
client.shutdown()
"""


def test_a_program_for_ray_serve_runs_with_another_import(client, tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(RAY.replace("{DATA}", client.data_address))
    run = subprocess.run(
        [sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=120,
        env={**os.environ, "WEIR_ADMIN": client.address})
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Weir ignores ray_actor_options: num_cpus" in run.stderr
    assert client.list_backends() == {} and client.list_endpoints() == {}


def test_the_functions_of_the_module(client, monkeypatch):
    monkeypatch.setenv("WEIR_ADMIN", client.address)
    host, _, port = client.data_address.rpartition(":")
    with pytest.warns(UserWarning, match="Weir serves HTTP at"):
        weir.serve.start(http_port=int(port) + 1).close()
    with pytest.warns(UserWarning, match="ignores http_middlewares"):
        weir.serve.start(http_host=host, http_port=int(port), http_middlewares=[1]).close()
    with pytest.raises(TypeError, match="no actors"):
        weir.ray.remote(type("Actor", (), {}))
    failing = weir.ray.remote(num_cpus=1)(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        weir.ray.get(failing.remote())
    with pytest.raises(TypeError, match="remote"):
        failing()
    with pytest.raises(ValueError, match="invalid num_returns 2"):
        weir.ray.wait([failing.remote()], num_returns=2)
    assert weir.ray.is_initialized()
