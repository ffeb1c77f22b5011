"""Requests that are not gRPC on the data port, and calls of endpoints by name."""

import concurrent.futures
from http.client import HTTPConnection, RemoteDisconnected
import json
import socket
import struct
import subprocess

import grpc
import pytest

import weir
from conftest import BUILD, Server, tool, wait_for
from http1 import Raw

LIMIT = 4 << 20
CALL = "/weir.v1.Serve/Call"


@pytest.fixture
def http(fixture_server):
    """An HTTP/1.1 connection to the data port."""
    connection = http_client(fixture_server.data)
    yield connection
    connection.close()


@pytest.fixture
def serve(stubs):
    return stubs.serve


def http_client(address):
    host, port = address.split(":")
    return HTTPConnection(host, int(port), timeout=20)


def ask(connection, method, target, body=None, headers=None):
    """Status, headers and body of one request."""
    connection.request(method, target, body, headers or {})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def curl(*arguments):
    """The response over HTTP/2: status, content-type and body."""
    run = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", "-m", "20",
         "-w", "\n%{http_version} %{http_code} %{content_type}", *arguments],
        capture_output=True, check=True)
    body, _, line = run.stdout.rpartition(b"\n")
    version, status, content_type = line.decode().split(" ", 2)
    assert version == "2"
    return int(status), content_type, body


def test_a_backend_gets_method_path_query_headers_and_body(http, serve):
    status, headers, body = ask(
        http, "PUT", "/dynamic?type=application/x-protobuf&x=%20y", b"\x00\xffbody",
        {"Content-Type": "image/png", "X-Two": "2", "Connection": "keep-alive"})
    assert status == 200
    assert headers["content-type"] == "application/x-protobuf"
    assert headers["x-serve-backend"] == "dynamic"
    request = serve.CallRequest.FromString(body)
    assert request.http_method == "PUT"
    assert request.path == "/dynamic"
    assert request.query == "type=application/x-protobuf&x=%20y"
    assert request.payload == b"\x00\xffbody"
    assert request.content_type == "image/png"
    names = [header.name for header in request.headers]
    assert "x-two" in names and "host" in names
    # Hop-by-hop fields and redundant fields are not forwarded.
    assert not {"connection", "content-length", "content-type"} & set(names)


def test_the_addresses_of_proxies_are_forwarded_as_metadata(client, http):
    """`x-forwarded-for`, with the client appended if the backend's options request it."""
    seen = []

    def note(request):
        seen.append(request.metadata.get("x-forwarded-for"))

    client.create_backend("noting", note)
    client.create_endpoint("noting", backend="noting", route="/noting")
    connection = http_client(client.data_address)
    connection.putrequest("GET", "/noting")
    for address in ("10.0.0.1", "10.0.0.2"):
        connection.putheader("X-Forwarded-For", address)
    connection.endheaders()
    assert connection.getresponse().status == 200
    connection.close()
    assert seen == ["10.0.0.1, 10.0.0.2"]


def test_http2_gets_the_same(fixture_server, serve):
    status, content_type, body = curl(
        f"http://{fixture_server.data}/dynamic?status=201&type=text/plain", "-d", "hello",
        "-H", "content-type: text/x")
    assert (status, content_type) == (201, "text/plain")
    request = serve.CallRequest.FromString(body)
    assert (request.http_method, request.path, request.payload) == ("POST", "/dynamic", b"hello")
    assert request.content_type == "text/x"
    assert ("host", fixture_server.data) in [(h.name, h.value) for h in request.headers]


@pytest.mark.parametrize("query, status, content_type, body", [
    ("status=404&type=text/plain&bytes=3", 404, "text/plain", b"xxx"),
    ("status=204&bytes=0", 204, "application/x-protobuf", b""),
    ("status=999", 502, "application/json", None),
    ("fail=cake", 404, "application/json",
     b'{"code":"NOT_FOUND","message":"no cake"}\n'),
])
def test_the_response_is_the_backends(http, query, status, content_type, body):
    got = ask(http, "GET", f"/dynamic?{query}")
    assert (got[0], got[1]["content-type"]) == (status, content_type)
    assert body is None or got[2] == body
    # The connection continues.
    assert ask(http, "GET", "/dynamic?bytes=1")[2] == b"x"


