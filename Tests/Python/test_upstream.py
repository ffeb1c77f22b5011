"""Upstream backends: forwarding, limits, retries, replicas, health, TLS."""

import collections
import concurrent.futures
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import grpc
import pytest
from conftest import free_port, load, memory, wait_for
from frame_server import FrameServer
from scripted_backend import BEGIN, ScriptedBackend
from waiting import highest

RAW = "/test.Raw/"
READY, UNHEALTHY, EJECTED = 3, 4, 5


def call(mesh, method, request=b"", **options):
    options.setdefault("timeout", 10)
    return mesh.channel.unary_unary(RAW + method)(request, **options)


def failure(body):
    with pytest.raises(grpc.RpcError) as caught:
        body()
    return caught.value


def counts(mesh, number, **options):
    names = collections.Counter()
    for index in range(number):
        key = [("x-serve-shard-key", f"key-{index}")] if options.get("keyed") else []
        names[call(mesh, "Name", metadata=key).split()[0].decode()] += 1
    return names


# Forwarding.


def test_metadata_is_passed_on_as_a_careful_proxy_does(mesh):
    mesh.raw(mesh.upstream().address)
    text = call(mesh, "Metadata", timeout=5, metadata=[
        ("x-user", "Ada"), ("x-data-bin", b"\x00\xff"), ("x-serve-shard-key", "k"),
        ("x-serve-shadow", "1"), ("x-serve-backend", "forged"), ("x-forwarded-for", "1.2.3.4"),
    ]).decode()
    lines = dict(line.split("=", 1) for line in text.splitlines())
    assert lines["x-user"] == "Ada"
    assert lines["x-data-bin"] == str(b"\x00\xff")
    assert lines["x-serve-shard-key"] == "k"
    assert "x-serve-shadow" not in lines and "x-serve-backend" not in lines
    assert lines["x-forwarded-for"] == "1.2.3.4"
    assert lines["user-agent"].startswith("grpc-python")
    # The deadline is forwarded, reduced by the time spent.
    assert 3 < float(lines["left"]) <= 5


def test_the_callers_address_is_added_if_asked_for(mesh, tmp_path):
    file = tmp_path / "backend.yaml"
    file.write_text(
        f"upstream:\n  addresses: ['{mesh.upstream().address}']\n"
        "options:\n  forwarded_for: true\n  authority: model.internal\n  wait_timeout: 2s\n")
    mesh.backend("raw", "-f", file)
    mesh.endpoint("raw", RAW, "raw")
    text = call(mesh, "Metadata", metadata=[("x-forwarded-for", "1.2.3.4")]).decode()
    assert "x-forwarded-for=1.2.3.4, 127.0.0.1" in text


def test_a_call_without_a_deadline_has_none_behind_weir(mesh):
    mesh.raw(mesh.upstream().address)
    assert "left=None" in mesh.channel.unary_unary(RAW + "Metadata")(b"").decode()


def test_cancellation_reaches_the_upstream(mesh):
    mesh.raw(mesh.upstream().address)
    running = mesh.channel.unary_unary(RAW + "Sleep").future(b"1")
    # A call that is cancelled before it starts never reaches the server.
    wait_for(lambda: call(mesh, "Began") == b"1", 10)
    running.cancel()
    mesh.wait_for("raw", lambda status: status.in_flight == 0)
    wait_for(lambda: call(mesh, "Cancelled") == b"1", 10)


def test_the_deadline_ends_a_call_to_a_hanging_upstream(mesh):
    mesh.raw(mesh.upstream().address)
    error = failure(lambda: call(mesh, "Sleep", b"3", timeout=0.2))
    assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    mesh.wait_for("raw", lambda status: status.in_flight == 0)


def test_unix_sockets(mesh, tmp_path):
    address = f"unix:{tmp_path}/s"
    mesh.upstream(address, NAME="unix")
    mesh.raw(address)
    assert call(mesh, "Name").startswith(b"unix")


