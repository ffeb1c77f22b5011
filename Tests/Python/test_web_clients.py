"""gRPC-Web and Connect by the clients of other projects: connectrpc, sonora and pyease-grpc."""

import itertools

import grpc
import pyease_grpc
import pyqwest
import pytest
import sonora.client
from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.compression.gzip import GzipCompression
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.protocol import ProtocolType

from conftest import ROOT, start_demo

GREETER = "helloworld.Greeter"
VERSIONS = {"http1": pyqwest.HTTPVersion.HTTP1, "http2": pyqwest.HTTPVersion.HTTP2}
CODECS = {"proto": google_protobuf_binary_codec, "json": google_protobuf_json_codec}


@pytest.fixture(scope="module")
def greeter():
    """A demo server, whose greeter has all four kinds of methods."""
    server = start_demo()
    yield server
    assert server.stop() == 0


def combinations():
    for protocol, version, codec, gzipped in itertools.product(
            ProtocolType, VERSIONS, CODECS, (False, True)):
        # gRPC needs HTTP/2.
        if protocol != ProtocolType.GRPC or version == "http2":
            yield pytest.param(
                (protocol, version, codec, gzipped),
                id=f"{protocol.name}-{version}-{codec}-{'gzip' if gzipped else 'identity'}")


@pytest.fixture(params=combinations())
def client(request, greeter):
    protocol, version, codec, gzipped = request.param
    transport = pyqwest.SyncHTTPTransport(http_version=VERSIONS[version])
    compression = GzipCompression() if gzipped else None
    client = ConnectClientSync(
        f"http://{greeter.data}", protocol=protocol, codec=CODECS[codec](),
        accept_compression=[compression] if gzipped else [], send_compression=compression,
        timeout_ms=20_000, http_client=pyqwest.SyncClient(transport))
    client.version, client.kind = version, protocol
    with client:
        yield client


def method(stubs, name, kind):
    return MethodInfo(
        name=name, service_name=GREETER, input=stubs.hello.HelloRequest,
        output=stubs.hello.HelloReply, idempotency_level=IdempotencyLevel.UNKNOWN,
        stream_type=kind)


def requests(stubs, *names):
    return (stubs.hello.HelloRequest(name=name) for name in names)


def test_connectrpc_calls_all_four_kinds(client, stubs):
    (request,) = requests(stubs, "you")
    unary = method(stubs, "SayHello", StreamType.UNARY)
    assert "you" in client.execute_unary(request=request, method=unary).message
    server = method(stubs, "SayHelloStreamReply", StreamType.SERVER_STREAM)
    replies = list(client.execute_server_stream(request=request, method=server))
    assert len(replies) > 1 and all("you" in reply.message for reply in replies)
    upload = method(stubs, "SayHelloToAll", StreamType.CLIENT_STREAM)
    reply = client.execute_client_stream(request=requests(stubs, "a", "b"), method=upload)
    assert "a" in reply.message and "b" in reply.message
    bidi = method(stubs, "SayHelloBidiStream", StreamType.BIDI_STREAM)
    if client.version == "http2":
        replies = list(client.execute_bidi_stream(
            request=requests(stubs, "a", "b"), method=bidi))
        assert len(replies) == 2


def test_connectrpc_gets_the_code_and_the_message_of_an_error(client, stubs):
    (request,) = requests(stubs, "you")
    missing = method(stubs, "Missing", StreamType.UNARY)
    with pytest.raises(ConnectError) as error:
        client.execute_unary(request=request, method=missing)
    assert error.value.code == Code.UNIMPLEMENTED and "Missing" in error.value.message


def test_sonora_calls_unary_and_server_streaming_methods(greeter, fixture_server, stubs):
    (request,) = requests(stubs, "you")
    with sonora.client.insecure_web_channel(f"http://{greeter.data}") as channel:
        def call(kind, name):
            return kind(
                f"/{GREETER}/{name}", stubs.hello.HelloRequest.SerializeToString,
                stubs.hello.HelloReply.FromString)

        assert "you" in call(channel.unary_unary, "SayHello")(request, timeout=20).message
        replies = call(channel.unary_stream, "SayHelloStreamReply")(request, timeout=20)
        assert len(list(replies)) == 3
    with sonora.client.insecure_web_channel(f"http://{fixture_server.data}") as channel:
        call = channel.unary_unary(
            "/test.Raw/Fail", request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.RpcError) as error:
            call(b"", timeout=20)
        assert error.value.code() == grpc.StatusCode.FAILED_PRECONDITION


def test_pyease_calls_a_unary_and_a_server_streaming_method(greeter):
    session = pyease_grpc.RpcSession.from_file(
        str(ROOT / "protos/helloworld/helloworld.proto"), [str(ROOT / "protos/helloworld")])
    for name, least in (("SayHello", 1), ("SayHelloStreamReply", 2)):
        uri = pyease_grpc.RpcUri(
            base_url=f"http://{greeter.data}", package="helloworld", service="Greeter",
            method=name)
        response = session.request(uri, {"name": "you"}, timeout=20)
        assert len(response.payloads) >= least
        assert all("you" in payload["message"] for payload in response.payloads)
