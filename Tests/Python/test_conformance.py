"""Requirements of RFC 9113 (HTTP/2) and RFC 7541 (HPACK) beyond h2spec's cases (test_h2spec.py).

Also gRPC's `http2` interop tests, with the roles of client and server exchanged.
"""

import struct

import frames
import hpack
import pytest

from peer import (
    CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY, HEADERS,
    NO_ERROR, PING, PRIORITY, PROTOCOL_ERROR, REFUSED_STREAM, RST_STREAM, STREAM_CLOSED,
    WINDOW_UPDATE, Peer, message, request_fields)

BLOCK = frames.header_block(request_fields())
BODY = message(b"hello")


def begin(peer, stream=1, flags=END_HEADERS, block=BLOCK):
    peer.send(HEADERS, flags, stream, block)


def answered(peer, stream=1, body=BODY):
    """Completes the started request of a stream, and reads the echo."""
    peer.send(DATA, END_STREAM, stream, body)
    assert peer.response(stream)[1] == body


def plain(peer, stream=1):
    begin(peer, stream)
    answered(peer, stream)


def serves_on(peer):
    assert peer.is_alive()
    plain(peer, 101)


# Input that a server must accept.


def headers_in_nine_frames(peer):
    """As many CONTINUATION frames as the server accepts."""
    parts = [BLOCK[i:i + 10] for i in range(0, 80, 10)] + [BLOCK[80:]]
    begin(peer, flags=0, block=parts[0])
    for part in parts[1:-1]:
        peer.send(CONTINUATION, 0, 1, part)
    peer.send(CONTINUATION, END_HEADERS, 1, parts[-1])
    answered(peer)


def data_byte_by_byte(peer):
    begin(peer)
    for byte in BODY:
        peer.send(DATA, 0, 1, bytes([byte]))
    peer.send(DATA, END_STREAM, 1)
    assert peer.response(1)[1] == BODY


def unknown_frames_on_a_stream(peer):
    begin(peer)
    peer.send(0xBE, 0xFF, 1, b"what?")
    answered(peer)


def the_reserved_bit_of_a_stream_id(peer):
    peer.raw(frames.frame(HEADERS, END_HEADERS, 0x80000001, BLOCK))
    answered(peer)


def a_window_of_one_byte(peer):
    peer.settings((4, 1))
    begin(peer)
    peer.send(DATA, END_STREAM, 1, BODY)
    got = b""
    while len(got) < len(BODY):
        data = peer.until(lambda frame: frame.kind == DATA and frame.payload)
        assert len(data.payload) == 1
        got += data.payload
        peer.window(1, 1)
    assert got == BODY


def indexed_and_huffman_coded_fields(peer):
    encoder = hpack.Encoder()
    for stream in (1, 3, 5):
        # From the second request on, most fields are one byte, an index of the dynamic table.
        begin(peer, stream, block=encoder.encode(request_fields()))
        answered(peer, stream)


def a_smaller_dynamic_table(peer):
    encoder = hpack.Encoder()
    begin(peer, block=encoder.encode(request_fields()))
    answered(peer)
    encoder.header_table_size = 0
    begin(peer, 3, block=encoder.encode(request_fields()))
    answered(peer, 3)


ACCEPTED = [
    headers_in_nine_frames, data_byte_by_byte, unknown_frames_on_a_stream,
    the_reserved_bit_of_a_stream_id, a_window_of_one_byte, indexed_and_huffman_coded_fields,
    a_smaller_dynamic_table,
]


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.__name__)
def test_a_server_accepts(fixture_server, case):
    with Peer(fixture_server.data) as peer:
        case(peer)
        assert peer.is_alive()


# Malformed input.


def test_a_connection_begins_with_settings(fixture_server):
    """Section 3.4."""
    with Peer(fixture_server.data, greets=False) as peer:
        peer.raw(frames.PREFACE)
        begin(peer)
        assert peer.ended()[0] == PROTOCOL_ERROR


@pytest.mark.parametrize("field", [("x-test", "a\r\nb"), ("x test", "ok")])
def test_invalid_fields_break_their_stream(fixture_server, field):
    """Sections 8.1.1 and 8.2.1."""
    with Peer(fixture_server.data) as peer:
        begin(peer, flags=END_HEADERS | END_STREAM,
              block=frames.header_block([*request_fields(), field]))
        error = peer.until(lambda frame: frame.kind in (RST_STREAM, GOAWAY))
        assert (error.kind, error.stream, error.code) == (RST_STREAM, 1, PROTOCOL_ERROR)
        serves_on(peer)


# Frames for streams that are closed (section 5.1).


def frame_of(kind):
    return {
        DATA: BODY, HEADERS: BLOCK, PRIORITY: bytes(5), RST_STREAM: struct.pack(">I", CANCEL),
        WINDOW_UPDATE: struct.pack(">I", 1)}[kind]


def closed_by_both(peer):
    plain(peer)


def reset_by_the_client(peer):
    begin(peer)
    peer.reset(1)


