"""Boundary values in every field of every admin request, with and without `validate_only`."""

import collections
import concurrent.futures
import threading

import grpc
import pytest
from google.protobuf import json_format, message_factory

from boundaries import Widened, mutated, shown
from boundary_client import Subject
from boundary_pipe import Ask, grpc_fields
from conftest import BUILD
from peer import message
from scripted_backend import ScriptedBackend, ok

ADMIN = "/weir.admin.v1.Admin/"
OPTIONS = {
    "maxRequestsInFlight": 10, "maxRequestsPerReplica": 10, "maxWaitingRequests": 10,
    "waitTimeout": "1s", "replicaAffinity": True, "connectTimeout": "1s", "idleTimeout": "60s",
    "keepaliveInterval": "60s", "keepaliveTimeout": "5s", "maxConnectionsPerReplica": 2,
    "authority": "model.internal", "forwardedFor": True,
    "retry": {"codes": ["UNAVAILABLE"], "maxAttempts": 2, "initialDelay": "0.001s",
              "maxDelay": "0.01s", "budgetShare": 0.5, "budgetPerSecond": 5},
    "healthCheck": {"interval": "10s", "timeout": "1s", "healthyThreshold": 1,
                    "unhealthyThreshold": 2},
    "outlierDetection": {"consecutiveFailures": 5, "failureShare": 0.5, "minimumRequests": 5,
                         "interval": "5s", "baseEjection": "1s", "maxEjection": "2s",
                         "maxEjectedShare": 0.5},
}
COMPARISON = {
    "ignoredFields": ["a"], "tolerances": [{"field": "b", "absolute": 0.1, "relative": 0.1}],
    "redactedFields": ["c"], "redactedMetadata": ["x-secret"], "noiseProportion": 0.5,
    "allowedShare": 0.01,
}
SHADOW = {"maxRequestsInFlight": 10, "maxBufferedBytes": 1000, "maxBufferedBytesPerCopy": 100,
          "timeout": "1s"}
LIMIT = {"requestsPerSecond": 100_000, "burst": 1000}
NOTE = {"author": "ada", "comment": "boundaries"}
PLAN = {"candidate": "idle", "steps": ["shadow:100%", "10%", "100%"],
        "gates": ["errors<1.5x", "errors<1%", "p99<1.2x", "codes<2x", "shadow-diff<1%"],
        "bake": "60s", "minimum": "60s", "maximum": "600s", "minimumRequests": 10,
        "require": "ROLLOUT_REQUIREMENT_PROOF", "onInconclusive": "ROLLOUT_INCONCLUSIVE_ABORT",
        "abort": "ramp:5%,0%/60s", "holdout": 0.1, "approval": True, "alpha": 0.05}
WORKER = {"command": ["/bin/sleep", "60"], "replicas": 1, "environment": {"A": "b"},
          "startTimeout": "5s", "gracePeriod": "1s"}


def upstream(name, address):
    return {"name": name, "upstream": {"addresses": [address]}, "options": OPTIONS}


def configuration(address):
    """The state before each change: an endpoint with all options, and an idle backend."""
    return {
        "backends": [upstream(name, address) for name in ("base", "idle", "spare")],
        "endpoints": [{
            "name": "base", "route": "/test.Base/", "weights": {"base": 0.5, "spare": 0.5},
            "shadows": [{"backend": "spare", "proportion": 0.5, "options": SHADOW}],
            "comparison": COMPARISON, "rateLimit": LIMIT}],
    }


# In this order, which ends the rollout.
ROLLOUTS = {
    "StartRollout": [{"endpoint": "base", "plan": PLAN, "note": NOTE}],
    "ListRollouts": [{}],
    "GetRollout": [{"endpoint": "base"}],
    "PauseRollout": [{"endpoint": "base"}],
    "ResumeRollout": [{"endpoint": "base"}],
    "AdvanceRollout": [{"endpoint": "base"}],
    "PromoteRollout": [{"endpoint": "base"}],
    "WatchRollout": [{"endpoint": "base"}],
    "AbortRollout": [{"endpoint": "base", "immediate": True}],
}