def test_headers_that_would_break_a_response_are_left_out(http):
    _, headers, body = ask(
        http, "GET", "/dynamic?bytes=2&content-length=9&x-serve-backend=me&X-Good=yes&b%C3%A4d=1")
    assert headers["content-length"] == "2" and body == b"xx"
    assert headers.get_all("x-serve-backend") == ["dynamic"]
    assert headers["x-good"] == "yes"


def test_head_has_the_headers_only(http, fixture_server):
    status, headers, body = ask(http, "HEAD", "/dynamic?bytes=7")
    assert (status, headers["content-length"], body) == (200, "7", b"")
    assert ask(http, "GET", "/dynamic?bytes=1")[2] == b"x"
    assert curl("-I", f"http://{fixture_server.data}/dynamic?bytes=7")[0] == 200


@pytest.mark.parametrize("bytes_sent, expected", [(LIMIT, 200), (LIMIT + 1, 413)])
def test_a_body_may_be_as_long_as_a_message(fixture_server, tmp_path, bytes_sent, expected):
    connection = http_client(fixture_server.data)
    status, _, _ = ask(connection, "POST", "/dynamic?bytes=1", b"x" * bytes_sent)
    assert status == expected
    connection.close()
    (tmp_path / "body").write_bytes(b"x" * bytes_sent)
    status, _, _ = curl(
        f"http://{fixture_server.data}/dynamic?bytes=1", "--data-binary", f"@{tmp_path}/body")
    assert status == expected


