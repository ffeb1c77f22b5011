"""Each of h2spec's cases, on both ports; some of them over TLS too."""

import collections
import contextlib
import ssl

import pytest

from conftest import start_weir
from h2spec import ADMIN_PORT, DATA_PORT, answers
from h2spec_frames import HTTP2
from h2spec_generic import GENERIC, HPACK
from peer import Peer

CASES = GENERIC.cases + HTTP2.cases + HPACK.cases
# h2spec runs it with --strict only.
STRICT = {"http2-5.4.1-2"}
# Differences between RFC 9113 and RFC 7540. The table has Weir's behaviour.
EXCEPTIONS = {
    "http2-3.5-2": "section 3.4: GOAWAY may be omitted, for the peer does not use HTTP/2",
    "http2-5.3.1-2": "section 5.3.2: PRIORITY is deprecated, and a server may ignore it",
}
OVER_TLS = {
    "generic-3.3-5", "generic-4-4", "http2-4.2-2", "http2-5.1-8", "http2-5.1-12", "http2-5.1.1-2",
    "http2-6.3-1", "http2-6.9.2-2", "hpack-6.1-1",
}


def test_the_table_has_all_cases():
    sizes = collections.Counter(case.suite for case in CASES if case.id not in STRICT)
    assert sizes == {"generic": 44, "http2": 94, "hpack": 8} and sizes.total() == 146
    ids = {case.id for case in CASES}
    assert len(ids) == 147 and ids > EXCEPTIONS.keys() | OVER_TLS | STRICT
    assert all(case.rfc.startswith("RFC ") for case in CASES)


def run(case, address, target, **options):
    with Peer(address, greets=case.greets, **options) as peer:
        peer.target = target
        # The server may close the connection before it has received the whole case.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for step in case.steps:
                step(peer)
        case.expect(peer)
    with Peer(address, **options) as peer:
        peer.target = target
        answers(1)(peer, begins=True)


def ids(case):
    return f"{case.id}: {case.title} ({case.rfc})"


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_data_port(fixture_server, case):
    run(case, fixture_server.data, DATA_PORT)


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_admin_port(fixture_server, case):
    run(case, fixture_server.admin, ADMIN_PORT)


@pytest.fixture(scope="module")
def tls_server(certificates):
    server = start_weir("--admin-tls-cert", certificates / "server.pem", "--admin-tls-key",
                        certificates / "server.key")
    yield server
    assert server.stop() == 0


@pytest.mark.parametrize("case", [case for case in CASES if case.id in OVER_TLS], ids=ids)
def test_tls(tls_server, case):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    run(case, tls_server.admin, ADMIN_PORT, tls=context)
