"""Unusual and invalid plain HTTP requests, which client libraries refuse to send, on both ports.

The tables are generated. After each table, the server must still answer.
"""

import concurrent.futures
import email.utils
import time

import pytest

from conftest import start_weir
from http1 import Raw, send
from peer import END_HEADERS, RST_STREAM, Peer, request_fields
from test_http import LIMIT, curl

HEADER_BYTES = 16 << 10
HEADER_FIELDS = 128
# The size of `GET / HTTP/1.1` and of a field `x: ...`, counted as in RFC 9113 section 6.5.2.
OVERHEAD = 32


@pytest.fixture(params=["data", "admin"])
def port(request, fixture_server):
    """A port, and a path that it answers with 200."""
    class Port:
        address = getattr(fixture_server, request.param)
        path = "/dynamic?bytes=1" if request.param == "data" else "/healthz"
        is_data = request.param == "data"

    return Port


def request(port, line=None, fields=(), host="localhost", body=b""):
    """The bytes of a request; without a line, of one that the server answers with 200."""
    lines = [line or f"GET {port.path} HTTP/1.1"]
    lines += [f"Host: {host}"] if host is not None else []
    data = [line if isinstance(line, bytes) else line.encode("latin-1")
            for line in [*lines, *fields]]
    return b"\r\n".join(data) + b"\r\n\r\n" + body


def get(port, target, **options):
    return request(port, f"GET {target} HTTP/1.1", **options)


class Table:
    """Requests as bytes, with the accepted statuses; None is a closed connection."""

    def __init__(self, port):
        self.port, self.rows = port, []

    def add(self, expected, data):
        self.rows.append((expected if isinstance(expected, tuple) else (expected,), data))

    def check(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(self._run, self.rows))
        wrong = [result for result in results if result]
        assert not wrong, f"{len(wrong)} of {len(results)}: {wrong[:20]}"
        assert send(self.port.address, request(self.port)).status == 200
        print(len(results), "inputs")

    def _run(self, row):
        expected, data = row
        try:
            answer = send(self.port.address, data)
        except TimeoutError:
            return "no response", expected, data[:200]
        status = answer.status if answer else None
        return None if status in expected else (status, expected, data[:200])


def is_token(byte):
    return byte < 128 and bytes([byte]).isalnum() or byte in b"!#$%&'*+-.^_`|~"


