"""h2spec's suite "http2", sections 3 to 5: the preface, frames, and the states of streams."""

import frames

from h2spec import (
    Suite, answers, connection_error, data, fields_continued, finished, frame, greeting, headers,
    is_alive, pong, priority, raw, request, reset, settings, stream_error, window)
from peer import (
    COMPRESSION_ERROR, END_HEADERS, END_STREAM, FRAME_SIZE_ERROR, GOAWAY, HEADERS, PING,
    PRIORITY_FLAG, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED)

HTTP2 = Suite("http2")
UNKNOWN = 0x16
ENDS = END_HEADERS | END_STREAM

HTTP2.add("3.5", "the first frame of the server is SETTINGS", "RFC 9113 3.4",
          [raw(frames.PREFACE), settings()], greeting, greets=False)


def ends_after_http1_response(peer):
    assert peer.input.read().startswith(b"HTTP/1.1 400 ")


HTTP2.add("3.5", "an invalid preface ends the connection", "RFC 9113 3.4",
          [raw(b"NO CLIENT PREFACE AT ALL\r\n\r\n")], ends_after_http1_response, greets=False)

HTTP2.add("4.1", "a frame of unknown type is ignored", "RFC 9113 4.1, 5.5",
          [frame(UNKNOWN, 0, 0, bytes(8))], is_alive)
HTTP2.add("4.1", "undefined flags are ignored", "RFC 9113 4.1",
          [frame(PING, 0x16, 0, b"12345678")], pong(b"12345678"))
HTTP2.add("4.1", "the reserved bit is ignored", "RFC 9113 4.1",
          [frame(PING, 0x16, 0x8000_0000, b"12345678")], pong(b"12345678"))

HTTP2.add("4.2", "DATA of 16,384 bytes is accepted", "RFC 9113 4.2",
          [headers(), data(b"\0\0\0\x3f\xfb" + bytes(16_379))], answers())
HTTP2.add("4.2", "DATA over SETTINGS_MAX_FRAME_SIZE", "RFC 9113 4.2",
          [headers(), data(bytes(16_385))], stream_error(FRAME_SIZE_ERROR))
HTTP2.add("4.2", "HEADERS over SETTINGS_MAX_FRAME_SIZE", "RFC 9113 4.2",
          [headers(flags=ENDS, after=[(f"x-{n}", "x" * 4_000) for n in range(5)])],
          connection_error(FRAME_SIZE_ERROR))

HTTP2.add("4.3", "a truncated header block", "RFC 9113 4.3", [frame(HEADERS, ENDS, 1, b"\x40")],
          connection_error(COMPRESSION_ERROR))
HTTP2.add("4.3", "PRIORITY within a header block", "RFC 9113 4.3",
          [headers(flags=0), priority(1), fields_continued()], connection_error(PROTOCOL_ERROR))
HTTP2.add("4.3", "HEADERS of another stream within a header block", "RFC 9113 4.3",
          [headers(flags=0), headers(3, flags=ENDS), fields_continued()],
          connection_error(PROTOCOL_ERROR))

HTTP2.add("5.1", "DATA on an idle stream", "RFC 9113 5.1, 6.1", [data()],
          stream_error(PROTOCOL_ERROR, STREAM_CLOSED))
