"""Secrets of workers' environments are masked; texts and names in changes are bounded."""

import grpc
import pytest

from conftest import admin_of, start_demo, start_weir, tool, wait_for
from test_access import ROOT, finish, line, metadata, write

SECRET = "hunter2-a7f3"
ENVIRONMENT = {"TOKEN": SECRET, "MODE": "fast-a7f3"}


def worker(stubs, folder, environment, name="model"):
    """A backend whose process writes its variable TOKEN into a file, and then does nothing."""
    script = f'printf %s "$TOKEN" > {folder}/token.new && mv {folder}/token.new {folder}/token; exec sleep 60'
    return stubs.admin.Backend(name=name, worker=stubs.admin.WorkerKind(
        command=["/bin/sh", "-c", script], environment=environment))


def requests_with_secrets(stubs):
    """The methods whose requests have `reveal_secrets`, each with such a request."""
    fields = {"name": "model"}
    for method in stubs.admin.DESCRIPTOR.services_by_name["Admin"].methods:
        names = method.input_type.fields_by_name
        if "reveal_secrets" in names:
            values = {name: value for name, value in fields.items() if name in names}
            yield method, getattr(stubs.admin, method.input_type.name), values


def answer(admin, method, request, **options):
    call = getattr(admin, method.name)
    if method.server_streaming:
        stream = call(request, timeout=20, **options)
        first = next(stream)
        stream.cancel()
        return first
    return call(request, timeout=20, **options)


@pytest.fixture
def server(stubs, tmp_path):
    """A server with an access file and a worker that has secrets."""
    access = write(
        tmp_path / "access", ROOT + line("bot", "operator") + line("watcher", "viewer"))
    server = start_weir("--access", str(access))
    server.admin_stub = admin_of(stubs, server)
    server.admin_stub.CreateBackend(
        stubs.admin.CreateBackendRequest(backend=worker(stubs, tmp_path, ENVIRONMENT)),
        metadata=metadata("root"), timeout=20)
    yield server
    server.close_admin()
    server.stop()


def shows(text):
    return any(secret in str(text) for secret in ENVIRONMENT.values())


def test_each_method_masks_secrets_unless_an_admin_asks(server, stubs):
    admin = server.admin_stub
    # The calls of taps and traces contain no environment; test_tap.py has what they mask.
    methods = [found for found in requests_with_secrets(stubs)
               if found[0].name not in ("Tap", "GetTrace")]
    assert {method.name for method, _, _ in methods} == {
        "GetBackend", "ListBackends", "GetRevision", "Watch"}
    for method, request, values in methods:
        for who in ("root", "bot", "watcher"):
            masked = answer(admin, method, request(**values), metadata=metadata(who))
            assert not shows(masked) and "<masked>" in str(masked) and "TOKEN" in str(masked)
        revealing = request(**values, reveal_secrets=True)
        assert shows(answer(admin, method, revealing, metadata=metadata("root")))
        for who in ("bot", "watcher"):
            with pytest.raises(grpc.RpcError) as denied:
                answer(admin, method, revealing, metadata=metadata(who))
            assert denied.value.code() == grpc.StatusCode.PERMISSION_DENIED
            assert "needs the role admin to reveal secrets" in denied.value.details()