def test_methods_and_versions(port):
    table = Table(port)
    rest = request(port)[3:]
    # The admin port supports two methods.
    known = 200 if port.is_data else 405
    for byte in range(256):
        char = bytes([byte])
        table.add(known if is_token(byte) else 400, b"A" + char + rest)
        if byte != 0x0d:
            # The first byte also selects the protocol of the connection.
            table.add(known if is_token(byte) else (400, None), char + b"A" + rest)
        line = b"GET " + port.path.encode() + b" HTTP/1." + char
        table.add(200 if char.isdigit() else 400, request(port, line))
    for expected, versions in {
        200: ["HTTP/1.1", "HTTP/1.9"], 505: ["HTTP/0.9", "HTTP/2.0", "HTTP/3.0"],
        400: ["", "HTTP/1", "HTTP/1.10", "HTTP/-1.1", "http/1.1", "HTTPS/1.1", "HTTP/1.1 ",
              " HTTP/1.1", "HTTP/1.1 x", "HTTP/99999999999999999999.1", "HTTP/1.1\t"],
    }.items():
        for version in versions:
            table.add(expected, request(port, f"GET {port.path} {version}"))
    table.add(501, request(port, "A" * 65 + " / HTTP/1.1"))
    table.add(400, request(port).replace(b"\r\n", b"\n"))
    table.add(200, b"\r\n\r\n" + request(port))
    table.add(400, b"\r\n" * 100)
    table.add(400, b"GET /\r\n")
    table.add(505, b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n")
    table.add(400, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + request(port))
    table.add(400, b"\r\n\r\n\0\r\nQUIT\n" + bytes(16))
    table.check()


def test_targets(port):
    table = Table(port)
    for byte in range(256):
        line = b"GET /p" + bytes([byte]) + b" HTTP/1.1"
        table.add(404 if 0x21 <= byte <= 0x7e else 400, request(port, line))
    for expected, targets in {
        200: [f"http://localhost{port.path}", f"HTTPS://127.0.0.1:80{port.path}", f"{port.path}#f"],
        400: ["http://a b/", f"http://u:p@x{port.path}", "http:///", "http://", "http://x:99999/",
              "http://x:-1/", "ftp://x/", "x:80", "*", "", "?q", "#f", "/a%00b"],
        404: ["/none?a=%00", "/%", "/%zz", "//", "/../../etc/passwd", "/" * 5_000],
    }.items():
        for target in targets:
            table.add(expected, get(port, target))
    table.add(204, request(port, "OPTIONS * HTTP/1.1"))
    table.add(204, request(port, "OPTIONS http://localhost HTTP/1.1"))
    table.add(501, request(port, "CONNECT x:80 HTTP/1.1"))
    table.check()


def test_hosts(port):
    """RFC 9112 section 3.2, and the allowed host names of the admin port."""
    table = Table(port)
    old, url = f"GET {port.path} HTTP/1.0", f"http://127.0.0.1{port.path}"
    table.add(400, request(port, host=None))
    table.add(200, request(port, old, host=None))
    table.add(200, get(port, url, host="evil.example"))
    table.add(400, get(port, url, host=None))
    table.add(400, get(port, url, host="a/b"))
    for line in [None, old]:
        table.add(400, request(port, line, ["Host: localhost"]))
        table.add(400, request(port, line, ["Host: other"]))
        table.add(400, request(port, line, host="a/b"))
    for expected, hosts in {
        200: ["127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80", "localhost", "LOCALHOST:1",
              "a.localhost.", "10.9.8.7", "x", "a_b:80", "a,b"],
        200 if port.is_data else 421: [
            "evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
            "1.2.3.4.5", "0x7f.1"],
        400: ["", "a b", "a/b", "a@b", "a b@/", "a:b", "a:65536", "a:1:2", ":80", "::1", "[::1",
              "[x]", "[]", "a\\b", "a?b", "a#b", "a%", "a%zz", "\xe9", "a\x7f", "a\x00", "x" * 256],
    }.items():
        for host in hosts:
            table.add(expected, request(port, host=host))
    table.check()


def test_header_fields(port):
    table = Table(port)
    for byte in range(256):
        char = bytes([byte])
        if char != b":":
            for name in (b"X" + char, char + b"X"):
                table.add(200 if is_token(byte) else 400, request(port, fields=[name + b": 1"]))
        value = b": a" + char + b"b"
        is_value = byte == 9 or 32 <= byte != 127
        table.add(200 if is_value else 400, request(port, fields=[b"X-A" + value]))
        # gRPC metadata for the backend.
        is_metadata = 32 <= byte < 127
        for name in [b"X-Serve-Shard-Key", b"X-Forwarded-For", b"X-Weir-Via"]:
            table.add(200 if is_metadata else 400, request(port, fields=[name + value]))
    for expected, fields in [
        (400, ["X-A: a", " b"]), (400, ["X-A: a", "\tb"]), (400, ["X-A : a"]), (400, ["X-A\t: a"]),
        (400, ["X-A"]), (400, [": a"]), (400, ["X-A: a\nX-B: b"]), (400, ["X-A: a\rX-B: b"]),
        (200, ["X-A:"]), (200, ["X-A: \t "]),
        (200, ["Expect: 100-Continue"]), (417, ["Expect: 100-continue, x"]), (417, ["Expect: x"]),
    ]:
        table.add(expected, request(port, fields=fields))
    table.add(400, request(port, host=None, fields=[" Host: x"]))
    table.add(200, request(port, f"GET {port.path} HTTP/1.0", ["Expect: x"]))
    table.check()


def test_limits_of_the_head(port):
    table = Table(port)
    line = len(f"GET {port.path} HTTP/1.1") + OVERHEAD
    host = len("hostlocalhost") + OVERHEAD
    room = HEADER_BYTES - line - host - OVERHEAD - 1
    for expected, lengths in {
        200: [room - 1, room], 431: [room + 1, 17_000, 80 << 10, 81 << 10, 1 << 20]
    }.items():
        for length in lengths:
            table.add(expected, request(port, fields=["x: " + "a" * length]))
            table.add(expected, request(port, fields=["x" * length + ": a"]))
    for expected, counts in {
        200: [HEADER_FIELDS - 1], 431: [HEADER_FIELDS, HEADER_FIELDS + 1, 300, 5_000]
    }.items():
        for count in counts:
            table.add(expected, request(port, fields=["x: a"] * count))
    room = HEADER_BYTES - OVERHEAD - len("GET  HTTP/1.1")
    for expected, lengths in {
        404: [room - host], 431: [room - host + 1, room], 414: [room + 1, 100_000, 1 << 20]
    }.items():
        for length in lengths:
            table.add(expected, get(port, "/" + "a" * (length - 1)))
    table.check()


LENGTHS = {
    200: ["0", " \t0 ", "0" * 30],
    400: ["", "-1", "+1", "0x1", "1e0", "1.0", "1 1", "1,1", "1;", "\x01", "\xb9", "NaN", "Inf",
          "1_0", str(-2**63), str(2**63), str(2**64 - 1), str(2**64), "9" * 20, "9" * 10_000],
    413: [str(LIMIT + 1), str(2**31 - 1), str(2**31), str(2**31 + 1), str(2**32), str(2**53),
          str(2**63 - 1)],
}
CODINGS = {
    200: ["chunked", "CHUNKED", " chunked\t", ", chunked,"],
    400: ["", ",", "\x0bchunked", "chunked, chunked"],
    501: ["gzip", "identity", "gzip, chunked", "chunked, gzip", "chunked, identity", "xchunked",
          "chunkedx", "chunked;q=1", '"chunked"', "chunked chunked"],
}
CHUNK_SIZES = {
    200: ["5", "05", "0000000000000005", "5;a=b", "5 ;a", '5;a="b c"'],
    400: ["00000000000000005", "-1", "+5", "0x5", "5 ", " 5", "", "g", "5g", "5\n", "5;\x00",
          "5;a\nb", "5\t", "5.0", "1" * 17, "f" * 5_000],
    413: ["ffffffffffffffff", "7fffffffffffffff", "8000000000000000", "fffffffffffffff0",
          "100000000", "400001", "5;" + "a" * 17_000, "5;" + "a" * 200_000],
}


def test_framing(port):
    """Ambiguous framing is rejected (RFC 9112 sections 6 and 7)."""
    table = Table(port)
    chunked, end = "Transfer-Encoding: chunked", b"0\r\n\r\n"
    for expected, lengths in LENGTHS.items():
        for length in lengths:
            table.add(expected, request(port, fields=[f"Content-Length: {length}"]))
    for expected, codings in CODINGS.items():
        for coding in codings:
            fields = [f"Transfer-Encoding: {coding}"]
            table.add(expected, request(port, fields=fields, body=end))
    for expected, sizes in CHUNK_SIZES.items():
        for size in sizes:
            body = size.encode() + b"\r\nhello\r\n" + end
            table.add(expected, request(port, fields=[chunked], body=body))
    for expected, fields in [
        (400, ["Content-Length: 0"] * 2), (400, ["Content-Length: 5", "Content-Length: 6"]),
        (400, ["Content-Length: 5", chunked]), (400, [chunked, "Content-Length: 5"]),
        (400, [chunked, "Content-Length: x"]), (400, [chunked] * 2),
        (400, [chunked[:17] + " : chunked"]),
        (501, ["Transfer-Encoding: gzip", chunked]),
    ]:
        table.add(expected, request(port, fields=fields, body=end))
    table.add(400, request(port, f"GET {port.path} HTTP/1.0", [chunked], body=end))
    for expected, body in [
        (400, b"6\r\nhello\r\n" + end), (400, b"4\r\nhello\r\n" + end),
        (400, b"5\r\nhello\n" + end), (400, b"5\nhello\r\n" + end),
        (200, b"0\r\nX-T: 1\r\n\r\n"), (400, b"0\r\nX-T : 1\r\n\r\n"),
        (400, b"0\r\nX-T: 1\r\n 2\r\n\r\n"), (431, b"0\r\nX-T: " + b"a" * 17_000 + b"\r\n\r\n"),
        (431, b"0\r\n" + b"x: a\r\n" * 200 + b"\r\n"),
        (413, (b"1;" + b"a" * 1_000 + b"\r\na\r\n") * 20 + end),
    ]:
        table.add(expected, request(port, fields=[chunked], body=body))
    table.check()


def test_a_refused_request_hides_no_second_one(port):
    """Bytes after a rejected request are not read as a request."""
    smuggled = request(port)
    for data in [
        request(port, fields=["Content-Length: 5", "Transfer-Encoding: chunked"],
                body=b"0\r\n\r\n" + smuggled),
        request(port, fields=["Content-Length: 0", "Content-Length: 5"], body=smuggled),
        request(port, fields=["X-A : a"], body=smuggled),
        request(port, fields=["Transfer-Encoding: gzip"], body=smuggled),
        request(port, host="a/b", body=smuggled),
        request(port, "CONNECT x:80 HTTP/1.1", body=smuggled),
    ]:
        with Raw(port.address) as raw:
            raw.send(data)
            answer = raw.answer()
            assert answer.status >= 400 and answer.is_closed
            assert raw.is_closed()


def test_requests_in_a_row_are_answered_in_order_and_one_at_a_time(port):
    count = 3_000
    with Raw(port.address) as raw, concurrent.futures.ThreadPoolExecutor() as pool:
        sending = pool.submit(raw.send, request(port) * count)
        for _ in range(count):
            assert raw.answer().status == 200
        sending.result()
        # The last of these requests is rejected; the previous ones are answered.
        raw.send(request(port) * 2 + request(port, host=None) + request(port))
        assert [raw.answer().status for _ in range(3)] == [200, 200, 400]
        assert raw.is_closed()


def test_many_requests_at_once_delay_no_other_client(port):
    with Raw(port.address) as busy, concurrent.futures.ThreadPoolExecutor() as pool:
        sending = pool.submit(busy.send, request(port) * 3_000)
        assert busy.answer().status == 200
        # On each of the loops.
        for _ in range(20):
            assert send(port.address, request(port)).status == 200
        for _ in range(2_999):
            assert busy.answer().status == 200
        sending.result()


def test_an_offer_to_upgrade_is_ignored(port):
    """The connection continues with HTTP/1.1 and discards the upgrade."""
    upgrade = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
               "HTTP2-Settings: AAMAAABkAAQAAP__"]
    with Raw(port.address) as raw:
        raw.send(request(port, fields=upgrade))
        assert raw.answer().status == 200
        raw.send(request(port))
        assert raw.answer().status == 200
        raw.send(b"x" * (8 << 20))
        assert raw.answer().status in (400, 414)


