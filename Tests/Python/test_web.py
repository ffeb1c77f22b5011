"""gRPC-Web and Connect on both ports, by clients that send bytes."""

import base64
import gzip
import json

import pytest

import web
from peer import message
from web import connect, connect_stream, grpc_web

GREETER = "/helloworld.Greeter/SayHello"
ADMIN = "/weir.admin.v1.Admin/"
ECHO = "/test.Raw/Echo"


@pytest.fixture(params=web.VERSIONS, ids=["http1", "http2"])
def data(request, fixture_server):
    """A client of the data port."""
    client = request.param(fixture_server.data)
    yield client
    client.close()


@pytest.fixture(params=web.VERSIONS, ids=["http1", "http2"])
def admin(request, fixture_server):
    """A client of the admin port."""
    client = request.param(fixture_server.admin)
    yield client
    client.close()


# Unary calls.


def test_a_unary_call_of_connect_has_the_message_as_its_body(data, stubs):
    response = connect(data, GREETER, {"name": "you"})
    assert response.status == 200 and response.json == {"message": "you"}
    assert response.fields["content-type"] == "application/json"
    assert response.fields["trailer-x-serve-backend"] == "typed"
    assert response.fields["x-serve-backend"] == "typed" and response.fields["date"]
    request = stubs.hello.HelloRequest(name="you").SerializeToString()
    response = connect(data, GREETER, request, "proto")
    assert response.fields["content-type"] == "application/proto"
    assert stubs.hello.HelloReply.FromString(response.body).message == "you"


@pytest.mark.parametrize("form", ["", "+proto", "-text", "-text+proto", "+json"])
def test_a_unary_call_of_grpc_web(data, stubs, form):
    value = {"name": "you"}
    if form != "+json":
        value = stubs.hello.HelloRequest(**value).SerializeToString()
    response = grpc_web(data, GREETER, [value], form)
    assert response.status == 200, response
    messages, trailers = response.grpc_web
    assert trailers["grpc-status"] == "0" and trailers["x-serve-backend"] == "typed"
    if form == "+json":
        assert json.loads(messages[0]) == {"message": "you"}
    else:
        assert stubs.hello.HelloReply.FromString(messages[0]).message == "you"


def test_the_admin_port_has_both_protocols(admin):
    response = connect(admin, ADMIN + "ListEndpoints", {})
    assert response.status == 200, response
    assert "typed" in [endpoint["name"] for endpoint in response.json["endpoints"]]
    response = connect(admin, ADMIN + "GetEndpoint", {"name": "missing"})
    assert response.status == 404, response
    assert response.json["code"] == "not_found" and "missing" in response.json["message"]
    [details] = response.json["details"][:1]
    assert details["type"] == "google.rpc.ErrorInfo" and "=" not in details["value"]
    messages, trailers = grpc_web(admin, ADMIN + "ListEndpoints", [{}], "+json").grpc_web
    assert trailers["grpc-status"] == "0" and b"typed" in messages[0]
    response = connect(admin, "/grpc.health.v1.Health/Check", {})
    assert response.json == {"status": "SERVING"}


@pytest.mark.parametrize("path, status, code", [
    ("/test.Raw/Fail", 400, "failed_precondition"),
    ("/test.Raw/Crash", 500, "unknown"),
    ("/test.Raw/Missing", 501, "unimplemented"),
    ("/nothing.Here/Call", 404, "unimplemented"),
])
def test_an_error_has_the_form_of_its_protocol(data, path, status, code):
    response = connect(data, path, b"x", "proto")
    assert response.status == status and response.json["code"] == code, response
    assert response.fields["content-type"] == "application/json"
    assert response.json["message"]
    if code == "failed_precondition":
        assert response.json["message"] == "100 % broken: ü"
        assert response.fields["trailer-reason"] == "asked for"
    messages, end = connect_stream(data, path, [b"x"], "proto").connect_stream
    assert not messages and end["error"]["code"] == code
    response = grpc_web(data, path, [b"x"])
    assert response.status == 200 and not response.body
    assert response.fields["grpc-status"] != "0" and response.fields["grpc-message"]


