"""The Python client (`clients/python`) against a running server."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time

import grpc
import pytest
import requests

import weir
from conftest import ROOT, start_demo, start_weir, tool, wait_for


class Model:
    """A backend class of a user."""

    def __init__(self, name="model"):
        self.name = name

    def __call__(self, request):
        return {"name": self.name, "data": request.data, "query": dict(request.query_params)}

    def describe(self, request):
        return f"{self.name} at {request.endpoint}"

    def headers(self, request):
        return weir.Response(
            json.dumps([request.method, request.path, request.query, request.headers["x-a"],
                        request.content_type, request.shard_key]).encode(),
            "application/json", status=201, headers={"X-Served": "yes"})

    def fail(self, request):
        raise KeyError("a secret of the implementation")

    def refuse(self, request):
        raise weir.ResourceExhausted("no more today")

    def bytes(self, request):
        return request.body[::-1]

    _hidden = __call__


@pytest.fixture
def model(client):
    """A client with an endpoint `model` whose backend is a class."""
    client.create_backend("model", Model, "first")
    client.create_endpoint("model", backend="model", route="/model")
    return client


def test_a_class_answers_handles_and_http(model):
    handle = model.get_handle("model")
    assert handle.remote({"a": [1, None]}, limit=3).result() == {
        "name": "first", "data": {"a": [1, None]}, "query": {"limit": "3"}}
    result = handle.remote("text")
    response = result.response(timeout=10)
    assert (response.status, response.backend, response.data["data"]) == (200, "model", "text")
    assert result.done()
    response = requests.get(f"http://{model.data_address}/model?limit=4", timeout=10)
    assert response.json() == {"name": "first", "data": None, "query": {"limit": "4"}}
    assert response.headers["x-serve-backend"] == "model"


def test_other_methods_and_their_context(model):
    handle = model.get_handle("model")
    assert handle.options("describe").remote().result() == "first at model"
    assert handle.options(method_name="bytes").remote(b"\x00\xffabc").result() == b"cba\xff\x00"
    reported = handle.options(
        "headers", shard_key="me", http_method="PATCH", http_headers={"X-A": "b"}).remote(1, q="ü")
    assert reported.result() == ["PATCH", "", "q=%C3%BC", "b", "application/json", "me"]
    response = reported.response()
    assert (response.status, response.headers) == (201, {"X-Served": "yes"})
    # Options accumulate, and do not change the original handle.
    assert handle.options("describe").options(shard_key="x").remote().result() == "first at model"
    assert handle.remote().result()["name"] == "first"


@pytest.mark.parametrize("method, kind, message", [
    ("fail", weir.BackendFailed, "the backend failed"),
    ("refuse", weir.ResourceExhausted, "no more today"),
    ("missing", weir.Unimplemented, "no method 'missing'"),
    ("_hidden", weir.Unimplemented, "no method '_hidden'"),
    ("__init__", weir.Unimplemented, "no method '__init__'"),
    ("name", weir.Unimplemented, "no method 'name'"),
])
def test_failures_of_a_backend(model, method, kind, message, caplog):
    with pytest.raises(weir.WeirError) as failed:
        model.get_handle("model").options(method).remote().result()
    assert type(failed.value) is kind and failed.value.message == message
    # The operator of the backend sees more than its clients.
    assert ("a secret" in caplog.text) == (method == "fail")


def test_results_are_awaitable_and_cancellable(client):
    meeting, met = [], asyncio.Event()

    async def slow(request):
        if request.data == "meet":
            meeting.append(request)
            if len(meeting) == 20:
                met.set()
            await met.wait()
        elif request.data == "hang":
            await asyncio.Event().wait()
        return "done"

    client.create_backend("slow", slow)
    client.create_endpoint("slow", backend="slow")
    handle = client.get_handle("slow")

    async def run():
        assert await asyncio.gather(*(handle.remote("meet") for _ in range(20))) == ["done"] * 20
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(handle.remote("hang"), 0.1)

    start = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - start < 10
    with pytest.raises(TimeoutError):
        handle.remote("hang").result(timeout=0.1)
    with pytest.raises(weir.DeadlineExceeded):
        handle.options(timeout=0.1).remote("hang").result()
    result = handle.remote("hang")
    assert result.cancel()
    with pytest.raises(weir.Cancelled):
        result.result()
    called = threading.Event()
    handle.remote(0).add_done_callback(lambda result: result.result() == "done" and called.set())
    assert called.wait(10)


def test_a_coroutine_ends_with_its_call_and_close_leaves_no_thread(client):
    started, cancelled = threading.Semaphore(0), threading.Semaphore(0)

    async def slow(request):
        started.release()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.release()
            raise

    client.create_backend("slow", slow)
    client.create_endpoint("slow", backend="slow")
    handle = client.get_handle("slow")
    first = handle.remote(1)
    assert started.acquire(timeout=10)
    first.cancel()
    assert cancelled.acquire(timeout=10)
    second = handle.remote(2)
    assert started.acquire(timeout=10)
    client.close()
    assert cancelled.acquire(timeout=10)
    with pytest.raises(weir.WeirError):
        second.result(timeout=10)
    wait_for(lambda: not any(
        one.name.startswith("weir-backend") for one in threading.enumerate()))


def test_a_class_has_one_instance_for_each_replica_and_one_request_at_a_time(client):
    class Counting:
        made = []

        def __init__(self):
            Counting.made.append(self)
            self.running = self.most = self.calls = 0

        def __call__(self, request):
            self.running += 1
            self.most = max(self.most, self.running)
            # Lets a second request of this replica overlap, if it could.
            for _ in range(100):
                os.sched_yield()
            self.calls += 1
            self.running -= 1

    backend = client.create_backend("counting", Counting, config={"num_replicas": 3})
    client.create_endpoint("counting", backend="counting")
    handle = client.get_handle("counting")
    for result in [handle.remote() for _ in range(120)]:
        result.result()
    assert len(Counting.made) == 3 and len(backend.addresses) == 3
    assert sum(one.calls for one in Counting.made) == 120
    assert all(one.most == 1 and one.calls > 10 for one in Counting.made)


def test_a_limit_of_queries_makes_requests_wait_in_weir(client):
    gate = threading.Event()

    def gated(request):
        gate.wait(20)
        return "through"

    client.create_backend("gated", gated, max_concurrent_queries=2)
    client.create_endpoint("gated", backend="gated")
    results = [client.get_handle("gated").remote() for _ in range(5)]
    admin = json.loads(tool(client.server, "backend", "show", "gated", "--json").stdout)
    wait_for(lambda: json.loads(
        tool(client.server, "backend", "show", "gated", "--json").stdout)
        ["status"]["waiting"] == "3")
    assert admin["options"]["maxRequestsPerReplica"] == 2
    gate.set()
    assert [result.result(10) for result in results] == ["through"] * 5


def test_an_import_path_becomes_worker_processes(client, tmp_path):
    (tmp_path / "my_model.py").write_text(
        "import os\n"
        "class Model:\n"
        "    def __init__(self, greeting): self.greeting = greeting\n"
        "    def __call__(self, request):\n"
        "        return [self.greeting, request.data, os.environ['PLACE'], os.getpid()]\n"
        "def function(request): return request.data * 2\n"
        "broken = 3\n")
    backend = client.create_backend(
        "worker", "my_model:Model", "hello", replicas=2, environment={"PLACE": "here"},
        working_directory=str(tmp_path))
    assert backend.kind == "worker" and len(backend.replicas) == 2
    client.create_endpoint("worker", backend="worker")
    handle = client.get_handle("worker")
    wait_for(lambda: all(
        replica.state == "ready" for replica in client.get_backend("worker").replicas))
    answers = [handle.remote(number).result() for number in range(40)]
    assert [answer[:3] for answer in answers] == [["hello", n, "here"] for n in range(40)]
    pids = {replica.pid for replica in client.get_backend("worker").replicas}
    assert {answer[3] for answer in answers} == pids
    client.create_backend("plain", "my_model:function", working_directory=str(tmp_path))
    client.set_traffic("worker", {"plain": 1.0})
    assert handle.remote(21).result() == 42
    for path, problem in [
        ("my_model:broken", "TypeError: 3 is neither a class nor a function"),
        ("my_model:Missing", "has no attribute 'Missing'"),
        ("no_such_module:X", "No module named 'no_such_module'"),
    ]:
        with pytest.raises(weir.Unavailable, match=problem):
            client.create_backend("bad", path, working_directory=str(tmp_path))
    # A backend that did not become ready is deleted.
    assert set(client.list_backends()) == {"worker", "plain"}


def test_addresses_of_a_server_that_runs_by_itself(client, mesh):
    upstream = mesh.upstream()
    backend = client.create_backend("theirs", [upstream.address])
    assert (backend.kind, backend.addresses) == ("upstream", (upstream.address,))
    client.create_endpoint("raw", backend="theirs", route="/test.Raw/")
    with grpc.insecure_channel(client.data_address) as channel:
        wait_for(lambda: client.get_backend("theirs").replicas[0].state == "ready")
        assert channel.unary_unary("/test.Raw/Name")(b"", timeout=10)


@pytest.mark.parametrize("target, kind, message", [
    ("127.0.0.1:80", ValueError, "use a list of addresses, \\['127.0.0.1:80'\\]"),
    (3, TypeError, "3 is neither a class nor a function"),
    (type("Silent", (), {}), TypeError, "class Silent has no __call__"),
    (["127.0.0.1"], weir.InvalidArgument, "127.0.0.1"),
    ([], weir.InvalidArgument, "address"),
])
def test_invalid_backends_are_rejected(client, target, kind, message):
    with pytest.raises(kind, match=message):
        client.create_backend("bad", target)
    assert client.list_backends() == {}


def test_bad_settings_of_a_backend(client):
    with pytest.raises(ValueError, match="config has no replicas; it has num_replicas, max_conc"):
        client.create_backend("bad", Model, config={"replicas": 3})
    with pytest.raises(ValueError, match="a whole number from 1 to 1000"):
        client.create_backend("bad", Model, replicas=0)
    with pytest.raises(TypeError):
        client.create_backend("bad", Model, "one", "too many")

    def broken(name):
        raise OSError("no weights here")

    with pytest.raises(OSError, match="no weights here"):
        client.create_backend("bad", type("Broken", (Model,), {"__init__": broken}))
    assert client.list_backends() == {}


def test_errors_state_what_was_wrong_and_where(model):
    model.create_backend("other", Model)
    for kind, field, call in [
        (weir.InvalidTraffic, "weights", lambda: model.set_traffic("model", {"model": 0.9})),
        (weir.InvalidTraffic, "weights", lambda: model.set_traffic("model", {})),
        (weir.InvalidTraffic, "weights",
         lambda: model.set_traffic("model", {"model": 2.0, "other": -1.0})),
        (weir.InvalidTraffic, "proportion", lambda: model.shadow_traffic("model", "other", 1.5)),
        (weir.NotFound, "weights", lambda: model.set_traffic("model", {"gone": 1.0})),
        (weir.NotFound, None, lambda: model.set_traffic("gone", {"model": 1.0})),
        (weir.NotFound, None, lambda: model.get_handle("gone")),
        (weir.NotFound, None, lambda: model.delete_backend("gone")),
        (weir.InvalidRoute, "route",
         lambda: model.create_endpoint("new", backend="model", route="fifty")),
        (weir.AlreadyExists, "route",
         lambda: model.create_endpoint("new", backend="model", route="/model")),
        (weir.AlreadyExists, "name", lambda: model.create_endpoint("model", backend="model")),
        (weir.BackendInUse, None, lambda: model.delete_backend("model")),
        (weir.RevisionNotKept, None, lambda: model.rollback(999)),
        (weir.RevisionConflict, None,
         lambda: model.set_traffic("model", {"model": 1.0}, expected_revision=1)),
    ]:
        with pytest.raises(weir.WeirError) as refused:
            call()
        assert type(refused.value) is kind and refused.value.field == field, refused.value
        assert len(str(refused.value)) > 10
    assert refused.value.reason == "REVISION_CONFLICT"
    assert refused.value.details["current_revision"] == str(model.history(1)[0].revision)


def test_without_a_server():
    with pytest.raises(weir.Unavailable):
        weir.connect("127.0.0.1:1", timeout=5)


def test_validate_only_reports_and_changes_nothing(model):
    model.create_backend("other", Model)
    revision = model.history(1)[0].revision
    change = model.set_traffic("model", {"model": 0.75, "other": 0.25}, validate_only=True)
    assert abs(change.moved_share - 0.25) < 1e-9
    assert model.get_traffic("model") == {"model": 1.0}
    model.create_backend("third", Model, validate_only=True)
    model.delete_endpoint("model", validate_only=True)
    assert model.history(1)[0].revision == revision


def test_history_and_rollback(model):
    model.create_backend("other", Model)
    before = model.history(1)[0].revision
    model.set_traffic("model", {"model": 0.5, "other": 0.5}, comment="half")
    latest = model.history(2)
    assert [latest[0].comment, latest[1].revision] == ["half", before]
    assert latest[0].author == model.author and "@" in model.author
    assert model.history(before=before)[0].revision == before - 1
    change = model.rollback(before, comment="no", validate_only=True)
    assert [(part.action, part.kind, part.name) for part in change.changes] == [
        ("change", "endpoint", "model")]
    assert model.rollback(before, endpoint="model").changes[0].moved_share == 0.5
    assert model.get_traffic("model") == {"model": 1.0}
    assert model.rollback(before).changes == ()


def test_watch(model):
    changes = model.watch()
    first = next(changes)
    assert first.snapshot and set(first.endpoints) == {"model"} == set(first.backends)
    model.create_endpoint("second", backend="model")
    change = next(changes)
    assert (change.snapshot, set(change.endpoints)) == (False, {"second"})
    assert change.summary == "create endpoint second: model=1.0"
    changes.close()
    later = model.watch(from_revision=first.revision)
    assert next(later).revision == change.revision
    model.delete_endpoint("second")
    assert next(later).deleted_endpoints == ("second",)
    later.close()


def test_the_tool_takes_an_endpoint_by_its_name(model):
    called = tool(model.server, "call", "model", "--data", '{"a": 1}', "--shard-key", "me",
        "--json")
    assert json.loads(called.stdout) == {"name": "first", "data": {"a": 1}, "query": {}}
    assert called.stderr == "weir: answered by model\n"
    assert "Endpoint 'model' is called by name." in tool(model.server, "explain", "model").stdout
    for arguments, code, problem in [
        (("call", "none"), 1, "NOT_FOUND: no endpoint 'none'"),
        (("call", "model", "--data", "{"), 64, "JSON"),
        (("call", "model", "--data", "1", "--data", "2"), 64, "takes one request"),
        (("explain", "none"), 1, "NOT_FOUND"),
    ]:
        refused = tool(model.server, *arguments, check=False)
        assert refused.returncode == code and problem in refused.stderr


def test_explain_here_and_there(model):
    model.create_backend("other", Model)
    model.set_traffic("model", {"model": 0.7, "other": 0.3})
    model.shadow_traffic("model", "other", 0.5)
    endpoint = model.get_endpoint("model")
    assert endpoint.shadows == {"other": 0.5}
    handle = model.get_handle("model")
    for number in range(30):
        key = f"user-{number}"
        reported = model.explain("/model", key)
        owner = endpoint.explain(key)
        assert reported.backend == owner.backend == model.explain("model", key).backend
        assert owner.first <= owner.point <= owner.last
        assert handle.options(shard_key=key).remote().response().backend == reported.backend
        assert reported.copied_to["other"] in (True, False)
    without = model.explain("/model")
    assert without.backend is None and without.copied_to == {"other": None}
    assert without.traffic == {"model": 0.7, "other": 0.3} and "0.7" in without.text
    with pytest.raises(ValueError):
        endpoint.explain("")


def test_the_published_vectors():
    for case in json.loads((ROOT / "protos/vectors/affinity.json").read_text())["cases"]:
        intervals = [(int(part["start"]), part["backend"]) for part in case["intervals"]]
        affinity = weir.AffinityMap(case["endpoint"], intervals)
        assert case["choices"]
        for choice in case["choices"]:
            assert affinity.point(choice["key"]) == int(choice["point"])
            if choice["key"]:
                assert affinity.explain(choice["key"]).backend == choice["backend"]
                assert affinity.explain(choice["key"].encode()).backend == choice["backend"]


def test_stats_and_shadow_reports(model):
    model.create_backend("shadow", Model, "second")
    model.shadow_traffic("model", "shadow", 1.0)
    handle = model.get_handle("model")
    for result in [handle.remote(number) for number in range(150)]:
        result.result()
    wait_for(lambda: model.shadow_report("model")["shadow"].compared == 150)
    report = model.shadow_report("model")["shadow"]
    assert (report.verdict, report.differing, report.selected) == ("differs", 150, 150)
    difference, = report.fields
    assert (difference.field, difference.primary, difference.shadow) == (
        "payload.name", '"first"', '"second"')
    stats = model.stats("model")
    assert stats.requests("model") == {"model": 150}
    assert stats.requests("model", shadow=True) == {"shadow": 150}
    assert all(part.errors == 0 and part.latency.p50_us > 0 for part in stats.backends)


# Closing.


def test_close_removes_backends_that_need_the_program(caplog):
    server = start_weir()
    with weir.connect(server.admin) as operator:
        mine = weir.connect(server.admin)
        mine.create_backend("mine", Model)
        mine.create_endpoint("own", backend="mine")
        mine.create_backend("shadow", Model)
        operator.create_backend("theirs", Model)
        operator.create_endpoint("shared", backend="theirs")
        mine.shadow_traffic("shared", "shadow", 0.5)
        mine.create_backend("part", Model)
        operator.set_traffic("shared", {"theirs": 0.5, "part": 0.5})
        mine.close()
        mine.close()
        assert set(operator.list_endpoints()) == {"shared"}
        assert operator.get_endpoint("shared").shadows == {}
        # It still has half of the traffic of an endpoint with another backend.
        assert set(operator.list_backends()) == {"theirs", "part"}
        assert "could not delete a backend of this program: backend 'part' is in use by: shared" in caplog.text
        operator.set_traffic("shared", {"theirs": 1.0})
        operator.delete_backend("part")
    server.stop()


def test_a_program_that_ends_closes(client):
    subprocess.run(
        [sys.executable, "-c",
         "import weir, sys\n"
         "client = weir.connect(sys.argv[1])\n"
         "client.create_backend('short', lambda request: 1)\n"
         "client.create_endpoint('short', backend='short')\n"
         "print(client.get_handle('short').remote().result())\n", client.address],
        check=True, timeout=60)
    assert client.list_backends() == {} and client.list_endpoints() == {}


# Existing stubs.


@pytest.fixture
def greeter_demo():
    server = start_demo()
    with weir.connect(server.admin) as client:
        client.set_traffic("greeter", {"greeter-v1": 0.5, "greeter-v2": 0.5})
        yield server, client
    server.stop()


def calls_of(stub, hello):
    """Makes a call of each kind; returns the greetings."""
    request = hello.HelloRequest(name="Ada")
    return [
        stub.SayHello(request).message,
        next(iter(stub.SayHelloStreamReply(request))).message,
        stub.SayHelloToAll(iter([request])).message,
        next(iter(stub.SayHelloBidiStream(iter([request])))).message,
    ]


def test_existing_stubs_get_a_shard_key(greeter_demo, stubs):
    server, client = greeter_demo
    endpoint = client.get_endpoint("greeter")
    with weir.intercept(grpc.insecure_channel(server.data)) as channel:
        stub = stubs.hello_grpc.GreeterStub(channel)
        for number in range(12):
            key = f"user-{number}"
            with weir.shard_key(key):
                greetings = calls_of(stub, stubs.hello)
            is_first = endpoint.explain(key).backend == "greeter-v1"
            assert all(greeting.startswith("Hello") == is_first for greeting in greetings)
        # Without a key, Weir selects at random.
        replies = {stub.SayHello(stubs.hello.HelloRequest(name="x")).message for _ in range(60)}
        assert len(replies) == 2


def test_existing_asyncio_stubs_get_a_shard_key(greeter_demo, stubs):
    server, client = greeter_demo
    endpoint = client.get_endpoint("greeter")
    request = stubs.hello.HelloRequest(name="Ada")

    async def all_kinds(stub, key):
        with weir.shard_key(key):
            greetings = [(await stub.SayHello(request)).message]
            greetings += [reply.message async for reply in stub.SayHelloStreamReply(request)]
            greetings.append((await stub.SayHelloToAll(iter([request]))).message)
            greetings += [
                reply.message async for reply in stub.SayHelloBidiStream(iter([request]))]
        is_first = endpoint.explain(key).backend == "greeter-v1"
        assert len(greetings) >= 4
        assert all(greeting.startswith("Hello") == is_first for greeting in greetings)

    async def run():
        async with grpc.aio.insecure_channel(
            server.data, interceptors=weir.aio_interceptors()
        ) as channel:
            stub = stubs.hello_grpc.GreeterStub(channel)
            # Concurrent tasks have separate keys.
            await asyncio.gather(*(all_kinds(stub, f"user-{n}") for n in range(12)))

    asyncio.run(run())


def test_handles_take_the_key_of_the_block_too(model):
    model.create_backend("other", Model)
    model.set_traffic("model", {"model": 0.5, "other": 0.5})
    handle = model.get_handle("model")
    for number in range(10):
        with weir.shard_key(f"k{number}"):
            got = handle.remote().response().backend
        assert got == model.get_endpoint("model").explain(f"k{number}").backend


@pytest.mark.parametrize("key", ["", "ключ", "new\nline", " padded", b"\xff"])
def test_keys_that_cannot_be_sent(key):
    with pytest.raises(ValueError, match="invalid shard key"):
        with weir.shard_key(key):
            pass


# asyncio.


def test_the_asyncio_client():
    server = start_weir()

    async def run():
        async with await weir.aio.connect(server.admin) as client:
            await client.create_backend("a", Model, "one")
            await client.create_backend("b", Model, "two", replicas=2)
            await client.create_endpoint("e", backend="a", route="/e", comment="first")
            change = await client.set_traffic("e", {"a": 0.5, "b": 0.5})
            assert change.moved_share == 0.5
            await client.shadow_traffic("e", "b", 1.0)
            handle = client.get_handle("e")
            answers = await asyncio.gather(*(handle.remote(n) for n in range(50)))
            assert {answer["name"] for answer in answers} == {"one", "two"}
            assert await client.get_traffic("e") == {"a": 0.5, "b": 0.5}
            assert set(await client.list_backends()) == {"a", "b"}
            assert set(await client.list_endpoints()) == {"e"}
            assert (await client.get_backend("b")).kind == "upstream"
            explained = await client.explain("/e", "k")
            assert explained.backend == (await client.get_endpoint("e")).explain("k").backend
            assert sum((await client.stats("e")).requests("e").values()) == 50
            assert set(await client.shadow_report("e")) == {"b"}
            history = await client.history(4)
            assert [part.comment for part in history][2] == "first"
            async for change in client.watch():
                assert change.snapshot
                break
            await client.rollback(history[2].revision)
            assert await client.get_traffic("e") == {"a": 1.0}
            assert [part.answering for part in await client.instances()] == [True]
            with pytest.raises(weir.InvalidTraffic):
                await client.set_traffic("e", {"a": 0.4})
            with pytest.raises(weir.NotFound):
                await client.get_handle("none").remote()
            await client.delete_endpoint("e")
            await client.delete_backend("a")
        with weir.connect(server.admin) as sync:
            assert sync.list_backends() == {}

    asyncio.run(run())
    server.stop()


def test_the_types_are_right(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", tmp_path], cwd=ROOT / "clients/python",
        capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def run_page(path, client):
    """Runs the first Python example of a page against a server; returns its names."""
    code = (ROOT / path).read_text().split("```python\n")[1].split("```")[0]
    for there, here in [("127.0.0.1:8001", client.address),
        ("127.0.0.1:8000", client.data_address)]:
        code = code.replace(there, here)
    names = {}
    exec(compile(code, path, "exec"), names)
    return names


def test_the_class_on_the_main_page(client):
    mine = run_page("README.md", client)["client"]
    # The manual shows how to call it by HTTP.
    page = (ROOT / "Sources/Weir/Weir.docc/HTTP.md").read_text()
    ((command, shown),) = re.findall(r"^\$ (curl .*)\n(.*)$", page, re.MULTILINE)
    run = subprocess.run(
        command.replace("127.0.0.1:8000", client.data_address), shell=True, capture_output=True,
        text=True, timeout=20, check=True)
    assert run.stdout == shown
    mine.close()


def test_the_two_minutes_of_the_readme(client, capsys):
    run_page("clients/python/README.md", client)
    lines = capsys.readouterr().out.splitlines()
    # The output that the comments of the example promise.
    assert lines[0] == "{'message': 'Hello, Ada!'}"
    assert lines[1] == "10% of all users have another backend now"
    assert lines[2] in ("{'message': 'Hello, Ada!'}", "{'message': 'Servus, Ada!'}")
    assert "Endpoint 'greet' is called by name. The shard key hashes to point 0x" in lines[3]
    assert client.list_backends() == {}
