"""The admin service of the demo: responses, errors and streams."""

import urllib.error
import urllib.request

import grpc
import pytest
from conftest import wait_for


@pytest.fixture
def admin(demo, stubs):
    with grpc.insecure_channel(demo.admin) as channel:
        yield stubs.admin_grpc.AdminStub(channel)


def refused(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=10)
    return caught.value


def details(stubs, error):
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = stubs.status.Status.FromString(packed)
    assert status.code == error.code().value[0]
    assert status.message == error.details()
    (any_detail,) = status.details
    for kind in (stubs.details.BadRequest, stubs.details.ErrorInfo):
        if any_detail.Is(kind.DESCRIPTOR):
            detail = kind()
            any_detail.Unpack(detail)
            return detail
    raise AssertionError(any_detail.type_url)


def test_refusals_carry_code_words_and_details(admin, stubs):
    pb = stubs.admin
    error = refused(admin.SetTraffic, pb.SetTrafficRequest(
        endpoint="greeter", weights=[pb.BackendWeight(backend="greeter-v1", weight=0.8)]))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "sum to 0.8" in error.details()
    assert details(stubs, error).field_violations[0].field == "weights"

    error = refused(admin.DeleteBackend, pb.DeleteBackendRequest(name="greeter-v1"))
    assert error.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert details(stubs, error).metadata["endpoints"] == "greeter"

    error = refused(admin.GetEndpoint, pb.GetEndpointRequest(name="nope"))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert details(stubs, error).reason == "ENDPOINT_NOT_FOUND"

    error = refused(admin.CreateEndpoint, pb.CreateEndpointRequest(
        name="other", route="/helloworld.Greeter/", backend="greeter-v1"))
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS
    names = [e.name for e in admin.ListEndpoints(pb.ListEndpointsRequest()).endpoints]
    assert names == ["greeter"]

    error = refused(admin.SetTraffic, pb.SetTrafficRequest(
        endpoint="greeter", weights=[pb.BackendWeight(backend="greeter-v1", weight=1)],
        expected_revision=1))
    assert error.code() == grpc.StatusCode.ABORTED
    current = admin.ListEndpoints(pb.ListEndpointsRequest()).revision
    assert details(stubs, error).metadata["current_revision"] == str(current)


def test_validate_only_reports_and_changes_nothing(admin, stubs):
    pb = stubs.admin
    before = admin.GetEndpoint(pb.GetEndpointRequest(name="greeter"))
    reply = admin.SetTraffic(pb.SetTrafficRequest(
        endpoint="greeter", validate_only=True,
        weights=[pb.BackendWeight(backend="greeter-v1", weight=0.5),
                 pb.BackendWeight(backend="greeter-v2", weight=0.5)]))
    assert reply.moved_share == pytest.approx(0.4)
    assert admin.GetEndpoint(pb.GetEndpointRequest(name="greeter")) == before


def test_backends_and_endpoints_are_created_and_deleted(admin, stubs):
    pb = stubs.admin
    backend = pb.Backend(
        name="again", handler=pb.HandlerKind(handler="greeter-v2"), description="v2, again")
    assert list(admin.CreateBackend(pb.CreateBackendRequest(backend=backend)).services) == [
        "helloworld.Greeter"]
    admin.CreateEndpoint(pb.CreateEndpointRequest(
        name="one", route="/helloworld.Greeter/SayHello", backend="again"))
    explained = admin.ExplainRoute(pb.ExplainRouteRequest(
        path="/helloworld.Greeter/SayHello", shard_key=b"k"))
    assert (explained.endpoint, explained.backend) == ("one", "again")
    backend.handler.handler = "greeter-v1"
    updated = admin.UpdateBackend(pb.UpdateBackendRequest(backend=backend))
    assert (updated.handler.handler, list(updated.endpoints)) == ("greeter-v1", ["one"])
    admin.DeleteEndpoint(pb.DeleteEndpointRequest(name="one"))
    admin.DeleteBackend(pb.DeleteBackendRequest(name="again"))
    names = [b.name for b in admin.ListBackends(pb.ListBackendsRequest()).backends]
    assert names == ["greeter-v1", "greeter-v2", "greeter-v3"]