@pytest.mark.parametrize("version, connection, closes", [
    ("1.1", None, False), ("1.1", "close", True), ("1.1", "Keep-Alive, CLOSE", True),
    ("1.0", None, True), ("1.0", "keep-alive", False), ("1.0", "Keep-Alive", False),
    ("1.0", "keep-alive, close", True),
])
def test_how_long_a_connection_stays(port, version, connection, closes):
    fields = [f"Connection: {connection}"] if connection else []
    data = request(port, f"GET {port.path} HTTP/{version}", fields)
    with Raw(port.address) as raw:
        for _ in range(1 if closes else 3):
            raw.send(data)
            answer = raw.answer()
            assert answer.status == 200 and answer.version == f"HTTP/{version}"
            assert answer.get("transfer-encoding") is None
            expected = "close" if closes else "keep-alive" if version == "1.0" else None
            assert answer.get("connection") == expected
        if closes:
            assert raw.is_closed()


def test_http_1_0_gets_no_100_and_no_chunks(fixture_server):
    head = ("POST /dynamic?bytes=70000 HTTP/{}\r\nHost: x\r\nContent-Length: 2\r\n"
            "Expect: 100-continue\r\n\r\n")
    with Raw(fixture_server.data) as raw:
        raw.send(head.format("1.0").encode() + b"hi")
        answer = raw.answer()
        assert answer.status == 200 and len(answer.body) == 70_000
    with Raw(fixture_server.data) as raw:
        raw.send(head.format("1.1").encode())
        assert raw.answer().status == 100
        raw.send(b"hi")
        assert raw.answer().status == 200


