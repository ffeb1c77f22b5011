"""h2spec's cases (version 2.6) as frames: the frames that a case sends, and the required reaction.

A case has h2spec's section and number, which follow the obsolete RFC 7540, and cites the sections
of the current RFCs: 9113 (HTTP/2) and 7541 (HPACK).
"""

import struct
from typing import Any, Callable, List, NamedTuple, Sequence

import frames

from peer import (
    ACK, CANCEL, CONTINUATION, DATA, ECHO, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR,
    PING, PRIORITY, RST_STREAM, SETTINGS, message, request_fields)

# Of a Peer.
Step = Callable[[Any], Any]

LIST_BACKENDS = "/weir.admin.v1.Admin/ListBackends"


class Target(NamedTuple):
    """A unary method with a response of at least five bytes, and a request for it."""
    fields: List
    body: bytes


DATA_PORT = Target(request_fields(ECHO), message(b"hello"))
ADMIN_PORT = Target(request_fields(LIST_BACKENDS), message())


class Case(NamedTuple):
    suite: str
    section: str
    number: int
    title: str
    rfc: str
    steps: Sequence[Step]
    expect: Step
    greets: bool = True

    @property
    def id(self):
        return f"{self.suite}-{self.section}-{self.number}"


class Suite:
    """Collects the cases of one of h2spec's suites, which numbers the cases of a section from 1."""

    def __init__(self, name):
        self.name, self.cases = name, []

    def add(self, section, title, rfc, steps, expect, **options):
        number = 1 + sum(case.section == section for case in self.cases)
        self.cases.append(
            Case(self.name, section, number, title, rfc, steps, expect, **options))


# Steps of a case. A step is a function of the peer, whose `target` is the method to call.


def frame(kind, flags, stream, payload=b""):
    return lambda peer: peer.send(kind, flags, stream, payload)


def raw(data):
    return lambda peer: peer.raw(data)


def block(peer, change=(), drop=(), before=(), after=()):
    """The header block of the target's request, with fields changed, omitted or added."""
    changed = dict(change)
    fields = [(name, changed.get(name, value)) for name, value in peer.target.fields
              if name not in drop]
    return frames.header_block([*before, *fields, *after])


def headers(stream=1, flags=END_HEADERS, prefix=b"", suffix=b"", **options):
    """HEADERS with the request's fields; `prefix` and `suffix` are bytes around the block."""
    return lambda peer: peer.send(
        HEADERS, flags, stream, prefix + block(peer, **options) + suffix)


def trailers(*fields, flags=END_HEADERS | END_STREAM, stream=1):
    return frame(HEADERS, flags, stream, frames.header_block(fields))


def body(stream=1, flags=END_STREAM):
    """The request's message in one DATA frame."""
    return lambda peer: peer.send(DATA, flags, stream, peer.target.body)


def data(payload=b"test", stream=1, flags=END_STREAM):
    return frame(DATA, flags, stream, payload)


def fields_continued(flags=END_HEADERS, stream=1):
    """CONTINUATION with a valid field."""
    return frame(CONTINUATION, flags, stream, frames.header_block([("x-more", "x" * 100)]))


def priority(stream, depends_on=0, weight=256, exclusive=False):
    dependency = depends_on | (0x8000_0000 if exclusive else 0)
    return frame(PRIORITY, 0, stream, struct.pack(">IB", dependency, weight - 1))


def reset(stream=1, code=CANCEL):
    return lambda peer: peer.reset(stream, code)


def settings(*pairs):
    return lambda peer: peer.settings(*pairs)


def window(stream, increment):
    return lambda peer: peer.window(stream, increment)


def go_away(code, reason=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", 0, code) + reason)


def request(stream=1):
    """A complete request."""
    return lambda peer: (headers(stream)(peer), body(stream)(peer))


def finished(stream=1):
    """A request, and the end of its response: the stream is closed on both sides."""
    return lambda peer: (request(stream)(peer), peer.response(stream))


def settings_acknowledged(count):
    """Waits until the server has acknowledged `count` SETTINGS, including that of the preface."""
    def wait(peer):
        acknowledged = 0
        while acknowledged < count:
            ack = peer.until(lambda found: found.kind == SETTINGS and found.flags & ACK)
            assert ack, "the connection ended before SETTINGS were acknowledged"
            assert not ack.payload
            acknowledged += 1
    return wait


# Expectations.


def connection_error(*codes):
    """GOAWAY with one of the codes, and the end of the connection (RFC 9113 section 5.4.1)."""
    def check(peer):
        code, reason = peer.ended()
        assert code in codes, (code, reason)
    return check


def stream_error(*codes, stream=1):
    """RST_STREAM with one of the codes, or a connection error with it (RFC 9113 section 5.4.2)."""
    def check(peer):
        error = peer.until(lambda found: found.kind in (RST_STREAM, GOAWAY))
        assert error and error.code in codes, error
        if error.kind == RST_STREAM:
            assert error.stream == stream
            answers(101)(peer, begins=True)
    return check


def answers(stream=1):
    """A complete response; with `begins` the request is sent first."""
    def check(peer, begins=False):
        if begins:
            request(stream)(peer)
        assert peer.response(stream)[0][":status"]
        assert peer.is_alive()
    return check


def serves():
    """The server ignores what it has received: it answers a PING, and a request after it."""
    def check(peer):
        assert peer.is_alive()
        answers(101)(peer, begins=True)
    return check


def is_alive(peer):
    assert peer.is_alive()


def is_alive_or_ends(peer):
    """The server answers a PING, or ends the connection without an error."""
    assert peer.is_alive() or peer.ended()[0] == NO_ERROR


def data_of(length):
    """The next DATA frame has the given length."""
    def check(peer):
        found = peer.until(lambda found: found.kind == DATA)
        assert found and len(found.payload) == length, found
    return check


def pong(payload):
    """The first answer to a PING has this payload."""
    def check(peer):
        found = peer.until(lambda found: found.kind == PING)
        assert found and found.flags & ACK and found.payload == payload, found
    return check


def greeting(peer):
    """SETTINGS are the first frame of the server."""
    first = peer.until(lambda found: True)
    assert first and first.kind == SETTINGS and not first.flags & ACK, first
