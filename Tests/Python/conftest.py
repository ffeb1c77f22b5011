"""Fixtures: running servers, the client of this repository, and stubs made by grpcio-tools."""

import contextlib
import faulthandler
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import grpc
import pytest
import weir as weir_client

from waiting import PATIENCE, SECONDS, polled, wait_for  # noqa: F401

ROOT = pathlib.Path(__file__).resolve().parents[2]
# The build under test: by default the debug build.
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ROOT / ".build" / "debug"))
# Weir rejects keys and access files that the group can write, which some umasks allow.
os.umask(0o022)
# The tests share `frames`, `ports` and `runtime_calls` with the benchmarks.
sys.path.insert(0, str(ROOT / "Benchmarks"))
from ports import free_port  # noqa: E402


# Processes that tests have started. A failing test may not stop them.
STARTED = []


def started(process):
    """Registers a process, which is stopped when the tests end."""
    # Those that have ended would keep their pipes open; `select` accepts 1,024 descriptors.
    STARTED[:] = [*(one for one in STARTED if one.poll() is None), process]
    return process


def pytest_unconfigure():
    """Stops the remaining processes. If a thread blocks the end of the tests, prints it and exits.
    """
    for process in STARTED:
        if process.poll() is None:
            process.kill()
            process.wait()
    faulthandler.dump_traceback_later(60, exit=True)


def _generate(folder):
    files = [
        "helloworld/helloworld.proto", "grpc/testing/empty.proto", "grpc/testing/messages.proto",
        "grpc/testing/test.proto", "catalog.proto",
    ]
    import grpc_tools

    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}",
         f"-I{ROOT / 'Tests/Protos'}", f"-I{include}", f"--python_out={folder}",
         f"--grpc_python_out={folder}", *files],
        check=True,
    )
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'Tests/Protos'}", f"-I{include}",
         "--include_imports", f"--descriptor_set_out={folder / 'catalog.binpb'}", "catalog.proto"],
        check=True,
    )
    # `grpc` is an installed package, so the generated one is added to its path.
    import grpc.testing  # noqa: F401


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    return load_stubs(tmp_path_factory.mktemp("stubs"))


def load_stubs(folder):
    """Generates the stubs into a folder and imports them."""
    sys.path.insert(0, str(folder))
    grpc.__path__.append(str(folder / "grpc"))
    _generate(folder)
    from helloworld import helloworld_pb2, helloworld_pb2_grpc
    from weir.admin.v1 import admin_pb2, admin_pb2_grpc
    from weir.v1 import serve_pb2
    import catalog_pb2
    import catalog_pb2_grpc
    from google.rpc import error_details_pb2, status_pb2
    from grpc.testing import empty_pb2, messages_pb2, test_pb2_grpc

    class Stubs:
        path = folder
        catalog, catalog_grpc = catalog_pb2, catalog_pb2_grpc
        catalog_descriptors = folder / "catalog.binpb"
        empty, messages, interop_grpc = empty_pb2, messages_pb2, test_pb2_grpc
        hello, hello_grpc = helloworld_pb2, helloworld_pb2_grpc
        admin, admin_grpc = admin_pb2, admin_pb2_grpc
        serve = serve_pb2
        status, details = status_pb2, error_details_pb2

    return Stubs


class Server:
    """A server process."""

    def __init__(self, command, environment=None, stderr=subprocess.PIPE):
        environment = {**os.environ, "NO_COLOR": "1", **(environment or {})}
        self.process = started(subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment))
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


def start_weir(*options, prefix=(), environment=None):
    """Starts a server on free ports. Its state is in memory unless the options name a store.

    The prefix is a command that executes the server.
    """
    if not {"--store", "--state-dir"} & set(options):
        options = ("--store", "memory:", *options)
    server = Server(
        [*prefix, BUILD / "weir", "serve", "--json", "--data", "127.0.0.1:0", "--admin",
         "127.0.0.1:0", *options], environment)
    assert server.first_line, server.process.stderr.read()
    addresses = json.loads(server.first_line)
    server.data, server.admin = addresses["data"], addresses["admin"]
    return server


def start_demo(*options, environment=None):
    return start_weir("--demo", *options, environment=environment)


def memory(process):
    """Resident bytes."""
    return int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * 4096


