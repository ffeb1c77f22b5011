"""A fault of one client or backend affects no other: large headers, loops, invented methods."""

import concurrent.futures
import json
import urllib.error
import urllib.request

import grpc
import pytest
from conftest import Mesh, start_weir, tool, wait_for
from scripted_backend import BEGIN, ScriptedBackend, ok

END = [("grpc-status", "0")]


def fields(count, size):
    return [(f"x-field-{number}", "a" * size) for number in range(count)]


# Responses over a limit: the name of the limit, and the parts of the response. The default of
# max-response-header-bytes is 64 KiB; max-header-fields is 128.
TOO_LARGE = {
    "headers-in-many-fields": ("max-response-header-bytes", [BEGIN + fields(100, 700), b"", END]),
    "headers-of-a-megabyte": ("max-response-header-bytes", [BEGIN + fields(100, 10_000), b"", END]),
    "headers-in-one-field": ("65536 bytes", [BEGIN + fields(1, 66_000), b"", END]),
    "headers-in-200-fields": ("max-header-fields", [BEGIN + fields(200, 1), b"", END]),
    "trailers-in-many-fields": ("max-response-header-bytes",
        [BEGIN, b"ok", END + fields(100, 700)]),
    "trailers-in-one-field": ("65536 bytes", [BEGIN, b"ok", END + fields(1, 200_000)]),
    "trailers-in-200-fields": ("max-header-fields", [BEGIN, b"ok", END + fields(200, 1)]),
    "trailers-of-a-megabyte": ("max-response-header-bytes",
        [BEGIN, b"ok", END + fields(100, 10_000)]),
    "a-status-message": ("65536 bytes",
        [BEGIN + [("grpc-status", "3"), ("grpc-message", "m" * 70_000)]]),
    "a-status-message-near-the-limit":
        ("max-response-header-bytes",
            [BEGIN + [("grpc-status", "3"), ("grpc-message", "m" * 65_500)]]),
    "status-details": ("65536 bytes", [BEGIN + [
        ("grpc-status", "3"), ("grpc-status-details-bin", "A" * 160_000)]]),
    "a-long-name": ("65536 bytes", [BEGIN + [("grpc-status", "3"), ("n" * 70_000, "v")]]),
}


class Shared:
    """A backend with one connection: large responses by name, and small ones."""

    def __init__(self):
        self.seen = []
        self.backend = ScriptedBackend(self.answer)
        self.address = self.backend.address

    def answer(self, path, body):
        name = path.rpartition("/")[2]
        self.seen.append(name)
        return TOO_LARGE[name][1] if name in TOO_LARGE else ok()


@pytest.fixture(scope="module")
def shared(stubs, tmp_path_factory):
    mesh = Mesh(stubs)
    backend = Shared()
    file = tmp_path_factory.mktemp("isolation") / "raw.yaml"
    file.write_text(f"""
upstream: {{addresses: ["{backend.address}"]}}
options:
  max_connections_per_replica: 1
  retry: {{codes: [UNAVAILABLE, RESOURCE_EXHAUSTED, UNKNOWN, INTERNAL]}}
  outlier_detection: {{consecutive_failures: 1}}
""")
    mesh.backend("raw", "-f", file)
    mesh.endpoint("raw", "/test.Raw/", "raw")
    mesh.wait_ready("raw")
    mesh.shared = backend
    yield mesh
    backend.backend.close()
    assert mesh.stop() == 0, mesh.weir.process.stderr.read()[-30000:]


def call(channel, path, timeout=20, **options):
    return channel.unary_unary(path)(b"", timeout=timeout, **options)


def refused(channel, path, **options):
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, path, **options)
    return caught.value.code().name, caught.value.details()


@pytest.mark.parametrize("name", TOO_LARGE)
def test_response_headers_over_a_limit_end_only_their_own_call(shared, name):
    limit, _ = TOO_LARGE[name]
    shared.shared.seen.clear()
    before = shared.status("raw").replicas[0]
    bystanders = [
        shared.channel.unary_unary("/test.Raw/Fine").future(b"", timeout=20) for _ in range(20)]
    code, details = refused(shared.channel, f"/test.Raw/{name}")
    bystanders += [
        shared.channel.unary_unary("/test.Raw/Fine").future(b"", timeout=20) for _ in range(20)]
    assert [future.result() for future in bystanders] == [b"ok"] * 40
    assert code == "RESOURCE_EXHAUSTED" and limit in details and "'raw'" in details, details
    # Weir does not retry the call, and the replica keeps its connection.
    assert shared.shared.seen.count(name) == 1
    after = shared.status("raw").replicas[0]
    assert after.state == 3 and after.ejections == 0, after
    assert after.connections == before.connections, after


