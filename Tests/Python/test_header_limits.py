"""The count of requests that a limit of headers refuses."""

import socket

from conftest import SECONDS, metric, start_demo
from peer import END_HEADERS, Peer, request_fields

SAY_HELLO = "/helloworld.Greeter/SayHello"


def test_requests_over_a_limit_of_headers_are_counted():
    server = start_demo(
        "--limit", "max-header-list-bytes=1000", "--limit", "max-header-fields=12")

    def refused():
        return metric(server, 'weir_requests_refused_total{reason="headers"}')

    large, many = ("x-large", "a" * 2_000), [(f"x-{number}", "a") for number in range(20)]
    get = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
    def status(address, head):
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), SECONDS) as client:
            client.sendall(head.encode() + b"\r\n\r\n")
            return client.recv(12).decode().split()[1]

    assert refused() == 0
    with Peer(server.data) as peer:
        requests = [
            [*request_fields(SAY_HELLO), large], [*request_fields(SAY_HELLO), *many],
            [*get, large], [*get, *many],
        ]
        for number, fields in enumerate(requests):
            peer.headers(2 * number + 1, fields)
            peer.response(2 * number + 1)
            assert refused() == number + 1
        # Headers within the limits.
        peer.request(101, SAY_HELLO)
        assert peer.status(101) == 0
        peer.headers(103, request_fields(SAY_HELLO), END_HEADERS)
        peer.headers(103, [large])
        assert peer.status(103) == 8
    assert refused() == 5
    heads = [
        "GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + "a" * 2_000,
        "GET / HTTP/1.1\r\nHost: a\r\n" + "X: a\r\n" * 20 + "Y: a",
        "GET /" + "a" * 2_000 + " HTTP/1.1\r\nHost: a",
    ]
    for number, head in enumerate(heads):
        assert status(server.data, head) in ("431", "414")
        assert refused() == 6 + number
    # Other invalid requests, and those to the admin port, are not counted.
    assert status(server.data, "GET / HTTP/1.1\r\nX Y: a") == "400"
    assert status(server.admin, heads[0]) == "431"
    assert refused() == 8
    assert server.stop() == 0
