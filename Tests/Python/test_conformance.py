"""What RFC 9113 (HTTP/2) and RFC 7541 (HPACK) demand of a server, case by case, as h2spec lists them; and what
gRPC's `http2` interop tests demand of a server whose client breaks off."""

import struct

import frames
import pytest

from peer import (
    ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, NO_ERROR, PADDED, PING, PRIORITY,
    PRIORITY_FLAG, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
    STREAM_CLOSED, WINDOW_UPDATE, Peer, message, request_fields)

BLOCK = frames.header_block(request_fields())
BODY = message(b"hello")


def begin(peer, stream=1, flags=END_HEADERS, block=BLOCK):
    peer.send(HEADERS, flags, stream, block)


def answered(peer, stream=1, body=BODY):
    """The request of a stream that was begun is completed, and echoed."""
    peer.send(DATA, END_STREAM, stream, body)
    assert peer.response(stream)[1] == body


def fields(change=(), drop=(), add=()):
    """The request's fields, some with other values, without some, and with more behind them."""
    changed = dict(change)
    kept = [(name, changed.get(name, value)) for name, value in request_fields()
            if name not in drop]
    return frames.header_block(kept + list(add))


# What goes well.

def plain(peer):
    begin(peer)
    answered(peer)


def padded_headers(peer):
    peer.send(HEADERS, END_HEADERS | PADDED, 1, b"\x08" + BLOCK + bytes(8))
    answered(peer)


def padded_data(peer):
    begin(peer)
    peer.send(DATA, END_STREAM | PADDED, 1, b"\x08" + BODY + bytes(8))
    assert peer.response(1)[1] == BODY


def headers_with_priority(peer):
    peer.send(HEADERS, END_HEADERS | PRIORITY_FLAG, 1, struct.pack(">IB", 0, 255) + BLOCK)
    answered(peer)


def priority_of_an_idle_stream(peer):
    peer.send(PRIORITY, 0, 3, struct.pack(">IB", 0, 255))
    begin(peer)
    answered(peer)


def priorities_are_not_listened_to(peer):
    # The server has said so in its SETTINGS (RFC 9218 section 2.1), so not even those are errors that were.
    peer.send(PRIORITY, 0, 0, struct.pack(">IB", 0, 255))
    peer.send(PRIORITY, 0, 1, struct.pack(">IB", 1, 255))
    begin(peer)
    answered(peer)


def split_headers(peer):
    parts = [BLOCK[i:i + 20] for i in range(0, len(BLOCK), 20)][:8]
    parts[-1] = BLOCK[sum(map(len, parts[:-1])):]
    begin(peer, flags=0, block=parts[0])
    for part in parts[1:-1]:
        peer.send(CONTINUATION, 0, 1, part)
    peer.send(CONTINUATION, END_HEADERS, 1, parts[-1])
    answered(peer)


def many_pieces_of_data(peer):
    begin(peer)
    for byte in BODY:
        peer.send(DATA, 0, 1, bytes([byte]))
    peer.send(DATA, END_STREAM, 1)
    assert peer.response(1)[1] == BODY


def trailers(peer):
    begin(peer)
    peer.send(DATA, 0, 1, BODY)
    peer.send(HEADERS, END_HEADERS | END_STREAM, 1, frames.header_block([("x-trailer", "1")]))
    assert peer.response(1)[1] == BODY


def unknown_frame_types(peer):
    peer.send(0xBE, 0xFF, 0, b"what?")
    begin(peer)
    peer.send(0xBE, 0, 1, b"what?")
    answered(peer)


def undefined_flags(peer):
    peer.send(PING, 0xF6, 0, bytes(8))
    assert peer.until(lambda frame: frame.kind == PING and frame.flags & ACK)


def the_reserved_bit(peer):
    peer.raw(frames.frame(HEADERS, END_HEADERS, 0x80000001, BLOCK))
    answered(peer)


def the_largest_frame(peer):
    begin(peer)
    payload = bytes(16_384 - 5)
    peer.send(DATA, END_STREAM, 1, message(payload))
    assert peer.response(1)[1] == message(payload)


def unknown_settings(peer):
    peer.settings((0xFF, 1))
    begin(peer)
    answered(peer)


def settings_are_acknowledged(peer):
    peer.settings((4, 100))
    acks = 0
    for frame in peer.frames():
        acks += frame.kind == SETTINGS and frame.flags & ACK
        if acks == 2:
            return
    raise AssertionError("SETTINGS were not acknowledged")


