"""Replacements of backends and endpoints, and errors that a server or a backend can send."""

import asyncio
import concurrent.futures
import threading

import grpc
import pytest
import requests
from google.rpc import error_details_pb2, status_pb2

import weir
from weir import _lease, errors
from weir._channels import Door


def echo(request):
    return "echo"


def test_a_replacement_that_is_refused_keeps_the_endpoint(client):
    client.create_backend("b", echo)
    client.create_endpoint("e", backend="b", route="/e")
    client.shadow_traffic("e", "b", 0.5)
    for change in ({"route": "/e", "methods": ["GET"]}, {"route": "/other"}, {"route": None}):
        with pytest.raises(weir.NotFound):
            client.create_endpoint("e", backend="typo", replace=True, **change)
    kept = client.get_endpoint("e")
    assert (kept.route, kept.methods, dict(kept.traffic)) == ("/e", (), {"b": 1.0})
    assert len(kept.shadows) == 1
    planned = client.create_endpoint(
        "e", backend="b", route="/e", methods=["GET"], replace=True, validate_only=True)
    assert (planned.name, planned.route, planned.methods) == ("e", "/e", ("GET",))
    assert client.get_endpoint("e").methods == ()


@pytest.mark.parametrize("change", [
    {"methods": ["GET"]}, {"cors": weir.CorsPolicy(origins=["https://a.example"])},
    {"http_shard_key": weir.HttpShardKey(cookie="user")}, {"route": "/other"}])
def test_code_that_runs_again_with_another_endpoint_is_refused(client, change):
    client.create_backend("b", echo)
    for _ in range(2):
        client.create_endpoint("e", backend="b", route="/e")
    with pytest.raises(weir.AlreadyExists, match="replace=True"):
        client.create_endpoint("e", backend="b", **{"route": "/e", **change})
    for _ in range(2):
        client.create_endpoint("e", backend="b", **{"route": "/e", **change}, replace=True)
        client.create_endpoint("e", backend="b", **{"route": "/e", **change})


def test_a_replacement_that_does_not_become_ready_ends_the_previous_code(client, monkeypatch):
    client.create_backend("b", echo)
    previous = client._local.get("b")
    stopped = threading.Event()
    monkeypatch.setattr(type(previous), "stop", lambda self, *grace: stopped.set())
    monkeypatch.setattr(
        client, "_wait_usable", lambda *_: (_ for _ in ()).throw(weir.Unavailable("down")))
    with pytest.raises(weir.Unavailable):
        client.create_backend("b", lambda request: 2, replace=True)
    assert stopped.is_set()
    monkeypatch.undo()
    previous.stop()


class Failure(grpc.RpcError):
    def __init__(self, code, details=b"", reason=""):
        info = error_details_pb2.ErrorInfo(reason=reason)
        status = status_pb2.Status()
        status.details.add().Pack(info)
        self._code = code
        self._packed = details or status.SerializeToString()

    def code(self):
        return self._code

    def details(self):
        return "failed"

    def trailing_metadata(self):
        return [("grpc-status-details-bin", self._packed)]


@pytest.mark.parametrize("code,reason,kind", [
    (grpc.StatusCode.ABORTED, "", weir.Aborted),
    (grpc.StatusCode.ABORTED, "REVISION_CONFLICT", weir.RevisionConflict),
    (grpc.StatusCode.OUT_OF_RANGE, "", weir.OutOfRange),
    (grpc.StatusCode.OUT_OF_RANGE, "REVISION_NOT_KEPT", weir.RevisionNotKept),
    (grpc.StatusCode.FAILED_PRECONDITION, "BACKEND_IN_USE", weir.BackendInUse),
    (grpc.StatusCode.FAILED_PRECONDITION, "REVISION_CONFLICT", weir.FailedPrecondition)])
def test_the_kind_of_an_error_needs_the_reason_of_the_server(code, reason, kind):
    error = errors.from_rpc(Failure(code, reason=reason))
    assert type(error) is kind and error.code is code and error.message == "failed"


@pytest.mark.parametrize("details", [b"\xff", b"\x1a\xff", b"\x1a\x02\x0a\xff"])
def test_invalid_details_of_a_backend_keep_the_error(details):
    error = errors.from_rpc(Failure(grpc.StatusCode.NOT_FOUND, details))
    assert type(error) is weir.NotFound and error.field is None


@pytest.mark.parametrize("code,kind", [
    (grpc.StatusCode.PERMISSION_DENIED, weir.PermissionDenied),
    (grpc.StatusCode.UNAUTHENTICATED, weir.Unauthenticated)])