@pytest.mark.parametrize("size", [60_000, 64_000])
def test_response_headers_within_the_limit_pass(shared, size):
    """The client raises its own limit, which is 16 KiB by default in gRPC's clients."""
    backend = ScriptedBackend(lambda *_: [BEGIN, b"ok", END + [("x-long", "v" * size)]])
    shared.backend(f"long{size}", "--upstream", backend.address)
    shared.endpoint(f"long{size}", f"/test.Long{size}/", f"long{size}")
    shared.wait_ready(f"long{size}")
    with grpc.insecure_channel(
            shared.weir.data, [("grpc.max_metadata_size", 1 << 20),
                               ("grpc.absolute_max_metadata_size", 1 << 20)]) as channel:
        _, finished = channel.unary_unary(f"/test.Long{size}/M").with_call(b"", timeout=20)
        assert dict(finished.trailing_metadata())["x-long"] == "v" * size
    backend.close()


def test_the_limit_of_response_headers_can_be_raised(stubs):
    backend = ScriptedBackend(lambda *_: [BEGIN, b"ok", END + fields(20, 20_000)])
    for limit, expected in [("100000", "RESOURCE_EXHAUSTED"), ("1000000", "OK")]:
        server = start_weir("--limit", f"max-response-header-bytes={limit}")
        tool(server, "backend", "create", "large", "--upstream", backend.address)
        tool(server, "endpoint", "create", "large", "--route", "/l.L/", "--backend", "large")
        with grpc.insecure_channel(
                server.data, [("grpc.max_metadata_size", 1 << 20),
                              ("grpc.absolute_max_metadata_size", 1 << 20)]) as channel:
            future = channel.unary_unary("/l.L/M").future(b"", timeout=20)
            assert future.code().name == expected, future.details()
        assert server.stop() == 0
    backend.close()


class TestLoops:
    """A backend whose address leads back to the server."""

    def requests(self, server, endpoint):
        rows = tool(server, "stats", "--json").stdout
        return sum(int(row.get("requests", 0)) for row in json.loads(rows)["backends"]
                   if row["endpoint"] == endpoint)

    def loop(self, server, address, *options):
        tool(server, "backend", "create", "itself", "--upstream", address, "--health-interval", "0",
             "--retry", "UNAVAILABLE,FAILED_PRECONDITION", *options)
        tool(server, "endpoint", "create", "loop", "--route", "/loop.S/", "--backend", "itself")

    @pytest.mark.parametrize("hops", ["directly", "through another server"])
    @pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
    def test_a_loop_ends_after_a_few_passes(self, hops, kind):
        server, other = start_weir(), start_weir()
        through = server if hops == "directly" else other
        if through is other:
            self.loop(other, server.data)
        self.loop(server, through.data)
        with grpc.insecure_channel(server.data) as channel:
            request = b"" if kind == "unary_unary" else iter([b""])
            method = getattr(channel, kind)("/loop.S/M")
            with pytest.raises(grpc.RpcError) as caught:
                answer = method(request, timeout=20)
                list(answer)
        assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert "backend 'itself'" in caught.value.details()
        assert self.requests(server, "loop") < 10
        assert server.stop() == 0 and other.stop() == 0

    def test_a_shadow_in_a_loop_multiplies_requests_to_a_bound(self):
        server = start_weir()
        self.loop(server, server.data)
        tool(server, "backend", "create", "again", "--upstream", server.data, "--health-interval",
            "0")
        tool(server, "shadow", "set", "loop", "again=1")
        with grpc.insecure_channel(server.data) as channel:
            assert refused(channel, "/loop.S/M")[0] == "FAILED_PRECONDITION"
        counts = []

        def settled():
            counts.append(self.requests(server, "loop"))
            return len(counts) > 5 and len(set(counts[-5:])) == 1

        wait_for(settled)
        assert counts[-1] < 1_000
        assert server.stop() == 0

    def test_a_plain_http_request_in_a_loop_ends(self):
        server = start_weir()
        tool(server, "backend", "create", "itself", "--upstream", server.data, "--health-interval",
            "0")
        tool(server, "endpoint", "create", "loop", "--route", "/loop", "--backend", "itself")
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://{server.data}/loop", timeout=20)
        assert caught.value.code == 400 and b"'itself'" in caught.value.read()
        assert server.stop() == 0

    def test_marks_of_other_servers_pass(self):
        backend = ScriptedBackend(lambda path, body: ok())
        server = start_weir()
        tool(server, "backend", "create", "b", "--upstream", backend.address)
        tool(server, "endpoint", "create", "e", "--route", "/e.E/", "--backend", "b")
        with grpc.insecure_channel(server.data) as channel:
            for value in ["", "0" * 16, "x", "," * 1_000, "0123456789abcdef" * 50]:
                metadata = [("x-weir-via", value)] * 3
                assert call(channel, "/e.E/M", metadata=metadata) == b"ok"
        assert server.stop() == 0
        backend.close()