def test_every_response_has_a_date(port, fixture_server):
    for data in [request(port), request(port, "GET /nothing HTTP/1.1"), request(port, host=None),
                 request(port, "OPTIONS * HTTP/1.1"), b"X\r\n\r\n"]:
        answer = send(port.address, data)
        seconds = email.utils.parsedate_to_datetime(answer.get("date")).timestamp()
        assert abs(seconds - time.time()) < 5, answer
    for path in [port.path, "/nothing"]:
        with Peer(port.address) as peer:
            peer.headers(1, request_fields(path, "GET", "text/plain"))
            assert "date" in peer.response(1)[0]


def test_chunks_reach_the_backend_as_one_body(fixture_server, stubs):
    body = b"5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nX-T: 1\r\n\r\n"
    answer = send(
        fixture_server.data, b"POST /dynamic HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Trailer: X-T\r\n\r\n" + body)
    seen = stubs.serve.CallRequest.FromString(answer.body)
    assert seen.payload == b"hello world"
    assert [header.name for header in seen.headers] == ["host"]


def test_a_backend_gets_neither_fields_of_the_connection_nor_weirs_own(fixture_server, stubs):
    fields = {
        "Connection": "x-secret, TE", "X-Secret": "1", "TE": "trailers", "Keep-Alive": "timeout=5",
        "Proxy-Connection": "keep-alive", "Proxy-Authorization": "a", "Trailer": "x",
        "Upgrade": "x", "HTTP2-Settings": "", "Expect": "100-continue", "X-Serve-Shadow": "1",
        "X-Serve-Backend": "me", "X-Other": " 1\t", "Content-Type": " text/x "}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    head = f"GET http://u.example:1/dynamic HTTP/1.1\r\nHost: x\r\n{lines}\r\n"
    answer = send(fixture_server.data, head.encode())
    seen = stubs.serve.CallRequest.FromString(answer.body)
    assert [(header.name, header.value) for header in seen.headers] == [
        ("host", "u.example:1"), ("x-other", "1")]
    assert seen.content_type == "text/x"
    status, _, body = curl(
        f"http://{fixture_server.data}/dynamic", "-H", "x-serve-shadow: 1",
        "-H", "proxy-authorization: a", "-H", "x-other: 1", "-H", "te: trailers", "-A", "")
    names = [header.name for header in stubs.serve.CallRequest.FromString(body).headers]
    assert status == 200 and set(names) == {"host", "accept", "x-other"}


