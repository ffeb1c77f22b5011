"""The trace of a request in the calls of a backend of the Python client."""

import asyncio

import grpc

import weir
from weir import metadata

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
TRACE = {"traceparent": PARENT, "tracestate": "a=1,b=2", "baggage": "user=7"}


def trace_of(request):
    return {name: value for name, value in request.metadata.items() if name in metadata.TRACE}


def test_a_backend_passes_its_trace_on_to_other_endpoints(client):
    inner = client.get_handle("inner", missing_ok=True)

    def outer(request):
        return inner.remote().result()

    async def concurrent(request):
        await asyncio.get_running_loop().run_in_executor(None, int)
        return inner.remote().result()

    def own(request):
        return inner.options(metadata={"traceparent": "own"}).remote().result()

    client.create_backend("inner", trace_of)
    client.create_endpoint("inner", backend="inner")
    for name, backend in [("outer", outer), ("concurrent", concurrent), ("own", own)]:
        client.create_backend(name, backend)
        client.create_endpoint(name, backend=name)
    for name in ("outer", "concurrent"):
        handle = client.get_handle(name)
        assert handle.options(metadata=TRACE).remote().result() == TRACE
        # The thread that answered has kept nothing.
        assert handle.remote().result() == {}
        assert handle.options(metadata={"baggage": "user=8"}).remote().result() == {
            "baggage": "user=8"}
    handle = client.get_handle("own").options(metadata=TRACE)
    assert handle.remote().result() == {"traceparent": "own"}


def test_plain_http_requests_have_a_trace(client):
    import requests

    client.create_backend("inner", trace_of)
    client.create_endpoint("inner", backend="inner", route="/inner")
    reply = requests.get(f"http://{client.server.data}/inner", headers=TRACE, timeout=10)
    assert reply.json() == TRACE
    # Bytes that metadata cannot have are not passed on.
    reply = requests.get(
        f"http://{client.server.data}/inner", headers={**TRACE, "baggage": b"\xff"}, timeout=10)
    assert reply.json() == {name: TRACE[name] for name in ("traceparent", "tracestate")}


def test_existing_stubs_send_the_trace_and_the_shard_key():
    pairs = list(TRACE.items())
    with metadata.answering([*pairs, ("other", "x"), ("baggage-bin", b"x")]):
        assert metadata.with_trace([("a", "b")]) == [("a", "b"), *pairs]
        assert metadata.with_trace([("Traceparent", "own")]) == [("Traceparent", "own")]
        assert metadata.with_trace([("baggage", "own")]) == [("baggage", "own"), *pairs[:2]]
        with weir.shard_key("k"):
            details = metadata._Details("/a/b", None, (("x", "y"),), None, None, None)
            assert metadata._with_key(details).metadata == [
                ("x", "y"), *pairs, (metadata.SHARD_KEY, "k")]
            aio = metadata._aio_details(
                grpc.aio.ClientCallDetails("/a/b", None, None, None, None))
            assert list(aio.metadata) == [*pairs, (metadata.SHARD_KEY, "k")]
    assert metadata.with_trace([]) == []
    details = metadata._Details("/a/b", None, None, None, None, None)
    assert metadata._with_key(details) is details
