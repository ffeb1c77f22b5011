"""The state of one server: what survives it, its history, configurations, and a disk that fails."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from conftest import (
    BUILD, SECONDS, Server, admin_of, metric, start_weir, started, tool, wait_for)

import torture

HALF = ("traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")


@pytest.fixture
def servers():
    """Starts servers that end with the test."""
    with contextlib.ExitStack() as stack:
        def start(*options, **how):
            server = start_weir(*options, **how)
            stack.callback(server.stop, signal.SIGKILL)
            return server

        yield start


def refusal(server, *arguments):
    run = tool(server, *arguments, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    return run.stderr


def hello(server, stubs):
    with grpc.insecure_channel(server.data) as channel:
        return stubs.hello_grpc.GreeterStub(channel).SayHello(
            stubs.hello.HelloRequest(name="Ada"), timeout=5).message


def health(server, name):
    with grpc.insecure_channel(server.data) as channel:
        reply = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=name), timeout=5)
    return health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status)


def call_admin(server, stubs, body):
    admin = admin_of(stubs, server)
    try:
        return body(admin)
    finally:
        server.close_admin()


def failure(body):
    with pytest.raises(grpc.RpcError) as caught:
        body()
    return caught.value


def test_everything_is_there_after_a_kill(servers, stubs, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path)
    tool(first, *HALF)
    tool(first, "shadow", "set", "greeter", "greeter-v2=0.25")
    before = tool(first, "endpoint", "list", "--json").stdout
    history = tool(first, "history", "--json").stdout
    first.stop(signal.SIGKILL)

    second = servers("--demo", "--state-dir", tmp_path)
    assert tool(second, "endpoint", "list", "--json").stdout == before
    assert tool(second, "history", "--json").stdout == history
    assert "Ada" in hello(second, stubs)


def test_a_second_server_on_the_same_state_is_refused(servers, tmp_path):
    first = servers("--state-dir", tmp_path)
    second = Server(
        [BUILD / "weir", "serve", "--state-dir", tmp_path, "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0"])
    assert second.process.wait(10) == 1
    assert f"in use by process {first.process.pid}" in second.process.stderr.read()


def test_changes_carry_author_and_comment(servers, stubs):
    weir = servers("--demo")
    tool(weir, *HALF, "--author", "ada", "--comment", "half for all")
    pb = stubs.admin

    def unnamed(admin):
        admin.SetTraffic(pb.SetTrafficRequest(
            endpoint="greeter", weights=[pb.BackendWeight(backend="greeter-v1", weight=1)]))
        return admin.ListRevisions(pb.ListRevisionsRequest(limit=2))

    listed = call_admin(weir, stubs, unnamed)
    latest, named = listed.revisions
    assert (named.author, named.comment) == ("ada", "half for all")
    assert named.summary == "greeter: greeter-v1=0.5 greeter-v2=0.5"
    assert latest.author.startswith("127.0.0.1") and not latest.comment
    assert latest.revision == listed.current_revision == named.revision + 1
    assert listed.oldest_revision == 0
    page = tool(weir, "history", "--limit", "1", "--before", latest.revision).stdout
    assert "ada" in page and len(page.splitlines()) == 2


def test_history_is_bounded_in_the_store_too(servers, tmp_path):
    weir = servers("--demo", "--state-dir", tmp_path, "--keep-revisions", "10")
    for number in range(90):
        tool(weir, "shadow", "set", "greeter", f"greeter-v2={(number + 1) / 100}")
    # It is cut beside the changes.
    wait_for(lambda: json.loads(tool(weir, "history", "--json").stdout)["oldestRevision"] != "0")
    listed = json.loads(tool(weir, "history", "--json", "--limit", "1000").stdout)
    oldest, latest = int(listed["oldestRevision"]), int(listed["currentRevision"])
    assert latest - oldest == len(listed["revisions"]) < 80
    assert "is not retained" in refusal(weir, "diff", oldest - 1)
    weir.stop()
    again = servers("--demo", "--state-dir", tmp_path)
    listed = json.loads(tool(again, "history", "--json").stdout)
    assert int(listed["oldestRevision"]) == oldest
    tool(again, "rollback", oldest)


def test_diff_and_rollback_restore_every_key(servers, stubs):
    weir = servers("--demo")
    pb = stubs.admin

    def owners(admin):
        return [admin.ExplainRoute(pb.ExplainRouteRequest(
            path="/helloworld.Greeter/SayHello", shard_key=f"key {number}".encode())).backend
            for number in range(200)]

    revision = json.loads(tool(weir, "history", "--json").stdout)["currentRevision"]
    before = call_admin(weir, stubs, owners)
    for share in (0.3, 0.77, 0.2):
        tool(weir, "traffic", "set", "greeter", f"greeter-v1={share}", f"greeter-v2={1 - share}")
    tool(weir, "endpoint", "create", "more", "--route", "/p.More/", "--backend", "greeter-v2")
    assert call_admin(weir, stubs, owners) != before
    diff = tool(weir, "diff", revision).stdout
    assert re.search(r"\+ endpoint  more +/p.More/ greeter-v2=1.0", diff)
    assert 'weights["greeter-v1"]  0.9 -> 0.2' in diff
    assert "1 added, 1 changed, 0 removed" in diff

    plan = tool(weir, "rollback", revision, "--dry-run").stdout
    assert "plan: 0 to add, 1 to change, 1 to remove" in plan
    assert call_admin(weir, stubs, owners) != before
    tool(weir, "rollback", revision, "--endpoint", "greeter", "--comment", "it was bad")
    assert call_admin(weir, stubs, owners) == before
    assert "more" in tool(weir, "endpoint", "list").stdout
    tool(weir, "rollback", revision)
    assert "more" not in tool(weir, "endpoint", "list").stdout
    assert "no changes" in tool(weir, "rollback", revision).stdout
    assert f"roll back to revision {revision}: greeter:" in tool(weir, "history").stdout


def test_rollback_is_refused_when_a_backend_was_deleted(servers):
    weir = servers("--demo")
    tool(weir, "backend", "create", "up", "--upstream", "127.0.0.1:1", "--wait", "0")
    tool(weir, "traffic", "set", "greeter", "greeter-v1=0.5", "up=0.5")
    revision = json.loads(tool(weir, "history", "--json").stdout)["currentRevision"]
    tool(weir, "traffic", "set", "greeter", "greeter-v1=1")
    tool(weir, "backend", "delete", "up")
    assert tool(weir, "rollback", 0, check=False).returncode == 64
    assert "3 added" in tool(weir, "diff", 0, 1).stdout
    text = refusal(weir, "rollback", revision)
    assert "FAILED_PRECONDITION" in text and "needs backend 'up', which no longer exists" in text


CONFIGURATION = """\
backends:
  - name: model
    upstream:
      addresses: ["127.0.0.1:50051"]
    options:
      health_check:
        interval: 5s
