"""TLS on both ports, and access to the admin port."""

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import grpc
import pytest
import weir as weir_client

from conftest import BUILD, PATIENCE, ROOT, Authority, start_demo, start_weir, wait_for

HELLO = "/helloworld.Greeter/SayHello"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = Authority(tmp_path_factory.mktemp("authority"))
    authority.issue("server", "DNS:localhost,IP:127.0.0.1")
    authority.issue("ada", "URI:spiffe://prod/ada")
    authority.issue("grafana", "DNS:grafana.internal")
    authority.issue("stranger", "URI:spiffe://elsewhere/x")
    return authority


def secure(address, authority, who=None, alpn=("h2",)):
    """A TLS connection to an address, with or without a client certificate."""
    context = ssl.create_default_context(cafile=authority.ca)
    context.set_alpn_protocols(list(alpn))
    if who:
        context.load_cert_chain(authority.cert(who), authority.key(who))
    host, port = address.rsplit(":", 1)
    return context.wrap_socket(
        socket.create_connection((host, int(port)), timeout=20), server_hostname=host)


def channel(address, authority, who=None):
    return grpc.secure_channel(address, authority.credentials(who))


def say(channel, stubs, **options):
    return stubs.hello_grpc.GreeterStub(channel).SayHello(
        stubs.hello.HelloRequest(name="Ada"), timeout=20, **options).message


def server_tls(authority, *options):
    return start_demo(
        "--tls-cert", authority.cert("server"), "--tls-key", authority.key("server"),
        "--admin-tls-cert", authority.cert("server"), "--admin-tls-key", authority.key("server"),
        *options)


def finish(server):
    code = server.stop()
    assert code == 0, server.process.stderr.read()[-20000:]


# TLS.


def test_both_ports_speak_tls(authority, stubs):
    server = server_tls(authority)
    with channel(server.data, authority) as data, channel(server.admin, authority) as admin:
        assert "Ada" in say(data, stubs)
        names = stubs.admin_grpc.AdminStub(admin).ListEndpoints(
            stubs.admin.ListEndpointsRequest(), timeout=20)
        assert [endpoint.name for endpoint in names.endpoints] == ["greeter"]
    with secure(server.data, authority) as one:
        assert one.selected_alpn_protocol() == "h2" and one.version() == "TLSv1.3"
    with secure(server.admin, authority, alpn=("http/1.1",)) as one:
        assert one.selected_alpn_protocol() == "http/1.1"
        one.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"200 OK" in one.recv(4096)
    finish(server)


def test_a_client_that_never_closes_its_side_does_not_delay_the_end(authority):
    server = server_tls(authority, "--limit", "keepalive-timeout=1")
    with secure(server.data, authority) as dead, secure(server.admin, authority) as other:
        for connection in (dead, other):
            # The preface and empty SETTINGS of HTTP/2; the client reads and sends nothing else.
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0,
                0]))
            assert connection.recv(1)
        begin = time.monotonic()
        finish(server)
        # It answers neither the PING of the drain, for which the server waits a second, nor the
        # close_notify, for which TLS libraries wait several seconds.
        assert time.monotonic() - begin < 3.5 * PATIENCE


