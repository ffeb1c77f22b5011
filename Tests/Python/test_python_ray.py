"""The calls and the arguments of Ray Serve 1.0, of which this file has the names."""

import threading
import time

import pytest
import requests

import weir
from conftest import tool, wait_for


class Counter:
    def __init__(self, start=0):
        self.count = start

    def __call__(self, request):
        self.count += 1
        return self.count


class Adder:
    """Adds one to each number, and records the sizes of its batches."""

    sizes = []

    @weir.accept_batch
    def __call__(self, requests):
        Adder.sizes.append(len(requests))
        return [int(request.args["number"]) + 1 for request in requests]

    @weir.accept_batch
    async def parity(self, requests):
        return [ValueError("odd") if request.data % 2 else weir.NotFound("three")
                if request.data == 0 else "even" for request in requests]

    def single(self, request):
        return request.data

    @weir.accept_batch
    def wrong(self, requests):
        return {"none": 1, "short": [1], "text": "ab", "fails": None}[requests[0].data]

    @weir.accept_batch
    def arrays(self, requests):
        import numpy
        return numpy.array([request.data for request in requests]) * 2


def test_the_names_of_ray_serve(client):
    client.create_backend(backend_tag="b", func_or_class=Counter)
    client.create_backend("second", Counter, 10)
    client.create_endpoint(endpoint_name="e", backend="b", route="/e")
    client.set_traffic(endpoint_name="e", traffic_policy_dictionary={"b": 0.5, "second": 0.5})
    client.shadow_traffic(endpoint_name="e", backend_tag="second", proportion=0.5)
    client.shadow_traffic(endpoint_name="e", backend_tag="second", proportion=0)
    client.update_backend_config(backend_tag="b", config_options={"num_replicas": 2})
    assert client.get_backend_config(backend_tag="b").num_replicas == 2
    assert client.get_handle(endpoint_name="e").remote().result() in (1, 11)
    assert client.list_endpoints()["e"]["traffic"] == {"b": 0.5, "second": 0.5}
    assert dict(client.list_endpoints()["e"])["shadows"] == {}
    assert client.list_backends()["b"]["num_replicas"] == 2
    assert dict(client.list_backends()["second"]) == {
        "num_replicas": 1, "max_batch_size": None, "batch_wait_timeout": 0.0,
        "max_concurrent_queries": None}
    with pytest.raises(KeyError):
        client.list_backends()["b"]["no"]
    with pytest.raises(TypeError, match="the same argument"):
        client.create_backend(backend_tag="b", name="b", target=Counter)
    client.delete_endpoint(endpoint="e")
    client.delete_backend(backend_tag="second")


def test_the_exceptions_of_ray_serve(client):
    client.create_backend("b", Counter)
    client.create_endpoint("e", backend="b")
    for kind, call in [
        (ValueError, lambda: client.create_backend("b", Adder)),
        (KeyError, lambda: client.get_handle("none")),
        (ValueError, lambda: client.set_traffic("e", {"none": 1.0})),
        (ValueError, lambda: client.set_traffic("none", {"b": 1.0})),
        (ValueError, lambda: client.set_traffic("e", {"b": 0.5})),
        (ValueError, lambda: client.delete_backend("b")),
        (ValueError, lambda: client.create_endpoint("e", backend="b", route="/other")),
        (TypeError, lambda: client.create_endpoint("f")),
        (TypeError, lambda: client.create_backend("bad", Adder, ray_actor_options=[])),
        (ValueError, lambda: client.create_backend("bad", Counter, config={"max_batch_size": 2})),
    ]:
        with pytest.raises(kind):
            call()


def test_ray_actor_options_are_named_in_a_warning(client):
    with pytest.warns(UserWarning, match="ignores ray_actor_options: num_cpus, num_gpus") as seen:
        client.create_backend("b", Counter, ray_actor_options={"num_cpus": 1, "num_gpus": 0.5})
    assert seen[0].filename == __file__