def test_no_other_answer_metric_or_log_line_has_them(server, stubs, tmp_path):
    admin, as_root = server.admin_stub, {"metadata": metadata("root"), "timeout": 20}
    changed = worker(stubs, tmp_path, {**ENVIRONMENT, "TOKEN": SECRET + "-new", "MORE": SECRET})
    configuration = stubs.admin.Configuration(backends=[changed])
    answers = [
        admin.CreateBackend(stubs.admin.CreateBackendRequest(
            backend=worker(stubs, tmp_path, ENVIRONMENT, "other")), **as_root),
        admin.Apply(stubs.admin.ApplyRequest(configuration=configuration, validate_only=True),
            **as_root),
        admin.UpdateBackend(stubs.admin.UpdateBackendRequest(backend=changed), **as_root),
        admin.Apply(stubs.admin.ApplyRequest(configuration=stubs.admin.Configuration(backends=[
            worker(stubs, tmp_path, ENVIRONMENT)])), **as_root),
        admin.ListRevisions(stubs.admin.ListRevisionsRequest(), **as_root),
        admin.GetStats(stubs.admin.GetStatsRequest(), **as_root),
        admin.ListInstances(stubs.admin.ListInstancesRequest(), **as_root)]
    current = answers[4].current_revision
    answers += [
        admin.CompareRevisions(stubs.admin.CompareRevisionsRequest(
            from_revision=first, to_revision=last), **as_root)
        for first in range(current + 1) for last in range(1, current + 1)]
    watch = admin.Watch(stubs.admin.WatchRequest(from_revision=1), **as_root)
    answers += [next(watch) for _ in range(current - 1)]
    watch.cancel()
    for text in map(str, answers):
        assert not shows(text), text
    plan = str(answers[1])
    assert 'worker.environment[\\"TOKEN\\"]' in plan and "<masked, changed>" in plan
    # A missing program, and one that fails.
    for name, command in (("gone", "/nowhere/program"), ("fails", "/bin/false")):
        backend = stubs.admin.Backend(name=name, worker=stubs.admin.WorkerKind(
            command=[command], environment=ENVIRONMENT))
        admin.CreateBackend(stubs.admin.CreateBackendRequest(backend=backend), **as_root)
        wait_for(lambda: any(
            replica.last_failure for replica in admin.GetBackend(
                stubs.admin.GetBackendRequest(name=name), **as_root).status.replicas))
        assert not shows(admin.GetBackend(stubs.admin.GetBackendRequest(name=name), **as_root))
    invalid = worker(stubs, tmp_path, {**ENVIRONMENT, "a=b": SECRET})
    with pytest.raises(grpc.RpcError) as rejected:
        admin.UpdateBackend(stubs.admin.UpdateBackendRequest(backend=invalid), **as_root)
    assert not shows(rejected.value)
    server.stop()
    assert not shows(server.process.stderr.read())


def test_a_masked_value_keeps_the_value_of_the_backend(server, stubs, tmp_path):
    admin, as_root = server.admin_stub, {"metadata": metadata("root"), "timeout": 20}
    token = tmp_path / "token"
    wait_for(lambda: token.exists() and token.read_text() == SECRET)
    masked = admin.GetBackend(stubs.admin.GetBackendRequest(name="model"), **as_root)
    masked.worker.environment["MODE"] = "slow"
    token.unlink()
    admin.UpdateBackend(stubs.admin.UpdateBackendRequest(backend=masked), **as_root)
    # The new process has the value.
    wait_for(lambda: token.exists() and token.read_text() == SECRET)
    revealed = admin.GetBackend(
        stubs.admin.GetBackendRequest(name="model", reveal_secrets=True), **as_root)
    assert dict(revealed.worker.environment) == {"TOKEN": SECRET, "MODE": "slow"}
    for name, request, field in [
            ("CreateBackend", stubs.admin.CreateBackendRequest(
                backend=worker(stubs, tmp_path, {"TOKEN": "<masked>"}, "new")), "backend"),
            ("UpdateBackend", stubs.admin.UpdateBackendRequest(
                backend=worker(stubs, tmp_path, {"NEW": "<masked>"})), "backend"),
            ("Apply", stubs.admin.ApplyRequest(configuration=stubs.admin.Configuration(
                backends=[worker(stubs, tmp_path, {"TOKEN": "<masked>"}, "new")])),
             "configuration.backends[0]")]:
        with pytest.raises(grpc.RpcError) as rejected:
            getattr(admin, name)(request, **as_root)
        assert rejected.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert rejected.value.details().startswith(f"{field}.worker.environment[")
        assert "the value is masked" in rejected.value.details()


