"""Access files: credentials, revocation, writable files, and allowed hosts of the admin port."""

import hashlib
import http.client
import os
import pathlib
import signal
import subprocess
import threading
import time

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from conftest import BUILD, PATIENCE, Authority, start_demo, tool, wait_for
from etcd import Etcd

DENIED = grpc.StatusCode.PERMISSION_DENIED
UNKNOWN = grpc.StatusCode.UNAUTHENTICATED
TOKENS = {name: f"weir_{name}" for name in ("root", "bot", "watcher")}


def line(name, role, token=None):
    digest = hashlib.sha256((token or TOKENS[name]).encode()).hexdigest()
    return f"{name} {role} sha256:{digest}\n"


ROOT = line("root", "admin")


def metadata(name):
    return [("authorization", f"Bearer {TOKENS[name]}")]


def write(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def logged(server, text):
    """Reads the server's log up to the line with a text; returns the line."""
    for entry in server.process.stderr:
        if text in entry:
            return entry
    raise AssertionError(f"the log ended without '{text}'")


def fails_to_start(*options):
    """The error of a server that does not start."""
    run = subprocess.run(
        [BUILD / "weir", "serve", "--store", "memory:", "--data", "127.0.0.1:0", "--admin",
         "127.0.0.1:0", *map(str, options)], capture_output=True, text=True, timeout=20 * PATIENCE)
    assert run.returncode == 1, run.stderr
    return " ".join(run.stderr.split())


def finish(server):
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-20000:]


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("server", "DNS:localhost,IP:127.0.0.1")
    return authority


# Certificates.


@pytest.mark.parametrize("names, credential, may", [
    ("URI:spiffe://prod/ada", "uri:spiffe://prod/ada", True),
    ("URI:spiffe://prod/ada", "uri:spiffe://prod/Ada", False),
    ("DNS:ada.example", "uri:ada.example", False),
    ("email:ada@example.com", "dns:ada@example.com", False),
    ("DNS:ADA.example", "dns:ada.EXAMPLE", True),
    ("email:Ada@example.com", "email:Ada@example.com", True),
    ("email:Ada@example.com", "email:ada@example.com", False),
    ("DNS:*.example", "dns:ada.example", False),
    ("IP:127.0.0.1", "dns:127.0.0.1", False),
    ("DNS:other.example,URI:spiffe://prod/ada", "uri:spiffe://prod/ada", True),
])
def test_a_certificate_matches_by_a_name_of_the_same_type(
        authority, tmp_path, stubs, names, credential, may):
    authority.issue("client", names)
    access = write(tmp_path / "access", ROOT + f"ada viewer cert:{credential}\n")
    server = start_demo(
        "--admin-tls-cert", authority.cert("server"), "--admin-tls-key", authority.key("server"),
        "--admin-tls-client-ca", authority.ca, "--access", str(access))
    with grpc.secure_channel(server.admin, authority.credentials("client")) as channel:
        admin = stubs.admin_grpc.AdminStub(channel)
        try:
            admin.ListEndpoints(stubs.admin.ListEndpointsRequest(), timeout=20)
            assert may
        except grpc.RpcError as error:
            # An address and a name with a wildcard do not prove an identity.
            proves_none = names.startswith(("IP:", "DNS:*"))
            assert error.code() == (UNKNOWN if proves_none else DENIED) and not may
    finish(server)


@pytest.mark.parametrize("credential", [
    "cert:spiffe://prod/ada", "cert:ada.example", "cert:", "cert:dns:", "cert:ip:127.0.0.1",
    "cert:dns:*.example", "cert:uri:spiffe://prod/*"])
def test_a_certificate_without_a_type_is_rejected_with_the_correct_form(tmp_path, credential):
    access = write(tmp_path / "access", ROOT + f"ada admin {credential}\n")
    reported = fails_to_start("--access", access)
    assert f"{access}:2: the credential is not cert:uri:NAME, cert:dns:NAME or cert:email:NAME" in reported