HTTP2.add("5.1", "RST_STREAM on an idle stream", "RFC 9113 5.1, 6.4", [reset()],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("5.1", "WINDOW_UPDATE on an idle stream", "RFC 9113 5.1", [window(1, 100)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("5.1", "CONTINUATION on an idle stream", "RFC 9113 5.1, 6.10", [fields_continued()],
          connection_error(PROTOCOL_ERROR))


def held(*steps):
    """The steps on stream 1, which is half-closed (remote): its response waits for a window."""
    return [settings((4, 0)), request(), *steps]


HTTP2.add("5.1", "DATA on a half-closed (remote) stream", "RFC 9113 5.1", held(data()),
          stream_error(STREAM_CLOSED))
HTTP2.add("5.1", "HEADERS on a half-closed (remote) stream", "RFC 9113 5.1",
          held(headers(flags=ENDS)), stream_error(STREAM_CLOSED))
HTTP2.add("5.1", "CONTINUATION on a half-closed (remote) stream", "RFC 9113 5.1, 6.10",
          held(fields_continued()), stream_error(STREAM_CLOSED, PROTOCOL_ERROR))
HTTP2.add("5.1", "DATA after RST_STREAM", "RFC 9113 5.1, 6.1", [headers(), reset(), data()],
          stream_error(STREAM_CLOSED))
HTTP2.add("5.1", "HEADERS after RST_STREAM", "RFC 9113 5.1",
          [headers(), reset(), headers(flags=ENDS)], stream_error(STREAM_CLOSED))
HTTP2.add("5.1", "CONTINUATION after RST_STREAM", "RFC 9113 5.1, 6.10",
          [headers(), reset(), fields_continued()], stream_error(STREAM_CLOSED, PROTOCOL_ERROR))
HTTP2.add("5.1", "DATA on a stream that both sides have ended", "RFC 9113 5.1, 6.1",
          [finished(), data()], stream_error(STREAM_CLOSED))
HTTP2.add("5.1", "HEADERS on a stream that both sides have ended", "RFC 9113 5.1",
          [finished(), headers(flags=ENDS)], connection_error(STREAM_CLOSED))
HTTP2.add("5.1", "CONTINUATION on a stream that both sides have ended", "RFC 9113 5.1, 6.10",
          [finished(), fields_continued()], connection_error(STREAM_CLOSED, PROTOCOL_ERROR))

HTTP2.add("5.1.1", "an even stream id", "RFC 9113 5.1.1", [headers(2, flags=ENDS)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("5.1.1", "a stream id below the previous one", "RFC 9113 5.1.1",
          [headers(5, flags=ENDS), headers(3, flags=ENDS)], connection_error(PROTOCOL_ERROR))


def one_stream_too_many(peer):
    """SETTINGS_MAX_CONCURRENT_STREAMS is 256; a window of 0 keeps the streams open."""
    settings((4, 0))(peer)
    for stream in range(1, 515, 2):
        request(stream)(peer)


def refused(peer):
    error = peer.until(lambda found: found.kind in (7, 3))
    assert (error.stream, error.code) in ((513, REFUSED_STREAM), (513, PROTOCOL_ERROR)), error


HTTP2.add("5.1.2", "a stream over SETTINGS_MAX_CONCURRENT_STREAMS", "RFC 9113 5.1.2",
          [one_stream_too_many], refused)

HTTP2.add("5.3.1", "HEADERS of a stream that depends on itself",
          "RFC 7540 5.3.1; RFC 9113 5.3.2 leaves it open",
          [headers(flags=ENDS | PRIORITY_FLAG, prefix=b"\0\0\0\1\xff")],
          stream_error(PROTOCOL_ERROR))
HTTP2.add("5.3.1", "PRIORITY of a stream that depends on itself is ignored", "RFC 9113 5.3.2",
          [priority(1, depends_on=1), request()], answers())

HTTP2.add("5.4.1", "the server closes the connection after a connection error", "RFC 9113 5.4.1",
          [frame(PING, 0, 3, bytes(8))], lambda peer: peer.ended())


def goes_away(peer):
    assert peer.until(lambda found: found.kind == GOAWAY).code == PROTOCOL_ERROR


HTTP2.add("5.4.1", "the server sends GOAWAY before it closes the connection", "RFC 9113 5.4.1",
          [frame(PING, 0, 3, bytes(8))], goes_away)

HTTP2.add("5.5", "an unknown frame is ignored", "RFC 9113 5.5",
          [frame(UNKNOWN, 0xFF, 0, bytes(8)), request()], answers())
HTTP2.add("5.5", "an unknown frame within a header block", "RFC 9113 5.5",
          [headers(flags=END_STREAM), frame(UNKNOWN, 0, 0, bytes(8))],
          connection_error(PROTOCOL_ERROR))