@pytest.mark.parametrize("json_text, part", [
    (b"{", "line 1, column 2"), (b'{"name": 1}', "name"), (b"[]", "object"), (b"", "JSON"),
    (b'{"name": "\xff"}', "UTF-8"),
])
def test_invalid_json_is_refused_with_the_position_or_the_field(data, json_text, part):
    response = connect(data, GREETER, json_text)
    assert response.status == 400 and response.json["code"] == "invalid_argument", response
    assert part.lower() in response.json["message"].lower(), response


def test_metadata_is_passed_in_both_directions(data):
    """The handler returns the request's metadata as trailers."""
    fields = {"x_one": "1", "x_data_bin": "AAE", "authorization": "Bearer t"}
    response = connect(data, ECHO, b"x", "proto", **fields)
    assert response.body == b"x"
    assert response.fields["trailer-x-one"] == "1"
    assert response.fields["trailer-x-data-bin"] == "AAE"
    assert response.fields["trailer-authorization"] == "Bearer t"
    names = [name for name in response.fields if name.startswith("trailer-")]
    assert not {"trailer-content-length", "trailer-host", "trailer-connect-protocol-version",
                "trailer-content-type", "trailer-accept-encoding"} & set(names)
    _, trailers = grpc_web(data, ECHO, [b"x"], **fields).grpc_web
    assert trailers["x-one"] == "1" and trailers["x-data-bin"] == "AAE"
    _, end = connect_stream(data, ECHO, [b"x"], "proto", **fields).connect_stream
    assert end["metadata"]["x-one"] == ["1"] and end["metadata"]["x-serve-backend"] == ["raw"]


def test_a_compressed_request_is_read_and_a_compressed_response_is_accepted(data):
    text = b"x" * 10_000
    response = connect(data, ECHO, gzip.compress(text), "proto", content_encoding="GZIP",
                       accept_encoding="br, gzip;q=0.5")
    assert response.fields["content-encoding"] == "gzip"
    assert gzip.decompress(response.body) == text
    response = connect(data, ECHO, gzip.compress(text), "proto", content_encoding="GZIP",
                       accept_encoding="gzip;q=0")
    assert "content-encoding" not in response.fields and response.body == text
    response = connect(data, GREETER, gzip.compress(b'{"name":"you"}'), content_encoding="gzip")
    assert response.json == {"message": "you"}
    # An empty body is not compressed.
    assert connect(data, ECHO, b"", "proto", content_encoding="gzip").status == 200


@pytest.mark.parametrize("fields, status, part", [
    ({"content_encoding": "br"}, 501, "identity,gzip"),
    ({"connect_timeout_ms": "1s"}, 400, "connect-timeout-ms"),
    ({"connect_timeout_ms": "12345678901"}, 400, "connect-timeout-ms"),
    ({"x_bad": "\u00fc"}, 400, "x-bad"),
    ({"connect_protocol_version": "2"}, 400, "connect-protocol-version"),
    ({"content_encoding": "gzip"}, 500, "gzip"),
])
def test_invalid_headers_are_refused(data, fields, status, part):
    response = data.ask("POST", ECHO, {
        "content-type": "application/proto", "connect-protocol-version": "1",
        **web.named(fields)}, b"x")
    assert response.status == status and part in response.json["message"], response


def test_the_deadline_ends_the_call(data):
    response = connect(data, "/test.Raw/Wait", b"x", "proto", connect_timeout_ms="50")
    assert response.status == 504 and response.json["code"] == "deadline_exceeded"
    response = grpc_web(data, "/test.Raw/Wait", [b"x"], grpc_timeout="50m")
    assert response.fields["grpc-status"] == "4"
    _, end = connect_stream(
        data, "/test.Raw/Wait", [b"x"], "proto", connect_timeout_ms="50").connect_stream
    assert end["error"]["code"] == "deadline_exceeded"


def test_a_path_of_plain_http_keeps_it_unless_the_request_names_the_protocol(
        data, operator, stubs):
    operator.create_endpoint("both", route="/api/predict", backend="dynamic")
    try:
        for codec in ("json", "proto"):
            fields = {"content-type": f"application/{codec}"}
            response = data.ask("POST", "/api/predict?type=a/b", fields, b"{}")
            assert response.fields["content-type"] == "a/b"
            assert stubs.serve.CallRequest.FromString(response.body).payload == b"{}"
            # The handler has no such method of gRPC.
            response = connect(data, "/api/predict", b"{}", codec)
            assert response.status == 501 and response.json["code"] == "unimplemented"
            call = "/weir.v1.Serve/Call"
            response = data.ask("POST", call, {**fields, "x-serve-endpoint": "dynamic"}, b"{}")
            assert stubs.serve.CallRequest.FromString(response.body).payload == b"{}"
        response = connect(data, call, {"query": "type=a/b"}, x_serve_endpoint="dynamic")
        assert response.json["contentType"] == "a/b", response
        assert connect(data, call, {}, x_serve_endpoint="none").status == 404
    finally:
        operator.delete_endpoint("both")