def test_a_configuration_changes(client):
    client.create_backend("b", Counter, config=weir.BackendConfig(num_replicas=3))
    client.create_endpoint("e", backend="b")
    handle = client.get_handle("e")
    assert len({tuple(client.get_backend("b").addresses)[n] for n in range(3)}) == 3
    client.update_backend_config("b", {"num_replicas": 1, "max_concurrent_queries": 4})
    assert client.list_backends()["b"]["max_concurrent_queries"] == 4
    counts = [handle.remote().result() for _ in range(5)]
    assert counts == list(range(counts[0], counts[0] + 5))
    # A configuration changes only what it names, also if that is the default.
    client.update_backend_config("b", weir.BackendConfig(num_replicas=2))
    assert client.get_backend_config("b") == weir.BackendConfig(
        num_replicas=2, max_concurrent_queries=4)
    client.update_backend_config("b", weir.BackendConfig(num_replicas=1))
    assert client.get_backend_config("b").num_replicas == 1
    with pytest.raises(weir.NotFound):
        client.update_backend_config("none", {"num_replicas": 1})
    with pytest.raises(ValueError, match="accept_batch"):
        client.update_backend_config("b", {"max_batch_size": 3})


def test_configurations_of_backends_that_others_serve(client, tmp_path):
    (tmp_path / "my_batch.py").write_text(
        "import weir\n"
        "@weir.accept_batch\n"
        "def model(requests): return [len(requests)] * len(requests)\n")
    client.create_backend(
        "worker", "my_batch:model", working_directory=str(tmp_path), environment={"SECRET": "x"},
        config={"max_batch_size": 3, "batch_wait_timeout": 20.0})
    config = client.get_backend_config("worker")
    assert (config.max_batch_size, config.batch_wait_timeout) == (3, 20.0)
    client.create_endpoint("worker", backend="worker")
    handle = client.get_handle("worker")
    assert [part.result(timeout=30) for part in [handle.remote() for _ in range(3)]] == [3, 3, 3]
    client.update_backend_config("worker", {"max_batch_size": 2, "num_replicas": 1})
    command = client.get_backend("worker").command
    assert command[command.index("--max-batch-size") + 1] == "2"
    assert command.count("--max-batch-size") == 1
    client.create_backend("theirs", ["127.0.0.1:1", "127.0.0.1:2"])
    client.update_backend_config("theirs", {"max_concurrent_queries": 5})
    assert dict(client.get_backend_config("theirs"))["num_replicas"] == 2
    with pytest.raises(ValueError, match="can change only max_concurrent_queries"):
        client.update_backend_config("theirs", {"num_replicas": 5})


def test_batches(client):
    Adder.sizes.clear()
    client.create_backend(
        "adder", Adder, config={"max_batch_size": 4, "batch_wait_timeout": 20})
    client.create_endpoint("adder", backend="adder", route="/adder")
    handle = client.get_handle("adder")
    results = [handle.remote(number=number) for number in range(8)]
    assert [result.result(timeout=20) for result in results] == list(range(1, 9))
    assert Adder.sizes == [4, 4]
    client.update_backend_config("adder", {"batch_wait_timeout": 0})
    response = requests.get(f"http://{client.data_address}/adder?number=7", timeout=10)
    assert response.json() == 8 and Adder.sizes[-1] == 1


def test_a_batch_begins_when_its_time_is_over(client):
    client.create_backend("adder", Adder, config={"max_batch_size": 4, "batch_wait_timeout": 0.05})
    client.create_endpoint("adder", backend="adder")
    start = time.monotonic()
    assert client.get_handle("adder").remote(number=1).result(timeout=20) == 2
    assert time.monotonic() - start >= 0.05


