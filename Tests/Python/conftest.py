"""Fixtures: running servers, and stubs made from protos/ by grpcio-tools."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import grpc
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The debug build, unless another folder is named.
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / ".build" / "debug"))
SECONDS = 20
# For the frames and the counting of allocations that benchmarks use too.
sys.path.insert(0, str(ROOT / "Benchmarks"))


def _generate(folder):
    files = [
        "helloworld/helloworld.proto",
        "weir/admin/v1/admin.proto",
        "google/rpc/status.proto",
        "google/rpc/error_details.proto",
    ]
    import grpc_tools

    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", f"-I{include}",
         f"--python_out={folder}", f"--grpc_python_out={folder}", *files],
        check=True,
    )
    # `google` is a namespace package of protobuf's own, so ours join it by path.
    import google.rpc  # noqa: F401


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stubs")
    sys.path.insert(0, str(folder))
    import google

    google.__path__.append(str(folder / "google"))
    _generate(folder)
    from helloworld import helloworld_pb2, helloworld_pb2_grpc
    from weir.admin.v1 import admin_pb2, admin_pb2_grpc
    from google.rpc import error_details_pb2, status_pb2

    class Stubs:
        hello, hello_grpc = helloworld_pb2, helloworld_pb2_grpc
        admin, admin_grpc = admin_pb2, admin_pb2_grpc
        status, details = status_pb2, error_details_pb2

    return Stubs


class Server:
    """A server process; stopped by its own id."""

    def __init__(self, command):
        environment = {**os.environ, "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        self.first_line = self.process.stdout.readline()

    def stop(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            return self.process.wait(SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    def channel(self, address):
        return grpc.insecure_channel(address)


def start_demo(*options):
    server = Server(
        [BUILD / "weir", "serve", "--demo", "--json", "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0", *options])
    addresses = json.loads(server.first_line)
    server.data, server.admin = addresses["data"], addresses["admin"]
    return server


@pytest.fixture
def demo():
    """`weir serve --demo`, new for each test."""
    server = start_demo()
    yield server
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-30000:]


@pytest.fixture(scope="session")
def fixture_server():
    """The server with handlers that echo, wait and fail, one for all tests."""
    server = Server([BUILD / "FixtureServer"])
    server.data, server.admin = server.first_line.split()
    yield server
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-30000:]


@pytest.fixture
def channel(fixture_server):
    with grpc.insecure_channel(fixture_server.data) as channel:
        yield channel


@pytest.fixture
def weir(demo):
    """The command-line tool, aimed at the demo."""

    def run(*arguments, check=True, **options):
        environment = {
            **os.environ, "WEIR_ADMIN": demo.admin, "WEIR_ADDRESS": demo.data, "NO_COLOR": "1"}
        return subprocess.run(
            [BUILD / "weir", *arguments], capture_output=True, text=True, env=environment,
            timeout=SECONDS, check=check, **options)

    return run
