"""h2spec's suites "generic" (input that a server must accept) and "hpack" (that it must reject)."""

import frames
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from h2spec import (
    Suite, answers, block, body, connection_error, data, data_of, finished, frame,
    go_away, greeting, headers, is_alive, is_alive_or_ends, pong, priority, raw, request, reset,
    settings, settings_acknowledged, trailers, window)
from peer import (
    COMPRESSION_ERROR, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, NO_ERROR, PADDED,
    PING, PRIORITY_FLAG)

GENERIC = Suite("generic")
HPACK = Suite("hpack")
# A whole request in one frame; the server answers that the message is missing.
ENDS = END_HEADERS | END_STREAM

GENERIC.add("1", "the server's preface is a SETTINGS frame", "RFC 9113 3.4",
            [raw(frames.PREFACE), settings((4, 65_535))], greeting, greets=False)

GENERIC.add("2", "PRIORITY on an idle stream is accepted", "RFC 9113 5.1, 5.3.2",
            [priority(1)], is_alive)
GENERIC.add("2", "WINDOW_UPDATE on a half-closed (remote) stream lets its response continue",
            "RFC 9113 5.1, 6.9", [settings((4, 0)), request(), window(1, 1)], data_of(1))
GENERIC.add("2", "PRIORITY on a half-closed (remote) stream is accepted", "RFC 9113 5.1, 5.3.2",
            [settings((4, 0)), request(), priority(1), window(1, 1)], data_of(1))
GENERIC.add("2", "RST_STREAM on a half-closed (remote) stream is accepted", "RFC 9113 5.1, 6.4",
            [request(), reset()], is_alive)
GENERIC.add("2", "PRIORITY on a closed stream is accepted", "RFC 9113 5.1, 5.3.2",
            [finished(), priority(1)], is_alive)

GENERIC.add("3.1", "DATA is accepted", "RFC 9113 6.1", [headers(), body()], answers())
GENERIC.add("3.1", "several DATA frames are accepted", "RFC 9113 6.1",
            [headers(), data(b"\0\0", flags=0), data(b"\0\0\0")], answers())
GENERIC.add("3.1", "padded DATA is accepted", "RFC 9113 6.1",
            [headers(), lambda peer: peer.send(
                DATA, END_STREAM | PADDED, 1, b"\x05" + peer.target.body + bytes(5))], answers())

GENERIC.add("3.2", "HEADERS are accepted", "RFC 9113 6.2", [headers(flags=ENDS)], answers())
GENERIC.add("3.2", "padded HEADERS are accepted", "RFC 9113 6.2",
            [headers(flags=ENDS | PADDED, prefix=b"\x08", suffix=bytes(8))], answers())
GENERIC.add("3.2", "HEADERS with priority fields are accepted", "RFC 9113 6.2, 5.3.2",
            [headers(flags=ENDS | PRIORITY_FLAG, prefix=b"\0\0\0\0\xff")], answers())

GENERIC.add("3.3", "PRIORITY with weight 1 is accepted", "RFC 9113 6.3",
            [priority(1, weight=1), request()], answers())
GENERIC.add("3.3", "PRIORITY with weight 256 is accepted", "RFC 9113 6.3",
            [priority(1, weight=256), request()], answers())
GENERIC.add("3.3", "PRIORITY with a stream dependency is accepted", "RFC 9113 6.3",
            [priority(3, depends_on=1, weight=1), request()], answers())
GENERIC.add("3.3", "PRIORITY with an exclusive dependency is accepted", "RFC 9113 6.3",
            [priority(1, weight=1, exclusive=True), request()], answers())
GENERIC.add("3.3", "PRIORITY on an idle stream leaves lower streams usable", "RFC 9113 6.3, 5.1.1",
            [priority(3), request()], answers())

GENERIC.add("3.4", "RST_STREAM is accepted", "RFC 9113 6.4", [headers(), reset()], is_alive)
GENERIC.add("3.5", "SETTINGS with all parameters are acknowledged", "RFC 9113 6.5, 6.5.2",
            [settings((1, 4096), (2, 1), (3, 100), (4, 65_535), (5, 16_384), (6, 100))],
            settings_acknowledged(2))
GENERIC.add("3.7", "a PING is answered", "RFC 9113 6.7",
            [frame(PING, 0, 0, b"12345678")], pong(b"12345678"))
GENERIC.add("3.8", "GOAWAY is accepted", "RFC 9113 6.8",
            [go_away(NO_ERROR, b"the end")], is_alive_or_ends)
GENERIC.add("3.9", "WINDOW_UPDATE on stream 0 is accepted", "RFC 9113 6.9", [window(0, 1)],
            is_alive)
