"""h2spec's suite "http2", sections 6 to 8: the types of frames, error codes, and requests."""

import struct

import frames

from h2spec import (
    answers, body, connection_error, data, data_of, fields_continued, frame, go_away, headers,
    is_alive, is_alive_or_ends, pong, priority, request, reset, settings, settings_acknowledged,
    stream_error, trailers, window)
from h2spec_streams import ENDS, HTTP2
from peer import (
    ACK, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY,
    PADDED, PING, PRIORITY, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS,
    STREAM_CLOSED, WINDOW_UPDATE)

LARGEST = 0x7FFF_FFFF
INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE = 4, 5

HTTP2.add("6.1", "DATA on stream 0", "RFC 9113 6.1", [data(stream=0)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.1", "DATA on a stream that is neither open nor half-closed (local)", "RFC 9113 6.1",
          [settings((INITIAL_WINDOW_SIZE, 0)), request(), data()], stream_error(STREAM_CLOSED))
HTTP2.add("6.1", "DATA with more padding than payload", "RFC 9113 6.1",
          [headers(after=[("content-length", "4")]),
           frame(DATA, END_STREAM | PADDED, 1, b"\x06test")],
          connection_error(PROTOCOL_ERROR))

HTTP2.add("6.2", "PRIORITY after HEADERS without END_HEADERS", "RFC 9113 6.2",
          [headers(flags=0), priority(1), fields_continued()], connection_error(PROTOCOL_ERROR))
HTTP2.add("6.2", "HEADERS of another stream after HEADERS without END_HEADERS", "RFC 9113 6.2",
          [headers(flags=0), headers(3, flags=ENDS), fields_continued()],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.2", "HEADERS on stream 0", "RFC 9113 6.2", [headers(0, flags=ENDS)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.2", "HEADERS with more padding than payload", "RFC 9113 6.2",
          [headers(flags=ENDS | PADDED, prefix=b"\xff")], stream_error(PROTOCOL_ERROR))

HTTP2.add("6.3", "PRIORITY on stream 0", "RFC 9113 6.3", [priority(0)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.3", "PRIORITY of a length other than 5", "RFC 9113 6.3",
          [headers(flags=ENDS), frame(PRIORITY, 0, 1, b"\x80\0\0\1")],
          stream_error(FRAME_SIZE_ERROR))

HTTP2.add("6.4", "RST_STREAM on stream 0", "RFC 9113 6.4", [reset(0)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.4", "RST_STREAM on an idle stream", "RFC 9113 6.4", [reset(1)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.4", "RST_STREAM of a length other than 4", "RFC 9113 6.4",
          [headers(flags=ENDS), frame(RST_STREAM, 0, 1, bytes(3))], stream_error(FRAME_SIZE_ERROR))

HTTP2.add("6.5", "SETTINGS with ACK and a payload", "RFC 9113 6.5",
          [frame(SETTINGS, ACK, 0, b"\0")], connection_error(FRAME_SIZE_ERROR))
HTTP2.add("6.5", "SETTINGS on a stream", "RFC 9113 6.5",
          [frame(SETTINGS, 0, 1, struct.pack(">HI", 3, 100))], connection_error(PROTOCOL_ERROR))
HTTP2.add("6.5", "SETTINGS of a length that is not a multiple of 6", "RFC 9113 6.5",
          [frame(SETTINGS, 0, 0, b"\0\3\0")], stream_error(FRAME_SIZE_ERROR, PROTOCOL_ERROR))

HTTP2.add("6.5.2", "SETTINGS_ENABLE_PUSH of 2", "RFC 9113 6.5.2", [settings((2, 2))],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.5.2", "SETTINGS_INITIAL_WINDOW_SIZE of 2^31", "RFC 9113 6.5.2",
          [settings((INITIAL_WINDOW_SIZE, 1 << 31))], connection_error(FLOW_CONTROL_ERROR))
HTTP2.add("6.5.2", "SETTINGS_MAX_FRAME_SIZE of 2^14 - 1", "RFC 9113 6.5.2",
          [settings((MAX_FRAME_SIZE, 16_383))], connection_error(PROTOCOL_ERROR))
HTTP2.add("6.5.2", "SETTINGS_MAX_FRAME_SIZE of 2^24", "RFC 9113 6.5.2",
          [settings((MAX_FRAME_SIZE, 1 << 24))], connection_error(PROTOCOL_ERROR))
HTTP2.add("6.5.2", "an unknown parameter of SETTINGS is ignored", "RFC 9113 6.5.2",
          [settings((0xFF, 1)), request()], answers())

HTTP2.add("6.5.3", "the last of several values of a parameter counts", "RFC 9113 6.5.3",
          [settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)),
           settings_acknowledged(2), request()], data_of(1))
HTTP2.add("6.5.3", "SETTINGS are acknowledged", "RFC 9113 6.5.3", [settings((2, 0))],
          settings_acknowledged(2))

HTTP2.add("6.7", "the answer to a PING has its payload", "RFC 9113 6.7",
          [frame(PING, 0, 0, b"whatever")], pong(b"whatever"))
HTTP2.add("6.7", "the answer to a PING is not answered", "RFC 9113 6.7",
          [frame(PING, ACK, 0, b"unasked!"), frame(PING, 0, 0, b"whatever")], pong(b"whatever"))
HTTP2.add("6.7", "PING on a stream", "RFC 9113 6.7", [frame(PING, 0, 1, bytes(8))],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.7", "PING of a length other than 8", "RFC 9113 6.7", [frame(PING, 0, 0, bytes(6))],
          connection_error(FRAME_SIZE_ERROR))

HTTP2.add("6.8", "GOAWAY on a stream", "RFC 9113 6.8", [frame(GOAWAY, 0, 1, bytes(8))],
          connection_error(PROTOCOL_ERROR))

HTTP2.add("6.9", "WINDOW_UPDATE by 0 on stream 0", "RFC 9113 6.9", [window(0, 0)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.9", "WINDOW_UPDATE by 0 on a stream", "RFC 9113 6.9", [headers(), window(1, 0)],
          stream_error(PROTOCOL_ERROR))
HTTP2.add("6.9", "WINDOW_UPDATE of a length other than 4", "RFC 9113 6.9",
          [frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")], connection_error(FRAME_SIZE_ERROR))


def reset_for(code):
    def check(peer):
        error = peer.until(lambda found: found.kind in (RST_STREAM, GOAWAY))
        assert (error.kind, error.stream, error.code) == (RST_STREAM, 1, code), error
    return check


HTTP2.add("6.9.1", "a window of 1 byte is respected", "RFC 9113 6.9.1",
          [settings((INITIAL_WINDOW_SIZE, 1)), settings_acknowledged(2), request()], data_of(1))
HTTP2.add("6.9.1", "a connection's window over 2^31 - 1", "RFC 9113 6.9.1",
          [window(0, LARGEST), window(0, LARGEST)], connection_error(FLOW_CONTROL_ERROR))
HTTP2.add("6.9.1", "a stream's window over 2^31 - 1", "RFC 9113 6.9.1",
          [headers(), window(1, LARGEST), window(1, LARGEST)], reset_for(FLOW_CONTROL_ERROR))

HTTP2.add("6.9.2", "a larger initial window lets a response continue", "RFC 9113 6.9.2",
          [settings((INITIAL_WINDOW_SIZE, 0)), settings_acknowledged(2), request(),
           settings((INITIAL_WINDOW_SIZE, 1))], data_of(1))
# After three bytes, an initial window of 2 makes the stream's window -1.
HTTP2.add("6.9.2", "a window can become negative", "RFC 9113 6.9.2",
          [settings((INITIAL_WINDOW_SIZE, 3)), settings_acknowledged(2), request(), data_of(3),
           settings((INITIAL_WINDOW_SIZE, 2)), settings_acknowledged(1), window(1, 1),
           is_alive, window(1, 1)], data_of(1))
HTTP2.add("6.9.2", "an initial window over 2^31 - 1", "RFC 9113 6.9.2",
          [frame(SETTINGS, 0, 0, b"\0\4\x80\0\0\0")], connection_error(FLOW_CONTROL_ERROR))

HTTP2.add("6.10", "several CONTINUATION frames after HEADERS are accepted", "RFC 9113 6.10",
          [headers(flags=END_STREAM), fields_continued(flags=0), fields_continued()], answers())
HTTP2.add("6.10", "DATA after CONTINUATION without END_HEADERS", "RFC 9113 6.10",
          [headers(flags=0), fields_continued(flags=0), data()], connection_error(PROTOCOL_ERROR))
HTTP2.add("6.10", "CONTINUATION on stream 0", "RFC 9113 6.10",
          [headers(flags=END_STREAM), fields_continued(stream=0)],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.10", "CONTINUATION after HEADERS with END_HEADERS", "RFC 9113 6.10",
          [headers(flags=ENDS), fields_continued()], connection_error(PROTOCOL_ERROR))
HTTP2.add("6.10", "CONTINUATION after CONTINUATION with END_HEADERS", "RFC 9113 6.10",
          [headers(flags=END_STREAM), fields_continued(), fields_continued()],
          connection_error(PROTOCOL_ERROR))
HTTP2.add("6.10", "CONTINUATION after DATA", "RFC 9113 6.10",
          [headers(flags=0), data(), fields_continued(flags=0), fields_continued(stream=0)],
          connection_error(PROTOCOL_ERROR))

HTTP2.add("7", "GOAWAY with an unknown error code has no special effect", "RFC 9113 7",
          [go_away(0xFF)], is_alive_or_ends)
HTTP2.add("7", "RST_STREAM with an unknown error code has no special effect", "RFC 9113 7",
          [headers(), reset(code=0xFF), request(3)], answers(3))

HTTP2.add("8.1", "a second HEADERS frame without END_STREAM", "RFC 9113 8.1",
          [headers(), body(flags=0), trailers(("x-test", "ok"), flags=END_HEADERS)],
          stream_error(PROTOCOL_ERROR))


def malformed(section, title, rfc, **options):
    """A stream error of type PROTOCOL_ERROR (RFC 9113 section 8.1.1)."""
    HTTP2.add(section, title, f"RFC 9113 {rfc}, 8.1.1", [headers(flags=ENDS, **options)],
              stream_error(PROTOCOL_ERROR))


malformed("8.1.2", "a field name with capitals", "8.2.1", after=[("X-TEST", "ok")])

malformed("8.1.2.1", "an unknown pseudo-header field", "8.3", before=[(":test", "ok")])
malformed("8.1.2.1", "a pseudo-header field of responses", "8.3", before=[(":status", "200")])
HTTP2.add("8.1.2.1", "a pseudo-header field in trailers", "RFC 9113 8.1, 8.3",
          [headers(), body(flags=0), trailers((":method", "POST"))], stream_error(PROTOCOL_ERROR))
malformed("8.1.2.1", "a pseudo-header field after a regular field", "8.3",
          before=[("x-test", "ok")])

malformed("8.1.2.2", "a connection-specific field", "8.2.2", after=[("connection", "keep-alive")])
malformed("8.1.2.2", "TE with a value other than 'trailers'", "8.2.2",
          change={"te": "trailers, deflate"})

malformed("8.1.2.3", "an empty :path", "8.3.1", change={":path": ""})
for name in (":method", ":scheme", ":path"):
    malformed("8.1.2.3", f"no {name}", "8.3.1", drop=[name])
for name, value in ((":method", "POST"), (":scheme", "http"), (":path", "/")):
    malformed("8.1.2.3", f"{name} twice", "8.3.1", before=[(name, value)])

HTTP2.add("8.1.2.6", "a content-length other than the length of DATA", "RFC 9113 8.1.1",
          [headers(after=[("content-length", "1")]), data()], stream_error(PROTOCOL_ERROR))
HTTP2.add("8.1.2.6", "a content-length other than the sum of DATA lengths", "RFC 9113 8.1.1",
          [headers(after=[("content-length", "1")]), data(flags=0), data()],
          stream_error(PROTOCOL_ERROR))

HTTP2.add("8.2", "PUSH_PROMISE from a client", "RFC 9113 8.4",
          [lambda peer: peer.send(
              PUSH_PROMISE, END_HEADERS, 1,
              struct.pack(">I", 3) + frames.header_block(peer.target.fields))],
          connection_error(PROTOCOL_ERROR))