def test_a_watch_sees_the_state_then_every_change_and_can_resume(admin, stubs):
    pb = stubs.admin
    watch = admin.Watch(pb.WatchRequest(), timeout=10)
    first = next(watch)
    assert first.snapshot and [e.name for e in first.endpoints] == ["greeter"]
    for proportion in (0.1, 0.2, 0.3):
        admin.ShadowTraffic(pb.ShadowTrafficRequest(
            endpoint="greeter", backend="greeter-v2", proportion=proportion))
    seen = [next(watch) for _ in range(3)]
    assert [e.revision for e in seen] == [first.revision + n for n in (1, 2, 3)]
    assert [e.endpoints[0].shadows[0].proportion for e in seen] == [0.1, 0.2, 0.3]
    assert not any(e.snapshot or e.backends for e in seen)
    watch.cancel()

    resumed = admin.Watch(pb.WatchRequest(from_revision=first.revision + 1), timeout=10)
    assert [next(resumed).revision for _ in range(2)] == [first.revision + 2, first.revision + 3]
    resumed.cancel()

    future = admin.Watch(pb.WatchRequest(from_revision=10_000), timeout=10)
    with pytest.raises(grpc.RpcError) as caught:
        next(future)
    assert caught.value.code() == grpc.StatusCode.OUT_OF_RANGE


def test_stats_count_by_backend_and_status(demo, admin, stubs):
    pb = stubs.admin
    with grpc.insecure_channel(demo.data) as channel:
        greeter = stubs.hello_grpc.GreeterStub(channel)
        for _ in range(50):
            greeter.SayHello(stubs.hello.HelloRequest(name="x"))
        with pytest.raises(grpc.RpcError):
            channel.unary_unary("/helloworld.Greeter/Nope")(b"")
    stats = admin.GetStats(pb.GetStatsRequest())
    assert sum(row.requests for row in stats.backends) == 51
    counts = {}
    for row in stats.backends:
        for status in row.statuses:
            counts[status.name] = counts.get(status.name, 0) + status.count
    assert counts == {"OK": 50, "UNIMPLEMENTED": 1}
    busiest = max(stats.backends, key=lambda row: row.requests)
    latency = busiest.latency
    assert 0 < latency.p50_us <= latency.p90_us <= latency.p99_us <= latency.max_us

    watch = admin.WatchStats(pb.WatchStatsRequest(interval_ms=100), timeout=10)
    assert sum(row.requests for row in next(watch).backends) == 0
    watch.cancel()
    error = refused(lambda r, timeout: next(admin.WatchStats(r, timeout=timeout)),
                    pb.WatchStatsRequest(interval_ms=1))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    error = refused(lambda r, timeout: next(admin.WatchStats(r, timeout=timeout)),
                    pb.WatchStatsRequest(past_seconds=601))
    assert "past_seconds: is 601; it must be from 0 to 600" in error.details()


def test_figures_of_the_past(demo, admin, stubs):
    pb = stubs.admin

    def requests(past):
        """Those of the first message."""
        watch = admin.WatchStats(
            pb.WatchStatsRequest(interval_ms=100, past_seconds=past), timeout=10)
        first = next(watch)
        watch.cancel()
        return sum(row.requests for row in first.backends)

    with grpc.insecure_channel(demo.data) as channel:
        greeter = stubs.hello_grpc.GreeterStub(channel)

        def known():
            greeter.SayHello(stubs.hello.HelloRequest(name="x"))
            return requests(600) > 0

        # The server samples the totals at its first second.
        wait_for(known)
    assert requests(0) == 0


def get(address, path):
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as reply:
            return reply.status, reply.headers["content-type"], reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read().decode()


def test_the_admin_port_answers_plain_http_too(demo, stubs):
    with grpc.insecure_channel(demo.data) as channel:
        stubs.hello_grpc.GreeterStub(channel).SayHello(
            stubs.hello.HelloRequest(name="x"), metadata=[("x-serve-shard-key", "k")])
    assert get(demo.admin, "/healthz")[::2] == (200, "ok\n")
    assert get(demo.admin, "/nope")[0] == 404
    status, kind, text = get(demo.admin, "/metrics")
    assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
    samples = {
        line.rsplit(" ", 1)[0]: line.rsplit(" ", 1)[1]
        for line in text.splitlines() if not line.startswith("#")}
    counts = [float(value) for name, value in samples.items()
              if name.startswith("grpc_server_call_duration_seconds_count")]
    assert sum(counts) == 1
    buckets = [float(value) for name, value in samples.items()
               if name.startswith("grpc_server_call_duration_seconds_bucket")]
    assert buckets == sorted(buckets) and buckets[-1] == 1 and len(buckets) == 41
    assert samples['weir_traffic_weight{endpoint="greeter",backend="greeter-v2"}'] == "0.1"
    for line in text.splitlines():
        assert line.startswith("# ") or " " in line
