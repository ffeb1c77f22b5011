"""Shadows: copies, limits and reports."""

import json
import sys
import threading
import time
import urllib.request

import grpc
import pytest
from conftest import BUILD, ROOT, Server, memory
from frame_server import FrameServer
from waiting import polled, stays

RAW = "/test.Raw/"
CATALOG = "/test.catalog.Catalog/"
TOO_FEW, FIT, DIFFERS, LATE, UNREACHABLE = 1, 2, 3, 4, 5


def call(mesh, method, request=b"", **options):
    options.setdefault("timeout", 10)
    return mesh.channel.unary_unary(RAW + method).with_call(request, **options)


def answered_by(call):
    return dict(call.trailing_metadata())["x-serve-backend"]


def ask(server, method, request=b""):
    """Calls a server directly, not through Weir."""
    with grpc.insecure_channel(server.address) as channel:
        return channel.unary_unary(RAW + method)(request, timeout=10).decode()


def seen(server):
    return ask(server, "Seen").split()


def report(mesh, backend="shadow", endpoint="raw"):
    request = mesh.stubs.admin.GetShadowReportRequest(endpoint=endpoint, backend=backend)
    return mesh.admin.GetShadowReport(request, timeout=10).reports[0]


def wait_for(mesh, condition, **options):
    """Waits until a condition holds for the report; returns the report."""
    return polled(lambda: report(mesh, **options), condition)


def drops(report):
    return {drop.reason: drop.count for drop in report.drops}


def shadowed(mesh, *options, proportion=1, primary=None, shadow=None):
    """An endpoint for /test.Raw/ with a shadow; the two servers."""
    primary, shadow = primary or mesh.upstream(NAME="primary"), shadow or mesh.upstream(NAME="shadow")
    mesh.backend("primary", "--upstream", primary.address)
    mesh.backend("shadow", "--upstream", shadow.address)
    mesh.endpoint("raw", RAW, "primary")
    mesh.wait_ready("shadow")
    mesh.tool("shadow", "set", "raw", f"shadow={proportion}", *options)
    return primary, shadow


# Copies: Ray Serve's tests for the feature, and the shares.


def test_shadows_get_their_share_and_callers_notice_nothing(mesh):
    servers = {name: mesh.upstream(NAME=name) for name in ("b1", "b2", "b3", "b4")}
    for name, server in servers.items():
        mesh.backend(name, "--upstream", server.address)
        mesh.wait_ready(name)
    mesh.endpoint("raw", RAW, "b1")
    for shadow in ("b2=1", "b3=0.5", "b4=0.1"):
        mesh.tool("shadow", "set", "raw", shadow)

    number = 1_000
    for index in range(number):
        reply, info = call(mesh, "Note", f"{index}".encode())
        assert reply == b"noted" and answered_by(info) == "b1"
    wait_for(mesh, lambda answer: answer.compared == number, backend="b2")
    counts = {name: len(seen(server)) for name, server in servers.items()}
    assert counts["b1"] == number
    assert counts["b2"] == number
    # Five standard deviations.
    assert abs(counts["b3"] - number * 0.5) < 5 * (number * 0.25) ** 0.5
    assert abs(counts["b4"] - number * 0.1) < 5 * (number * 0.09) ** 0.5
    assert ask(servers["b2"], "Shadowed") == str(number)
    assert ask(servers["b1"], "Shadowed") == "0"

    for name in ("b2", "b3", "b4"):
        mesh.tool("shadow", "set", "raw", f"{name}=0")
    for _ in range(50):
        call(mesh, "Note", b"later")
    expected = {**counts, "b1": number + 50}
    assert stays(lambda: {
        name: len(seen(server)) for name, server in servers.items()} == expected, 0.3)


def chi_square(table):
    """The statistic of a table of two rows and two columns."""
    total = sum(map(sum, table))
    return sum(
        (cell - sum(row) * sum(column) / total) ** 2 / (sum(row) * sum(column) / total)
        for row in table for cell, column in zip(row, zip(*table)))