def bases(address, revision, authority):
    """Valid requests of each method, whose fields are changed one at a time.

    With a path, only the fields below it change. A backend with TLS has its own authority, because
    loading those of the system takes a tenth of a second.
    """
    worker, tls = {"name": "new", "worker": WORKER}, {"caFile": authority}
    secure = {"addresses": [address], "tls": tls}
    applied = configuration(address)
    applied["backends"][0]["upstream"]["tls"] = tls
    weights = [{"backend": "base", "weight": 0.25}, {"backend": "spare", "weight": 0.75}]
    return {
        "CreateBackend": [
            {"backend": upstream("new", address), "note": NOTE},
            ({"backend": {**upstream("new", address), "lease": {"program": "p", "session": "s"}}},
             "backend.lease"),
            ({"backend": {"name": "new", "upstream": secure}}, "backend.upstream.tls"),
            ({"backend": worker}, "backend.worker"),
            ({"backend": {"name": "new", "handler": {"handler": "greeter-v1"}}},
             "backend.handler")],
        "UpdateBackend": [
            {"backend": upstream("base", address), "note": NOTE},
            ({"backend": {"name": "base", "upstream": secure}}, "backend.upstream.tls"),
            ({"backend": {"name": "spare", "worker": WORKER}}, "backend.worker")],
        "DeleteBackend": [{"name": "idle"}],
        "GetBackend": [{"name": "base"}],
        "ListBackends": [{}],
        "CreateEndpoint": [{"name": "new", "route": "/test.New/", "backend": "base",
                            "methods": ["GET"]}],
        "DeleteEndpoint": [{"name": "base"}],
        "GetEndpoint": [{"name": "base"}],
        "ListEndpoints": [{}],
        "SetTraffic": [{"endpoint": "base", "weights": weights},
                       ({"endpoint": "base", "weights": weights, "revertAfter": "60s"},
                        "revert_after"),
                       ({"endpoint": "base", "weights": weights, "confirmWithin": "60s"},
                        "confirm_within")],
        "ConfirmTraffic": [{"endpoint": "base"}],
        # A freeze would reject the changes that undo a request.
        "SetFreeze": [{"frozen": False, "note": NOTE}],
        "GetFreeze": [{}],
        "SetRateLimit": [{"endpoint": "base", "rateLimit": LIMIT}],
        "ShadowTraffic": [{"endpoint": "base", "backend": "spare", "proportion": 0.5,
                           "options": SHADOW}],
        "SetShadowComparison": [{"endpoint": "base", "comparison": COMPARISON}],
        "GetShadowReport": [{"endpoint": "base"}],
        "ResetShadowReport": [{"endpoint": "base"}],
        "ExplainRoute": [{"path": "/test.Base/Call", "shardKey": "a2V5"}, {"endpoint": "base"}],
        "Apply": [{"configuration": configuration(address), "note": NOTE},
                  ({"configuration": applied}, "configuration.backends[0].upstream.tls")],
        "ListRevisions": [{"limit": 2}],
        "GetRevision": [{"revision": revision}],
        "CompareRevisions": [{"fromRevision": revision, "toRevision": revision}],
        "Rollback": [{"revision": revision}, {"revision": revision, "endpoint": "base"}],
        "GetAccess": [{}],
        "ListInstances": [{}],
        # The store of this server cannot diverge.
        "AdoptState": [{}],
        "RestoreState": [{}],
        "HoldLeases": [{"session": "s", "gracePeriod": "5s"}],
        "ReleaseLeases": [{"session": "s"}],
        "Watch": [{}],
        "GetStats": [{"endpoint": "base"}],
        "WatchStats": [{"endpoint": "base", "intervalMs": 100, "pastSeconds": 1}],
        **ROLLOUTS,
    }


# Invalid and truncated messages.
GARBAGE = [
    b"\0", b"\xff" * 16, b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\x08", b"\x0b" * 200,
    b"\x0a\x00" * 1_000,
    b"\x80" * 11, b"\xfa\xff\xff\xff\x0f\x00", b"\x0d\x01", b"\x09" + bytes(7)]


