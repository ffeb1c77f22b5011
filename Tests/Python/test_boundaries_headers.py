"""Boundary values in every request header that Weir reads, for each kind of backend and port."""

import hashlib
import sys

import grpc
import pytest

import boundary_headers
from boundary_client import Admin, Subject
from boundary_headers import requests
from boundary_pipe import Ask, grpc_fields
from conftest import BUILD, ROOT, Server
from peer import ECHO, message
from scripted_backend import ScriptedBackend, ok


@pytest.fixture(scope="module")
def handlers(tmp_path_factory):
    """The server with handlers and default limits."""
    subject = Subject([BUILD / "FixtureServer"], tmp_path_factory.mktemp("handlers"))
    yield subject
    assert subject.stop() == 0, subject.last_words()


TOKEN = "boundary"
TOKEN_HASH = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.fixture(scope="module")
def proxy(stubs, tmp_path_factory):
    """A server with an upstream, a worker and a scripted backend; header lists may be long."""
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "access").write_text(f"ada admin sha256:{TOKEN_HASH}\n")
    (folder / "access").chmod(0o600)
    upstream = Server([
        sys.executable, str(ROOT / "Tests/Python/interop_server.py"), str(stubs.path)])
    frames = ScriptedBackend(answer_dynamic)

    def prepare(subject):
        channel = grpc.insecure_channel(subject.admin)
        admin = Admin(stubs.admin, stubs.admin_grpc.AdminStub(channel), [
            ("authorization", f"Bearer {TOKEN}")])
        admin.upstream("upstream", "/test.Raw/", f"127.0.0.1:{upstream.first_line.strip()}")
        admin.upstream("frames", "/test.Frames/", frames.address)
        admin.upstream("dynamic", "/dynamic", frames.address)
        admin.worker("worker", "/test.Worker/", [sys.executable, boundary_headers.__file__],
                     {"PYTHONPATH": str(ROOT / "Benchmarks")})
        channel.close()

    subject = Subject(
        [BUILD / "weir", "serve", "--json", "--store", "memory:", "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0", "--access", folder / "access",
         "--limit", "max-header-list-bytes=200000"], folder, prepare)
    yield subject
    code = subject.stop()
    upstream.stop()
    frames.close()
    assert code == 0, subject.last_words()


def answer_dynamic(path, payload):
    """Returns an empty CallResponse for `weir.v1.Serve/Call`, and the request for other methods."""
    return ok(b"" if path == "/weir.v1.Serve/Call" else payload)


@pytest.mark.parametrize("target, path, extra", [
    ("handler", ECHO, ()),
    ("decoding handler", "/helloworld.Greeter/SayHello", ()),
    ("health", "/grpc.health.v1.Health/Check", ()),
    ("call by name", "/weir.v1.Serve/Call", (("x-serve-endpoint", "dynamic"),)),
])
def test_of_handlers(handlers, target, path, extra):
    run(handlers, target, grpc_fields(path, *extra), message(), with_trailers=target == "handler")


@pytest.mark.parametrize("target, path", [
    ("upstream", "/test.Raw/Name"),
    ("worker", "/test.Worker/Echo"),
    ("frames", "/test.Frames/Echo"),
])
def test_of_backends(proxy, target, path):
    fields = grpc_fields(path)
    # grpcio needs most of a second for some responses, independently of their number.
    run(proxy, target, fields, message(), [Ask("the same backend", fields, message())],
        with_trailers=target == "frames", at_once=64 if target == "upstream" else 16)


@pytest.mark.parametrize("subject", ["handlers", "proxy"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_of_plain_http2(subject, method, request):
    subject = request.getfixturevalue(subject)
    fields = [(":method", method), (":scheme", "http"), (":path", "/dynamic?bytes=1"),
              (":authority", "a"), ("content-type", "text/plain"), ("x-serve-shard-key", "k")]
    run(subject, f"HTTP/2 {method}", fields, b"" if method == "GET" else b"x", with_trailers=False)


def test_of_the_admin_port(proxy):
    fields = grpc_fields("/weir.admin.v1.Admin/ListBackends", ("authorization", f"Bearer {TOKEN}"))
    run(proxy, "admin", fields, message(), port="admin", with_trailers=False)


def run(subject, target, fields, body, checks=(), port="data", at_once=16, **options):
    before = subject.inputs
    subject.faults.clear()
    subject.run(requests(target, fields, body, **options), port, checks, at_once)
    print(f"{target}: {subject.inputs - before} inputs")
    assert not subject.faults, subject.summary()
    assert subject.inputs - before > 1_500