def test_an_old_tls_is_refused(authority):
    server = server_tls(authority, "--tls-minimum", "1.3")
    context = ssl.create_default_context(cafile=authority.ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    host, port = server.data.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(plain, server_hostname=host)
    finish(server)


def test_plaintext_to_a_tls_port_and_tls_to_a_plaintext_port_end_at_once(authority, stubs):
    server = server_tls(authority)
    host, port = server.data.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        while plain.recv(4096):
            pass
    with channel(server.data, authority) as data:
        assert "Ada" in say(data, stubs)
    finish(server)
    server = start_demo()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        secure(server.data, authority)
    with grpc.insecure_channel(server.data) as data:
        assert "Ada" in say(data, stubs)
    finish(server)


def test_callers_without_a_certificate_are_refused_when_one_is_required(authority, stubs):
    other = Authority(authority.folder / "other")
    other.issue("ada", "URI:spiffe://prod/ada")
    server = server_tls(authority, "--tls-client-ca", authority.ca)
    with channel(server.data, authority, "ada") as data:
        assert "Ada" in say(data, stubs)
    with channel(server.data, authority) as data:
        with pytest.raises(grpc.RpcError) as refused:
            say(data, stubs)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    # A certificate with the correct name from another authority.
    with pytest.raises((ssl.SSLError, ConnectionError)):
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(other.cert("ada"), other.key("ada"))
        host, port = server.data.rsplit(":", 1)
        with context.wrap_socket(
                socket.create_connection((host, int(port)), timeout=20),
                server_hostname=host) as one:
            one.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert one.recv(1) == b""
            raise ConnectionResetError
    finish(server)


def serial(address, authority):
    with secure(address, authority) as one:
        return one.getpeercert()["serialNumber"]


@pytest.mark.parametrize("how", ["file", "SIGHUP"])
def test_certificates_are_reloaded_and_connections_stay(authority, stubs, how):
    mine = Authority(authority.folder / how)
    mine.issue("server", "DNS:localhost,IP:127.0.0.1")
    server = server_tls(mine)
    first = serial(server.data, mine)
    with channel(server.data, mine) as data:
        assert say(data, stubs)
        with grpc.insecure_channel("127.0.0.1:1"):
            pass
        mine.issue("server", "DNS:localhost,IP:127.0.0.1")
        if how == "SIGHUP":
            server.process.send_signal(signal.SIGHUP)
        wait_for(lambda: serial(server.data, mine) != first)
        second = serial(server.data, mine)
        # An invalid file is ignored and logged.
        good = open(mine.key("server"), "rb").read()
        open(mine.key("server"), "w").write("no key\n")
        if how == "SIGHUP":
            server.process.send_signal(signal.SIGHUP)
        lines = []
        for line in server.process.stderr:
            lines.append(line)
            if "previous certificates stay in use" in line:
                break
        assert mine.key("server") in lines[-1] and "invalid PEM key in" in lines[-1]
        assert serial(server.data, mine) == second
        open(mine.key("server"), "wb").write(good)
        assert say(data, stubs)
    # All requests used one connection.
    assert "draining" not in "".join(lines)
    finish(server)


@pytest.mark.parametrize("options, reported", [
    (("--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.key"),
     "TLS of the data port: cannot use '/nowhere.pem': No such file or directory"),
    (("--tls-cert", "/nowhere.pem"), "--tls-cert and --tls-key require each other"),
    (("--admin-tls-client-ca", "/nowhere.pem"), "--admin-tls-client-ca requires --admin-tls-cert"),
    (("--tls-minimum", "1.1"), "invalid TLS version '1.1': use 1.2 or 1.3"),
    (("--access", "/nowhere.txt"), "access file: cannot use '/nowhere.txt': No such file"),
    (("--admin", "0.0.0.0:0"),
     "the admin address 0.0.0.0:0 requires TLS and authentication"),
])
def test_a_server_without_the_required_protection_does_not_start(options, reported):
    run = subprocess.run(
        [BUILD / "weir", "serve", "--store", "memory:", "--data", "127.0.0.1:0", "--admin",
         "127.0.0.1:0", *options], capture_output=True, text=True, timeout=20)
    assert run.returncode in (1, 64)
    assert reported in " ".join(run.stderr.split())


def test_the_admin_port_takes_tls_and_authentication_beyond_loopback(authority, tmp_path):
    # The loopback address in a form that is not recognised.
    elsewhere = ("--admin", "[0:0:0:0:0:0:0:1]:0")
    tls = ("--admin-tls-cert", authority.cert("server"), "--admin-tls-key", authority.key("server"))
    access = tmp_path / "access"
    access.write_text("ada admin cert:uri:spiffe://prod/ada\n")

    def starts(*options):
        run = subprocess.Popen(
            [BUILD / "weir", "serve", "--json", "--store", "memory:", "--data", "127.0.0.1:0",
             *elsewhere, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = run.stdout.readline()
        run.terminate()
        text = run.communicate(timeout=20)[1]
        return bool(line), text

    for options, missing in [
            ((), "TLS and authentication"), (tls, "authentication"),
            (("--access", str(access)), "TLS")]:
        started, text = starts(*options)
        assert not started and f"requires {missing}" in " ".join(text.split())
    for options in [
            (*tls, "--access", str(access)), (*tls, "--admin-tls-client-ca", authority.ca),
            ("--insecure-admin",)]:
        assert starts(*options)[0], options


# Access.


class Guarded:
    """A server with an access file: a token for each role, and certificates."""

    def __init__(self, authority, folder, stubs):
        self.authority, self.stubs = authority, stubs
        self.file = folder / "access"
        self.tokens = {
            "root": self.add("root", "--role", "admin"),
            "bot": self.add("bot", "--role", "operator"),
            "greeter-bot": self.add(
                "greeter-bot", "--role", "operator", "--endpoint", "greeter"),
            "watcher": self.add("watcher", "--role", "viewer"),
        }
        self.add("ada", "--role", "admin", "--certificate", "spiffe://prod/ada")
        self.add("grafana", "--role", "viewer", "--certificate", "grafana.internal")
        self.server = server_tls(
            authority, "--access", str(self.file), "--admin-tls-client-ca", authority.ca)

    def add(self, *arguments):
        run = subprocess.run(
            [BUILD / "weir", "access", "add", self.file, *arguments], check=True,
            capture_output=True, text=True, timeout=20)
        return run.stdout.strip()

    def stub(self, who=None):
        return self.stubs.admin_grpc.AdminStub(channel(self.server.admin, self.authority, who))

    def metadata(self, token):
        return [("authorization", f"Bearer {self.tokens[token]}")]


@pytest.fixture(scope="module")
def guarded(authority, tmp_path_factory, stubs):
    guarded = Guarded(authority, tmp_path_factory.mktemp("access"), stubs)
    yield guarded
    finish(guarded.server)


VIEWING = {"GetBackend", "ListBackends", "GetEndpoint", "ListEndpoints", "ExplainRoute", "GetStats",
    "GetShadowReport", "WatchStats", "Watch", "ListRevisions", "GetRevision", "CompareRevisions",
    "GetTrace", "GetAccess", "ListInstances", "GetFreeze", "GetRollout", "ListRollouts",
    "WatchRollout"}
OPERATING = {
    "SetTraffic", "SetRateLimit", "ShadowTraffic", "SetShadowComparison", "ResetShadowReport",
    "Rollback", "ConfirmTraffic", "StartRollout", "PauseRollout", "ResumeRollout",
    "AdvanceRollout", "PromoteRollout", "AbortRollout", "Tap"}


def refusal(guarded, method, metadata=(), who=None):
    """The status of a call with an empty request, NONE when it succeeds; streams end after one."""
    with channel(guarded.server.admin, guarded.authority, who) as admin:
        stub = getattr(guarded.stubs.admin_grpc.AdminStub(admin), method.name)
        request = getattr(guarded.stubs.admin, method.input_type.name)()
        if "validate_only" in method.input_type.fields_by_name:
            request.validate_only = True
        try:
            if method.server_streaming:
                next(iter(stub(request, metadata=metadata, timeout=1)))
            else:
                stub(request, metadata=metadata, timeout=20)
        except grpc.RpcError as error:
            return error.code(), error.details()
    return None, ""


def test_each_method_takes_its_role(guarded):
    service = guarded.stubs.admin.DESCRIPTOR.services_by_name["Admin"]
    denied = grpc.StatusCode.PERMISSION_DENIED
    for method in service.methods:
        code, reported = refusal(guarded, method)
        assert code == grpc.StatusCode.UNAUTHENTICATED and "authorization: Bearer TOKEN" in reported
        code, _ = refusal(guarded, method, [("authorization", "Bearer wrong")])
        assert code == grpc.StatusCode.UNAUTHENTICATED
        code, _ = refusal(guarded, method, who="stranger")
        assert code == denied
        allowed = {
            "watcher": method.name in VIEWING,
            "bot": method.name in VIEWING | OPERATING, "root": True,
        }
        for who, may in allowed.items():
            code, reported = refusal(guarded, method, guarded.metadata(who))
            # An operator must name the endpoint, which the empty request lacks.
            refused = code == denied and "must name an endpoint" not in reported
            assert refused == (not may), (method.name, who, reported)


def test_an_operator_of_one_endpoint_changes_no_other(guarded, stubs):
    admin, metadata = guarded.stub(), guarded.metadata("greeter-bot")

    def weigh(endpoint, who="greeter-bot"):
        return admin.SetTraffic(stubs.admin.SetTrafficRequest(
            endpoint=endpoint, weights=[stubs.admin.BackendWeight(backend="greeter-v1", weight=1)]),
            metadata=guarded.metadata(who), timeout=20)

    weigh("greeter")
    admin.CreateEndpoint(stubs.admin.CreateEndpointRequest(
        name="other", route="/other.Other/", backend="greeter-v1"),
        metadata=guarded.metadata("root"), timeout=20)
    with pytest.raises(grpc.RpcError) as refused:
        weigh("other")
    assert refused.value.details() == "'greeter-bot' is an operator of greeter, not of other"
    weigh("other", "bot")
    shadow = stubs.admin.ShadowTrafficRequest(
        endpoint="other", backend="greeter-v2", proportion=0.5)
    for call, request in [
            (admin.ShadowTraffic, shadow),
            (admin.Rollback, stubs.admin.RollbackRequest(revision=1, endpoint="other")),
            (admin.Rollback, stubs.admin.RollbackRequest(revision=1)),
            (admin.ResetShadowReport, stubs.admin.ResetShadowReportRequest(endpoint="other"))]:
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=metadata, timeout=20)
        assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_the_history_records_the_authenticated_caller_not_the_claimed_one(guarded, stubs):
    note = stubs.admin.ChangeNote(author="another author", comment="because")
    request = stubs.admin.SetTrafficRequest(
        endpoint="greeter", note=note,
        weights=[stubs.admin.BackendWeight(backend="greeter-v1", weight=1)])
    latest = stubs.admin.ListRevisionsRequest(limit=1)
    guarded.stub().SetTraffic(request, metadata=guarded.metadata("bot"), timeout=20)
    ada = guarded.stub("ada")
    (entry,) = ada.ListRevisions(latest, timeout=20).revisions
    assert (entry.author, entry.comment) == ("bot", "because")
    ada.SetTraffic(request, timeout=20)
    (entry,) = ada.ListRevisions(latest, timeout=20).revisions
    assert entry.author == "ada"
    # A token takes precedence over the certificate of the connection.
    ada.SetTraffic(request, metadata=guarded.metadata("greeter-bot"), timeout=20)
    (entry,) = ada.ListRevisions(latest, timeout=20).revisions
    assert entry.author == "greeter-bot"


def test_health_needs_no_token_and_metrics_need_a_viewer(guarded, authority):
    def get(path, **headers):
        context = ssl.create_default_context(cafile=authority.ca)
        request = urllib.request.Request(f"https://{guarded.server.admin}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, context=context, timeout=20) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code

    assert get("/healthz") == 200
    assert get("/metrics") == 401
    assert get("/metrics", Authorization="Bearer wrong") == 401
    assert get("/metrics", Authorization=f"Bearer {guarded.tokens['watcher']}") == 200
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    with channel(guarded.server.admin, authority) as admin:
        reply = health_pb2_grpc.HealthStub(admin).Check(
            health_pb2.HealthCheckRequest(), timeout=20)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_the_access_file_is_reloaded(authority, tmp_path, stubs):
    guarded = Guarded(authority, tmp_path, stubs)
    request = stubs.admin.ListEndpointsRequest()
    admin = guarded.stub()
    admin.ListEndpoints(request, metadata=guarded.metadata("watcher"), timeout=20)
    lines = guarded.file.read_text().splitlines(keepends=True)
    guarded.file.write_text("".join(line for line in lines if not line.startswith("watcher")))

    def is_refused():
        try:
            admin.ListEndpoints(request, metadata=guarded.metadata("watcher"), timeout=20)
        except grpc.RpcError as error:
            return error.code() == grpc.StatusCode.UNAUTHENTICATED
        return False

    wait_for(is_refused)
    # An error in the file does not change the access.
    guarded.file.write_text("root superuser sha256:00\n")
    text = ""
    while "previous access file stays in use" not in text:
        text = guarded.server.process.stderr.readline()
    assert f"{guarded.file}:1: invalid role 'superuser'; use viewer, operator, admin" in text
    admin.ListEndpoints(request, metadata=guarded.metadata("root"), timeout=20)
    assert is_refused()
    finish(guarded.server)


def test_secrets_are_never_shown(authority, tmp_path, stubs):
    guarded = Guarded(authority, tmp_path, stubs)
    admin, metadata = guarded.stub(), guarded.metadata("root")
    reported = [str(admin.ListRevisions(stubs.admin.ListRevisionsRequest(), metadata=metadata)),
            str(admin.ListBackends(stubs.admin.ListBackendsRequest(), metadata=metadata)),
            str(admin.GetStats(stubs.admin.GetStatsRequest(), metadata=metadata))]
    for value in (f"Bearer {guarded.tokens['root']}x", f"Basic {guarded.tokens['root']}"):
        with pytest.raises(grpc.RpcError) as refused:
            admin.ListEndpoints(
                stubs.admin.ListEndpointsRequest(), metadata=[("authorization", value)])
        reported.append(str(refused.value))
    # An error does not repeat a token that is used instead of its hash.
    guarded.file.write_text(f"root admin {guarded.tokens['root']}\n")
    line = ""
    while "neither sha256:HASH nor cert:" not in line:
        line = guarded.server.process.stderr.readline()
        reported.append(line)
    guarded.server.stop()
    reported += [guarded.server.process.stdout.read(), guarded.server.process.stderr.read()]
    for token in guarded.tokens.values():
        assert len(token) == 69 and not any(token in text for text in reported)


# The tools.


def tool(*arguments, environment=None, check=True):
    run = subprocess.run(
        [BUILD / "weir", *map(str, arguments)], capture_output=True, text=True, timeout=30,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})})
    assert not check or run.returncode == 0, run.stderr
    return run