@pytest.mark.parametrize("keyed", [False, True])
def test_a_shadow_sees_as_many_requests_of_one_backend_as_of_the_other(mesh, keyed):
    a, b, c = (mesh.upstream(NAME=name) for name in "abc")
    for name, server in zip("abc", (a, b, c)):
        mesh.backend(name, "--upstream", server.address)
        mesh.wait_ready(name)
    mesh.endpoint("raw", RAW, "a")
    mesh.tool("traffic", "set", "raw", "a=0.5", "b=0.5")
    mesh.tool("shadow", "set", "raw", "c=0.5")
    answers, number = {}, 2_000
    for index in range(number):
        metadata = [("x-serve-shard-key", f"user-{index}")] if keyed else []
        _, info = call(mesh, "Note", f"{index}".encode(), metadata=metadata)
        answers[f"{index}"] = answered_by(info)
    wait_for(mesh, lambda answer: answer.compared == answer.selected, backend="c")
    copied = seen(c)
    assert len(copied) == len(set(copied))
    table = [
        [sum(answers[name] == backend and (name in set(copied)) == is_copied for name in answers)
         for is_copied in (True, False)]
        for backend in "ab"]
    assert all(cell > number / 8 for row in table for cell in row)
    # One degree of freedom: exceeded at random once in 10,000 runs.
    assert chi_square(table) < 15.1, table
    if keyed:
        # A session is copied completely or not at all.
        for index in range(200):
            call(mesh, "Note", f"again-{index}".encode(),
                 metadata=[("x-serve-shard-key", f"user-{index}")])
        wait_for(mesh, lambda answer: answer.compared == answer.selected, backend="c")
        again = {name.removeprefix("again-") for name in seen(c) if name.startswith("again-")}
        assert again == {name for name in copied if int(name) < 200}


def test_a_backend_with_weight_gets_no_second_copy_unless_asked(mesh):
    primary, shadow = shadowed(mesh)
    mesh.tool("traffic", "set", "raw", "shadow=1")
    for _ in range(20):
        call(mesh, "Note", b"x")
    assert len(seen(shadow)) == 20
    assert report(mesh).own == 20
    mesh.tool("shadow", "set", "raw", "shadow=1", "--include-own")
    for _ in range(20):
        call(mesh, "Note", b"x")
    wait_for(mesh, lambda answer: answer.compared == 20)
    assert len(seen(shadow)) == 60 and seen(primary) == []


@pytest.mark.parametrize("kind", ["upstream", "worker"])
def test_all_kinds_of_call_are_copied(mesh, stubs, kind):
    messages = stubs.messages
    primary = mesh.upstream()
    mesh.backend("primary", "--upstream", primary.address)
    if kind == "upstream":
        mesh.backend("shadow", "--upstream", mesh.upstream().address)
    else:
        mesh.backend(
            "shadow", "--worker",
            f"{sys.executable} {ROOT / 'Tests/Python/interop_server.py'} {stubs.path}")
    for name in ("primary", "shadow"):
        mesh.wait_ready(name)
    mesh.endpoint("raw", "/grpc.testing.TestService/", "primary")
    mesh.tool("shadow", "set", "raw", "shadow=1")
    stub = stubs.interop_grpc.TestServiceStub(mesh.channel)

    sizes = [31_415, 9, 2_653, 58_979]
    parameters = [messages.ResponseParameters(size=size) for size in sizes]
    assert len(stub.UnaryCall(messages.SimpleRequest(
        response_size=100_000,
        payload=messages.Payload(body=b"x" * 200_000))).payload.body) == 100_000
    assert len(list(stub.StreamingOutputCall(
        messages.StreamingOutputCallRequest(response_parameters=parameters)))) == 4
    uploads = (messages.StreamingInputCallRequest(payload=messages.Payload(body=b"y" * size))
               for size in sizes)
    assert stub.StreamingInputCall(uploads).aggregated_payload_size == sum(sizes)

    turn = threading.Semaphore(1)

    def turns():
        for parameter in parameters:
            assert turn.acquire(timeout=10)
            yield messages.StreamingOutputCallRequest(response_parameters=[parameter])

    received = []
    for reply in stub.FullDuplexCall(turns()):
        received.append(len(reply.payload.body))
        turn.release()
    assert received == sizes
    stub.UnaryCall(messages.SimpleRequest(response_size=10), compression=grpc.Compression.Gzip)
    answer = wait_for(mesh, lambda answer: answer.compared == 5)
    assert answer.equal == 5, answer
    assert answer.buffered_bytes == 0 and answer.in_flight == 0


