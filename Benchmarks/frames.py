"""HTTP/2 frames by hand, for peers that say just what they are told (RFC 9113 sections 3.4 and 4.1)."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return head + payload


def header_block(fields):
    """Literal fields that are not indexed, names and values not Huffman-coded (RFC 7541)."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in fields)


def read_frame(stream):
    """Type, flags, stream and payload of the next frame; None when the connection has ended."""
    head = stream.read(9)
    if len(head) < 9:
        return None
    payload = stream.read(int.from_bytes(head[:3], "big"))
    return head[3], head[4], int.from_bytes(head[5:], "big"), payload