def test_a_shard_key_is_the_same_however_it_is_written(fixture_server):
    for values in [[" ada"], ["ada"], ["  ada"], ["\tada"], [" ada \t"], ["", " ada"],
                   [" \t", " ada", " bob"]]:
        lines = "".join(f"X-SERVE-SHARD-KEY:{value}\r\n" for value in values)
        head = f"GET /dynamic?key HTTP/1.1\r\nHost: x\r\n{lines}\r\n"
        assert send(fixture_server.data, head.encode()).body == b"ada", values


# MARK: HTTP/2


def test_http2_requests_are_checked_as_http1_ones(port):
    def fields(**changes):
        pseudo = {"method": "GET", "scheme": "http", "path": port.path, "authority": "localhost"}
        others = {key: value for key, value in changes.items() if key not in pseudo}
        pseudo.update({key: value for key, value in changes.items() if key in pseudo})
        first = [(f":{key}", value) for key, value in pseudo.items() if value is not None]
        return first + list(others.items())

    many = {f"x-{number}": "1" for number in range(300)}
    json = {"content-type": "application/json"}
    for what, expected in [
        (fields(**many), 431), (fields(method="POST", **json, **many), 431),
        (fields(), 200), (fields(authority=None, host="localhost"), 200),
        (fields(host="LOCALHOST"), 200), (fields(host="other"), 400),
        # nghttp2 resets these.
        (fields(authority="a b"), None), (fields(authority="a/b"), None),
        (fields(authority=None), None), (fields(path="x"), None), (fields(method="A B"), None),
        (fields(authority="u@localhost"), 400), (fields(method="OPTIONS", path="*"), 204),
        (fields(path="/a%00b"), 400), (fields(expect="x"), 417),
        (fields(expect="100-continue"), 200),
        (fields(path="/\u00e9"), 400),
        (fields(method="CONNECT", scheme=None, path=None), 501),
        (fields(path="/" + "a" * 8_000), 404),
    ]:
        with Peer(port.address) as peer:
            peer.headers(1, what)
            if expected is None:
                assert peer.until(lambda frame: frame.kind == RST_STREAM)
            else:
                assert peer.response(1)[0][":status"] == str(expected), what