def reset_by_the_server(peer):
    """The server responds before the request has ended, and stops it with RST_STREAM (section 8.1).
    """
    peer.headers(1, request_fields("/no.Such/Method"), END_HEADERS)
    assert peer.status(1) == 12
    stopped = peer.until(lambda frame: frame.kind == RST_STREAM)
    assert stopped.code == NO_ERROR


CLOSED = [closed_by_both, reset_by_the_client, reset_by_the_server]


@pytest.mark.parametrize("kind", [PRIORITY, RST_STREAM, WINDOW_UPDATE])
@pytest.mark.parametrize("close", CLOSED, ids=lambda close: close.__name__)
def test_frames_that_may_arrive_late_are_ignored(fixture_server, close, kind):
    with Peer(fixture_server.data) as peer:
        close(peer)
        peer.send(kind, 0, 1, frame_of(kind))
        serves_on(peer)


@pytest.mark.parametrize("kind", [DATA, HEADERS])
def test_frames_that_a_client_sent_before_it_received_a_reset_are_ignored(fixture_server, kind):
    with Peer(fixture_server.data) as peer:
        reset_by_the_server(peer)
        peer.send(DATA, 0, 1, BODY)
        peer.send(kind, END_HEADERS | END_STREAM, 1, frame_of(kind))
        peer.send(PING, 0, 0, b"are you?")
        first = peer.until(lambda frame: frame.kind in (PING, RST_STREAM, GOAWAY))
        assert first.kind == PING
        plain(peer, 3)


def test_data_after_the_end_of_a_request_that_the_server_has_reset(fixture_server):
    with Peer(fixture_server.data) as peer:
        reset_by_the_server(peer)
        peer.send(DATA, END_STREAM, 1, BODY)
        peer.send(DATA, END_STREAM, 1, BODY)
        error = peer.until(lambda frame: frame.kind in (RST_STREAM, GOAWAY))
        assert (error.kind, error.stream, error.code) == (RST_STREAM, 1, STREAM_CLOSED)
        serves_on(peer)


@pytest.mark.parametrize(
    "close", [closed_by_both, reset_by_the_client], ids=lambda close: close.__name__)
@pytest.mark.parametrize("body", [b"", BODY], ids=["empty", "with content"])
def test_each_data_on_a_closed_stream_is_an_error_of_that_stream(fixture_server, close, body):
    with Peer(fixture_server.data) as peer:
        close(peer)
        begin(peer, 3)
        for _ in range(3):
            peer.send(DATA, 0, 1, body)
            error = peer.until(lambda frame: frame.kind in (RST_STREAM, GOAWAY))
            assert (error.kind, error.stream, error.code) == (RST_STREAM, 1, STREAM_CLOSED)
        # Other calls on the connection continue.
        answered(peer, 3)


def test_data_on_a_closed_stream_without_end_ends_the_connection(fixture_server):
    with Peer(fixture_server.data) as peer:
        closed_by_both(peer)
        for _ in range(100):
            peer.raw(frames.frame(DATA, 0, 1, b"x") * 200)
        assert peer.ended()[0] == ENHANCE_YOUR_CALM


# gRPC's `http2` interop tests ("negative http2"); test_faults.py has them as gRPC specifies them.


def test_goaway_from_a_client_lets_running_calls_finish(fixture_server):
    with Peer(fixture_server.data) as peer:
        begin(peer)
        peer.send(GOAWAY, 0, 0, struct.pack(">II", 0, NO_ERROR))
        answered(peer)


@pytest.mark.parametrize("when", ["after the headers", "during the body", "after the body"])
def test_a_reset_ends_one_call_and_no_other(fixture_server, when):
    with Peer(fixture_server.data) as peer:
        begin(peer)
        peer.headers(3, request_fields("/test.Raw/Wait"), END_HEADERS)
        if when != "after the headers":
            peer.send(DATA, END_STREAM if when == "after the body" else 0, 3,
                      BODY if when == "after the body" else BODY[:7])
        peer.reset(3)
        answered(peer)
        assert peer.is_alive()


def test_pings_between_the_parts_of_a_call_are_answered(fixture_server):
    with Peer(fixture_server.data) as peer:
        begin(peer)
        peer.send(PING, 0, 0, b"12345678")
        assert peer.until(lambda frame: frame.kind == PING).payload == b"12345678"
        answered(peer)
        peer.send(PING, 0, 0, b"87654321")
        assert peer.until(lambda frame: frame.kind == PING).payload == b"87654321"


def test_streams_beyond_the_limit_are_refused_and_the_others_continue(fixture_server):
    with Peer(fixture_server.data) as peer:
        for number in range(256):
            begin(peer, 2 * number + 1)
        begin(peer, 513)
        refused = peer.until(lambda frame: frame.kind in (RST_STREAM, GOAWAY))
        assert (refused.kind, refused.stream, refused.code) == (RST_STREAM, 513, REFUSED_STREAM)
        for number in (0, 255):
            answered(peer, 2 * number + 1)
        begin(peer, 515)
        answered(peer, 515)