def test_all_kinds_of_call_are_copied_to_swift_handlers(demo, stubs, weir):
    weir("traffic", "set", "greeter", "greeter-v1=1")
    weir("shadow", "set", "greeter", "greeter-v2=1")
    names = [stubs.hello.HelloRequest(name=name) for name in ("Ada", "Grace")]
    with grpc.insecure_channel(demo.data) as channel:
        stub = stubs.hello_grpc.GreeterStub(channel)
        assert stub.SayHello(names[0]).message == "Hello Ada!"
        streamed = [reply.message for reply in stub.SayHelloStreamReply(names[0])]
        gathered = stub.SayHelloToAll(iter(names)).message
        assert "Grace" in gathered
        assert [reply.message for reply in stub.SayHelloBidiStream(iter(names))] == [
            "Hello Ada!", "Hello Grace!"]
    answer = polled(
        lambda: json.loads(weir("shadow", "report", "greeter", "--json").stdout)["reports"][0],
        lambda answer: answer["compared"] == "4")
    assert answer["compared"] == answer["differing"] == "4", answer
    assert {field["field"] for field in answer["fields"]} == {"message"}
    places = [difference["place"] for sample in answer["samples"]
              for difference in sample["differences"]]
    assert sorted(places) == sorted(
        ["message", "message", "[0].message", "[1].message"]
        + [f"[{index}].message" for index in range(len(streamed))])


def test_a_copy_has_the_callers_metadata_and_a_mark(mesh):
    _, shadow = shadowed(mesh, "--timeout", 7)
    sent = [("x-user", "Ada"), ("x-data-bin", b"\x00\xff"), ("x-serve-shard-key", "k"),
            ("x-serve-shadow", "forged")]
    for timeout, most in ((5, 5), (60, 7)):
        call(mesh, "Metadata", timeout=timeout, metadata=sent)
        wait_for(mesh, lambda answer: answer.compared == 1)
        mesh.tool("shadow", "reset", "raw")
        lines = dict(
            line.split("=", 1) for line in ask(shadow, "LastMetadata").splitlines())
        assert lines["x-user"] == "Ada" and lines["x-serve-shard-key"] == "k"
        assert lines["x-data-bin"] == str(b"\x00\xff")
        assert lines["x-serve-shadow"] == "1"
        # The client's deadline, or the shadow's timeout if it is earlier.
        assert most - 2 < float(lines["left"]) <= most


# Limits.


def test_a_failing_shadow_is_reported_and_not_retried(mesh):
    primary = mesh.upstream()
    mesh.backend("primary", "--upstream", primary.address)
    failing = mesh.upstream(FAILS="UNAVAILABLE")
    mesh.backend("shadow", "--upstream", failing.address, "--retry", "UNAVAILABLE")
    for name in ("primary", "shadow"):
        mesh.wait_ready(name)
    mesh.endpoint("raw", CATALOG, "primary")
    mesh.tool("shadow", "set", "raw", "shadow=1")
    stub = mesh.stubs.catalog_grpc.CatalogStub(mesh.channel)
    # Five consecutive failures eject the replica, so that later copies find none.
    for _ in range(4):
        assert len(stub.Find(mesh.stubs.catalog.FindRequest(), timeout=10).items) == 2
    answer = wait_for(mesh, lambda answer: answer.compared == 4 and sum(
        pair.count for pair in answer.statuses) == 4)
    assert [(pair.primary, pair.shadow, pair.count) for pair in answer.statuses] == [
        ("OK", "UNAVAILABLE", 4)]
    assert answer.fields[0].field == ":status"
    assert answer.fields[0].example.shadow == "UNAVAILABLE: as asked"
    status = mesh.status("shadow")
    assert status.replicas[0].requests == 4 and status.retries == 0