def the_last_of_several_values_counts(peer):
    peer.settings((4, 10), (4, 1))
    begin(peer)
    peer.send(DATA, END_STREAM, 1, BODY)
    data = peer.until(lambda frame: frame.kind == DATA)
    assert len(data.payload) == 1


def pings_are_answered_in_kind(peer):
    peer.send(PING, 0, 0, b"whatever")
    answer = peer.until(lambda frame: frame.kind == PING)
    assert answer.flags & ACK and answer.payload == b"whatever"


def answers_to_pings_are_not_answered(peer):
    peer.send(PING, ACK, 0, b"unasked!")
    peer.send(PING, 0, 0, b"whatever")
    answer = peer.until(lambda frame: frame.kind == PING)
    assert answer.payload == b"whatever"


def unknown_error_codes(peer):
    begin(peer)
    peer.reset(1, 0xFF)
    begin(peer, 3)
    answered(peer, 3)


def a_small_window_is_kept_to(peer):
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


def a_window_made_negative_is_waited_for(peer):
    peer.settings((4, 3))
    begin(peer)
    peer.send(DATA, END_STREAM, 1, BODY)
    assert len(peer.until(lambda frame: frame.kind == DATA).payload) == 3
    peer.settings((4, 1))
    # The window is -2 now: two more give nothing, three give one.
    peer.window(1, 2)
    assert peer.is_alive()
    peer.window(1, 1)
    assert len(peer.until(lambda frame: frame.kind == DATA).payload) == 1


def a_larger_window_lets_more_through(peer):
    peer.settings((4, 0))
    begin(peer)
    peer.send(DATA, END_STREAM, 1, BODY)
    assert peer.until(lambda frame: frame.kind == HEADERS)
    peer.settings((4, 100))
    assert peer.until(lambda frame: frame.kind == DATA).payload == BODY


def hpack_indexed_and_huffman(peer):
    import hpack
    encoder = hpack.Encoder()
    for stream in (1, 3, 5):
        # From the second on most fields are one byte of the dynamic table.
        begin(peer, stream, block=encoder.encode(request_fields()))
        answered(peer, stream)


def hpack_a_smaller_table(peer):
    import hpack
    encoder = hpack.Encoder()
    begin(peer, block=encoder.encode(request_fields()))
    answered(peer)
    encoder.header_table_size = 0
    begin(peer, 3, block=encoder.encode(request_fields()))
    answered(peer, 3)


def two_size_updates_at_the_start(peer):
    begin(peer, block=b"\x20\x3f\xe1\x1f" + BLOCK)
    answered(peer)


GOOD = [
    plain, padded_headers, padded_data, headers_with_priority, priority_of_an_idle_stream,
    priorities_are_not_listened_to, split_headers, many_pieces_of_data, trailers, unknown_frame_types, undefined_flags,
    the_reserved_bit, the_largest_frame, unknown_settings, settings_are_acknowledged,
    the_last_of_several_values_counts, pings_are_answered_in_kind,
    answers_to_pings_are_not_answered, unknown_error_codes, a_small_window_is_kept_to,
    a_window_made_negative_is_waited_for, a_larger_window_lets_more_through,
    hpack_indexed_and_huffman, hpack_a_smaller_table, two_size_updates_at_the_start,
]


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.__name__)
def test_what_is_allowed_works(fixture_server, case):
    with Peer(fixture_server.data) as peer:
        case(peer)
        assert peer.is_alive()


# What breaks the connection.

def raw(*parts):
    return lambda peer: [peer.raw(part) for part in parts]


def frame(*arguments):
    return lambda peer: peer.send(*arguments)


def after_headers(*arguments, flags=END_HEADERS):
    """A frame behind HEADERS that leave the stream open."""
    def case(peer):
        begin(peer, flags=flags)
        peer.send(*arguments)
    return case


