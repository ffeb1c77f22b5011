"""Encodes and decodes HTTP/2 frames, for scripted peers (RFC 9113 sections 3.4 and 4.1)."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + payload


def header_block(fields):
    """Encodes fields as literals without indexing and without Huffman coding (RFC 7541)."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def first_and_later_block(fields):
    """Encodes fields that every request of a connection repeats: the first block adds them to the
    dynamic table, and later blocks refer to it (RFC 7541 sections 6.2.1 and 6.1).
    """
    first = b"".join(b"\x40" + _text(name) + _text(value) for name, value in fields)
    return first, bytes(0x80 | 61 + index for index in range(len(fields), 0, -1))


def _text(text):
    """A string literal (RFC 7541 sections 5.1 and 5.2)."""
    data = text if isinstance(text, bytes) else text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    length, rest = b"\x7f", len(data) - 127
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    return length + bytes([rest]) + data


def read_frame(stream):
    """Type, flags, stream and payload of the next frame; None at the end of the connection."""
    head = stream.read(9)
    if len(head) < 9:
        return None
    payload = stream.read(int.from_bytes(head[:3], "big"))
    return head[3], head[4], int.from_bytes(head[5:], "big"), payload


def hello_request(name):
    """A HelloRequest as the body of a gRPC call, with its prefix of 5 bytes."""
    length, rest = b"", len(name)
    while rest >= 128:
        length += bytes([rest % 128 + 128])
        rest //= 128
    message = b"\x0a" + length + bytes([rest]) + name
    return struct.pack(">BI", 0, len(message)) + message