def test_a_hanging_shadow_costs_callers_nothing(mesh):
    hanging = FrameServer(lambda connection, stream: None)
    primary = mesh.upstream()
    mesh.backend("primary", "--upstream", primary.address)
    mesh.backend("shadow", "--upstream", hanging.address, "--health-interval", 0)
    mesh.endpoint("raw", RAW, "primary")
    mesh.wait_ready("shadow")
    mesh.tool("shadow", "set", "raw", "shadow=1", "--max-in-flight", 10, "--timeout", 1)
    call(mesh, "Note", b"x")
    before, slowest = memory(mesh.weir.process), 0
    for _ in range(300):
        start = time.monotonic()
        assert call(mesh, "Note", b"x" * 10_000)[0] == b"noted"
        slowest = max(slowest, time.monotonic() - start)
    # No call waited for a copy; each copy takes a second.
    assert slowest < 0.9
    answer = wait_for(mesh, lambda answer: drops(answer).get("deadline", 0) >= 10)
    assert drops(answer)["in_flight"] >= 150
    assert answer.in_flight <= 10
    wait_for(mesh, lambda answer: answer.in_flight == 0 and answer.buffered_bytes == 0)
    assert memory(mesh.weir.process) - before < 16 << 20
    hanging.close()


def test_a_slow_shadow_is_late(mesh):
    shadowed(mesh, "--timeout", 0.3, shadow=mesh.upstream(STALLS="1"))
    upload = mesh.channel.stream_unary(RAW + "Swallow")
    slowest = 0
    for _ in range(110):
        start = time.monotonic()
        assert upload(iter([b"x" * 100]), timeout=10) == b"100"
        slowest = max(slowest, time.monotonic() - start)
    assert slowest < 0.3
    answer = wait_for(mesh, lambda answer: drops(answer).get("deadline") == 110)
    assert answer.verdict == LATE
    assert answer.explanation == "LATE: 100.00 % of the copies had no response in time"


@pytest.fixture
def handlers():
    """A server with Swift handlers for this test alone."""
    server = Server([BUILD / "FixtureServer"])
    server.data, server.admin = server.first_line.split()
    yield server
    assert server.stop() == 0


def test_a_handler_that_hangs_keeps_its_place(handlers, stubs):
    """Copies that are cancelled while a handler runs count until the handler has returned."""
    with grpc.insecure_channel(handlers.admin) as admin_channel, \
            grpc.insecure_channel(handlers.data) as channel:
        admin = stubs.admin_grpc.AdminStub(admin_channel)

        options = stubs.admin.ShadowOptions(
            max_requests_in_flight=3, timeout={"nanos": 100_000_000})
        admin.ShadowTraffic(stubs.admin.ShadowTrafficRequest(
            endpoint="raw", backend="stuck", proportion=1, options=options))

        def state():
            return admin.GetShadowReport(
                stubs.admin.GetShadowReportRequest(endpoint="raw")).reports[0]

        echo = channel.unary_unary(RAW + "Echo")
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert echo(b"x", timeout=1) == b"x"
        answer = state()
        assert drops(answer)["deadline"] == 3 and answer.in_flight == 3
        assert drops(answer)["in_flight"] == answer.selected - 3 > 10
        polled(state, lambda answer: answer.in_flight == 0)


def test_a_shadow_over_its_bytes_is_dropped(mesh):
    """The copies cannot be sent, because the connection's window is full after 64 KiB."""
    hanging = FrameServer(lambda connection, stream: None)
    mesh.backend("primary", "--upstream", mesh.upstream().address)
    mesh.backend("shadow", "--upstream", hanging.address, "--health-interval", 0)
    mesh.endpoint("raw", RAW, "primary")
    mesh.wait_ready("shadow")
    mesh.tool("shadow", "set", "raw", "shadow=1", "--max-bytes", 1_000_000, "--timeout", 2)
    for _ in range(20):
        assert call(mesh, "Note", b"x" * 100_000)[0] == b"noted"
    answer = report(mesh)
    assert drops(answer)["bytes"] >= 5
    assert 500_000 < answer.buffered_bytes <= 1_000_000
    wait_for(mesh, lambda answer: answer.in_flight == 0 and answer.buffered_bytes == 0)
    hanging.close()