def test_the_tool_shows_tokens_and_certificates(guarded, authority, tmp_path):
    options = ("--admin", guarded.server.admin, "--admin-tls-ca", authority.ca)
    token = {"WEIR_TOKEN": guarded.tokens["watcher"]}
    assert "greeter" in tool("endpoint", "list", *options, environment=token).stdout
    run = tool("endpoint", "delete", "greeter", *options, environment=token, check=False)
    assert run.returncode == 1
    assert "'watcher' has the role viewer and needs the role admin to call DeleteEndpoint" in run.stderr
    for wrong in ["hunter2\nhunter2", "hunter2 x", "hunter2\x01", "hunter2\u00e9"]:
        run = tool("endpoint", "list", *options, environment={"WEIR_TOKEN": wrong}, check=False)
        assert run.returncode == 1 and "WEIR_TOKEN: invalid token" in run.stderr
        assert "hunter2" not in run.stderr
    file = tmp_path / "token"
    file.write_text(guarded.tokens["root"] + "\n")
    assert "greeter" in tool("endpoint", "list", *options, "--token-file", file).stdout
    environment = {
        "WEIR_ADMIN": guarded.server.admin, "WEIR_ADMIN_TLS_CA": authority.ca,
        "WEIR_ADMIN_TLS_CERT": authority.cert("ada"), "WEIR_ADMIN_TLS_KEY": authority.key("ada"),
        "WEIR_ADDRESS": guarded.server.data, "WEIR_TLS_CA": authority.ca}
    assert "greeter" in tool("history", environment=environment).stdout
    call = ("call", "helloworld.Greeter/SayHello", "--data", '{"name": "Ada"}')
    assert "Ada" in tool(*call, environment=environment).stdout
    run = tool("endpoint", "list", "--admin", guarded.server.admin, check=False)
    assert run.returncode == 69
    run = tool("endpoint", "list", "--admin", "model.internal:1", environment=token, check=False)
    assert run.returncode == 1 and "requires TLS" in run.stderr


