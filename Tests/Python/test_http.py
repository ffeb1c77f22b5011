"""Requests that are not gRPC on the data port, and calls of endpoints by name."""

import concurrent.futures
import http.client
import json
import socket
import subprocess
import threading
import time

import grpc
import pytest

from conftest import wait_for

LIMIT = 4 << 20
CALL = "/weir.v1.Serve/Call"


@pytest.fixture
def http(fixture_server):
    """A connection of HTTP/1.1 to the data port."""
    connection = http_client(fixture_server.data)
    yield connection
    connection.close()


def http_client(address):
    host, port = address.split(":")
    return http.client.HTTPConnection(host, int(port), timeout=20)


def ask(connection, method, target, body=None, headers=None):
    """Status, headers and body of one request."""
    connection.request(method, target, body, headers or {})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def curl(*arguments):
    """What HTTP/2 is answered: status, content-type and body."""
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
    # What is about one connection or said elsewhere is not passed on.
    assert not {"connection", "content-length", "content-type"} & set(names)


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
     b'{"code":"NOT_FOUND","message":"there is no cake"}\n'),
])
def test_the_response_is_the_backends(http, query, status, content_type, body):
    got = ask(http, "GET", f"/dynamic?{query}")
    assert (got[0], got[1]["content-type"]) == (status, content_type)
    assert body is None or got[2] == body
    # The connection goes on.
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
def test_a_body_may_be_as_long_as_a_message(fixture_server, bytes_sent, expected):
    # The frame around it takes some bytes more, but the handler's limit is on the message.
    connection = http_client(fixture_server.data)
    overhead = 300 if expected == 200 else 0
    status, headers, body = ask(
        connection, "POST", "/dynamic?bytes=1", b"x" * (bytes_sent - overhead))
    assert status == expected
    connection.close()
    status, _, _ = curl(
        f"http://{fixture_server.data}/dynamic?bytes=1", "--data-binary",
        "@" + str(_file(bytes_sent - overhead)))
    assert status == expected


def _file(count):
    import pathlib
    import tempfile

    path = pathlib.Path(tempfile.gettempdir()) / f"weir-body-{count}"
    path.write_bytes(b"x" * count)
    return path