@pytest.mark.parametrize("given, credential", [
    ("uri:spiffe://prod/ada", "cert:uri:spiffe://prod/ada"),
    ("spiffe://prod/ada", "cert:uri:spiffe://prod/ada"),
    ("dns:Ada.example", "cert:dns:ada.example"), ("ada.example", "cert:dns:ada.example"),
    ("email:ada@example.com", "cert:email:ada@example.com"),
    ("ada@example.com", "cert:email:ada@example.com"),
    ("urn:example:ada", None), ("*.example", None), ("dns:", None), ("a b", None), ("ä", None),
    ("", None),
])
def test_the_tool_writes_the_type_of_a_certificate(tmp_path, given, credential):
    file = tmp_path / "access"
    run = subprocess.run(
        [BUILD / "weir", "access", "add", file, "ada", "--role", "admin", "--certificate", given],
        capture_output=True, text=True, timeout=20)
    if credential:
        assert run.returncode == 0 and file.read_text() == f"ada admin {credential}\n", run.stderr
    else:
        assert run.returncode == 1 and "uri:NAME, dns:NAME or email:NAME" in run.stderr
        assert not file.exists()


def test_the_tool_adds_exactly_one_line_and_keeps_the_others(tmp_path):
    file = write(tmp_path / "access", ROOT.rstrip("\n"))

    def add(*arguments):
        return subprocess.run(
            [BUILD / "weir", "access", "add", file, *arguments], capture_output=True, text=True,
            timeout=20)

    before = file.read_text()
    for name in ("a b", f"x admin sha256:{'1' * 64}\ny", "#x", "", "x\x1b[2J", "x" * 129):
        assert add(name, "--role", "viewer").returncode == 1
        assert file.read_text() == before
    assert add("x", "--role", "operator", "--endpoint", "a b").returncode == 1
    assert add("ada", "--role", "viewer").returncode == 0
    lines = file.read_text().splitlines()
    assert lines[0] == before and len(lines) == 2 and lines[1].startswith("ada viewer sha256:")


# Revocation.


class Stream:
    """A stream that a thread reads; records when and how it ended."""

    def __init__(self, call):
        self.call = call
        self.received = self.code = self.ended = None
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        try:
            for self.received in self.call:
                pass
            self.code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            self.code = error.code()
        self.ended = time.monotonic()

    def ends_within(self, seconds, since):
        self.thread.join(seconds * PATIENCE + 1)
        assert not self.thread.is_alive() and self.ended - since <= seconds * PATIENCE
        return self.code


def test_the_open_streams_of_a_revoked_credential_end(authority, tmp_path, stubs):
    authority.issue("ada", "URI:spiffe://prod/ada")
    others = ROOT + line("bot", "viewer")
    access = write(
        tmp_path / "access",
        others + line("watcher", "viewer") + "ada viewer cert:uri:spiffe://prod/ada\n")
    server = start_demo(
        "--admin-tls-cert", authority.cert("server"), "--admin-tls-key", authority.key("server"),
        "--admin-tls-client-ca", authority.ca, "--access", str(access))
    channels = [
        grpc.secure_channel(server.admin, authority.credentials(who)) for who in (None, "ada")]
    by_token, by_certificate = map(stubs.admin_grpc.AdminStub, channels)
    watch = stubs.admin.WatchRequest()
    # An interval of ten seconds, so that the failing next response does not end the stream.
    stats = stubs.admin.WatchStatsRequest(interval_ms=10_000)
    reflection = reflection_pb2_grpc.ServerReflectionStub(channels[0])
    gone = threading.Event()

    def requests():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        gone.wait(60)

    as_watcher = {"metadata": metadata("watcher"), "timeout": 60}
    revoked = [
        Stream(by_token.Watch(watch, **as_watcher)),
        Stream(by_token.WatchStats(stats, **as_watcher)),
        Stream(reflection.ServerReflectionInfo(requests(), **as_watcher))]
    certified = Stream(by_certificate.Watch(watch, timeout=60))
    kept = Stream(by_token.Watch(watch, metadata=metadata("bot"), timeout=60))
    wait_for(lambda: all(stream.received for stream in (
        revoked[0], revoked[2], certified, kept)))
    access.write_text(others)
    since = time.monotonic()
    assert {stream.ends_within(5, since) for stream in revoked} == {UNKNOWN}
    assert certified.ends_within(5, since) == DENIED
    assert kept.code is None
    # The connection stays open, because other credentials may use it.
    by_token.ListEndpoints(
        stubs.admin.ListEndpointsRequest(), metadata=metadata("root"), timeout=20)
    kept.call.cancel()
    gone.set()
    for channel in channels:
        channel.close()
    finish(server)