def test_the_access_file_is_listed_and_checked(tmp_path):
    file = tmp_path / "access"
    token = tool("access", "add", file, "ada", "--role", "admin").stdout.strip()
    assert re.fullmatch(r"weir_[0-9a-f]{64}", token)
    assert file.stat().st_mode & 0o777 == 0o600 and token not in file.read_text()
    tool("access", "add", file, "bot", "--role", "operator", "--endpoint", "a", "--endpoint", "b",
         "--certificate", "bot.internal")
    rows = tool("access", "list", file).stdout.splitlines()
    assert rows[0].split() == ["NAME", "ROLE", "ENDPOINTS", "CREDENTIAL"]
    assert rows[2].split() == ["bot", "operator", "a,", "b", "certificate", "dns:bot.internal"]
    run = tool("access", "add", file, "x", "--role", "viewer", "--endpoint", "a", check=False)
    assert run.returncode == 1
    assert f"{file}:3: only an operator can be limited to endpoints" in run.stderr
    assert len(file.read_text().splitlines()) == 2


def test_the_python_client_shows_tokens_and_certificates(guarded, authority):
    credentials = authority.credentials()
    with weir_client.connect(
            guarded.server.admin, credentials=credentials, token=guarded.tokens["root"],
            data_credentials=credentials) as client:
        assert list(client.list_endpoints()) == ["greeter", "other"]
        client.set_traffic("greeter", {"greeter-v1": 1})
        assert client.history(limit=1)[0].author == "root"
    with weir_client.connect(
            guarded.server.admin, credentials=authority.credentials("grafana"),
            data_credentials=credentials) as client:
        with pytest.raises(weir_client.PermissionDenied):
            client.set_traffic("greeter", {"greeter-v1": 1})
    with pytest.raises(weir_client.Unauthenticated):
        weir_client.connect(guarded.server.admin, credentials=credentials)
    with pytest.raises(ValueError, match="requires TLS"):
        weir_client.connect("model.internal:1", token="x")


