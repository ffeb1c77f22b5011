"""gRPC-Web and Connect with bytes split anywhere, and with hostile clients."""

import base64
import concurrent.futures

import pytest

import web
from conftest import tool, wait_for
from frame_server import DATA, FrameServer
from http1 import Raw
from peer import END_HEADERS, END_STREAM, Peer, message
from web import connect, connect_stream, grpc_web


@pytest.fixture(params=web.VERSIONS, ids=["http1", "http2"])
def version(request):
    return request.param


# Splits.

FORMS = ["application/grpc-web", "application/grpc-web-text", "application/connect+proto"]


@pytest.mark.parametrize("content_type", FORMS)
def test_a_request_may_be_split_anywhere(fixture_server, content_type):
    """Two DATA frames, and two chunks of HTTP/1.1."""
    body = message(b"abc") + message(b"de")
    if "text" in content_type:
        body = base64.b64encode(body)
    peer, stream = Peer(fixture_server.data), 1
    raw = Raw(fixture_server.data)
    with peer, raw:
        for cut in range(1, len(body)):
            peer.headers(stream, [
                (":method", "POST"), (":scheme", "http"), (":path", "/test.Raw/Upload"),
                (":authority", "a"), ("content-type", content_type)], END_HEADERS)
            peer.send(DATA, 0, stream, body[:cut])
            peer.send(DATA, END_STREAM, stream, body[cut:])
            fields, answer = peer.response(stream)
            assert upload(fields, answer) == b"2 5"
            stream += 2
            raw.send(
                b"POST /test.Raw/Upload HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
                b"content-type: " + content_type.encode() + b"\r\n\r\n"
                + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece)
                           for piece in (body[:cut], body[cut:], b"")))
            fields, answer = chunked(raw)
            assert upload(fields, answer) == b"2 5"


def upload(fields, body):
    response = web.Response(200, fields, body)
    messages = response.connect_stream[0] if "connect" in fields["content-type"] \
        else response.grpc_web[0]
    return messages[0]


def chunked(raw):
    """The fields and the body of a response in chunks."""
    answer = raw.answer()
    body = b""
    while True:
        while b"\r\n" not in raw.buffer:
            assert raw._more()
        size, _, raw.buffer = raw.buffer.partition(b"\r\n")
        while len(raw.buffer) < int(size, 16) + 2:
            assert raw._more()
        body += raw.buffer[:int(size, 16)]
        raw.buffer = raw.buffer[int(size, 16) + 2:]
        if size == b"0":
            return dict(answer.fields), body


def test_a_response_may_be_split_anywhere(mesh, version):
    """The backend's messages and trailers in pieces of all sizes."""
    body = message(b"abc") + message(b"de")
    cut = 0

    def answer(connection, stream):
        connection.begin(stream)
        for piece in (body[:cut], body[cut:]):
            connection.send(DATA, 0, stream, piece)
        connection.finish(stream)

    server = FrameServer(answer)
    mesh.raw(server.address, options=["--health-interval", "0"])
    mesh.wait_ready("raw")
    client = version(mesh.weir.data)
    for cut in range(len(body) + 1):
        for form in ("", "-text"):
            messages, trailers = grpc_web(client, "/test.Raw/Echo", [b""], form).grpc_web
            assert messages == [b"abc", b"de"] and trailers["grpc-status"] == "0", trailers
        messages, _ = connect_stream(client, "/test.Raw/Echo", [b""], "proto").connect_stream
        assert messages == [b"abc", b"de"]
    client.close()
    server.close()


# Hostile clients.


def test_clients_that_stop_in_the_middle_do_not_hold_the_server(fixture_server):
    """Each prefix of a request, followed by the end of the connection."""
    body = message(b"abc")
    request = (b"POST /test.Raw/Upload HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n"
               b"content-type: application/connect+proto\r\n\r\n" % len(body)) + body
    for cut in range(len(request)):
        with Raw(fixture_server.data) as raw:
            raw.send(request[:cut])
    client = web.HTTP1(fixture_server.data)
    assert connect(client, "/test.Raw/Echo", b"x", "proto").body == b"x"
    client.close()


def test_a_client_that_reads_nothing_holds_a_bounded_part_of_a_response(
        fixture_server, operator):
    """10 GB would follow."""
    request = message(b"100000 100000")
    with Raw(fixture_server.data) as raw:
        raw.send(b"POST /test.Raw/Download HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n"
                 b"content-type: application/connect+proto\r\n\r\n" % len(request) + request)
        client = web.HTTP1(fixture_server.data)
        for _ in range(50):
            assert connect(client, "/test.Raw/Echo", b"x" * 1_000, "proto").status == 200
        assert b"200 OK" in raw.socket.recv(100)
        client.close()
    # Nothing is sent to a client that has left.
    wait_for(lambda: sum(backend.in_flight for backend in operator.stats("raw").backends) == 0)


def test_many_calls_at_once(fixture_server):
    def work(number):
        client = web.VERSIONS[number % 2](fixture_server.data)
        try:
            return [connect(client, "/helloworld.Greeter/SayHello", {"name": str(index)}).json
                    for index in range(20)]
        finally:
            client.close()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answers in pool.map(work, range(16)):
            assert [answer["message"] for answer in answers] == [
                str(index) for index in range(20)]