WRONG = {
    "3.4 a preface that is none": (
        lambda peer: peer.raw(b"INVALID CONNECTION PREFACE\r\n\r\n"), {PROTOCOL_ERROR}),
    "3.4 no SETTINGS first": (None, {PROTOCOL_ERROR}),
    "4.2 DATA larger than allowed": (
        after_headers(DATA, END_STREAM, 1, bytes(16_385)), {FRAME_SIZE_ERROR}),
    "4.2 HEADERS larger than allowed": (
        frame(HEADERS, END_HEADERS, 1, BLOCK + bytes(16_384)), {FRAME_SIZE_ERROR}),
    "4.3 a header block that can't be read": (
        frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x40\xff\xff\xff\xff\xff\xff\xff\xff"),
        {COMPRESSION_ERROR, PROTOCOL_ERROR}),
    "4.3 PRIORITY within a header block": (
        after_headers(PRIORITY, 0, 1, struct.pack(">IB", 0, 255), flags=0), {PROTOCOL_ERROR}),
    "4.3 HEADERS of another stream within a header block": (
        after_headers(HEADERS, END_HEADERS, 3, BLOCK, flags=0), {PROTOCOL_ERROR}),
    "5.5 an unknown frame within a header block": (
        after_headers(0xBE, 0, 1, b"", flags=0), {PROTOCOL_ERROR}),
    "5.1 DATA on an idle stream": (frame(DATA, END_STREAM, 1, b"x"), {PROTOCOL_ERROR}),
    "5.1 RST_STREAM on an idle stream": (
        frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)), {PROTOCOL_ERROR}),
    "5.1 WINDOW_UPDATE on an idle stream": (
        frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 100)), {PROTOCOL_ERROR}),
    "5.1 CONTINUATION on an idle stream": (
        frame(CONTINUATION, END_HEADERS, 1, b""), {PROTOCOL_ERROR}),
    "5.1.1 a stream with an even number": (frame(HEADERS, END_HEADERS, 2, BLOCK), {PROTOCOL_ERROR}),
    "6.1 DATA on stream 0": (frame(DATA, END_STREAM, 0, b"x"), {PROTOCOL_ERROR}),
    "6.1 DATA padded by more than there is": (
        after_headers(DATA, END_STREAM | PADDED, 1, b"\xffab"), {PROTOCOL_ERROR}),
    "6.2 HEADERS on stream 0": (frame(HEADERS, END_HEADERS, 0, BLOCK), {PROTOCOL_ERROR}),
    "6.2 HEADERS padded by more than there is": (
        frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + BLOCK[:8]), {PROTOCOL_ERROR}),
    "6.4 RST_STREAM on stream 0": (
        frame(RST_STREAM, 0, 0, struct.pack(">I", CANCEL)), {PROTOCOL_ERROR}),
    "6.4 RST_STREAM of another length": (
        after_headers(RST_STREAM, 0, 1, b"\0\0\0"), {FRAME_SIZE_ERROR}),
    "6.5 SETTINGS ACK with a payload": (frame(SETTINGS, ACK, 0, b"\0"), {FRAME_SIZE_ERROR}),
    "6.5 SETTINGS on a stream": (
        frame(SETTINGS, 0, 1, struct.pack(">HI", 3, 100)), {PROTOCOL_ERROR}),
    "6.5 SETTINGS of another length": (frame(SETTINGS, 0, 0, bytes(3)), {FRAME_SIZE_ERROR}),
    "6.5.2 ENABLE_PUSH of 2": (lambda peer: peer.settings((2, 2)), {PROTOCOL_ERROR}),
    "6.5.2 INITIAL_WINDOW_SIZE over the maximum": (
        lambda peer: peer.settings((4, 1 << 31)), {FLOW_CONTROL_ERROR}),
    "6.5.2 MAX_FRAME_SIZE below the least": (
        lambda peer: peer.settings((5, 16_383)), {PROTOCOL_ERROR}),
    "6.5.2 MAX_FRAME_SIZE over the maximum": (
        lambda peer: peer.settings((5, 1 << 24)), {PROTOCOL_ERROR}),
    "6.7 PING on a stream": (frame(PING, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    "6.7 PING of another length": (frame(PING, 0, 0, bytes(6)), {FRAME_SIZE_ERROR}),
    "6.8 GOAWAY on a stream": (frame(GOAWAY, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    "6.9 WINDOW_UPDATE by 0": (lambda peer: peer.window(0, 0), {PROTOCOL_ERROR}),
    "6.9 WINDOW_UPDATE of another length": (
        frame(WINDOW_UPDATE, 0, 0, b"\0\0\1"), {FRAME_SIZE_ERROR}),
    "6.9.1 the connection's window over the maximum": (
        lambda peer: peer.window(0, 0x7FFFFFFF), {FLOW_CONTROL_ERROR}),
    "6.10 CONTINUATION behind END_HEADERS": (
        after_headers(CONTINUATION, END_HEADERS, 1, b""), {PROTOCOL_ERROR}),
    "6.10 CONTINUATION on stream 0": (
        after_headers(CONTINUATION, END_HEADERS, 0, b"", flags=0), {PROTOCOL_ERROR}),
    "8.4 PUSH_PROMISE from a client": (
        after_headers(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + BLOCK),
        {PROTOCOL_ERROR}),
    "HPACK 2.3.3 an index beyond the tables": (
        frame(HEADERS, END_HEADERS, 1, BLOCK + b"\xff\x23"), {COMPRESSION_ERROR}),
    "HPACK 4.2 a size update at the end": (
        frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x20"), {COMPRESSION_ERROR}),
    "HPACK 5.2 padding of more than seven bits": (
        frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
        {COMPRESSION_ERROR}),
    "HPACK 5.2 padding of zeros": (
        frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"),
        {COMPRESSION_ERROR}),
    "HPACK 5.2 the symbol EOS": (
        frame(HEADERS, END_HEADERS, 1,
              BLOCK + b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"),
        {COMPRESSION_ERROR}),
    "HPACK 6.1 index 0": (frame(HEADERS, END_HEADERS, 1, BLOCK + b"\x80"), {COMPRESSION_ERROR}),
    "HPACK 6.3 a larger table than allowed": (
        frame(HEADERS, END_HEADERS, 1, b"\x3f\xe2\x1f" + BLOCK), {COMPRESSION_ERROR}),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_breaks_the_connection(fixture_server, name):
    case, codes = WRONG[name]
    greets = not name.startswith("3.4")
    with Peer(fixture_server.data, greets=greets) as peer:
        if case is None:
            peer.raw(frames.PREFACE)
            begin(peer)
        else:
            case(peer)
        code, _ = peer.ended()
        # RFC 9113 section 5.4.1: a GOAWAY may be left out, or be lost when the socket closes.
        assert code in codes | {NO_ERROR}
    with Peer(fixture_server.data) as peer:
        plain(peer)


# What breaks a stream.

def on_a_closed_stream(*arguments):
    def case(peer):
        begin(peer)
        answered(peer)
        peer.send(*arguments)
    return case


def on_a_reset_stream(*arguments):
    def case(peer):
        begin(peer)
        peer.reset(1)
        peer.send(*arguments)
    return case


def half_closed(*arguments):
    def case(peer):
        # An upload whose answer takes its time.
        peer.headers(1, request_fields("/test.Raw/Wait"), END_HEADERS)
        peer.send(DATA, END_STREAM, 1, BODY)
        peer.send(*arguments)
    return case


def block(*arguments, **options):
    return lambda peer: begin(peer, flags=END_HEADERS | END_STREAM, block=fields(
        *arguments, **options))


STREAM_ERRORS = {
    "5.1 DATA on a half-closed stream": (half_closed(DATA, END_STREAM, 1, b"x"), {STREAM_CLOSED}),
    "5.1 HEADERS on a half-closed stream": (
        half_closed(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK), {STREAM_CLOSED}),
    "5.3.1 a stream that depends on itself": (
        frame(HEADERS, END_HEADERS | PRIORITY_FLAG, 1, struct.pack(">IB", 1, 255) + BLOCK),
        {PROTOCOL_ERROR}),
    "6.3 PRIORITY of another length": (frame(PRIORITY, 0, 1, bytes(4)), {FRAME_SIZE_ERROR}),
    "6.9 WINDOW_UPDATE of a stream by 0": (
        lambda peer: (begin(peer), peer.window(1, 0)), {PROTOCOL_ERROR}),
    "6.9.1 a stream's window over the maximum": (
        lambda peer: (begin(peer), peer.window(1, 0x7FFFFFFF)), {FLOW_CONTROL_ERROR}),
    "8.1 a second HEADERS that doesn't end": (
        lambda peer: (begin(peer), begin(peer)), {PROTOCOL_ERROR}),
    "8.2 a name in capitals": (block(add=[("X-TEST", "ok")]), {PROTOCOL_ERROR}),
    "8.3 an unknown pseudo-header": (
        lambda peer: begin(peer, block=frames.header_block([(":test", "ok")]) + BLOCK),
        {PROTOCOL_ERROR}),
    "8.3 a pseudo-header of responses": (
        lambda peer: begin(peer, block=frames.header_block([(":status", "200")]) + BLOCK),
        {PROTOCOL_ERROR}),
    "8.3 a pseudo-header in trailers": (
        lambda peer: (begin(peer), begin(peer, flags=END_HEADERS | END_STREAM,
                                         block=frames.header_block([(":method", "POST")]))),
        {PROTOCOL_ERROR}),
    "8.3 a pseudo-header behind others": (
        block(drop=[":path"], add=[(":path", "/")]), {PROTOCOL_ERROR}),
    "8.2.2 connection": (block(add=[("connection", "keep-alive")]), {PROTOCOL_ERROR}),
    "8.2.2 te other than trailers": (block({"te": "trailers, deflate"}), {PROTOCOL_ERROR}),
    "8.3.1 an empty path": (block({":path": ""}), {PROTOCOL_ERROR}),
    "8.3.1 no method": (block(drop=[":method"]), {PROTOCOL_ERROR}),
    "8.3.1 no scheme": (block(drop=[":scheme"]), {PROTOCOL_ERROR}),
    "8.3.1 no path": (block(drop=[":path"]), {PROTOCOL_ERROR}),
    "8.3.1 two methods": (
        lambda peer: begin(peer, block=frames.header_block([(":method", "POST")]) + BLOCK),
        {PROTOCOL_ERROR}),
    "8.3.1 two schemes": (
        lambda peer: begin(peer, block=frames.header_block([(":scheme", "http")]) + BLOCK),
        {PROTOCOL_ERROR}),
    "8.3.1 two paths": (
        lambda peer: begin(peer, block=frames.header_block([(":path", "/")]) + BLOCK),
        {PROTOCOL_ERROR}),
    "8.1.1 more DATA than content-length says": (
        lambda peer: (begin(peer, block=fields(add=[("content-length", "1")])),
                      peer.send(DATA, END_STREAM, 1, BODY)), {PROTOCOL_ERROR}),
    "8.1.1 less DATA than content-length says": (
        lambda peer: (begin(peer, block=fields(add=[("content-length", "99")])),
                      peer.send(DATA, END_STREAM, 1, BODY)), {PROTOCOL_ERROR}),
    "8.2.1 a line break in a value": (block(add=[("x-test", "a\r\nb")]), {PROTOCOL_ERROR}),
    "8.2.1 a space in a name": (block(add=[("x test", "ok")]), {PROTOCOL_ERROR}),
}


@pytest.mark.parametrize("name", STREAM_ERRORS)
def test_what_breaks_a_stream(fixture_server, name):
    case, codes = STREAM_ERRORS[name]
    with Peer(fixture_server.data) as peer:
        case(peer)
        # RFC 9113 section 5.4.2: a stream error may be treated as one of the connection.
        broken = peer.until(lambda frame: frame.kind in (RST_STREAM, GOAWAY))
        assert broken is None or broken.code in codes, broken
        if broken and broken.kind == RST_STREAM:
            begin(peer, 101)
            answered(peer, 101)
    with Peer(fixture_server.data) as peer:
        plain(peer)


# Frames for a stream that has ended are an error or ignored, and never reach a handler.
@pytest.mark.parametrize("case", [
    on_a_closed_stream(DATA, END_STREAM, 1, BODY),
    on_a_closed_stream(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK),
    on_a_closed_stream(CONTINUATION, END_HEADERS, 1, BLOCK),
    on_a_closed_stream(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)),
    on_a_closed_stream(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1)),
    # Section 5.1.1 would have the connection end; nghttp2 takes it for trailers that were on their way.
    lambda peer: (begin(peer, 5, END_HEADERS | END_STREAM), begin(peer, 3)),
    on_a_reset_stream(DATA, END_STREAM, 1, BODY),
    on_a_reset_stream(HEADERS, END_HEADERS | END_STREAM, 1, BLOCK),
])
def test_frames_for_streams_that_have_ended(fixture_server, case):
    with Peer(fixture_server.data) as peer:
        case(peer)
        if peer.is_alive():
            begin(peer, 101)
            answered(peer, 101)
    with Peer(fixture_server.data) as peer:
        plain(peer)


# gRPC's `http2` interop tests ("negative http2"), with the roles of client and server exchanged; test_faults.py has them
# as gRPC specifies them.


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


def test_streams_beyond_the_limit_are_refused_and_the_others_go_on(fixture_server):
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