def test_a_stream_ends_when_its_role_becomes_insufficient(tmp_path, stubs):
    access = write(tmp_path / "access", ROOT + line("bot", "admin"))
    server = start_demo("--access", str(access))
    with grpc.insecure_channel(server.admin) as channel:
        admin = stubs.admin_grpc.AdminStub(channel)
        plain, revealing = (
            Stream(admin.Watch(
                stubs.admin.WatchRequest(reveal_secrets=reveal), metadata=metadata("bot"),
                timeout=60))
            for reveal in (False, True))
        wait_for(lambda: plain.received and revealing.received)
        access.write_text(ROOT + line("bot", "viewer"))
        since = time.monotonic()
        assert revealing.ends_within(5, since) == DENIED
        assert plain.code is None
        plain.call.cancel()
    finish(server)


@pytest.mark.parametrize("left, code", [
    ("", UNKNOWN), (line("bot", "viewer"), DENIED), (line("bot", "operator:other"), DENIED)],
    ids=["revoked", "role", "endpoints"])
def test_a_call_that_runs_ends_when_its_credential_does(tmp_path, stubs, left, code):
    etcd = Etcd(tmp_path / "etcd")
    access = write(tmp_path / "access", ROOT + line("bot", "operator:greeter"))
    port = etcd.port
    server = start_demo(
        "--store", f"etcd:http://127.0.0.1:{port},localhost:{port},127.0.0.1:{port}",
        "--state-dir", tmp_path / "state", "--access", str(access))
    with grpc.insecure_channel(server.admin) as channel:
        admin = stubs.admin_grpc.AdminStub(channel)
        # The change waits for an unreachable store.
        etcd.process.send_signal(signal.SIGSTOP)
        try:
            call = admin.SetTraffic.future(
                stubs.admin.SetTrafficRequest(endpoint="greeter", weights=[
                    stubs.admin.BackendWeight(backend="greeter-v1", weight=1)]),
                metadata=metadata("bot"), timeout=60)
            access.write_text(ROOT + left)
            since = time.monotonic()
            assert call.code() == code
            assert time.monotonic() - since <= 5 * PATIENCE
        finally:
            etcd.process.send_signal(signal.SIGCONT)
    server.stop()
    etcd.stop()


# Files that other users can change.


def options_of(kind, file, authority):
    """The options by which a server reads a file, and the file's content."""
    cert, key = authority.cert("server"), authority.key("server")
    return {
        "access": (("--access", file), ROOT),
        "key": (("--tls-cert", cert, "--tls-key", file), pathlib.Path(key).read_text()),
        "admin key": (("--admin-tls-cert", cert, "--admin-tls-key", file),
            pathlib.Path(key).read_text()),
        "certificate": (("--tls-cert", file, "--tls-key", key), pathlib.Path(cert).read_text()),
        "authority": (
            ("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", file),
            pathlib.Path(authority.ca).read_text()),
        "password": (
            ("--store", f"etcd:http://127.0.0.1:1?user=root&password_file={file}"), "hunter2\n"),
    }[kind]