def test_a_shadow_without_a_server_is_reported(mesh):
    mesh.backend("primary", "--upstream", mesh.upstream().address)
    mesh.backend("shadow", "--upstream", "127.0.0.1:1")
    mesh.endpoint("raw", RAW, "primary")
    mesh.tool("shadow", "set", "raw", "shadow=1")
    for _ in range(120):
        assert call(mesh, "Note", b"x")[0] == b"noted"
    answer = wait_for(mesh, lambda answer: drops(answer).get("no_replica") == 120)
    assert answer.verdict == UNREACHABLE
    assert answer.explanation == "UNREACHABLE: 120 of 120 copies found no usable replica"


def test_an_answer_of_100_mb_is_cut_off(mesh):
    shadowed(mesh, shadow=mesh.upstream(PARTS="1600"))
    before = memory(mesh.weir.process)
    download = mesh.channel.unary_stream(RAW + "Parts")
    for _ in range(5):
        assert sum(len(part) for part in download(b"", timeout=10)) == 65_536
    answer = wait_for(mesh, lambda answer: answer.compared == 5)
    assert [(pair.primary, pair.shadow, pair.count) for pair in answer.statuses] == [
        ("OK", "CANCELLED", 5)]
    assert answer.fields[0].example.shadow == (
        "CANCELLED: the response of the copy is over 4194304 bytes longer than the client's")
    assert answer.in_flight == 0 and answer.buffered_bytes == 0
    assert memory(mesh.weir.process) - before < 32 << 20


def test_long_answers_are_compared_by_their_hash(mesh):
    servers = [mesh.upstream(PARTS="320") for _ in range(2)]
    shadowed(mesh, primary=servers[0], shadow=servers[1])
    before = memory(mesh.weir.process)
    download = mesh.channel.unary_stream(RAW + "Parts")
    assert sum(len(part) for part in download(b"", timeout=20)) == 320 * 65_536
    answer = wait_for(mesh, lambda answer: answer.compared == 1)
    assert answer.equal == 1
    assert memory(mesh.weir.process) - before < 32 << 20


def test_a_shadow_that_reads_slowly_is_dropped(mesh):
    shadowed(mesh, "--max-bytes-per-copy", 1_000_000, shadow=mesh.upstream(STALLS="3"))
    before = memory(mesh.weir.process)
    upload = mesh.channel.stream_unary(RAW + "Swallow")
    parts = (b"x" * 60_000 for _ in range(1_000))
    assert upload(parts, timeout=20) == b"60000000"
    answer = wait_for(mesh, lambda answer: drops(answer).get("slow") == 1)
    assert answer.in_flight == 0 and answer.buffered_bytes == 0
    assert memory(mesh.weir.process) - before < 32 << 20


def test_a_copy_continues_when_the_caller_disconnects(mesh):
    primary, shadow = shadowed(mesh)
    future = mesh.channel.unary_unary(RAW + "Sleep").future(b"1", timeout=10)
    wait_for(mesh, lambda answer: answer.in_flight == 1)
    future.cancel()
    answer = wait_for(mesh, lambda answer: answer.unpaired == 1)
    assert ask(shadow, "Slept") == "1" and ask(primary, "Slept") == "0"
    assert answer.compared == 0


def test_a_copy_of_an_incomplete_request_is_cancelled(mesh):
    shadowed(mesh)
    go = threading.Event()

    def halves():
        yield b"x"
        go.wait(10)

    future = mesh.channel.stream_unary(RAW + "Swallow").future(halves(), timeout=10)
    wait_for(mesh, lambda answer: answer.in_flight == 1)
    future.cancel()
    wait_for(mesh, lambda answer: answer.unpaired == 1 and answer.in_flight == 0)
    go.set()
    assert report(mesh).buffered_bytes == 0


# The comparison.