RUBY = """
require 'weir'
credentials = GRPC::Core::ChannelCredentials.new(File.read(ENV['CA']))
client = Weir.connect(ENV['ADMIN'], credentials: credentials, token: ENV['TOKEN'], data_credentials: credentials)
puts client.list_endpoints.map(&:name).join(' ')
begin
  Weir.connect('model.internal:1', token: 'x')
rescue ArgumentError => e
  puts e.message
end
"""
NODE = """
import { readFileSync } from "node:fs";
import { connect } from "./src/index.js";
const tls = { ca: readFileSync(process.env.CA) };
const client = await connect(process.env.ADMIN, { tls, token: process.env.TOKEN, dataTls: tls });
console.log((await client.listEndpoints()).map((endpoint) => endpoint.name).join(" "));
client.close();
await connect("model.internal:1", { token: "x" }).catch((error) => console.log(error.message));
"""


@pytest.mark.parametrize("folder, command, required", [
    ("ruby", ("ruby", "-I", "lib", "-e", RUBY), "credentials"),
    ("node", ("node", "--input-type=module", "-e", NODE), "tls"),
])
def test_other_clients_show_tokens(guarded, authority, folder, command, required):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    run = subprocess.run(
        command, cwd=ROOT / "clients" / folder, capture_output=True, text=True, timeout=60,
        env={**os.environ, "CA": authority.ca, "ADMIN": guarded.server.admin,
             "TOKEN": guarded.tokens["watcher"]})
    assert run.returncode == 0, run.stderr
    names, refused = run.stdout.splitlines()
    assert names == "greeter other"
    assert refused == f"sending a token to model.internal:1 requires {required}"