def test_a_chunked_body_without_a_length_is_bounded_too(fixture_server):
    connection = http_client(fixture_server.data)
    pieces = (b"x" * 65_536 for _ in range(LIMIT // 65_536 + 2))
    try:
        connection.request("POST", "/dynamic", pieces, encode_chunked=True,
                           headers={"transfer-encoding": "chunked"})
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        # The server has answered and gone while we were still sending.
        pass
    connection.close()


def test_an_answer_over_the_limit_is_refused(http):
    status, _, body = ask(http, "GET", f"/dynamic?bytes={LIMIT + 1}")
    assert status == 429 and b"over the limit" in body


def test_expect_100_continue(fixture_server):
    host, port = fixture_server.data.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(b"POST /dynamic?bytes=3 HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n"
                    b"expect: 100-continue\r\n\r\n")
        assert raw.recv(4_096).startswith(b"HTTP/1.1 100")
        raw.sendall(b"hi")
        assert raw.recv(4_096).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_order(fixture_server):
    host, port = fixture_server.data.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(b"".join(
            b"GET /dynamic?bytes=%d HTTP/1.1\r\nhost: a\r\n\r\n" % count for count in (1, 2, 3)))
        raw.shutdown(socket.SHUT_WR)
        received = b""
        while received.count(b"content-length") < 3:
            received += raw.recv(4_096)
    lengths = [int(part[:1]) for part in received.split(b"content-length: ")[1:]]
    assert lengths == [1, 2, 3]


def test_a_client_that_hangs_up_cancels_the_call(fixture_server, admin):
    def in_flight():
        stats = admin.GetStats({"endpoint": "dynamic"})
        return sum(backend.in_flight for backend in stats.backends)

    before = in_flight()
    connection = http_client(fixture_server.data)
    connection.request("GET", "/dynamic?wait")
    wait_for(lambda: in_flight() == before + 1)
    connection.close()
    wait_for(lambda: in_flight() == before)


def test_routes_of_plain_paths(fixture_server, admin, http, serve):
    """The whole path first, then the longest part that ends with a slash; a name with a dot is gRPC's."""
    routes = {"files": "/files/", "deep": "/files/deep/", "exact": "/files/exact/file",
              "undotted": "/api/predict", "nameless": ""}
    for name, route in routes.items():
        admin.CreateEndpoint({"name": name, "route": route, "backend": "dynamic"})
    try:
        def path_taken(target):
            status, _, body = ask(http, "GET", target)
            return serve.CallRequest.FromString(body).path if status == 200 else status

        before = admin.counts()
        for path in ("/files/a", "/files/deep/b/c", "/files/exact/file", "/files/", "/api/predict"):
            assert path_taken(path + "?q") == path
        for path in ("/files", "/api/other", "/api", "/", "/nameless"):
            assert path_taken(path) == 404
        taken = {name: count - before.get(name, 0) for name, count in admin.counts().items()}
        assert {name: taken[name] for name in routes if name in taken} == {
            "files": 2, "deep": 1, "exact": 1, "undotted": 1}
        with pytest.raises(grpc.RpcError) as refused:
            admin.CreateEndpoint({"name": "other", "route": "/files/", "backend": "dynamic"})
        assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
        explained = admin.ExplainRoute({"path": "/files/deep/x?y", "shard_key": b"k"})
        assert (explained.endpoint, explained.backend) == ("deep", "dynamic")
        assert admin.ExplainRoute({"endpoint": "nameless"}).endpoint == "nameless"
    finally:
        for name in routes:
            admin.DeleteEndpoint({"name": name})


@pytest.mark.parametrize("path, status, body", [
    ("/nothing", 404, b"no endpoint takes /nothing"),
    ("/test.Raw/Echo", 415, b"is gRPC"),
    (CALL, 404, b"no endpoint takes"),
])
def test_what_no_endpoint_takes_over_http1(http, path, status, body):
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
        # This backend has no dynamic calls.
        ([("x-serve-endpoint", "raw")], grpc.StatusCode.UNIMPLEMENTED),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=metadata, timeout=20)
        assert refused.value.code() == code


def test_a_shard_key_in_the_header_decides(fixture_server, admin, http):
    """The same key reaches the same backend over HTTP/1.1, HTTP/2 and gRPC."""
    admin.CreateBackend({"backend": {"name": "dynamic-2", "handler": {"handler": "dynamic"}}})
    weights = [{"backend": "dynamic", "weight": 0.5}, {"backend": "dynamic-2", "weight": 0.5}]
    admin.SetTraffic({"endpoint": "dynamic", "weights": weights})
    try:
        seen = set()
        for number in range(40):
            key = f"user-{number}"
            expected = admin.ExplainRoute({"path": "/dynamic", "shard_key": key.encode()}).backend
            _, headers, body = ask(http, "GET", "/dynamic?key", headers={"X-SERVE-SHARD-KEY": key})
            assert (headers["x-serve-backend"], body) == (expected, key.encode())
            seen.add(expected)
        assert seen == {"dynamic", "dynamic-2"}
    finally:
        admin.SetTraffic(
            {"endpoint": "dynamic", "weights": [{"backend": "dynamic", "weight": 1.0}]})
        admin.DeleteBackend({"name": "dynamic-2"})


def test_shadows_copy_plain_http_too(fixture_server, admin, http):
    admin.CreateBackend({"backend": {"name": "dynamic-3", "handler": {"handler": "dynamic"}}})
    admin.ShadowTraffic({"endpoint": "dynamic", "backend": "dynamic-3", "proportion": 1.0})
    try:
        for _ in range(20):
            assert ask(http, "GET", "/dynamic?bytes=1")[0] == 200

        def report():
            return admin.GetShadowReport({"endpoint": "dynamic"}).reports[0]

        wait_for(lambda: report().compared == 20)
        assert report().equal == 20
    finally:
        admin.ShadowTraffic({"endpoint": "dynamic", "backend": "dynamic-3", "proportion": 0})
        admin.DeleteBackend({"name": "dynamic-3"})


def test_a_drain_lets_http_requests_finish(stubs):
    from conftest import BUILD, Server

    server = Server([BUILD / "FixtureServer"])
    address, _ = server.first_line.split()
    idle, undecided = http_client(address), socket.create_connection(tuple(address.split(":")))
    assert ask(idle, "GET", "/dynamic?bytes=1")[0] == 200
    busy = http_client(address)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        # The drain's end, after 5 s, cuts off what waits.
        waiting = pool.submit(lambda: ask(busy, "GET", "/dynamic?wait"))
        time.sleep(0.5)
        stopping = pool.submit(server.stop)
        time.sleep(0.5)
        assert undecided.recv(1) == b""
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            ask(idle, "GET", "/dynamic?bytes=1")
        assert not stopping.done()
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
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


def json_call(channel, path, kind="unary_unary"):
    return getattr(channel, kind)(
        path, request_serializer=lambda value: json.dumps(value).encode(),
        response_deserializer=json.loads)


@pytest.fixture
def json_peer(fixture_server):
    """A raw HTTP/2 peer: gRPC libraries don't let the content-type be chosen."""
    from test_wire import Peer

    with Peer(fixture_server.admin) as peer:
        yield peer


def test_handlers_take_and_give_json(json_peer):
    from frames import frame

    def call(stream, method, value):
        json_peer.request(
            stream, f"/weir.admin.v1.Admin/{method}", frame(json.dumps(value).encode()),
            content_type="application/grpc+json")
        blocks, body = json_peer.response(stream)
        return blocks, json.loads(body[5:]) if body else None

    blocks, reply = call(1, "GetEndpoint", {"name": "raw"})
    assert b"application/grpc+json" in blocks[0]
    assert reply["route"] == "/test.Raw/"
    assert reply["weights"] == [{"backend": "raw", "weight": 1}]
    # Fields at their default are there too.
    assert reply["shadows"] == []
    blocks, reply = call(3, "GetEndpoint", {"nam": "raw"})
    assert reply is None and b"nam is no field of weir.admin.v1.GetEndpointRequest" in blocks[-1]
    blocks, reply = call(5, "GetEndpoint", {"name": "none"})
    assert reply is None and b"no endpoint 'none'" in blocks[-1]


def test_a_method_of_bytes_has_no_json(fixture_server):
    from frames import frame
    from test_wire import ECHO, Peer

    with Peer(fixture_server.data) as peer:
        peer.request(1, ECHO, frame(b"{}"), content_type="application/grpc+json")
        blocks, _ = peer.response(1)
        assert b"no known JSON form" in blocks[-1]
