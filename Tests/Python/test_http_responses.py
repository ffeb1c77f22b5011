"""Responses of backends to plain HTTP, over HTTP/1.1 and HTTP/2."""

import json
import time

import pytest

import weir
from conftest import memory, start_weir, tool
from http1 import Raw, send
from test_http import LIMIT, ask, curl, http_client

HEADER_FIELDS = 128


@pytest.fixture(scope="module")
def answering():
    """A server whose endpoint /answer returns `answering.response`, which a test sets."""
    class Answering:
        server = start_weir()
        response = None

    with weir.connect(Answering.server.admin) as client:
        client.create_backend("answering", lambda request: Answering.response)
        client.create_endpoint("answer", backend="answering", route="/answer")
        Answering.address = client.data_address
        yield Answering
    assert Answering.server.stop() == 0


def both(address, path="/answer"):
    """Status and body of a GET over HTTP/1.1 and HTTP/2."""
    first = send(address, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    second = curl(f"http://{address}{path}")
    return [(first.status, first.body), (second[0], second[2])]


def failures(server):
    """The calls that the statistics count as INTERNAL."""
    rows = json.loads(tool(server, "stats", "--json").stdout)["backends"]
    return sum(int(each["count"]) for row in rows for each in row.get("statuses", [])
               if each["name"] == "INTERNAL")


@pytest.mark.parametrize("fields, reason", [
    ({"content_type": "a\r\nx-injected: 1"}, "content_type"),
    ({"content_type": "a\0"}, "content_type"),
    ({"headers": {"x-a": "1\r\nx-injected: 1"}}, "'x-a'"), ({"headers": {"x-a": "1\n"}}, "'x-a'"),
    ({"headers": {"x a": "1"}}, "'x a'"), ({"headers": {"x-a\r\nb": "1"}}, "token"),
    ({"headers": {"": "1"}}, "token"), ({"headers": {":status": "200"}}, "':status'"),
    ({"headers": {"b\u00e4d": "1"}}, "token"),
    ({"status": 199}, "http_status 199"), ({"status": 100}, "http_status 100"),
    ({"status": 600}, "http_status 600"), ({"status": 2**31 - 1}, "http_status 2147483647"),
    ({"status": 2**32 - 1}, "http_status 4294967295"),
    ({"headers": {"x-a": "a" * 70_000}}, "max-response-header-bytes"),
    ({"content_type": "a" * 70_000}, "max-response-header-bytes"),
    ({"headers": {f"x-{number}": "a" for number in range(HEADER_FIELDS)}}, "max-header-fields"),
    ({"headers": {f"x-{number}": "a" for number in range(5_000)}}, "max-"),
])
def test_an_invalid_response_of_a_backend_is_a_502_with_the_reason(answering, fields, reason):
    answering.response = weir.Response(
        **{"body": b"secret", "content_type": "text/plain", **fields})
    before = failures(answering.server)
    for status, body in both(answering.address):
        assert status == 502
        assert b"backend 'answering'" in body and reason.encode() in body and b"secret" not in body
        assert len(body) < 1_000
    assert failures(answering.server) == before + 2


def test_headers_up_to_the_limit_reach_both_protocols(answering):
    answering.response = weir.Response(b"body", "text/plain", headers={"x-a": "a" * 65_000})
    assert both(answering.address) == [(200, b"body")] * 2
    # All header fields arrive, with HTTP/2 too.
    answering.response = weir.Response(
        b"body", "text/plain", headers={f"x-{number}": "a" for number in range(HEADER_FIELDS - 1)})
    assert both(answering.address) == [(200, b"body")] * 2


@pytest.mark.parametrize("status, length", [
    (204, None), (304, None), (205, "0"), (200, "4"), (599, "4")])
def test_statuses_without_a_body(answering, status, length):
    answering.response = weir.Response(b"body", "text/plain", status=status)
    for method in ("GET", "HEAD"):
        with Raw(answering.address) as raw:
            data = f"{method} /answer HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            for _ in range(2):
                raw.send(data)
                answer = raw.answer(method)
                assert (answer.status, answer.get("content-length")) == (status, length)
                assert answer.body == (b"body" if length == "4" and method == "GET" else b"")
    assert curl(f"http://{answering.address}/answer")[2] == (b"body" if length == "4" else b"")


def test_fields_of_the_connection_are_not_taken_from_a_backend(answering):
    answering.response = weir.Response(b"body", "text/plain", headers={
        "Connection": "x-secret", "X-Secret": "1", "Transfer-Encoding": "chunked",
        "Content-Length": "9", "Trailer": "x", "Upgrade": "h2c", "Proxy-Authenticate": "Basic",
        "Keep-Alive": "1", "x-serve-backend": "me",
        "Date": "Thu, 01 Jan 1970 00:00:00 GMT", "X-Good": " yes\t", "x-text": "\u00e4"})
    with Raw(answering.address) as raw:
        raw.send(b"GET /answer HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = raw.answer()
    assert sorted(answer.fields) == sorted([
        ("content-type", "text/plain"), ("content-length", "4"),
        ("date", "Thu, 01 Jan 1970 00:00:00 GMT"), ("x-good", "yes"),
        ("x-text", "\u00e4".encode().decode("latin-1")), ("x-serve-backend", "answering")])


@pytest.mark.parametrize("excess", [-300, -20, -1, 0, 1])
def test_a_body_of_exactly_the_limit_passes_in_both_directions(answering, excess):
    """The limit counts the body, not the message around it."""
    size = LIMIT + excess
    answering.response = weir.Response(b"x" * size, "text/plain", headers={"x-a": "a" * 10_000})
    connection = http_client(answering.address)
    status, _, body = ask(connection, "GET", "/answer", headers={"x-a": "a" * 10_000})
    assert (status, len(body)) == (200, size) if excess <= 0 else status == 502
    answering.response = b""
    assert ask(connection, "POST", "/answer", b"x" * size)[0] == (200 if excess <= 0 else 413)
    connection.close()


def test_a_client_that_reads_nothing_holds_one_response(answering):
    answering.response = weir.Response(b"x" * 4_000_000, "text/plain")
    head = b"GET /answer HTTP/1.1\r\nHost: x\r\n\r\n"
    with Raw(answering.address) as raw:
        raw.send(head)
        raw.answer()
        before = memory(answering.server.process)
        raw.send(head * 50)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            assert memory(answering.server.process) - before < 64 << 20
        assert sum(len(raw.answer().body) for _ in range(50)) == 200_000_000