def test_each_caller_of_a_batch_gets_its_own_result_or_error(client, caplog):
    client.create_backend("adder", Adder, config={"max_batch_size": 4, "batch_wait_timeout": 20})
    client.create_endpoint("adder", backend="adder")
    parity = client.get_handle("adder").options("parity", timeout=20)
    even, odd, three, fourth = [parity.remote(number) for number in (2, 1, 0, 4)]
    assert even.result() == fourth.result() == "even"
    with pytest.raises(weir.BackendFailed):
        odd.result()
    with pytest.raises(weir.NotFound, match="three"):
        three.result()
    client.update_backend_config("adder", {"batch_wait_timeout": 0.2})
    # A method without the mark gets single requests.
    assert client.get_handle("adder").options("single").remote(5).result() == 5
    assert client.get_handle("adder").options("arrays").remote(5).result() == 10
    wrong = client.get_handle("adder").options("wrong", timeout=20)
    for kind, message in [
        ("none", "must return a list with one result for each request, not int"),
        ("text", "not str"), ("fails", "not NoneType")]:
        with pytest.raises(weir.BackendFailed, match=message):
            wrong.remote(kind).result()
    pair = [wrong.remote("short") for _ in range(2)]
    for result in pair:
        with pytest.raises(weir.BackendFailed, match="1 results for a batch of 2 requests"):
            result.result()
    with pytest.raises(weir.BackendFailed, match="^the backend failed$"):
        wrong.remote("other").result()
    assert "KeyError: 'other'" in caplog.text


def test_a_batch_leaves_out_callers_that_are_gone(client):
    sizes, gate = [], threading.Event()

    @weir.accept_batch
    def gated(requests):
        sizes.append(len(requests))
        gate.wait(20)
        return [None] * len(requests)

    client.create_backend("gated", gated, config={"max_batch_size": 3})
    client.create_endpoint("gated", backend="gated")
    handle = client.get_handle("gated")
    first = handle.remote()
    wait_for(lambda: sizes == [1])
    gone, last = handle.remote(), handle.remote()
    batcher = client._local.get("gated")._replicas[0]._batcher
    wait_for(lambda: len(batcher._waiting) == 2)
    active = batcher._waiting[0].is_active
    gone.cancel()
    wait_for(lambda: not active() or not batcher._waiting[1].is_active())
    gate.set()
    first.result(timeout=20)
    last.result(timeout=20)
    assert sizes == [1, 1]


def test_the_methods_of_an_endpoint(client, tmp_path):
    client.create_backend("b", lambda request: request.method)
    made = client.create_endpoint("e", backend="b", route="/e", methods=["get", "POST"])
    assert made.methods == ("GET", "POST")
    client.create_endpoint("named", backend="b")
    url = f"http://{client.data_address}/e"
    assert [requests.request(method, url, timeout=10).status_code
            for method in ("GET", "HEAD", "POST", "PUT", "DELETE")] == [200, 200, 200, 405, 405]
    refused = requests.put(url, timeout=10)
    assert refused.headers["Allow"] == "GET, HEAD, POST"
    assert refused.json()["message"] == (
        "endpoint 'e' does not accept the method 'PUT': use GET, HEAD, POST")
    # Calls by name are not HTTP.
    assert client.get_handle("e").options(http_method="PUT").remote().result() == "PUT"
    routes = requests.get(f"http://{client.data_address}/-/routes", timeout=10).json()
    assert routes["/e"] == ["e", ["GET", "POST"]] and routes["named"][0] == "named"
    assert requests.post(f"http://{client.data_address}/-/routes", timeout=10).status_code == 404
    # A file has them, too.
    exported = tmp_path / "state.yaml"
    exported.write_text(tool(client.server, "export").stdout)
    assert "- GET" in exported.read_text()
    revision = client.history(1)[0].revision
    tool(client.server, "apply", "-f", exported)
    assert client.history(1)[0].revision == revision
    assert client.get_endpoint("e").methods == ("GET", "POST")
    moved = client.create_endpoint("e", backend="b", route="/e", methods=["PUT"], replace=True)
    assert moved.methods == ("PUT",)
    tool(client.server, "endpoint", "create", "f", "--route", "/f", "--backend", "b", "--methods",
         "patch,GET")
    assert client.get_endpoint("f").methods == ("GET", "PATCH")
    for methods, kind in [("GET", TypeError), ([1], TypeError), ([], ValueError),
                          (["A B"], weir.InvalidArgument), (["A"] * 17, weir.InvalidArgument)]:
        with pytest.raises(kind):
            client.create_endpoint("bad", backend="b", methods=methods)
