"""The table of header names and values, for requests and for responses."""

import re

from boundaries import TEXTS, is_illegal, shown
from boundary_pipe import INTERNAL, Ask
from conftest import ROOT
from peer import message
from scripted_backend import BEGIN, serve_worker

(SOURCE,) = (ROOT / "Sources").glob("**/KnownHeader.swift")
# Read by other code or libraries, or forwarded.
MORE = ("authorization", "expect", "user-agent", "accept-encoding", "content-encoding", "cookie",
        "grpc-status-details-bin", "x-custom", "x-custom-bin", "priority", "trailer", "date",
        "retry-after", "location")
# Fields about the connection or the framing, which make HTTP/2 messages malformed.
FRAMING = {"connection", "host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
           "te", "content-length"}
# The last one exceeds the size that nghttp2 decodes.
VALUES = [text.encode() for text in TEXTS] + [b"\xff", b"x" * 70_000]

# Values for single headers.
OWN = {
    ":method": ["GET", "HEAD", "OPTIONS", "CONNECT", "TRACE", "post"],
    ":path": ["*", "//", "/a.B/C/D", "/a.B/" + "x" * 16_000, "/dynamic?" + "&" * 1_000, "/%zz"],
    ":scheme": ["https", "ftp"],
    ":status": ["100", "101", "103", "199", "204", "304", "404", "429", "503", "600", "999", "1000",
                "0200", "20"],
    "connection": ["close", "keep-alive", "upgrade, http2-settings", "x-custom", ",,,", "host"],
    "content-length": ["5", "6", "1, 1", "1;1"],
    "content-type": ["application/grpc", "application/grpc+proto", "application/grpc+json",
                     "application/grpc-web", "application/grpc;", "application/json; charset=\""],
    "expect": ["100-continue", "100-CONTINUE", "100-continue, x", "200-ok"],
    "grpc-accept-encoding": ["gzip", "gzip,,identity", "," * 1_000],
    "grpc-encoding": ["gzip", "identity", "deflate"],
    "grpc-message": ["%", "%f", "%zz", "%C3", "%0D%0Ax: y", "%1B[2J", "%" * 1_000],
    "grpc-status": ["2", "14", "16", "17", "99", "999999999", "1000000000", "00", "014"],
    "grpc-status-details-bin": ["====", "CAE", "CAESA2Fz", "*", "CAUaAP////8P"],
    "grpc-timeout": ["0n", "1n", "1S", "00000001S", "99999999H", "99999999M", "99999999n",
                     "100000000S", "-1S", "1.5S", "S", "1s", " 1S"],
    "host": ["b", "a, b", "a:99999", "a:-1", "[::1", "@", "a/b"],
    "te": ["trailers", "trailers, gzip", "gzip"],
    "transfer-encoding": ["chunked", "gzip, chunked", "chunked, chunked", "identity", "xchunked",
                          "chunked;x", "chunked, identity"],
    "upgrade": ["h2c", "websocket"],
    "x-forwarded-for": ["1.2.3.4", "1.2.3.4, ::1", "," * 1_000],
    "x-serve-endpoint": ["dynamic", "nothing"],
    "x-serve-shadow": ["2"],
}


def known_headers():
    """The names in `enum KnownHeader`."""
    source = SOURCE.read_text()
    cases = [name.strip() for line in re.findall(r"^    case ([\w, ]+)$", source, re.M)
             for name in line.split(",")]
    names = dict(re.findall(r"case \.(\w+): \"([^\"]+)\"", source))
    assert set(cases) == set(names) and len(cases) >= 26, "the format of the enum has changed"
    return [names[case] for case in cases]


def table():
    """Each name with each value."""
    names = (*known_headers(), *MORE)
    assert set(OWN) <= set(names)
    for name in names:
        for value in VALUES + [text.encode() for text in OWN.get(name, ())]:
            yield name, value


def with_field(fields, name, value):
    """The fields with one value changed or one field added; pseudo-header fields are first."""
    if any(existing == name for existing, _ in fields):
        return [(existing, value if existing == name else old) for existing, old in fields]
    return [(name, value), *fields] if name.startswith(":") else [*fields, (name, value)]


def request_faults(name, value):
    """Results that would be faults for other headers: a reset, a closed connection, INTERNAL."""
    text, may = value.decode("latin-1"), set()
    if name.startswith(":") or name in FRAMING or is_illegal(text):
        may.add("reset")
    if is_illegal(text):
        may.add("close")
    if len(value) >= 65_536:
        # The server does not read headers far above the limit, nor does nghttp2 decode them.
        may |= {"reset", "close"}
    if name == "grpc-timeout":
        # The responses of other gRPC servers.
        may.add(INTERNAL)
    return frozenset(may)


def requests(target, fields, body=message(b"hello"), with_trailers=True):
    """Each header with each value, some of them twice, and each in trailers."""
    for name, value in table():
        may = request_faults(name, value)
        alone = "close" in may
        label = f"{target}: {name}: {shown(value)}"
        changed = with_field(fields, name, value)
        yield Ask(label, changed, body, may=may, is_alone=alone)
        if value in (b"0", b"", b"1e300", b"\xff"):
            yield Ask(f"{label} twice", [*changed, (name, value)], body, may=may, is_alone=alone)
        if with_trailers:
            yield Ask(
                f"{label} in trailers", fields, body, [(name, value)], may=may, is_alone=alone)


# Responses. The payload of a request is the number of a response.

FAILED = [*BEGIN, ("grpc-status", "14"), ("grpc-message", "not now")]
ENDED = [("grpc-status", "0"), ("grpc-message", "well")]


def responses():
    """Name, value, position, and the parts of the response that contains them."""
    for name, value in table():
        yield name, value, "headers", [with_field(BEGIN, name, value), b"ok", ENDED]
        yield name, value, "trailers", [BEGIN, b"ok", with_field(ENDED, name, value)]
        yield name, value, "trailers only", [with_field(FAILED, name, value)]


RESPONSES = list(responses())


def respond(path, payload):
    """The response whose number is the payload."""
    if not payload.isdigit():
        return [BEGIN, payload, [("grpc-status", "0")]]
    return RESPONSES[int(payload)][3]


if __name__ == "__main__":
    serve_worker(respond)