def test_names_are_resolved(mesh):
    port = mesh.upstream(NAME="named").address.rsplit(":", 1)[1]
    mesh.raw(f"127.0.0.1:{port}")
    mesh.tool("backend", "update", "raw", "--upstream", f"localhost:{port}")
    assert call(mesh, "Name").startswith(b"named")
    assert mesh.status("raw").replicas[0].name == f"localhost:{port} (127.0.0.1)"
    mesh.backend("lost", "--upstream", "no-such-host.invalid:1", "--wait", "0")
    mesh.endpoint("lost", RAW + "Fail", "lost")
    error = failure(lambda: call(mesh, "Fail"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "no-such-host.invalid" in error.details()


# Flow control.


def test_memory_stays_flat_when_the_reader_of_a_large_stream_stalls(mesh):
    mesh.raw(mesh.upstream().address)
    call(mesh, "Name")
    before = memory(mesh.weir.process)
    count, size = 200, 1 << 20
    # A client with a small receive window: unread bytes stay in the servers.
    options = [("grpc.http2.lookahead_bytes", 65536), ("grpc.http2.bdp_probe", 0)]
    with grpc.insecure_channel(mesh.weir.data, options=options) as channel:
        flood = channel.unary_stream(RAW + "Flood")(f"{count} {size}".encode(), timeout=60)
        next(flood)
        stalled = highest(lambda: memory(mesh.weir.process), 1)
        assert sum(len(chunk) for chunk in flood) == (count - 1) * size
    assert stalled - before < 8 << 20
    assert memory(mesh.weir.process) - before < 16 << 20


def test_memory_stays_flat_when_the_upstream_stalls(mesh):
    mesh.raw(mesh.upstream().address)
    call(mesh, "Name")
    before = memory(mesh.weir.process)
    chunk = b"x" * (1 << 20)

    def requests():
        for _ in range(200):
            yield chunk

    running = mesh.channel.stream_unary(RAW + "Stall").future(requests(), timeout=60)
    most = highest(lambda: memory(mesh.weir.process), 2)
    assert running.result() == b"200"
    assert most - before < 8 << 20


# Replicas.


def test_requests_are_spread_over_replicas(mesh):
    mesh.raw(mesh.upstream(NAME="a").address, mesh.upstream(NAME="b").address)
    names = counts(mesh, 200)
    assert set(names) == {"a", "b"} and min(names.values()) > 50


def test_a_slow_replica_gets_fewer_requests(mesh):
    slow, fast = mesh.upstream(NAME="slow"), mesh.upstream(NAME="fast")
    mesh.raw(slow.address, fast.address)
    os.kill(slow.process.pid, signal.SIGSTOP)
    try:
        # The stopped replica keeps its requests in flight, so the fast one receives the others.
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            results = [pool.submit(call, mesh, "Name", timeout=20) for _ in range(200)]
            wait_for(lambda: sum(result.done() for result in results) > 100)
            os.kill(slow.process.pid, signal.SIGCONT)
            names = collections.Counter(result.result().split()[0] for result in results)
    finally:
        os.kill(slow.process.pid, signal.SIGCONT)
    assert names[b"fast"] > names[b"slow"]


def test_affinity_keeps_a_key_on_its_replica_and_moves_only_keys_of_one_that_left(mesh):
    upstreams = [mesh.upstream(NAME=name) for name in "abc"]
    mesh.raw(*(upstream.address for upstream in upstreams), options=["--replica-affinity"])

    def homes():
        return {
            key: call(mesh, "Name", metadata=[("x-serve-shard-key", f"user-{key}")]).split()[0]
            for key in range(120)}

    first = homes()
    assert homes() == first
    assert len(set(first.values())) == 3
    left = ",".join(upstream.address for upstream in upstreams[:2])
    mesh.tool("backend", "update", "raw", "--upstream", left)
    second = homes()
    assert {key for key in first if first[key] != second[key]} == {
        key for key in first if first[key] == b"c"}
    mesh.tool("backend", "update", "raw", "--upstream",
              ",".join(upstream.address for upstream in upstreams))
    assert homes() == first


def test_an_update_of_addresses_under_load_fails_no_request(mesh):
    a, b = mesh.upstream(NAME="a"), mesh.upstream(NAME="b")
    mesh.raw(a.address)
    errors, names = [], set()

    def ask():
        try:
            names.add(call(mesh, "Name").split()[0])
        except grpc.RpcError as error:
            errors.append(error)

    with load(ask, threads=4):
        for address in (b, a, b):
            mesh.tool("backend", "update", "raw", "--upstream", address.address)
    assert not errors and names == {b"a", b"b"}


# Health.


def test_a_backend_that_is_not_there_is_unavailable_and_its_endpoint_not_serving(mesh):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    port = free_port()
    mesh.raw(f"127.0.0.1:{port}")
    began = time.monotonic()
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "Connection refused" in error.details() and str(port) in error.details()
    assert time.monotonic() - began < 2
    health = health_pb2_grpc.HealthStub(mesh.channel)
    check = health_pb2.HealthCheckRequest(service="raw")
    assert health.Check(check).status == health_pb2.HealthCheckResponse.NOT_SERVING
    # The server starts; Weir connects to it within the backoff.
    mesh.upstream(f"127.0.0.1:{port}", NAME="late")
    mesh.wait_for("raw", lambda status: status.usable and status.replicas[0].state == READY)
    assert call(mesh, "Name").startswith(b"late")
    wait_for(lambda: health.Check(check).status == health_pb2.HealthCheckResponse.SERVING, 5)


def test_health_checks_take_a_replica_out_and_back(mesh):
    a, b = mesh.upstream(NAME="a"), mesh.upstream(NAME="b")
    mesh.raw(a.address, b.address, options=["--health-interval", "0.1"])
    os.kill(a.process.pid, signal.SIGUSR1)
    states = lambda status: {r.name: r.state for r in status.replicas}
    mesh.wait_for("raw", lambda status: states(status)[a.address] == UNHEALTHY)
    assert set(counts(mesh, 40)) == {"b"}
    os.kill(b.process.pid, signal.SIGUSR1)
    mesh.wait_for("raw", lambda status: not status.usable)
    assert failure(lambda: call(mesh, "Name")).code() == grpc.StatusCode.UNAVAILABLE
    os.kill(a.process.pid, signal.SIGUSR2)
    mesh.wait_for("raw", lambda status: status.usable)
    assert set(counts(mesh, 40)) == {"a"}


def test_checks_that_are_switched_on_later_begin_at_once(mesh):
    mesh.raw(mesh.upstream().address, options=["--health-interval", "0"])
    call(mesh, "Name")
    mesh.tool("backend", "update", "raw", "--health-interval", "60")
    began = time.monotonic()
    call(mesh, "Name")
    assert time.monotonic() - began < 2


def test_a_server_without_the_health_service_counts_as_healthy(mesh):
    mesh.raw(mesh.upstream(NAME="plain", HEALTH="none").address)
    assert call(mesh, "Name").startswith(b"plain")


def test_a_replica_that_fails_is_ejected_and_with_all_ejected_requests_continue(mesh):
    good, bad = mesh.upstream(NAME="good"), mesh.upstream(NAME="bad")
    mesh.raw(good.address, bad.address)
    # Consecutive failures of one replica require requests to this replica only.
    mesh.tool("backend", "update", "raw", "--upstream", bad.address)
    for _ in range(5):
        failure(lambda: call(mesh, "Fail"))
    status = mesh.wait_for("raw", lambda status: status.replicas[0].state == EJECTED)
    assert status.replicas[0].ejections == 1 and "always" in status.replicas[0].last_failure
    # The only replica is used even if it is ejected.
    assert call(mesh, "Name").startswith(b"bad")
    mesh.tool("backend", "update", "raw", "--upstream", f"{bad.address},{good.address}")
    assert set(counts(mesh, 40)) == {"good"}


# Retries.


def test_retries_end_when_the_answer_is_good(mesh):
    mesh.raw(mesh.upstream().address, options=["--retry", "unavailable"])
    assert call(mesh, "FailTwice") == b"2"
    assert mesh.status("raw").retries == 2


def test_without_retries_the_status_reaches_the_caller(mesh):
    mesh.raw(mesh.upstream().address)
    error = failure(lambda: call(mesh, "FailTwice"))
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "attempt 0")


def test_pushback_is_obeyed(mesh):
    mesh.raw(mesh.upstream().address, options=["--retry", "UNAVAILABLE"])
    began = time.monotonic()
    assert call(mesh, "FailTwice", b"300") == b"2"
    assert time.monotonic() - began > 0.6
    assert failure(lambda: call(mesh, "FailTwice", b"-1")).details() == "attempt 0"
    # A pushback over a minute is left to the client.
    assert failure(lambda: call(mesh, "FailTwice", b"60001")).details() == "attempt 0"


def test_the_budget_keeps_retries_from_storming(mesh, tmp_path):
    file = tmp_path / "backend.yaml"
    file.write_text(
        f"upstream: {{addresses: ['{mesh.upstream().address}']}}\n"
        "options:\n"
        "  retry: {codes: [UNAVAILABLE], max_attempts: 3, initial_delay: 0s, budget_per_second: 1}\n"
        "  outlier_detection: {consecutive_failures: 0}\n")
    mesh.backend("raw", "-f", file)
    mesh.endpoint("raw", RAW, "raw")
    for _ in range(100):
        failure(lambda: call(mesh, "Fail"))
    status = mesh.status("raw")
    assert status.retries_denied > 0
    # A fifth of the attempts, and at most one per second on each loop.
    assert status.retries < 60


def test_requests_that_make_a_replica_close_its_connection_harm_no_others(mesh):
    def answer(connection, stream):
        if poisoned.is_set():
            poisoned.clear()
            # Closes only this connection, because `close` waits for its reader.
            connection.socket.shutdown(socket.SHUT_RDWR)
        else:
            connection.reply(stream)

    poisoned, server = threading.Event(), FrameServer(answer)
    try:
        mesh.raw(server.address, options=["--health-interval", "0"])
        call(mesh, "Name")
        for _ in range(10):
            poisoned.set()
            assert failure(lambda: call(mesh, "Name")).code() == grpc.StatusCode.UNAVAILABLE
            # Meanwhile, no call of another client is rejected.
            began = time.monotonic()
            call(mesh, "Name")
            assert time.monotonic() - began < 0.9
    finally:
        server.close()


def test_only_weir_marks_shadows_and_stale_requests(mesh):
    own = [("x-serve-shadow", "1"), ("x-weir-stale", "no"), ("x-weir-via", "1"),
        ("x-serve-backend", "other")]

    def answer(path, payload):
        return [[*BEGIN, *own, ("x-kept", "1")], b"", [("grpc-status", "0"), *own, ("x-kept", "2")]]

    server = ScriptedBackend(answer)
    try:
        mesh.raw(server.address)
        method = mesh.channel.unary_unary(RAW + "Name")
        _, done = method.with_call(b"", timeout=10)
        assert dict(done.initial_metadata()) == {"x-kept": "1"}
        assert dict(done.trailing_metadata()) == {"x-kept": "2", "x-serve-backend": "raw"}
    finally:
        server.close()


# Limits.


def test_a_replica_gets_no_more_than_its_limit_and_the_rest_waits(mesh):
    mesh.raw(mesh.upstream().address, options=["--max-requests-per-replica", "2"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        results = [pool.submit(call, mesh, "Name", b"0.3") for _ in range(8)]
        most = 0
        while not all(result.done() for result in results):
            most = max(most, mesh.status("raw").replicas[0].in_flight)
        [result.result() for result in results]
    assert 1.1 < time.monotonic() - began < 4
    assert 1 <= most <= 2


def test_requests_that_wait_too_long_or_in_a_full_line_are_refused(mesh, tmp_path):
    file = tmp_path / "backend.yaml"
    file.write_text(
        f"upstream: {{addresses: ['{mesh.upstream().address}']}}\n"
        "options: {max_requests_in_flight: 1, max_waiting_requests: 1, wait_timeout: 0.3s}\n")
    mesh.backend("raw", "-f", file)
    mesh.endpoint("raw", RAW, "raw")
    # One connection, and therefore one loop and one queue.
    running = mesh.channel.unary_unary(RAW + "Sleep").future(b"1", timeout=10)
    mesh.wait_for("raw", lambda status: status.in_flight == 1)
    waiting = mesh.channel.unary_unary(RAW + "Name").future(b"", timeout=10)
    mesh.wait_for("raw", lambda status: status.waiting == 1)
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "is full" in error.details()
    assert waiting.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "within 0.3 seconds" in waiting.details()
    status = mesh.status("raw")
    assert status.circuit_open and status.circuit_openings == 1
    assert running.result() == b"1"
    call(mesh, "Name")
    assert not mesh.status("raw").circuit_open


# TLS.


@pytest.fixture
def tls_server(certificates):
    read = lambda name: (certificates / name).read_bytes()

    class Echo(grpc.GenericRpcHandler):
        def service(self, details):
            if not details.method.startswith(RAW):
                return None
            return grpc.unary_unary_rpc_method_handler(
                lambda request, context: str(
                    context.auth_context().get("x509_common_name")).encode())

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Echo()])
    credentials = grpc.ssl_server_credentials(
        [(read("server.key"), read("server.pem"))], read("ca.pem"), require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def test_mutual_tls_towards_an_upstream(mesh, tls_server, certificates):
    pem = lambda name: certificates / name
    mesh.raw(tls_server, options=[
        "--tls-ca", pem("ca.pem"), "--tls-certificate", pem("client.pem"), "--tls-key",
        pem("client.key"), "--tls-server-name", "model.internal"])
    assert call(mesh, "Name") == b"[b'client']"


def test_a_certificate_of_another_name_is_not_taken(mesh, tls_server, certificates):
    mesh.raw(tls_server, options=[
        "--tls-ca", certificates / "ca.pem", "--tls-certificate", certificates / "client.pem",
        "--tls-key", certificates / "client.key", "--tls-server-name", "other.internal"])
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert "certificate" in error.details().lower(), error.details()


def test_invalid_certificate_files_are_refused(mesh, tmp_path):
    (tmp_path / "x.pem").write_text("nothing")
    run = mesh.tool("backend", "create", "b", "--upstream", "127.0.0.1:1", "--tls-ca",
                    tmp_path / "x.pem", check=False)
    assert run.returncode == 1 and "backend.upstream.tls.ca_file" in run.stderr


# The tool.


@pytest.mark.parametrize("options, text", [
    (["--upstream", "nonsense"], "invalid address 'nonsense'"),
    (["--upstream", "127.0.0.1:1,127.0.0.1:1"], "is given twice"),
    (["--upstream", "127.0.0.1:99999"], "port from 1 to 65535"),
    (["--upstream", "127.0.0.1:1", "--retry", "OOPS"], "invalid status 'OOPS'"),
    (["--worker", ""], "must begin with the path or name of a program"),
    ([], "backend.kind: not set"),
])
def test_invalid_backends_are_refused_with_a_correct_example(mesh, options, text):
    run = mesh.tool("backend", "create", "b", *options, check=False)
    assert run.returncode == 1 and text in run.stderr, run.stderr
    assert "none" in mesh.tool("backend", "list").stdout


def test_show_lists_each_replica(mesh):
    port = free_port()
    upstream = mesh.upstream(NAME="up")
    mesh.raw(upstream.address, f"127.0.0.1:{port}")
    counts(mesh, 5)
    text = mesh.tool("backend", "show", "raw").stdout
    up = next(line for line in text.splitlines() if line.startswith(upstream.address))
    down = next(line for line in text.splitlines() if line.startswith(f"127.0.0.1:{port}"))
    assert "ready" in up and "100.00 %" in up
    assert "down" in down and "Connection refused" in down
    assert "1/2" in mesh.tool("backend", "list").stdout


def test_a_descriptor_set_gives_reflection_for_an_upstream(mesh, tmp_path):
    from conftest import ROOT

    file = tmp_path / "set.bin"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}", "--include_imports",
         f"--descriptor_set_out={file}", "grpc/testing/test.proto"], check=True)
    mesh.backend("interop", "--upstream", mesh.upstream().address, "--descriptor-set", file)
    mesh.endpoint("interop", "/grpc.testing.TestService/", "interop")
    run = mesh.tool("call", "grpc.testing.TestService/UnaryCall", "--data", '{"responseSize": 3}',
                    "--json")
    assert run.stdout == '{"payload":{"body":"AAAA"}}\n'
    assert "grpc.testing.TestService" in mesh.tool("backend", "list").stdout
    file.write_bytes(b"nonsense")
    run = mesh.tool("backend", "create", "b", "--upstream", "127.0.0.1:1", "--descriptor-set", file,
                    check=False)
    assert run.returncode == 1 and "backend.descriptor_set" in run.stderr


def test_metrics_cover_backends_and_replicas(mesh):
    upstream = mesh.upstream()
    mesh.raw(upstream.address)
    counts(mesh, 7)
    with urllib.request.urlopen(f"http://{mesh.weir.admin}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    replica = f'backend="raw",replica="{upstream.address}"'
    assert 'weir_backend_usable{backend="raw"} 1' in lines
    assert f"weir_replica_ready{{{replica}}} 1" in lines
    assert f'grpc_client_attempt_duration_seconds_count{{{replica},grpc_status="OK"}} 7' in lines