KINDS = ["access", "key", "admin key", "certificate", "authority", "password"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_others_may_write_is_rejected(authority, tmp_path, kind):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o755)
    file = folder / "file"
    options, content = options_of(kind, file, authority)
    for mode, who in ((0o666, "every user (mode 0666)"), (0o620, "its group (mode 0620)")):
        write(file, content, mode)
        assert f"cannot use '{file}': it can be written by {who}" in fails_to_start(*options)
    write(file, content)
    folder.chmod(0o777)
    reported = fails_to_start(*options)
    assert f"every user can write the directory '{folder}'; run 'chmod o-w {folder}'" in reported
    # The target of a link is checked too.
    target = tmp_path / "target"
    folder.chmod(0o755)
    file.unlink()
    write(target, content, 0o666)
    file.symlink_to(target)
    assert "every user (mode 0666)" in fails_to_start(*options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_that_is_not_a_regular_file_is_rejected_at_once(authority, tmp_path, kind):
    fifo, large = tmp_path / "fifo", tmp_path / "large"
    os.mkfifo(fifo, 0o600)
    write(large, "#" * ((1 << 20) + 1))
    for file, reported in (
            (fifo, "it is not a regular file"), (tmp_path, "it is not a regular file"),
            ("/dev/zero", "it is not a regular file"), (large, "it has more than 1048576 bytes")):
        options, _ = options_of(kind, file, authority)
        assert f"cannot use '{file}': {reported}" in fails_to_start(*options)


def test_the_tool_rejects_token_files_that_others_may_write(demo, tmp_path):
    file = write(tmp_path / "token", TOKENS["root"])
    listing = ("endpoint", "list", "--token-file", file)
    assert tool(demo, *listing).stderr == ""
    file.chmod(0o644)
    assert f"warning: '{file}' can be read by every user; run 'chmod 600 {file}'" in tool(
        demo, *listing).stderr
    file.chmod(0o666)
    run = tool(demo, *listing, check=False)
    assert run.returncode == 1 and "it can be written by every user (mode 0666)" in run.stderr
    file.unlink()
    os.mkfifo(file, 0o600)
    run = tool(demo, *listing, check=False)
    assert run.returncode == 1 and "it is not a regular file" in run.stderr


def test_files_that_others_may_read_are_logged(authority, tmp_path):
    access = write(tmp_path / "access", ROOT, 0o644)
    key = write(tmp_path / "key", pathlib.Path(authority.key("server")).read_text(), 0o644)
    server = start_demo(
        "--access", str(access), "--admin-tls-cert", authority.cert("server"), "--admin-tls-key",
        str(key))
    for file in (key, access):
        logged(server, f"'{file}' can be read by every user; run 'chmod 600 {file}'")
    finish(server)


def allows(server, stubs, name):
    with grpc.insecure_channel(server.admin) as channel:
        try:
            stubs.admin_grpc.AdminStub(channel).ListEndpoints(
                stubs.admin.ListEndpointsRequest(), metadata=metadata(name), timeout=20)
            return True
        except grpc.RpcError as error:
            assert error.code() == UNKNOWN
            return False


def test_a_running_server_keeps_the_last_valid_access_file(tmp_path, stubs):
    access = write(tmp_path / "access", ROOT)
    server = start_demo("--access", str(access))
    changed = ROOT + line("bot", "viewer")
    write(access, changed, 0o666)
    reported = logged(server, "previous access file stays in use")
    assert "it can be written by every user (mode 0666)" in reported
    assert allows(server, stubs, "root") and not allows(server, stubs, "bot")
    access.chmod(0o600)
    wait_for(lambda: allows(server, stubs, "bot"))
    # An infinite file does not stop the server either.
    access.unlink()
    os.mkfifo(access, 0o600)
    logged(server, "it is not a regular file")
    assert allows(server, stubs, "bot")
    finish(server)


def test_secrets_are_mounted_and_replaced_as_kubernetes_does(tmp_path, stubs):
    volume = tmp_path / "volume"
    volume.mkdir()
    # The root of a secret's volume.
    volume.chmod(0o1777)

    def publish(version, content):
        (volume / version).mkdir(mode=0o755)
        write(volume / version / "access", content, 0o440)
        (volume / "..data_tmp").symlink_to(version)
        (volume / "..data_tmp").rename(volume / "..data")

    publish("..1", ROOT)
    (volume / "access").symlink_to("..data/access")
    server = start_demo("--access", str(volume / "access"))
    assert allows(server, stubs, "root") and not allows(server, stubs, "bot")
    publish("..2", ROOT + line("bot", "viewer"))
    wait_for(lambda: allows(server, stubs, "bot"))
    finish(server)


# Hosts.


def status(server, path, host):
    connection = http.client.HTTPConnection(server.admin, timeout=20)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/other"])
def test_the_admin_port_answers_only_requests_for_its_hosts(path):
    server = start_demo("--admin-host", "Weir.example", "--name", "node-7.example")
    port = server.admin.rsplit(":")[1]
    good = 404 if path == "/other" else 200
    for host in (server.admin, "127.0.0.1", f"localhost:{port}", "[::1]:1", "weir.EXAMPLE:9",
                 "node-7.example", os.uname().nodename, "10.1.2.3:8001", "weir:8001"):
        assert status(server, path, host) == good, host
    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example",
                 "127.0.0.1.evil.example", "weir.example.evil.example"):
        assert status(server, path, host) == 421, host
    finish(server)