def test_an_export_masks_and_a_backup_reveals(stubs, tmp_path):
    server, other = start_weir(), start_weir()
    file = write(tmp_path / "state.yaml", "")
    admin = admin_of(stubs, server)
    admin.CreateBackend(
        stubs.admin.CreateBackendRequest(backend=worker(stubs, tmp_path, ENVIRONMENT)), timeout=20)
    run = tool(server, "export")
    assert not shows(run.stdout) and "--reveal-secrets" in run.stderr and "2 environment" in run.stderr
    file.write_text(run.stdout)
    assert "no changes" in tool(server, "apply", "-f", file).stdout
    # Another server would use the placeholder as the value.
    rejected = tool(other, "apply", "-f", file, check=False)
    assert rejected.returncode == 64 and "the value is masked" in rejected.stderr
    backup = tool(server, "export", "--reveal-secrets")
    assert shows(backup.stdout) and not backup.stderr
    file.write_text(backup.stdout)
    tool(other, "apply", "-f", file)
    assert tool(other, "export", "--reveal-secrets").stdout.splitlines()[1:] == (
        backup.stdout.splitlines()[1:])
    page = tool(server, "backend", "show", "model")
    assert "TOKEN=<masked>" in page.stdout and not shows(page.stdout)
    assert f"TOKEN={SECRET}" in tool(server, "backend", "show", "model", "--reveal-secrets").stdout
    tool(server, "backend", "update", "model", "--max-requests", "5", "--wait", "0")
    assert shows(tool(server, "export", "--reveal-secrets").stdout)
    for command in (("history",), ("diff", "0"), ("backend", "list", "--json")):
        assert not shows(tool(server, *command).stdout)
    server.close_admin()
    for one in (server, other):
        one.stop()
        assert not shows(one.process.stderr.read())


# Text.


def rejection(call, request):
    """The details of INVALID_ARGUMENT or NOT_FOUND, whose headers must be small."""
    with pytest.raises(grpc.RpcError) as rejected:
        call(request, timeout=20)
    code, details = rejected.value.code(), rejected.value.details()
    assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND), details
    size = sum(len(key) + len(value) for key, value in rejected.value.trailing_metadata())
    assert size + len(details.encode()) * 3 < 8_000
    assert details.isprintable() and len(details) < 1_200
    return details


@pytest.fixture(scope="module")
def admin(stubs):
    server = start_demo()
    yield admin_of(stubs, server)
    server.close_admin()
    finish(server)


def weigh(stubs, **note):
    return stubs.admin.SetTrafficRequest(
        endpoint="greeter", note=stubs.admin.ChangeNote(**note),
        weights=[stubs.admin.BackendWeight(backend="greeter-v1", weight=1)])


@pytest.mark.parametrize("text", [
    "\x00", "\x1b[2J", "\x07", "\r", "\x7f", "\x9b31m", "\u202e", "\u2066x", "\u2028", "\ufeff"])
def test_control_characters_in_texts_are_rejected(admin, stubs, text):
    for request, field in [
            (weigh(stubs, comment=f"a{text}b"), "note.comment"),
            (weigh(stubs, author=f"a{text}b"), "note.author")]:
        reported = rejection(admin.SetTraffic, request)
        if text != "\x00":
            assert reported.startswith(f"{field}: contains the control character U+")
    backend = stubs.admin.Backend(
        name="b", description=f"a{text}b", upstream=stubs.admin.UpstreamKind(addresses=["a:1"]))
    rejection(admin.CreateBackend, stubs.admin.CreateBackendRequest(backend=backend))
    rejection(admin.Apply, stubs.admin.ApplyRequest(
        configuration=stubs.admin.Configuration(backends=[backend])))