endpoints:
  - name: greeter
    route: /helloworld.Greeter/
    weights:
      greeter-v1: 0.75
      model: 0.25
    shadows:
      - backend: greeter-v2
        proportion: 0.1
"""


def test_apply_plans_then_does_it_as_one_revision(servers, tmp_path):
    weir = servers("--demo")
    file = tmp_path / "weir.yaml"
    file.write_text(CONFIGURATION)
    revision = int(json.loads(tool(weir, "history", "--json").stdout)["currentRevision"])
    plan = tool(weir, "apply", "-f", file, "--dry-run").stdout
    assert re.search(r"\+ backend   model +upstream 127.0.0.1:50051", plan)
    assert 'shadows["greeter-v2"].proportion  absent -> 0.1' in plan
    assert "25.00 % of its shard keys move" in plan
    assert "plan: 1 to add, 1 to change, 0 to remove (nothing has changed)" in plan
    assert int(json.loads(tool(weir, "history", "--json").stdout)["currentRevision"]) == revision
    done = tool(weir, "apply", "-f", file, "--comment", "try the model").stdout
    assert f"1 added, 1 changed, 0 removed (revision {revision + 1})" in done
    assert "no changes" in tool(weir, "apply", "-f", file).stdout

    exported = tool(weir, "export").stdout
    file.write_text(exported)
    assert "no changes" in tool(weir, "apply", "-f", file).stdout
    for line in ("interval: 5s", "model: 0.25", "proportion: 0.1", "- 127.0.0.1:50051"):
        assert line in exported
    # Unset fields are omitted.
    assert "keepalive" not in exported and "tolerances" not in exported
    assert "endpoint  greeter" in tool(weir, "diff", revision).stdout
    old = tool(weir, "export", "--revision", revision).stdout
    assert "model" not in old


@pytest.mark.parametrize("old, new, line, text", [
    ("interval: 5s", "intervall: 5s", 7, "HealthCheckOptions; did you mean 'interval'?"),
    ("interval: 5s", "interval: soon", 7, "backends[0].options.health_check.interval"),
    ("model: 0.25", "model: 0.3", 11, "the weights sum to 1.05"),
    ("model: 0.25", "modell: 0.25", 11, "no backend 'modell'; there are: "),
    ('"127.0.0.1:50051"', '"127.0.0.1"', 4, "invalid address '127.0.0.1'"),
    ("proportion: 0.1", "proportion: 2", 16, "must be within 0 and 1"),
    ("route: /helloworld.Greeter/", "route: helloworld", 10, "invalid route"),
    ("- name: greeter", "- name: a b", 9, "invalid name"),
])
def test_mistakes_in_a_configuration_are_reported_by_line(servers, tmp_path, old, new, line, text):
    weir = servers("--demo")
    file = tmp_path / "weir.yaml"
    assert CONFIGURATION.count(old) == 1
    file.write_text(CONFIGURATION.replace(old, new))
    before = tool(weir, "export").stdout
    run = tool(weir, "apply", "-f", file, check=False)
    assert run.returncode in (1, 64) and f"{file}:{line}: " in run.stderr and text in run.stderr
    assert tool(weir, "export").stdout == before


@pytest.mark.parametrize("text, reason", [
    ("", "is empty"),
    ("a: [", ":2:1: invalid YAML: did not find expected node content"),
    ("a: \x00", ":1: invalid YAML: "),
    ("a: 1\nb: \x01", ":2: invalid YAML: control characters are not allowed"),
    ("a: 1\nb: 1\na: 2", ": duplicate key 'a'"),
    ("a: *b", ":1:4: invalid YAML: found undefined alias"),
    # The lines may hold secrets.
    ("TOKEN: hunter2\n  x: [hunter2", ":2:4: invalid YAML: mapping values are not allowed"),
    ("TOKEN: 'hunter2", ":1:16: invalid YAML: found unexpected end of stream"),
    ("[" * 100_000, "invalid YAML: it nests deeper than 200 levels"),
    # Lists of lists, ten to the ninth values in all.
    ("a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + last] * 10)}]\n"
        for last, name in zip("abcdefgh", "bcdefghi")), "values after aliases are resolved"),
])
def test_invalid_configuration_files_are_refused(tmp_path, text, reason):
    file = tmp_path / "weir.yaml"
    file.write_text(text)
    run = subprocess.run(
        [str(BUILD / "weir"), "apply", "-f", str(file)], text=True, capture_output=True, timeout=60)
    assert run.returncode == 64 and reason in run.stderr
    assert str(file) in run.stderr and len(run.stderr) < 2_000 and "hunter2" not in run.stderr


def test_a_configuration_seeds_an_empty_state_only(servers, tmp_path):
    file = tmp_path / "weir.yaml"
    file.write_text(CONFIGURATION)
    first = servers("--demo", "--state-dir", tmp_path, "-f", file)
    assert "model" in tool(first, "traffic", "show", "greeter").stdout
    tool(first, *HALF)
    first.stop()
    second = servers("--demo", "--state-dir", tmp_path, "-f", file)
    assert "model" not in tool(second, "traffic", "show", "greeter").stdout
    second.stop()
    assert "is not applied" in second.process.stderr.read()


def test_expected_revisions_are_kept_to(servers, stubs):
    weir = servers("--demo")
    revision = int(json.loads(tool(weir, "history", "--json").stdout)["currentRevision"])
    text = refusal(weir, *HALF, "--expected-revision", revision - 1)
    assert f"ABORTED: expected revision {revision - 1}, but the current one is {revision}" in text
    tool(weir, *HALF, "--expected-revision", revision)


def test_missing_handlers_are_reported_and_do_not_stop_the_rest(servers, stubs, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path)
    tool(first, "backend", "create", "up", "--upstream", "127.0.0.1:1", "--wait", "0")
    first.stop()
    second = servers("--state-dir", tmp_path)
    listed = tool(second, "backend", "list").stdout
    assert re.search(r"greeter-v1 .*missing", listed) and re.search(r"up .*0/1", listed)
    page = tool(second, "backend", "show", "greeter-v1").stdout
    assert "NOT USABLE: no handler 'greeter-v1' is compiled into this server" in page
    error = failure(lambda: hello(second, stubs))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    tool(second, "endpoint", "create", "other", "--route", "/p.Other/", "--backend", "up")
    second.stop()
    assert "no handler 'greeter-v1' is compiled" in second.process.stderr.read()


def state(*arguments, check=True):
    run = subprocess.run(
        [BUILD / "weir", "state", *map(str, arguments)], capture_output=True, text=True,
        timeout=60)
    assert not check or run.returncode == 0, run.stderr
    return run


def test_state_is_checked_saved_and_moved(servers, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path / "a")
    tool(first, *HALF)
    endpoints = tool(first, "endpoint", "list", "--json").stdout
    busy = state("check", "--state-dir", tmp_path / "a", check=False)
    assert busy.returncode == 69 and f"in use by process {first.process.pid}" in busy.stderr
    first.stop()
    checked = state("check", "--state-dir", tmp_path / "a").stdout
    assert "revisions 0 to 4, 3 backends, 1 endpoints" in checked
    missing = state("check", "--state-dir", tmp_path / "none", check=False)
    assert missing.returncode == 1 and "no state in" in missing.stderr
    assert not (tmp_path / "none").exists()
    saved = tmp_path / "saved.json"
    saved.write_text(state("export", "--state-dir", tmp_path / "a").stdout)
    state("import", saved, "--state-dir", tmp_path / "b")
    again = state("import", saved, "--state-dir", tmp_path / "b", check=False)
    assert again.returncode == 1 and "holds revision 4 already" in again.stderr
    second = servers("--demo", "--state-dir", tmp_path / "b")
    assert tool(second, "endpoint", "list", "--json").stdout == endpoints
    saved.write_bytes(saved.read_bytes().replace(b"weir", b"\xff"))
    invalid = state("import", saved, "--state-dir", tmp_path / "c", check=False)
    assert invalid.returncode == 64 and "invalid UTF-8 in" in invalid.stderr


def test_a_damaged_state_is_refused_and_its_intact_part_is_saved(servers, tmp_path):
    first = servers("--demo", "--state-dir", tmp_path / "a")
    for share in range(1, 40):
        tool(first, "shadow", "set", "greeter", f"greeter-v2={share / 100}")
    first.stop()
    file = tmp_path / "a" / "weir.db"
    content = bytearray(file.read_bytes())
    # The last revision's own bytes.
    place = content.rindex(b"shadow greeter-v2=0.39")
    content[place:place + 6] = b"SHADOW"
    file.write_bytes(content)

    refused = subprocess.run(
        [BUILD / "weir", "serve", "--demo", "--state-dir", tmp_path / "a", "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0"], capture_output=True, text=True, timeout=20)
    assert refused.returncode == 1
    assert "the bytes of revision 42 do not match their checksum" in refused.stderr
    assert "see 'weir state --help'" in refused.stderr
    checked = state("check", "--state-dir", tmp_path / "a", check=False)
    assert checked.returncode == 1 and "revisions 0 to 41" in checked.stdout
    saved = tmp_path / "saved.json"
    rest = state("export", "--state-dir", tmp_path / "a", check=False)
    assert rest.returncode == 1 and "only revisions up to 41 are intact" in rest.stderr
    saved.write_text(rest.stdout)
    state("import", saved, "--state-dir", tmp_path / "b")
    second = servers("--demo", "--state-dir", tmp_path / "b")
    assert "greeter-v2=0.38" in tool(second, "history").stdout


class SmallDisk:
    """A disk of 1 MiB. It is mounted in namespaces, where an ordinary user can do so."""

    def __init__(self, folder):
        folder.mkdir()
        self.folder = folder
        self.holder = started(subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
             'mount -t tmpfs -o size=1m tmpfs "$0" && echo mounted && exec cat', folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        if self.holder.stdout.readline() != "mounted\n":
            reason = self.holder.communicate()[1].strip()
            pytest.skip(f"a disk can't be mounted here: {reason}")
        # The command that runs programs which see the disk, and its path for those that don't.
        self.prefix = ["nsenter", f"--target={self.holder.pid}", "--user", "--mount",
                       "--preserve-credentials", "--"]
        self.outside = pathlib.Path(f"/proc/{self.holder.pid}/root{folder}")

    def close(self):
        self.holder.communicate(timeout=SECONDS)


@pytest.fixture
def small_disk(tmp_path):
    with contextlib.closing(SmallDisk(tmp_path / "disk")) as disk:
        yield disk


def test_a_full_disk_refuses_changes_and_loses_nothing(servers, stubs, small_disk):
    state = ("--demo", "--state-dir", small_disk.folder / "state")
    weir = servers(*state, prefix=small_disk.prefix)
    tool(weir, *HALF)
    acknowledged = tool(weir, "endpoint", "list", "--json").stdout
    filler = small_disk.outside / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    refused = None
    for _ in range(50):
        run = tool(weir, "traffic", "set", "greeter", "greeter-v1=1", check=False)
        if run.returncode:
            refused = run
            break
        # What the log still had room for counts.
        tool(weir, *HALF, check=False)
        acknowledged = tool(weir, "endpoint", "list", "--json").stdout
    assert refused.returncode == 69
    assert "UNAVAILABLE: the state cannot be changed now; traffic is not affected" in refused.stderr
    assert "disk" in refused.stderr and "weir.db" in refused.stderr
    assert metric(weir, "weir_store_up") == 0
    shown = tool(weir, "endpoint", "list", "--json")
    assert "warning: this may be stale" in shown.stderr
    kept = shown.stdout
    assert "Ada" in hello(weir, stubs)

    filler.unlink()
    wait_for(lambda: metric(weir, "weir_store_up") == 1)
    assert "stale" not in tool(weir, "endpoint", "list").stderr
    tool(weir, "shadow", "set", "greeter", "greeter-v2=0.5")
    after = tool(weir, "endpoint", "list", "--json").stdout
    assert after != kept
    weir.stop(signal.SIGKILL)
    again = servers(*state, prefix=small_disk.prefix)
    assert tool(again, "endpoint", "list", "--json").stdout == after


def test_a_database_that_is_moved_away_takes_no_changes_until_it_is_back(servers, stubs, tmp_path):
    weir = servers("--demo", "--state-dir", tmp_path)
    database = tmp_path / "weir.db"
    backup = database.with_suffix(".away")
    database.rename(backup)
    run = tool(weir, *HALF, check=False)
    assert run.returncode == 69 and "was moved or deleted while it was in use" in run.stderr
    assert metric(weir, "weir_store_up") == 0
    assert [health(weir, name) for name in ("weir.store", "")] == ["NOT_SERVING", "SERVING"]
    assert "Ada" in hello(weir, stubs)
    backup.rename(database)
    wait_for(lambda: metric(weir, "weir_store_up") == 1)
    assert health(weir, "weir.store") == "SERVING"
    tool(weir, *HALF)


def test_a_read_only_disk_at_the_start_is_reported(servers, small_disk):
    state = ("--demo", "--state-dir", small_disk.folder / "state")
    servers(*state, prefix=small_disk.prefix).stop()
    subprocess.run(
        [*small_disk.prefix, "mount", "-o", "remount,bind,ro", small_disk.folder], check=True)
    run = subprocess.run(
        [*small_disk.prefix, BUILD / "weir", "serve", *state, "--data", "127.0.0.1:0", "--admin",
         "127.0.0.1:0"],
        capture_output=True, text=True, timeout=20)
    assert run.returncode == 1 and "Read-only file system" in run.stderr


def test_killed_again_and_again_nothing_that_was_answered_is_lost(stubs):
    answered, _ = torture.torture(stubs, start_weir, rounds=12, seed=3)
    # Two for each round at least; a busy machine answers fewer than a quiet one.
    assert answered > 24
