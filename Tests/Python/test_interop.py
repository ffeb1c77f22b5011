"""gRPC's interop cases between grpcio clients and servers, through Weir."""

import threading
import time

import grpc
import pytest

LARGE_REQUEST, LARGE_RESPONSE = 271_828, 314_159


@pytest.fixture(scope="module")
def path(stubs):
    from conftest import Mesh

    mesh = Mesh(stubs)
    mesh.backend("interop", "--upstream", mesh.upstream().address)
    mesh.endpoint("interop", "/grpc.testing.TestService/", "interop")
    mesh.endpoint("none", "/grpc.testing.UnimplementedService/", "interop")
    yield mesh
    assert mesh.stop() == 0


@pytest.fixture
def stub(path, stubs):
    return stubs.interop_grpc.TestServiceStub(path.channel)


def body(stubs, size):
    return stubs.messages.Payload(body=b"\0" * size)


def test_empty_unary(stub, stubs):
    assert stub.EmptyCall(stubs.empty.Empty(), timeout=10) == stubs.empty.Empty()


def test_large_unary(stub, stubs):
    request = stubs.messages.SimpleRequest(
        response_size=LARGE_RESPONSE, payload=body(stubs, LARGE_REQUEST))
    assert len(stub.UnaryCall(request, timeout=10).payload.body) == LARGE_RESPONSE


def test_client_streaming(stub, stubs):
    requests = [
        stubs.messages.StreamingInputCallRequest(payload=body(stubs, size))
        for size in (27182, 8, 1828, 45904)]
    assert stub.StreamingInputCall(iter(requests), timeout=10).aggregated_payload_size == 74922


def output_request(stubs, *sizes, payload=None, interval=0):
    return stubs.messages.StreamingOutputCallRequest(
        response_parameters=[
            stubs.messages.ResponseParameters(size=size, interval_us=interval) for size in sizes],
        payload=payload)


def test_server_streaming(stub, stubs):
    replies = stub.StreamingOutputCall(output_request(stubs, 31415, 9, 2653, 58979), timeout=10)
    assert [len(reply.payload.body) for reply in replies] == [31415, 9, 2653, 58979]


def test_ping_pong(stub, stubs):
    turn = threading.Semaphore(1)

    def requests():
        for sent, asked in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
            turn.acquire(timeout=10)
            yield output_request(stubs, asked, payload=body(stubs, sent))

    sizes = []
    for reply in stub.FullDuplexCall(requests(), timeout=10):
        sizes.append(len(reply.payload.body))
        turn.release()
    assert sizes == [31415, 9, 2653, 58979]


def test_empty_stream(stub):
    assert list(stub.FullDuplexCall(iter([]), timeout=10)) == []


def test_custom_metadata(stub, stubs):
    sent = [("x-grpc-test-echo-initial", "test_initial_metadata_value"),
            ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab\x00\xff")]
    request = stubs.messages.SimpleRequest(response_size=1)
    _, call = stub.UnaryCall.with_call(request, metadata=sent, timeout=10)
    assert sent[0] in list(call.initial_metadata())
    assert sent[1] in list(call.trailing_metadata())
    call = stub.FullDuplexCall(iter([output_request(stubs, 1)]), metadata=sent, timeout=10)
    assert len(list(call)) == 1
    assert sent[0] in list(call.initial_metadata())
    assert sent[1] in list(call.trailing_metadata())


@pytest.mark.parametrize("message", [
    "test status message",
    "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"])
def test_status_code_and_message(stub, stubs, message):
    status = stubs.messages.EchoStatus(code=2, message=message)
    with pytest.raises(grpc.RpcError) as caught:
        stub.UnaryCall(stubs.messages.SimpleRequest(response_status=status), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert caught.value.details() == message
    with pytest.raises(grpc.RpcError) as caught:
        request = stubs.messages.StreamingOutputCallRequest(response_status=status)
        list(stub.FullDuplexCall(iter([request]), timeout=10))
    assert caught.value.code() == grpc.StatusCode.UNKNOWN
    assert caught.value.details() == message


def test_unimplemented_method_and_service(stub, stubs, path):
    with pytest.raises(grpc.RpcError) as caught:
        stub.UnimplementedCall(stubs.empty.Empty(), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    other = stubs.interop_grpc.UnimplementedServiceStub(path.channel)
    with pytest.raises(grpc.RpcError) as caught:
        other.UnimplementedCall(stubs.empty.Empty(), timeout=10)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_cancel_after_begin(stub, stubs):
    never = threading.Event()

    def requests():
        never.wait(10)
        yield from ()

    call = stub.StreamingInputCall.future(requests(), timeout=10)
    call.cancel()
    never.set()
    assert call.cancelled() and call.code() == grpc.StatusCode.CANCELLED


def test_cancel_after_first_response(stub, stubs):
    never = threading.Event()

    def requests():
        yield output_request(stubs, 31415, payload=body(stubs, 27182))
        never.wait(10)

    call = stub.FullDuplexCall(requests(), timeout=10)
    assert len(next(call).payload.body) == 31415
    call.cancel()
    with pytest.raises(grpc.RpcError):
        next(call)
    never.set()
    assert call.code() == grpc.StatusCode.CANCELLED


def test_timeout_on_sleeping_server(stub, stubs):
    request = output_request(stubs, 1, payload=body(stubs, 27182), interval=2_000_000)
    began = time.monotonic()
    with pytest.raises(grpc.RpcError) as caught:
        list(stub.FullDuplexCall(iter([request]), timeout=0.1))
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("server", [False, True])
def test_compressed_unary(stub, stubs, client, server):
    request = stubs.messages.SimpleRequest(
        response_size=LARGE_RESPONSE, payload=body(stubs, LARGE_REQUEST),
        response_compressed=stubs.messages.BoolValue(value=server))
    compression = grpc.Compression.Gzip if client else grpc.Compression.NoCompression
    reply, call = stub.UnaryCall.with_call(request, compression=compression, timeout=10)
    assert len(reply.payload.body) == LARGE_RESPONSE
    assert ("x-name", "server") in list(call.trailing_metadata())


def test_the_caller_learns_which_backend_answered(stub, stubs):
    _, call = stub.EmptyCall.with_call(stubs.empty.Empty(), timeout=10)
    assert ("x-serve-backend", "interop") in list(call.trailing_metadata())