def test_a_client_that_disconnects_cancels_its_call(fixture_server, operator, version):
    def in_flight():
        return sum(backend.in_flight for backend in operator.stats("raw").backends)

    before = in_flight()
    body = message(b"x")
    if version is web.HTTP2:
        peer = Peer(fixture_server.data)
        peer.headers(1, [
            (":method", "POST"), (":scheme", "http"), (":path", "/test.Raw/Wait"),
            (":authority", "a"), ("content-type", "application/connect+proto")], END_HEADERS)
        peer.send(DATA, END_STREAM, 1, body)
        wait_for(lambda: in_flight() == before + 1)
        peer.reset(1)
        wait_for(lambda: in_flight() == before)
        peer.close()
        return
    with Raw(fixture_server.data) as raw:
        raw.send(b"POST /test.Raw/Wait HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n"
                 b"content-type: application/connect+proto\r\n\r\n" % len(body) + body)
        wait_for(lambda: in_flight() == before + 1)
    wait_for(lambda: in_flight() == before)


# HTTP/1.


def request(path, content_type, body, *fields, version=b"1.1"):
    head = b"POST %s HTTP/%s\r\nhost: a\r\ncontent-type: %s\r\ncontent-length: %d\r\n" % (
        path, version, content_type, len(body))
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def test_pipelined_calls_are_answered_in_order(fixture_server):
    with Raw(fixture_server.data) as raw:
        for _ in range(3):
            raw.send(
                request(b"/test.Raw/Echo", b"application/proto", b"first")
                + request(b"/test.Raw/Upload", b"application/grpc-web", message(b"ab"))
                + request(b"/nothing.Here/Call", b"application/proto", b"x" * 1_000)
                + request(b"/test.Raw/Download", b"application/connect+proto",
                          message(b"3 70000"))
                + request(b"/test.Raw/Echo", b"application/proto", b"last"))
            assert raw.answer().body == b"first"
            assert upload(*chunked(raw)) == b"1 2"
            assert raw.answer().status == 404
            fields, body = chunked(raw)
            assert web.Response(200, fields, body).connect_stream[0] == [b"x" * 70_000] * 3
            assert raw.answer().body == b"last"


def test_a_client_of_http_1_0_reads_until_the_end(fixture_server):
    with Raw(fixture_server.data) as raw:
        raw.send(request(b"/test.Raw/Download", b"application/connect+proto", message(b"2 3"),
                         version=b"1.0"))
        while raw._more():
            pass
        head, _, body = raw.buffer.partition(b"\r\n\r\n")
        assert b"transfer-encoding" not in head and b"connection: close" in head
        assert web.Response(200, {}, body).connect_stream[0] == [b"xxx"] * 2


def test_a_call_that_is_refused_gets_no_100_continue(fixture_server):
    for path, status in ((b"/test.Raw/Echo", 100), (b"/nothing.Here/Call", 404)):
        with Raw(fixture_server.data) as raw:
            raw.send(request(
                path, b"application/proto", b"", b"connect-protocol-version: 1",
                b"expect: 100-continue").replace(b"content-length: 0", b"content-length: 3"))
            answer = raw.answer()
            assert answer.status == status
            if status == 100:
                raw.send(b"abc")
                assert raw.answer().body == b"abc"


def test_an_invalid_chunk_in_a_stream_ends_the_connection(fixture_server):
    """The response has begun, so that it cannot become a refusal."""
    with Raw(fixture_server.data) as raw:
        raw.send(b"POST /test.Raw/Chat HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n"
                 b"content-type: application/connect+proto\r\n\r\n")
        frame = message(b"abc")
        raw.send(b"%x\r\n%s\r\n" % (len(frame), frame))
        # A stream in both directions.
        assert raw.answer().fields
        while frame not in raw.buffer:
            assert raw._more()
        raw.send(b"zz\r\n")
        while raw._more():
            pass
        assert b"HTTP/1.1" not in raw.buffer


def test_a_stream_of_the_admin_port_as_json(fixture_server):
    """What a page that watches statistics does; it leaves in the middle."""
    for path, value in (("WatchStats", b'{"intervalMs": 100}'), ("Watch", b"{}")):
        with Raw(fixture_server.admin) as raw:
            raw.send(request(
                b"/weir.admin.v1.Admin/" + path.encode(), b"application/connect+json",
                message(value)))
            assert raw.answer().status == 200
            while b"\r\n" not in raw.buffer[1:]:
                assert raw._more()
            assert b'{"' in raw.buffer, raw.buffer


def test_a_rate_limit_states_when_to_retry(client):
    tool(client.server, "backend", "create", "b", "--upstream", "127.0.0.1:1", "--wait", "0")
    client.create_endpoint("limited", route="/a.S/", backend="b")
    client.set_rate_limit("limited", 0.01, 1)
    caller = web.HTTP1(client.server.data)
    answers = [connect(caller, "/a.S/M", b"x", "proto") for _ in range(2)]
    assert answers[1].status == 429 and int(answers[1].fields["retry-after"]) > 1
    assert answers[1].json["code"] == "resource_exhausted"
    caller.close()