# Streams.


def test_streams_have_any_number_of_messages(data):
    for count in (0, 1, 3):
        messages, end = connect_stream(
            data, "/test.Raw/Download", [b"%d 10" % count], "proto").connect_stream
        assert messages == [b"x" * 10] * count and "error" not in end
        messages, trailers = grpc_web(data, "/test.Raw/Download", [b"%d 10" % count]).grpc_web
        assert messages == [b"x" * 10] * count and trailers["grpc-status"] == "0"
        messages, _ = grpc_web(
            data, "/test.Raw/Download", [b"%d 10" % count], "-text").grpc_web
        assert messages == [b"x" * 10] * count
        messages, _ = connect_stream(
            data, "/test.Raw/Upload", [b"xx"] * count, "proto").connect_stream
        assert messages == [b"%d %d" % (count, 2 * count)]
        messages, _ = connect_stream(
            data, "/test.Raw/Chat", [b"%d" % number for number in range(count)],
            "proto").connect_stream
        assert messages == [b"%d" % number for number in range(count)]


def test_streams_of_json(data):
    messages, _ = connect_stream(
        data, "/helloworld.Greeter/SayHelloStreamReply", [{"name": "3"}]).connect_stream
    assert [json.loads(message) for message in messages] == [{"message": "x" * 64}] * 3
    messages, _ = connect_stream(
        data, "/helloworld.Greeter/SayHelloToAll", [{"name": "a"}, {"name": "bc"}]).connect_stream
    assert json.loads(messages[0]) == {"message": "3"}


def test_large_streams_are_bounded_by_the_windows(data):
    """More than all buffers, in both directions."""
    messages, end = connect_stream(
        data, "/test.Raw/Download", [b"40 100000"], "proto").connect_stream
    assert messages == [b"x" * 100_000] * 40 and "error" not in end
    messages, _ = connect_stream(
        data, "/test.Raw/Upload", [b"x" * 100_000] * 60, "proto").connect_stream
    assert messages == [b"60 6000000"]


def test_a_text_request_may_be_padded_at_any_unit(data):
    body = message(b"abcd")
    units = b"".join(base64.b64encode(body[index:index + 1]) for index in range(len(body)))
    response = data.ask("POST", ECHO, {"content-type": "application/grpc-web-text"}, units)
    assert response.grpc_web[0] == [b"abcd"]


def test_accept_selects_binary_or_text(data):
    response = grpc_web(data, ECHO, [b"x"], "-text", accept="application/grpc-web")
    assert response.fields["content-type"] == "application/grpc-web+proto"
    assert response.grpc_web[0] == [b"x"]
    response = grpc_web(data, ECHO, [b"x"], "", accept="application/grpc-web-text")
    assert "-text" in response.fields["content-type"] and response.grpc_web[0] == [b"x"]


# Invalid requests.


@pytest.mark.parametrize("body", [
    message(b"abcd")[:-1], message(b"abcd")[:4], message(b"abcd", 4), message(b"abcd", 0x80),
    message(b"abcd", 2), message(b"abcd") + b"\x00",
])
def test_invalid_frames_are_refused(data, body):
    response = data.ask("POST", ECHO, {"content-type": "application/connect+proto"}, body)
    assert response.connect_stream[1]["error"]["code"] == "invalid_argument"
    response = data.ask("POST", ECHO, {"content-type": "application/grpc-web"}, body)
    assert response.fields["grpc-status"] == "3" and "message" in response.fields["grpc-message"]


def test_a_compressed_message_needs_a_header(data):
    body = message(gzip.compress(b"x"), 1)
    response = data.ask("POST", ECHO, {"content-type": "application/connect+proto"}, body)
    assert response.connect_stream[1]["error"]["code"] == "internal"
    response = data.ask("POST", ECHO, {
        "content-type": "application/connect+proto", "connect-content-encoding": "gzip"}, body)
    assert response.connect_stream[0] or response.frames[0][0] == 1