def test_texts_are_bounded_and_keep_their_lines(admin, stubs):
    comment = "first line\n\tsecond " + "ä" * 1_900
    admin.SetTraffic(weigh(stubs, author="Ada Lovelace", comment=comment), timeout=20)
    (latest,) = admin.ListRevisions(
        stubs.admin.ListRevisionsRequest(limit=1), timeout=20).revisions
    assert (latest.author, latest.comment) == ("Ada Lovelace", comment)
    assert "note.comment: has 4001 bytes" in rejection(
        admin.SetTraffic, weigh(stubs, comment="a" * 4_001))
    # One character with many code points.
    assert "note.comment: has" in rejection(
        admin.SetTraffic, weigh(stubs, comment="e" + "\u0301" * 2_000))
    assert "note.author: has 257 bytes" in rejection(
        admin.SetTraffic, weigh(stubs, author="a" * 257))


@pytest.mark.parametrize("name", ["x" * 5_000, "\x1b[2J" * 2_000, "ä" * 100_000, "a b", ""],
                         ids=["long", "controls", "wide", "space", "empty"])
def test_names_of_any_length_are_rejected_with_a_short_error(admin, stubs, name):
    types = stubs.admin
    upstream = types.UpstreamKind(addresses=["127.0.0.1:1"])
    backend = types.Backend(name=name, upstream=upstream)
    weights = [types.BackendWeight(backend=name, weight=1)]
    created = rejection(admin.CreateBackend, types.CreateBackendRequest(backend=backend))
    assert "invalid name" in created
    assert "invalid name" in rejection(
        admin.CreateEndpoint, types.CreateEndpointRequest(name=name, backend="greeter-v1"))
    assert "invalid name" in rejection(
        admin.Apply, types.ApplyRequest(configuration=types.Configuration(backends=[backend])))
    for call, request in [
            (admin.UpdateBackend, types.UpdateBackendRequest(backend=backend)),
            (admin.DeleteBackend, types.DeleteBackendRequest(name=name)),
            (admin.GetBackend, types.GetBackendRequest(name=name)),
            (admin.GetEndpoint, types.GetEndpointRequest(name=name)),
            (admin.DeleteEndpoint, types.DeleteEndpointRequest(name=name)),
            (admin.CreateEndpoint, types.CreateEndpointRequest(name="e", backend=name)),
            (admin.SetTraffic, types.SetTrafficRequest(endpoint=name, weights=weights)),
            (admin.SetTraffic, types.SetTrafficRequest(endpoint="greeter", weights=weights)),
            (admin.ShadowTraffic, types.ShadowTrafficRequest(
                endpoint="greeter", backend=name, proportion=2)),
            (admin.GetShadowReport, types.GetShadowReportRequest(endpoint=name)),
            (admin.CreateBackend, types.CreateBackendRequest(backend=types.Backend(
                name="b", handler=types.HandlerKind(handler=name)))),
            (admin.CreateBackend, types.CreateBackendRequest(backend=types.Backend(
                name="b", upstream=types.UpstreamKind(addresses=[name])))),
            (admin.CreateBackend, types.CreateBackendRequest(backend=types.Backend(
                name="b", upstream=upstream, options=types.BackendOptions(
                    retry=types.RetryOptions(codes=[name]))))),
            (admin.Apply, types.ApplyRequest(configuration=types.Configuration(
                backends=[backend, backend]))),
            (admin.Apply, types.ApplyRequest(configuration=types.Configuration(endpoints=[
                types.EndpointConfiguration(name="e", route="/a.B/", weights={name: 1})]))),
            (admin.ExplainRoute, types.ExplainRouteRequest(path="/" + name))]:
        rejection(call, request)
    if name:
        rejection(admin.ExplainRoute, types.ExplainRouteRequest(endpoint=name))
        rejection(admin.CreateEndpoint, types.CreateEndpointRequest(
            name="e", route=name, backend="greeter-v1"))
        rejection(admin.GetStats, types.GetStatsRequest(endpoint=name))