def metrics(server):
    with urllib.request.urlopen(f"http://{server.admin}/metrics", timeout=20) as response:
        return response.read().decode()


class TestMethodNames:
    """Clients can invent method names."""

    def flood(self, server, service, count):
        with grpc.insecure_channel(server.data) as channel:
            for begin in range(0, count, 100):
                futures = [channel.unary_unary(f"/{service}/M{number}").future(b"", timeout=20)
                           for number in range(begin, begin + 100)]
                concurrent.futures.wait([self.as_future(future) for future in futures])

    @staticmethod
    def as_future(call):
        done = concurrent.futures.Future()
        call.add_done_callback(lambda _: done.set_result(None))
        return done

    def test_made_up_methods_displace_none_and_keep_metrics_small(self):
        unimplemented = [BEGIN + [("grpc-status", "12")]]
        real = ScriptedBackend(lambda path, body: ok() if path.endswith("/Real") else unimplemented)
        anything = ScriptedBackend(lambda path, body: ok())
        server = start_weir()
        for name, address in [("real", real.address), ("any", anything.address),
            ("dead", "127.0.0.1:9")]:
            tool(server, "backend", "create", name, "--upstream", address, "--wait", "0")
            tool(server, "endpoint", "create", name, "--route", f"/{name}.S/", "--backend", name)
        for name in ["real", "any", "dead"]:
            self.flood(server, f"{name}.S", 2_000)
        with grpc.insecure_channel(server.data) as channel:
            wait_for(lambda: channel.unary_unary("/real.S/Real").future(b"",
                timeout=20).result() == b"ok")
        text = metrics(server)
        assert 'grpc_method="real.S/Real"' in text and 'grpc_method="real.S/M1"' not in text
        assert 'grpc_method="dead.S/' not in text
        # A backend that answers every method has names up to the limit.
        named = {line.split('"')[1] for line in text.splitlines() if 'grpc_method="any.S/' in line}
        assert len(named) == 128
        assert len(text) < 2 << 20
        other = [line for line in text.splitlines()
                 if line.startswith("grpc_server_call_started_total") and 'grpc_method="other"' in line]
        counts = {line.split('endpoint="')[1].split('"')[0]: float(line.rpartition(" ")[2]) for line in other}
        assert counts["real"] == counts["dead"] == 2_000 and counts["any"] == 2_000 - 128, counts
        assert server.stop() == 0
        real.close(), anything.close()

    def test_series_end_with_their_endpoint(self):
        backend = ScriptedBackend(lambda path, body: ok())
        server = start_weir()
        tool(server, "backend", "create", "b", "--upstream", backend.address)
        for round in range(2):
            tool(server, "endpoint", "create", "e", "--route", "/e.E/", "--backend", "b")
            with grpc.insecure_channel(server.data) as channel:
                for _ in range(3 - round):
                    call(channel, "/e.E/M")
            line = f'endpoint="e",backend="b",shadow="false"}} {3 - round}'
            wait_for(lambda: line in metrics(server))
            tool(server, "endpoint", "delete", "e")
            assert 'endpoint="e"' not in metrics(server)
        assert server.stop() == 0
        backend.close()