@pytest.mark.parametrize("body", [b"*", b"AAAA*AAA", b"AAA", b"AA=A"])
def test_text_that_is_not_base64_is_refused(data, body):
    response = data.ask("POST", ECHO, {"content-type": "application/grpc-web-text"}, body)
    assert response.fields["grpc-status"] == "3" and "base64" in response.fields["grpc-message"]


def test_two_messages_of_a_unary_method_are_refused(data):
    _, end = connect_stream(data, ECHO, [b"x", b"y"], "proto").connect_stream
    assert "one request message" in end["error"]["message"]
    response = grpc_web(data, ECHO, [b"x", b"y"])
    assert "one request message" in response.fields["grpc-message"]


def test_several_responses_do_not_fit_a_unary_call(data):
    response = connect(data, "/test.Raw/Download", b"2 1", "proto")
    assert response.status == 501 and "connect+proto" in response.json["message"]


LIMIT = 4 << 20


@pytest.mark.parametrize("size, status", [(LIMIT, 200), (LIMIT + 1, 429)])
def test_the_limit_of_a_message_is_before_and_after_decompression(fixture_server, size, status):
    client = web.HTTP1(fixture_server.data)
    text = b"x" * size
    response = connect(client, "/test.Raw/Size", text, "proto")
    assert response.status == status, response
    client.close()
    client = web.HTTP1(fixture_server.data)
    response = connect(
        client, "/test.Raw/Size", gzip.compress(text), "proto", content_encoding="gzip")
    assert response.status == status
    if status == 429:
        assert response.json["code"] == "resource_exhausted"
        assert "max-message-bytes" in response.json["message"]
    client.close()


@pytest.mark.parametrize("content_type", [
    "application/foo", "application/connect+xml", "application/grpc-web+xml", "text/plain",
    "application/grpc-web-text+json"])
def test_another_content_type_gets_415_with_the_accepted_ones(data, content_type):
    response = data.ask("POST", ECHO, {"content-type": content_type}, b"x")
    assert response.status == 415, response
    assert "application/connect+proto" in response.fields["accept-post"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_gets_405(data, method):
    response = data.ask(method, ECHO, {"content-type": "application/proto"})
    assert response.status == 405 and "POST" in response.fields["allow"]


@pytest.mark.parametrize("content_type", ["application/proto", "application/json"])
def test_an_unknown_method_of_the_admin_port_is_unimplemented(admin, content_type):
    response = admin.ask("POST", "/weir.admin.v1.Admin/Nothing", {"content-type": content_type})
    assert response.status == 404 and response.json["code"] == "unimplemented", response


def test_options_reports_the_methods(data):
    response = data.ask("OPTIONS", ECHO)
    assert response.status == 204 and "POST" in response.fields["allow"] and not response.body


def test_a_get_of_a_method_with_side_effects_is_refused(data):
    response = data.ask("GET", GREETER + "?connect=v1&encoding=json&message=%7B%7D")
    assert response.status == 405 and response.fields["allow"] == "POST", response
    assert "idempotency_level" in response.json["message"]


@pytest.mark.parametrize("query, part", [
    ("connect=v1&encoding=json", "message"), ("connect=v1&message=x", "encoding"),
    ("connect=v1&encoding=xml&message=x", "encoding"),
    ("connect=v1&encoding=json&base64=1&message=*", "base64"),
    ("connect=v1&encoding=json&message=%7B%2", "hexadecimal"),
    ("message=%&encoding=json", "hexadecimal"),
    ("connect=v2&encoding=json&message=x", "v1"),
])
def test_an_invalid_query_is_refused(data, query, part):
    response = data.ask("GET", f"{GREETER}?{query}")
    assert response.status == 400 and part in response.json["message"], response


# HTTP.


def test_a_connection_is_used_again_after_each_kind_of_response(data):
    for _ in range(3):
        assert connect(data, ECHO, b"x", "proto").body == b"x"
        assert connect(data, "/nothing.Here/Call", b"x", "proto").status == 404
        assert grpc_web(data, ECHO, [b"x"]).grpc_web[0] == [b"x"]
        assert data.ask("GET", ECHO).status == 405
        assert connect_stream(data, ECHO, [b"x"], "proto").connect_stream[0] == [b"x"]