def catalog(mesh, *options, primary=None, shadow=None, descriptors=True):
    """An endpoint for the catalog with a shadow."""
    described = ["--descriptor-set", mesh.stubs.catalog_descriptors] if descriptors else []
    for name, environment in (("primary", primary or {}), ("shadow", shadow or {})):
        server = mesh.upstream(**environment)
        mesh.backend(name, "--upstream", server.address, *described)
        mesh.wait_ready(name)
    mesh.endpoint("raw", CATALOG, "primary")
    if options:
        mesh.tool("shadow", "compare", "raw", *options)
    mesh.tool("shadow", "set", "raw", "shadow=1")
    return mesh.stubs.catalog_grpc.CatalogStub(mesh.channel)


def find(mesh, stub, number, query="", **options):
    for _ in range(number):
        stub.Find(mesh.stubs.catalog.FindRequest(query=query), timeout=10, **options)
    return wait_for(mesh, lambda answer: answer.compared == number)


def test_the_report_names_the_planted_difference_and_subtracts_the_noise(mesh):
    stub = catalog(mesh, "--noise", 1, shadow={"CENTS": "199"})
    answer = find(mesh, stub, 150)
    answer = wait_for(mesh, lambda answer: answer.noise_compared == 150)
    fields = {field.field: field for field in answer.fields}
    assert set(fields) == {"items[].price.cents", "served_at"}
    planted = fields["items[].price.cents"]
    assert (planted.count, planted.share, planted.noise_share, planted.noise) == (150, 1, 0, False)
    assert (planted.example.place, planted.example.primary, planted.example.shadow) == (
        "items[1].price.cents", '"200"', '"199"')
    assert fields["served_at"].noise and fields["served_at"].noise_share > 0.9
    assert answer.differing == answer.differing_beyond_noise == 150
    assert answer.verdict == DIFFERS
    assert "most often in items[].price.cents" in answer.explanation

    # Without the planted one only noise is left.
    mesh.tool("backend", "update", "shadow", "--upstream", mesh.upstream().address,
              "--descriptor-set", mesh.stubs.catalog_descriptors)
    mesh.wait_ready("shadow")
    mesh.tool("shadow", "reset", "raw")
    answer = find(mesh, stub, 150)
    answer = wait_for(mesh, lambda answer: answer.noise_compared == 150)
    # Two clocks may once have shown the same.
    assert answer.differing > 140 and answer.differing_beyond_noise == 0
    assert answer.verdict == FIT, answer.explanation


def test_fields_are_ignored_tolerated_and_redacted_by_path(mesh):
    stub = catalog(
        mesh, "--ignore", "served_at", "--tolerance", "items.score=1%", "--redact", "token",
        "--redact-metadata", "x-secret",
        shadow={"SCORE": "1.005", "TOKEN": "hunter2", "CENTS": "201"})
    answer = find(mesh, stub, 3, metadata=[
        ("x-secret", "hunter2"), ("authorization", "hunter2"), ("x-user", "Ada")])
    assert {field.field for field in answer.fields} == {"items[].price.cents", "token"}
    assert "hunter2" not in str(answer)
    assert any(entry.value == "Ada" for entry in answer.samples[0].metadata)
    # Changed rules reset the report.
    mesh.tool("shadow", "compare", "raw", "--ignore", "served_at", "--ignore", "items[].price",
              "--ignore", "token", "--tolerance", "items.score=0.001")
    assert report(mesh).compared == 0
    answer = find(mesh, stub, 3)
    assert {field.field for field in answer.fields} == {"items[].score"}
    mesh.tool("shadow", "compare", "raw", "--ignore", "served_at", "--ignore", "items[].price",
              "--ignore", "token", "--tolerance", "items.score=0.001", "--allowed", 1, "--noise", 1)
    assert report(mesh).compared == 3


def test_streams_are_compared_message_by_message(mesh):
    stub = catalog(mesh, shadow={"ANSWERS": "2"})
    request = mesh.stubs.catalog.FindRequest(query="timeless")
    assert len(list(stub.List(request, timeout=10))) == 3
    answer = wait_for(mesh, lambda answer: answer.compared == 1)
    assert [(f.field, f.example.primary, f.example.shadow) for f in answer.fields] == [
        (":count", "3", "2")]