class Mesh:
    """A running Weir, its upstream servers, and the tool."""

    def __init__(self, stubs, prefix=(), options=()):
        self.stubs = stubs
        self.weir = start_weir(*options, prefix=prefix)
        self.upstreams = []
        self.channel = grpc.insecure_channel(self.weir.data)
        self.admin_channel = grpc.insecure_channel(self.weir.admin)
        self.admin = stubs.admin_grpc.AdminStub(self.admin_channel)

    def upstream(self, address=None, **environment):
        """An interop server; `server.address` is where it listens."""
        arguments = [sys.executable, ROOT / "Tests/Python/interop_server.py", self.stubs.path]
        server = Server(
            list(map(str, arguments + ([address] if address else []))), environment)
        server.address = address or f"127.0.0.1:{server.first_line.strip()}"
        self.upstreams.append(server)
        return server

    def tool(self, *arguments, check=True):
        return tool(self.weir, *arguments, check=check)

    def backend(self, name, *options):
        return self.tool("backend", "create", name, *options)

    def endpoint(self, name, route, backend):
        self.tool("endpoint", "create", name, "--route", route, "--backend", backend)

    def raw(self, *addresses, options=(), name="raw"):
        """A backend of upstreams, with an endpoint for /test.Raw/."""
        self.backend(name, "--upstream", ",".join(addresses), *options)
        self.endpoint(name, "/test.Raw/", name)

    def status(self, name):
        request = self.stubs.admin.GetBackendRequest(name=name)
        return self.admin.GetBackend(request, timeout=10).status

    def wait_for(self, name, condition, seconds=SECONDS):
        """Waits until a condition holds for a backend's status; returns the status."""
        return polled(lambda: self.status(name), condition, seconds)

    def wait_ready(self, name):
        """Waits until all replicas of a backend are ready."""
        self.wait_for(name, lambda status: status.replicas and all(
            replica.state == 3 for replica in status.replicas))

    def stop(self):
        # An idle grpcio channel reads a GOAWAY only when its backup poller runs, every five
        # seconds.
        self.channel.close()
        self.admin_channel.close()
        code = self.weir.stop()
        for server in self.upstreams:
            server.process.kill()
            server.process.wait(SECONDS)
        return code


@pytest.fixture
def mesh(stubs):
    mesh = Mesh(stubs)
    yield mesh
    code = mesh.stop()
    assert code == 0, mesh.weir.process.stderr.read()[-30000:]


@pytest.fixture
def demo():
    """`weir serve --demo`, new for each test."""
    server = start_demo()
    yield server
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-30000:]


@pytest.fixture(scope="session")
def fixture_server():
    """The fixture server with handlers that echo, wait and fail, shared by all tests."""
    server = Server([BUILD / "FixtureServer"])
    server.data, server.admin = server.first_line.split()
    yield server
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-30000:]


@pytest.fixture
def operator(fixture_server):
    """A client of the fixture server."""
    with weir_client.connect(fixture_server.admin) as client:
        yield client


@pytest.fixture
def client():
    """A client of a new, empty server."""
    server = start_weir()
    with weir_client.connect(server.admin) as client:
        client.server = server
        yield client
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-30000:]


@pytest.fixture
def channel(fixture_server):
    with grpc.insecure_channel(fixture_server.data) as channel:
        yield channel


@pytest.fixture
def weir(demo):
    """Runs the command-line tool against the demo server."""

    def run(*arguments, check=True, **options):
        environment = {
            **os.environ, "WEIR_ADMIN": demo.admin, "WEIR_ADDRESS": demo.data, "NO_COLOR": "1"}
        return subprocess.run(
            [BUILD / "weir", *arguments], capture_output=True, text=True, env=environment,
            timeout=SECONDS, check=check, **options)
    run.server = demo
    return run


def answers(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def load(work, threads):
    """Repeats a function on threads until the block ends."""
    stopped = threading.Event()
    failures = []

    def run():
        try:
            while not stopped.is_set():
                work()
        except Exception as error:
            failures.append(error)

    running = [threading.Thread(target=run, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in running:
            thread.join(SECONDS)
    assert not failures and not any(thread.is_alive() for thread in running), failures


def admin_of(stubs, server):
    """A stub for a server's admin service; closed with `server.close_admin()`."""
    channel = grpc.insecure_channel(server.admin)
    server.close_admin = channel.close
    return stubs.admin_grpc.AdminStub(channel)


def tool(server, *arguments, check=True):
    """Runs `weir` against a server."""
    run = subprocess.run(
        [BUILD / "weir", *map(str, arguments)], capture_output=True, text=True, timeout=60,
        env={**os.environ, "WEIR_ADMIN": server.admin, "WEIR_ADDRESS": server.data,
             "NO_COLOR": "1"})
    assert not check or run.returncode == 0, run.stdout + run.stderr
    return run


def metric(server, name):
    """The value of a metric without labels."""
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=SECONDS) as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


class Authority:
    """A certificate authority in a folder, and certificates that it issues."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.ca = str(folder / "ca.pem")
        self._openssl("req", "-x509", *self.NEW_KEY, "-keyout", "ca.key", "-out", "ca.pem",
                      "-days", "2", "-subj", "/CN=test ca")

    NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")

    def _openssl(self, *arguments):
        subprocess.run(
            ["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name, names):
        """A certificate for a name with subject alternative names."""
        self._openssl("req", *self.NEW_KEY, "-keyout", f"{name}.key.new", "-out", f"{name}.csr",
                      "-subj", f"/CN={name}")
        (self.folder / "ext").write_text(f"subjectAltName={names}")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", "ext")
        (self.folder / f"{name}.key.new").rename(self.folder / f"{name}.key")

    def cert(self, name):
        return str(self.folder / f"{name}.pem")

    def key(self, name):
        return str(self.folder / f"{name}.key")

    def credentials(self, name=None):
        """Credentials for a grpcio channel, with or without a client certificate."""
        def read(path):
            return pathlib.Path(path).read_bytes()

        return grpc.ssl_channel_credentials(
            read(self.ca), read(self.key(name)) if name else None,
            read(self.cert(name)) if name else None)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """An authority with certificates for a server model.internal and a client."""
    authority = Authority(tmp_path_factory.mktemp("tls"))
    for name in ("server", "client"):
        authority.issue(name, "DNS:model.internal")
    return authority.folder