def test_an_invalid_http2_request_is_refused_before_its_body(port):
    with Peer(port.address) as peer:
        peer.headers(1, [(":method", "CONNECT"), (":authority", "localhost")], END_HEADERS)
        assert peer.response(1)[0][":status"] == "501"


def test_http2_trailers_are_bounded(port):
    with Peer(port.address) as peer:
        fields = [(":method", "GET"), (":scheme", "http"), (":path", port.path),
            (":authority", "localhost")]
        peer.headers(1, fields, END_HEADERS)
        peer.headers(1, [(f"x-{number}", "1") for number in range(300)])
        assert peer.response(1)[0][":status"] == "431"


def test_metrics_and_health_over_http2(fixture_server):
    for path in ("/metrics", "/healthz"):
        status, _, body = curl(f"http://{fixture_server.admin}{path}")
        assert status == 200 and body
        assert curl("-I", f"http://{fixture_server.admin}{path}")[0] == 200
    assert curl(f"http://{fixture_server.admin}/nothing")[0] == 404
    assert curl("-X", "DELETE", f"http://{fixture_server.admin}/metrics")[0] == 405
    # A gRPC method accepts gRPC, gRPC-Web and Connect.
    method = f"http://{fixture_server.admin}/weir.admin.v1.Admin/GetEndpoint"
    assert curl("-d", "{}", method)[0] == 415
    status, _, _ = curl("-H", "host: evil.example", f"http://{fixture_server.admin}/metrics")
    assert status == 421


def test_an_abandoned_head_is_closed(tmp_path):
    server = start_weir("--limit", "headers-timeout=1", "--limit", "first-request-timeout=1")
    try:
        for first in [b"", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n"]:
            for rest in [b"GET", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-A:"]:
                with Raw(server.data) as raw:
                    raw.send(first)
                    if first:
                        assert raw.answer().status == 404
                    raw.send(rest)
                    started = time.monotonic()
                    assert raw.answer() is None
                    assert time.monotonic() - started < 5
    finally:
        assert server.stop() == 0


def test_errors_repeat_only_part_of_a_request(port):
    long = "a" * 9_000
    for data in [get(port, f"/{long}"), get(port, long), request(port, fields=[long]),
                 request(port, host=f"a/{long}"), request(port, long),
                 request(port, fields=[f"Content-Length: {long}"])]:
        answer = send(port.address, data)
        assert 400 <= answer.status < 500 and len(answer.body) < 1_000


def test_requests_are_the_same_in_any_pieces(port):
    data = request(port, f"GET {port.path} HTTP/1.1", ["Transfer-Encoding: chunked"],
                   body=b"5;x\r\nhello\r\n0\r\nx-t: 1\r\n\r\n") * 2
    for size in (1, 7, 50):
        with Raw(port.address) as raw:
            for start in range(0, len(data), size):
                raw.send(data[start:start + size])
            assert [raw.answer().status for _ in range(2)] == [200, 200]