def test_without_a_description_bytes_are_compared(mesh):
    stub = catalog(mesh, shadow={"CENTS": "201"}, descriptors=False)
    answer = find(mesh, stub, 1, query="timeless")
    assert [field.field for field in answer.fields] == [":bytes"]
    assert "bytes: 0a" in answer.fields[0].example.primary


def test_the_order_of_a_map_does_not_count_as_a_difference(mesh):
    """Python's protobuf writes maps in any order; responses with other orders are equal."""
    stub = catalog(mesh)
    answer = find(mesh, stub, 20, query="timeless")
    assert answer.equal == 20 and not answer.fields


def test_the_tool_reports_and_warns_before_a_promotion(mesh):
    stub = catalog(mesh, "--ignore", "served_at", shadow={"CENTS": "201"})
    find(mesh, stub, 120)
    run = mesh.tool("shadow", "report", "raw", "--samples", check=False)
    assert run.returncode == 2
    assert "DIFFERS: 100.00 % of 120 responses, most often in items[].price.cents" in run.stdout
    assert "items[1].price.cents" in run.stdout
    parsed = json.loads(mesh.tool("shadow", "report", "raw", "--json", check=False).stdout)
    assert parsed["reports"][0]["verdict"] == "SHADOW_VERDICT_DIFFERS"
    watched = mesh.tool(
        "shadow", "report", "raw", "--watch", "--interval", "0.1", "--count", "2", "--json",
        check=False)
    assert watched.stdout.count('"reports"') == 2
    for options in (["--dry-run"], []):
        run = mesh.tool("traffic", "set", "raw", "primary=0.9", "shadow=0.1", *options)
        assert run.stderr.startswith(
            "weir: warning: the shadow report of 'shadow' is bad: DIFFERS: 100.00 %")
    # Taking weight away needs no warning.
    assert mesh.tool("traffic", "set", "raw", "primary=0.95", "shadow=0.05").stderr == ""
    assert "report restarted" in mesh.tool("shadow", "reset", "raw").stdout
    assert "TOO FEW: 0 responses" in mesh.tool("shadow", "report", "raw").stdout
    assert mesh.tool("traffic", "set", "raw", "shadow=1").stderr == ""


def test_metrics_cover_shadows(mesh):
    stub = catalog(mesh, shadow={"CENTS": "201"})
    find(mesh, stub, 5)
    with urllib.request.urlopen(f"http://{mesh.weir.admin}/metrics") as response:
        text = response.read().decode()
    labels = 'grpc_method="test.catalog.Catalog/Find",endpoint="raw",backend="shadow",shadow="true"'
    assert f"grpc_server_call_started_total{{{labels}}} 5" in text
    assert f'grpc_server_call_duration_seconds_count{{{labels},grpc_status="OK"}} 5' in text
    shadow = 'endpoint="raw",backend="shadow"'
    assert f'weir_shadow_compared_total{{{shadow},result="differing"}} 5' in text
    assert f'weir_shadow_dropped_total{{{shadow},reason="in_flight"}} 0' in text
    assert f"weir_shadow_buffered_bytes{{{shadow}}} 0" in text


@pytest.mark.parametrize("arguments, text", [
    (["set", "raw", "shadow=1.5"], "proportion: "),
    (["set", "raw", "missing=1"], "no backend 'missing'; there are: primary, shadow"),
    (["set", "raw", "shadow=1", "--max-in-flight", "0"],
     "options.max_requests_in_flight: is 0; it must be from 1 to 1000000"),
    (["compare", "raw", "--tolerance", "score=0"],
     "comparison.tolerances[0]: must set absolute or relative above 0"),
    (["report", "raw", "primary"], "no shadow 'primary'; there are: shadow"),
    (["report", "nothing"], "no endpoint 'nothing'"),
])
def test_invalid_input_is_refused_with_a_correct_example(mesh, arguments, text):
    catalog(mesh)
    run = mesh.tool("shadow", *arguments, check=False)
    assert run.returncode == 1
    assert text in run.stderr


def test_a_share_out_of_range_is_wrong_usage(mesh):
    run = mesh.tool("shadow", "compare", "raw", "--noise", "2", check=False)
    assert run.returncode == 64
    assert "'2' is invalid for '--noise" in run.stderr, run.stderr