def test_a_lease_that_is_not_permitted_is_refused_at_once(code, kind):
    calls = []

    def hold(request, context):
        calls.append(request)
        context.abort(code, "the role must be admin")

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    handler = grpc.unary_stream_rpc_method_handler(hold)
    server.add_generic_rpc_handlers((
        grpc.method_handlers_generic_handler("weir.admin.v1.Admin", {"HoldLeases": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    lease = _lease.Lease(Door(f"127.0.0.1:{port}", None, None), "program")
    for _ in range(2):
        with pytest.raises(kind, match="must be admin"):
            lease.wait(20)
    lease.release(is_gone=True)
    assert len(calls) == 1
    server.stop(None)


@pytest.mark.parametrize("value", [float("nan"), -1, float("inf"), "10", True, None])
def test_an_invalid_time_to_start_is_named(client, value):
    with pytest.raises(ValueError, match="invalid start_timeout"):
        client.create_backend("b", echo, start_timeout=value)


@pytest.mark.parametrize("config,text", [
    ({"num_replicas": 10**9}, "from 1 to 1000"), ({"num_replicas": 1001}, "from 1 to 1000"),
    ({"num_replicas": 0}, "from 1 to 1000"), ({"num_replicas": True}, "whole number"),
    ({"max_concurrent_queries": 10_001}, "at most 10000"),
    ({"max_concurrent_queries": 2**31}, "from 1 to 2147483647"),
    ({"batch_wait_timeout": 1e9}, "from 0 to 1e6")])
def test_numbers_of_a_configuration_are_bounded(client, config, text):
    with pytest.raises(weir.ConfigError, match=text):
        client.create_backend("b", echo, config=config)
    assert client.list_backends() == {}


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), "10", None])
def test_an_invalid_timeout_is_named(client, timeout):
    with pytest.raises(ValueError, match="invalid timeout"):
        weir.connect(client.address, timeout=timeout)


def test_apply_removes_only_with_prune(client):
    client.create_backend("b", ["127.0.0.1:1"])
    client.create_endpoint("e", backend="b", route="/e")
    state = client.export()
    for smaller in ({}, {"backends": state["backends"]}):
        with pytest.raises(weir.FailedPrecondition, match="endpoint 'e'.*prune=True"):
            client.apply(smaller)
        assert any(one.action == "remove" for one in client.apply(
            smaller, validate_only=True).changes)
    assert client.export() == state
    assert client.apply(state).changes == ()
    client.apply({}, prune=True)
    assert client.list_backends() == {} == client.list_endpoints()


def test_two_clients_of_a_program_delete_what_they_made(client):
    first = weir.connect(client.address)
    first.create_backend("two", echo)
    first.create_endpoint("two", backend="two", route="/two")
    second = weir.connect(client.address)
    second.create_backend("two", echo)
    first.close()
    assert second.get_handle("two").remote().result(timeout=20) == "echo"
    second.close()
    assert client.list_backends() == {} == client.list_endpoints()


class Stops:
    async def __call__(self, request):
        if request.args.get("stop"):
            asyncio.get_running_loop().stop()
        return "answered"


def test_code_that_stops_its_loop_answers_again(client):
    client.create_backend("b", Stops)
    client.create_endpoint("e", backend="b")
    handle = client.get_handle("e")
    for _ in range(2):
        with pytest.raises(weir.WeirError):
            handle.options(timeout=1).remote(stop=1).result()
        assert handle.options(timeout=20).remote().result() == "answered"


def test_a_backend_raises_errors_without_a_message(client):
    def missing(request):
        raise weir.NotFound

    client.create_backend("b", missing)
    client.create_endpoint("e", backend="b", route="/e")
    with pytest.raises(weir.NotFound, match="NOT_FOUND"):
        client.get_handle("e").remote().result(timeout=20)


def test_json_has_no_nan(client):
    client.create_backend("b", lambda request: str(request.json))
    client.create_endpoint("e", backend="b", route="/e")
    for text in ("NaN", "[Infinity]", '{"a": -Infinity}'):
        refused = requests.post(
            f"http://{client.data_address}/e", data=text, timeout=20,
            headers={"content-type": "application/json"})
        assert refused.status_code == 400 and "not a number in JSON" in refused.text


def test_misused_values_are_named(client):
    client.create_backend("b", echo)
    client.create_endpoint("e", backend="b")
    handle = client.get_handle("e")
    with pytest.raises(TypeError, match="invalid shard key 5"):
        handle.options(shard_key=5)
    with pytest.raises(ValueError, match="the weight '1' of backend 'b' is not a number"):
        client.set_traffic("e", {"b": "1"})
    with pytest.raises(weir.EncodingError, match="encode them as base64"):
        handle.remote({"a": b"\xff"})
    with pytest.raises(TypeError, match="ray.get takes"):
        weir.ray.get(5)
    with pytest.raises(weir.ResourceExhausted, match="max-message-bytes"):
        handle.remote("x" * 10_000_000).result(timeout=20)


def test_a_pending_result_is_not_a_value(client):
    client.create_backend("b", echo)
    client.create_endpoint("e", backend="b")
    handle = client.get_handle("e")
    with pytest.raises(weir.EncodingError, match="pass its result"):
        handle.remote(handle.remote())
    with pytest.raises(weir.EncodingError, match="argument 'number'.*pass its result"):
        handle.remote(number=handle.remote())