def test_a_chunked_body_without_a_length_is_bounded_too(fixture_server):
    connection = http_client(fixture_server.data)
    pieces = (b"x" * 65_536 for _ in range(LIMIT // 65_536 + 2))
    try:
        connection.request("POST", "/dynamic", pieces, encode_chunked=True,
                           headers={"transfer-encoding": "chunked"})
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        # The server answered and closed while the client was still sending.
        pass
    connection.close()


def test_headers_are_bounded_as_in_http2(fixture_server):
    for length, expected in [(12_000, 200), (17_000, 431)]:
        connection = http_client(fixture_server.data)
        got = ask(connection, "GET", "/dynamic?bytes=1", headers={"X-Long": "x" * length})
        assert got[0] == expected
        connection.close()


def test_a_response_may_be_as_long_as_a_message(http):
    status, _, body = ask(http, "GET", f"/dynamic?bytes={LIMIT}")
    assert (status, len(body)) == (200, LIMIT)
    # A debug build is slow, and rejects requests until it has caught up.
    wait_for(lambda: ask(http, "GET", "/dynamic?bytes=1")[0] == 200)
    status, _, body = ask(http, "GET", f"/dynamic?bytes={LIMIT + 1}")
    assert status == 502 and b"its body is over the limit of" in body
    wait_for(lambda: ask(http, "GET", "/dynamic?bytes=1")[0] == 200)


def test_expect_100_continue(fixture_server):
    host, port = fixture_server.data.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(b"POST /dynamic?bytes=3 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n"
                    b"expect: 100-continue\r\n\r\n")
        assert raw.recv(4_096).startswith(b"HTTP/1.1 100")
        raw.sendall(b"hi")
        assert raw.recv(4_096).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(fixture_server):
    with Raw(fixture_server.data) as raw:
        raw.send(b"".join(
            b"GET /dynamic?bytes=%d HTTP/1.1\r\nhost: a\r\n\r\n" % count for count in (1, 2, 3)))
        assert [len(raw.answer().body) for _ in range(3)] == [1, 2, 3]


def test_a_client_that_hangs_up_cancels_the_call(fixture_server, operator):
    def in_flight():
        return sum(backend.in_flight for backend in operator.stats("dynamic").backends)

    before = in_flight()
    connection = http_client(fixture_server.data)
    connection.request("GET", "/dynamic?wait")
    wait_for(lambda: in_flight() == before + 1)
    connection.close()
    wait_for(lambda: in_flight() == before)


def test_routes_of_plain_paths(operator, http, serve):
    """The whole path, then the longest prefix that ends with a slash; a name with a dot is gRPC."""
    routes = {"files": "/files/", "deep": "/files/deep/", "exact": "/files/exact/file",
              "undotted": "/api/predict", "nameless": ""}
    for name, route in routes.items():
        operator.create_endpoint(name, route=route, backend="dynamic")
    try:
        def path_taken(target):
            status, _, body = ask(http, "GET", target)
            return serve.CallRequest.FromString(body).path if status == 200 else status

        for path in ("/files/a", "/files/deep/b/c", "/files/exact/file", "/files/", "/api/predict"):
            assert path_taken(path + "?q") == path
        for path in ("/files", "/api/other", "/api", "/", "/nameless"):
            assert path_taken(path) == 404
        taken = {name: sum(operator.stats(name).requests(name).values()) for name in routes}
        assert taken == {"files": 2, "deep": 1, "exact": 1, "undotted": 1, "nameless": 0}
        with pytest.raises(weir.AlreadyExists):
            operator.create_endpoint("other", route="/files/", backend="dynamic")
        explained = operator.explain("/files/deep/x?y", "k")
        assert (explained.endpoint, explained.backend) == ("deep", "dynamic")
        assert operator.explain("nameless").endpoint == "nameless"
        assert operator.get_handle("nameless").remote(1).response().backend == "dynamic"
    finally:
        for name in routes:
            operator.delete_endpoint(name)


@pytest.mark.parametrize("path, status, body", [
    ("/nothing", 404, b"no endpoint matches the path '/nothing'"),
    ("/test.Raw/Echo", 415, b"is gRPC"),
    (CALL, 404, b"no endpoint matches"),
])
def test_http1_requests_without_an_endpoint(http, path, status, body):
    got = ask(http, "POST", path, b"{}")
    assert got[0] == status and body in got[2]


def test_an_endpoint_by_name(http, serve, channel):
    status, _, body = ask(
        http, "POST", CALL, b"1", {"x-serve-endpoint": "dynamic", "X-SERVE-SHARD-KEY": "me"})
    assert status == 200 and serve.CallRequest.FromString(body).payload == b"1"
    assert ask(http, "POST", CALL, b"", {"x-serve-endpoint": "none"})[0] == 404
    call = channel.unary_unary(
        CALL, request_serializer=serve.CallRequest.SerializeToString,
        response_deserializer=serve.CallResponse.FromString)
    request = serve.CallRequest(payload=b"2", query="type=a/b")
    reply = call(request, metadata=[("x-serve-endpoint", "dynamic")], timeout=20)
    assert reply.content_type == "a/b" and serve.CallRequest.FromString(reply.payload) == request
    for metadata, code in [
        ([("x-serve-endpoint", "none")], grpc.StatusCode.NOT_FOUND),
        ([], grpc.StatusCode.INVALID_ARGUMENT),
        # This backend does not support dynamic calls.
        ([("x-serve-endpoint", "raw")], grpc.StatusCode.UNIMPLEMENTED),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=metadata, timeout=20)
        assert refused.value.code() == code


def test_a_shard_key_in_the_header_decides(fixture_server, operator, http):
    """The same key reaches the same backend over HTTP/1.1, HTTP/2 and gRPC."""
    tool(fixture_server, "backend", "create", "dynamic-2", "--handler", "dynamic")
    operator.set_traffic("dynamic", {"dynamic": 0.5, "dynamic-2": 0.5})
    try:
        seen = set()
        for number in range(40):
            key = f"user-{number}"
            expected = operator.explain("/dynamic", key).backend
            _, headers, body = ask(http, "GET", "/dynamic?key", headers={"X-SERVE-SHARD-KEY": key})
            assert (headers["x-serve-backend"], body) == (expected, key.encode())
            seen.add(expected)
        assert seen == {"dynamic", "dynamic-2"}
    finally:
        operator.set_traffic("dynamic", {"dynamic": 1.0})
        operator.delete_backend("dynamic-2")


def test_shadows_copy_plain_http_too(fixture_server, operator, http):
    tool(fixture_server, "backend", "create", "dynamic-3", "--handler", "dynamic")
    operator.shadow_traffic("dynamic", "dynamic-3", 1.0)
    try:
        for _ in range(20):
            assert ask(http, "GET", "/dynamic?bytes=1")[0] == 200

        def report():
            return operator.shadow_report("dynamic")["dynamic-3"]

        wait_for(lambda: report().compared == 20)
        assert report().equal == 20
    finally:
        operator.shadow_traffic("dynamic", "dynamic-3", 0)
        operator.delete_backend("dynamic-3")


def test_a_drain_lets_http_requests_finish():
    server = Server([BUILD / "FixtureServer"])
    address, admin = server.first_line.split()
    server.data, server.admin = address, admin
    idle, undecided = http_client(address), socket.create_connection(
        tuple(address.split(":")), timeout=20)
    assert ask(idle, "GET", "/dynamic?bytes=1")[0] == 200
    busy = http_client(address)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # The drain timeout, 5 s, ends the waiting request.
        waiting = pool.submit(lambda: ask(busy, "GET", "/dynamic?wait"))
        wait_for(lambda: json.loads(tool(server, "stats", "dynamic", "--json").stdout)[
            "backends"][0]["inFlight"] == "1")
        stopping = pool.submit(server.stop)
        assert undecided.recv(1) == b""
        assert idle.sock.recv(1, socket.MSG_PEEK) == b""
        with pytest.raises((RemoteDisconnected, ConnectionError)):
            ask(idle, "GET", "/dynamic?bytes=1")
        assert not stopping.done()
        with pytest.raises((RemoteDisconnected, ConnectionError)):
            waiting.result(20)
        stopping.result(20)


def test_many_http_connections_at_once(fixture_server):
    def run(number):
        connection = http_client(fixture_server.data)
        answers = [ask(connection, "GET", f"/dynamic?bytes={number}")[2] for _ in range(20)]
        connection.close()
        return answers

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for number, answers in enumerate(pool.map(run, range(32))):
            assert answers == [b"x" * number] * 20


# MARK: application/grpc+json


def json_call(address, path, text):
    """Response headers with trailers, and the message."""
    run = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", "-m", "20", "-D", "-", "-H",
         "content-type: application/grpc+json", "-H", "te: trailers", "--data-binary", "@-",
         f"http://{address}{path}"],
        input=struct.pack(">BI", 0, len(text)) + text.encode(), capture_output=True, check=True)
    head, _, rest = run.stdout.partition(b"\r\n\r\n")
    if not rest.startswith(b"\0"):
        return head.decode(), None
    length = struct.unpack(">I", rest[1:5])[0]
    return head.decode(), json.loads(rest[5:5 + length])


def test_handlers_take_and_give_json(fixture_server):
    def call(method, text):
        return json_call(fixture_server.admin, f"/weir.admin.v1.Admin/{method}", text)

    head, reply = call("GetEndpoint", '{"name": "raw"}')
    assert "application/grpc+json" in head
    assert reply["route"] == "/test.Raw/"
    assert reply["weights"] == [{"backend": "raw", "weight": 1}]
    # Fields with default values are included.
    assert reply["shadows"] == []
    for text, problem in [
        ('{"nam": "raw"}', "nam is not a field of weir.admin.v1.GetEndpointRequest"),
        ('{"name": "none"}', "no endpoint 'none'"), ("{", "invalid JSON"),
    ]:
        head, reply = call("GetEndpoint", text)
        assert reply is None and problem in head


def test_a_method_of_bytes_has_no_json(fixture_server):
    head, _ = json_call(fixture_server.data, "/test.Raw/Echo", "{}")
    assert "no descriptor of" in head and "grpc-status: 12" in head