GENERIC.add("3.9", "WINDOW_UPDATE on an open stream is accepted", "RFC 9113 6.9",
            [headers(), window(1, 1), body()], answers())


def split(*places):
    """HEADERS and CONTINUATION frames that split a request's header block at the given positions.
    """
    def send(peer):
        whole = block(peer)
        ends = [*places, len(whole)]
        peer.send(HEADERS, END_STREAM, 1, whole[:ends[0]])
        for start, end in zip(ends, ends[1:]):
            peer.send(
                CONTINUATION, END_HEADERS if end == len(whole) else 0, 1, whole[start:end])
    return send


GENERIC.add("3.10", "CONTINUATION is accepted", "RFC 9113 6.10", [split(5)], answers())
GENERIC.add("3.10", "several CONTINUATION frames are accepted", "RFC 9113 6.10", [split(5, 10)],
            answers())

GENERIC.add("4", "GET gets a response", "RFC 9113 8.1",
            [headers(flags=ENDS, change={":method": "GET"})], answers())
GENERIC.add("4", "HEAD gets a response", "RFC 9113 8.1",
            [headers(flags=ENDS, change={":method": "HEAD"})], answers())
GENERIC.add("4", "POST gets a response", "RFC 9113 8.1", [request()], answers())
GENERIC.add("4", "POST with trailers gets a response", "RFC 9113 8.1",
            [headers(after=[("trailer", "x-test")]), body(flags=0), trailers(("x-test", "ok"))],
            answers())


# Encoded HPACK representations (RFC 7541 section 6). Index 58 is `user-agent`.


def text(value):
    return bytes([len(value)]) + value.encode()


def huffman(value):
    coded = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(value.encode())
    return bytes([0x80 | len(coded)]) + coded


def accepts(title, rfc, representation=b"", prefix=b""):
    GENERIC.add("5", title, rfc, [headers(flags=ENDS, prefix=prefix, suffix=representation)],
                answers())


accepts("an indexed field is accepted", "RFC 7541 6.1", b"\xba")
for kind, section, indexed_name, new_name in (
        ("a literal with incremental indexing", "6.2.1", b"\x7a", b"\x40"),
        ("a literal without indexing", "6.2.2", b"\x0f\x2b", b"\x00"),
        ("a literal that is never indexed", "6.2.3", b"\x1f\x2b", b"\x10")):
    for coding, coded in (("plain", text), ("Huffman-coded", huffman)):
        accepts(f"{kind}, with indexed name and {coding} value, is accepted", f"RFC 7541 {section}",
                indexed_name + coded("frames"))
    for coding, coded in (("plain", text), ("Huffman-coded", huffman)):
        accepts(f"{kind}, with {coding} new name and value, is accepted", f"RFC 7541 {section}",
                new_name + coded("x-test") + coded("frames"))
accepts("a dynamic table size update is accepted", "RFC 7541 6.3", prefix=b"\x3f\x61")
accepts("two dynamic table size updates are accepted", "RFC 7541 4.2",
        prefix=b"\x3f\x61\x3f\xe1\x1f")


def rejects(section, title, rfc, suffix=b"", prefix=b""):
    HPACK.add(section, title, rfc, [headers(flags=ENDS, prefix=prefix, suffix=suffix)],
              connection_error(COMPRESSION_ERROR))


def coded(bits):
    """A literal with the name "x-test" and a Huffman-coded value of these bits."""
    bits = bits.replace(" ", "")
    value = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return b"\x00" + text("x-test") + bytes([0x80 | len(value)]) + value


# The codes of "a" and "b" are 00011 and 100011; EOS is thirty ones (RFC 7541 appendix B).
rejects("2.3.3", "an index beyond both tables", "RFC 7541 2.3.3", b"\xc6")
rejects("2.3.3", "a literal's name index beyond both tables", "RFC 7541 2.3.3", b"\x7f\x07\x00")
rejects("4.2", "a dynamic table size update at the end of a block", "RFC 7541 4.2", b"\x21")
rejects("5.2", "Huffman padding of more than seven bits", "RFC 7541 5.2",
        coded("00011 111 11111111"))
rejects("5.2", "Huffman padding with zeros", "RFC 7541 5.2", coded("00011 000"))
rejects("5.2", "a Huffman-coded EOS", "RFC 7541 5.2", coded("00011" + "1" * 30 + "00011"))
rejects("6.1", "index 0", "RFC 7541 6.1", b"\x80")
rejects("6.3", "a dynamic table size over SETTINGS_HEADER_TABLE_SIZE", "RFC 7541 6.3",
        prefix=b"\x3f\xe2\x1f")