class AdminTable:
    """A server, and the state to restore after each accepted change."""

    def __init__(self, stubs, folder, authority):
        self.messages, self.service = stubs.admin, stubs.admin.DESCRIPTOR.services_by_name["Admin"]
        self.widened = Widened(stubs.admin.DESCRIPTOR)
        self.backend = ScriptedBackend(lambda *_: ok())
        self.counts = collections.Counter()
        self.subject = Subject(
            [BUILD / "weir", "serve", "--demo", "--json", "--data", "127.0.0.1:0",
             "--admin", "127.0.0.1:0"], folder, self._prepare)
        self.bases = bases(self.backend.address, self.revision, authority)

    def close(self):
        code = self.subject.stop()
        self.backend.close()
        return code

    def _prepare(self, subject):
        with grpc.insecure_channel(subject.admin) as channel:
            apply = channel.unary_unary(f"{ADMIN}Apply")
            reply = apply(self.message("Apply", {
                "configuration": configuration(self.backend.address)}).SerializeToString())
        self.revision = self.messages.ApplyResponse.FromString(reply).revision

    def message(self, method, content):
        kind = message_factory.GetMessageClass(self.service.methods_by_name[method].input_type)
        request = json_format.ParseDict(content, kind())
        # Omitted objects are deleted, independently of the default.
        if method == "Apply" and "prune" in kind.DESCRIPTOR.fields_by_name:
            request.prune = True
        return request

    def ask(self, method, body, label="", **options):
        streams = self.service.methods_by_name[method].server_streaming
        timeout = ("grpc-timeout", "300m" if streams else "10S")
        return Ask(label or method, grpc_fields(ADMIN + method, timeout), message(body),
                   is_stream=streams, **options)

    def requests(self, method):
        """The valid requests of a method, with the paths of the fields to change or to keep."""
        entries = [
            entry if isinstance(entry, tuple) else (entry, "") for entry in self.bases[method]]
        others = tuple(wanted for _, wanted in entries if wanted)
        for content, wanted in entries:
            yield self.message(method, content), wanted, () if wanted else others

    def inputs(self, method, validate_only=None):
        """Requests of a method, each with one field changed."""
        for base, wanted, elsewhere in self.requests(method):
            if validate_only:
                base.validate_only = True
                elsewhere += ("validate_only",)
            for path, value, body in mutated(base, self.widened, wanted, elsewhere):
                label = f"{method}{' validated' if validate_only else ''}: {path}: {shown(value)}"
                yield self.ask(method, body, label)
        for body in GARBAGE:
            yield self.ask(method, body, f"{method}: {body[:12]!r}")

    def together(self, asks, group):
        before = self.subject.inputs
        self.subject.run(asks, "admin", also="data")
        self.counts[group] += self.subject.inputs - before

    def one_by_one(self, method):
        """Makes each change; reads, uses and undoes the accepted ones."""
        # The fields that CreateBackend, UpdateBackend and Apply share are tested once.
        looks = ["ListBackends"] if method in ("CreateBackend", "Apply") else [
            "ListBackends", "ListEndpoints", "GetRevision", "GetStats"]
        self.looks = [
            self.ask(name, self.message(name, {}).SerializeToString()) for name in looks]
        self.undo = [self.ask("Apply", self.message("Apply", {
            "configuration": configuration(self.backend.address)}).SerializeToString())]
        if method == "StartRollout":
            abort = self.message("AbortRollout", {"endpoint": "base", "immediate": True})
            self.undo.insert(0, self.ask("AbortRollout", abort.SerializeToString()))
        before = self.subject.inputs
        for ask in self.inputs(method):
            self.subject.run([ask], "admin", accepted=self._accepted)
        self.counts["for real"] += self.subject.inputs - before

    def _accepted(self, ask):
        """The faults of the calls that must succeed after an accepted change."""
        call = Ask("call", grpc_fields("/test.Base/Call", ("grpc-timeout", "20m")), message())
        [answer] = self.subject.exchange([call], "data")
        if answer.end != "ended":
            yield f"a call through its endpoint: {answer}"
        asks = [*self.looks, *self.undo]
        for look, answer in zip(asks, self.subject.exchange(asks, "admin")):
            # A start that was only validated leaves no rollout to abort.
            if answer.status not in ((0, 9) if look.label == "AbortRollout" else (0,)):
                yield f"{look.label}: {answer.end} {answer.status} {answer.message}"


@pytest.fixture(scope="module")
def tables(stubs, certificates, tmp_path_factory):
    """Two servers, so that one core is busy while the other server waits."""
    tables = [AdminTable(stubs, tmp_path_factory.mktemp("admin"), str(certificates / "ca.pem"))
              for _ in range(2)]
    yield tables
    codes = [table.close() for table in tables]
    assert codes == [0, 0], [table.subject.last_words() for table in tables]


@pytest.fixture
def table(tables):
    return tables[0]


def changes(service):
    return [method.name for method in service.methods
            if "validate_only" in method.input_type.fields_by_name]


def finish(tables, group, at_least):
    faults = [fault for table in tables for fault in table.subject.faults]
    for table in tables:
        table.subject.faults = []
    count = sum(table.counts[group] for table in tables)
    print(f"{group}: {count} inputs")
    assert not faults, f"{len(faults)} faults\n" + "\n".join(faults[:200])
    assert count > at_least


def test_every_method_has_a_request(table):
    assert set(table.bases) == {method.name for method in table.service.methods}
    undo = table.message("Apply", {"configuration": configuration(table.backend.address)})
    for method in table.bases:
        for request, _, _ in table.requests(method):
            answer, undone = (
                table.subject.exchange([ask], "admin")[0] for ask in [
                    table.ask(method, request.SerializeToString()),
                    table.ask("Apply", undo.SerializeToString())])
            # No other history to choose, no running rollout. Apply keeps the weights that revert,
            # so ConfirmTraffic finds them.
            expected = 9 if method in ("AdoptState", "RestoreState", "AbortRollout") else 0
            assert answer.status == expected, (method, request, answer)
            assert undone.status == 0, (method, request, undone)


def test_questions(table):
    for method in table.service.methods:
        if method.name not in changes(table.service):
            table.together(table.inputs(method.name), "questions")
    finish([table], "questions", 1_000)


def test_changes_that_are_validated_only(tables):
    share(tables, lambda table, method: table.together(
        table.inputs(method, validate_only=True), "validated only"))
    finish(tables, "validated only", 10_000)


def test_changes(tables):
    share(tables, lambda table, method: table.one_by_one(method))
    finish(tables, "for real", 10_000)


def share(tables, run):
    """Runs a function for each method that changes the state; each table takes the next method."""
    methods = changes(tables[0].service)
    # The largest first, so that both finish at about the same time.
    methods.sort(key=lambda method: -sum(1 for _ in tables[0].inputs(method)))
    lock = threading.Lock()

    def work(table):
        while True:
            with lock:
                if not methods:
                    return
                method = methods.pop(0)
            run(table, method)

    with concurrent.futures.ThreadPoolExecutor(len(tables)) as pool:
        list(pool.map(work, tables))
