"""The cases of the public Connect conformance suite, if WEIR_CONFORMANCE names their folder."""

import os
import pathlib
import ssl
import subprocess
import sys

import grpc_tools
import pytest
import yaml

from conftest import ROOT, Authority, start_weir, tool

FOLDER = os.environ.get("WEIR_CONFORMANCE", "")
SUITES = sorted(pathlib.Path(FOLDER).glob("*.yaml")) if FOLDER else []

# Why a case does not pass; each by a part of its name.
EXCEPTIONS = {
    "multiple-requests":
        "Weir passes protobuf on unread, and grpcio, the backend, ignores further messages",
    "GRPC/HTTP/2/proto/identity/unexpected-codec":
        "Weir passes the content types of gRPC on, and grpcio accepts any codec",
    "GRPC/HTTP/2/proto/identity/unexpected-compress":
        "grpcio resets the stream, which Weir reports as UNAVAILABLE",
}


@pytest.fixture(scope="module")
def suite(stubs):
    """The runner, with the messages of the suite."""
    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'Tests/Protos'}", f"-I{include}",
         f"--python_out={stubs.path}", "conformance.proto"], check=True)
    import conformance
    import conformance_pb2

    conformance.messages = conformance_pb2
    return conformance


@pytest.fixture
def serve(suite):
    """Starts a Weir in front of a new server of the suite's service.

    grpcio treats later calls of a connection differently after some of the invalid ones.
    """
    import conformance_server

    backend, address = conformance_server.start(suite.messages)
    started = []

    def start(*options):
        weir = start_weir(*options)
        started.append(weir)
        tool(weir, "backend", "create", "suite", "--upstream", address)
        tool(weir, "endpoint", "create", "suite", "--route", f"/{conformance_server.SERVICE}/",
             "--backend", "suite")
        return weir

    yield start
    for weir in started:
        assert weir.stop() == 0
    backend.stop(None).wait()


def play(suite, path, connect):
    """Plays the cases of a file. `connect` returns a client of a version of HTTP."""
    given = yaml.safe_load(path.read_text())
    if given.get("mode", "TEST_MODE_SERVER") != "TEST_MODE_SERVER":
        pytest.skip("the cases are for clients")
    passed, failed, excepted = 0, [], 0
    for case in given["testCases"]:
        for variant in suite.variants(given, case):
            client = connect(variant.version)
            try:
                failures = variant.failures(variant.run(client))
            except Exception as error:
                failures = [f"{type(error).__name__}: {error}"]
            finally:
                client.close()
            if not failures:
                passed += 1
            elif any(part in variant.name for part in EXCEPTIONS):
                excepted += 1
            else:
                failed.append(f"{variant.name}: {'; '.join(failures)}")
    print(f"{path.stem}: {passed} passed, {excepted} excepted, {len(failed)} failed")
    assert not failed, "\n".join(failed)
    assert passed


def test_the_cases_are_available():
    if not SUITES:
        pytest.skip("WEIR_CONFORMANCE does not name a folder with the cases of the suite")


@pytest.mark.parametrize("path", SUITES, ids=lambda path: path.stem)
def test_the_cases_pass(suite, serve, path):
    weir = serve()
    play(suite, path, lambda version: version(weir.data))


@pytest.mark.parametrize(
    "path", [path for path in SUITES if path.stem in ("basic", "tls_client_certs")],
    ids=lambda path: path.stem)
def test_the_cases_pass_over_tls_with_certificates(suite, serve, path, tmp_path):
    authority = Authority(tmp_path / "authority")
    authority.issue("server", "DNS:localhost,IP:127.0.0.1")
    authority.issue("client", "DNS:client.example")
    weir = serve("--tls-cert", authority.cert("server"), "--tls-key", authority.key("server"),
                 "--tls-client-ca", authority.ca)

    def connect(version):
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(authority.cert("client"), authority.key("client"))
        return version(weir.data, context)

    play(suite, path, connect)
