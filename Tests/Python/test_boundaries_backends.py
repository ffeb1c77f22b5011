"""Boundary values in every response header that Weir reads, and in the messages that it decodes."""

import sys

import grpc
import grpc_tools
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc

import boundary_headers
from boundaries import Widened, is_illegal, mutated, shown
from boundary_client import Admin, Subject
from boundary_headers import RESPONSES
from boundary_pipe import INTERNAL, UNKNOWN, Ask, grpc_fields
from conftest import BUILD, ROOT, SECONDS
from peer import message
from scripted_backend import ScriptedBackend, ok

# The time limit of any response, whatever a backend requests.
DEADLINE = ("grpc-timeout", "4S")
COMPARED = """
syntax = "proto3";
package weir.boundary;
import "everything.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
service Compared { rpc Find(Number) returns (Reply); }
message Number { bytes number = 1; }
message Reply {
  weir.test.Everything everything = 1;
  google.protobuf.Timestamp time = 2;
  google.protobuf.Duration duration = 3;
  google.protobuf.Any any = 4;
  google.protobuf.Struct struct = 5;
  google.protobuf.ListValue list = 6;
  google.protobuf.Int64Value number = 7;
  google.protobuf.FloatValue float = 8;
  google.protobuf.FieldMask mask = 9;
  map<string, google.protobuf.Duration> durations = 10;
  repeated google.protobuf.Timestamp times = 11;
}
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The descriptor set of `COMPARED`, and replies with each value in each field."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "compared.proto").write_text(COMPARED)
    include = f"{grpc_tools.__path__[0]}/_proto"
    output = folder / "compared.binpb"
    assert protoc.main([
        "protoc", f"-I{folder}", f"-I{ROOT / 'Tests/Protos'}", f"-I{include}", "--include_imports",
        f"--descriptor_set_out={output}", "compared.proto"]) == 0
    files = descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    descriptor = pool.FindMessageTypeByName("weir.boundary.Reply")
    reply = message_factory.GetMessageClass(descriptor)()
    replies = list(mutated(reply, Widened(descriptor.file)))
    return output.read_bytes(), replies


@pytest.fixture(scope="module")
def call_responses(stubs):
    """`weir.v1.CallResponse` with each value in each field."""
    base = stubs.serve.CallResponse(payload=b"ok", content_type="text/plain", http_status=200)
    base.headers.add(name="x-a", value="b")
    found = list(mutated(base, Widened(stubs.serve.DESCRIPTOR)))
    rest = base.SerializeToString()
    return found + [
        (f"the message cut off after {length}", "", rest[:length]) for length in range(len(rest))]


@pytest.fixture(scope="module")
def subject(stubs, compared, call_responses, tmp_path_factory):
    """A server in front of backends that answer with the tables."""
    folder = tmp_path_factory.mktemp("backends")
    descriptors, replies = compared

    def numbered(messages, offset):
        def answer(path, payload):
            if path == "/weir.v1.Serve/Call":
                payload = stubs.serve.CallRequest.FromString(payload).payload
            else:
                payload = payload[2:]
            if not payload.isdigit():
                return ok(b"")
            return ok(messages[(int(payload) + offset) % len(messages)][2])
        return answer

    backends = {
        "odd": ScriptedBackend(boundary_headers.respond), "fine": ScriptedBackend(lambda *_: ok()),
        "reply": ScriptedBackend(numbered(replies, 0)),
        "copied": ScriptedBackend(numbered(replies, 1)),
        "calls": ScriptedBackend(numbered(call_responses, 0)),
    }
    program = [sys.executable, str(ROOT / "Tests/Python/boundary_headers.py")]

    def prepare(subject):
        with grpc.insecure_channel(subject.admin) as channel:
            stub = stubs.admin_grpc.AdminStub(channel)
            admin = Admin(stubs.admin, stub)
            codes = ("UNAVAILABLE", "INTERNAL", "UNKNOWN", "RESOURCE_EXHAUSTED")
            for name, route in [("odd", "/test.Odd/"), ("fine", "/test.Fine/"),
                                ("reply", "/weir.boundary.Compared/"), ("copied", ""),
                                ("calls", "/calls")]:
                admin.upstream(name, route, backends[name].address, codes, descriptors)
            admin.worker("worker", "/test.Worker/", program,
                         {"PYTHONPATH": str(ROOT / "Benchmarks")}, codes)
            for endpoint, shadow in [
                    ("odd", "fine"), ("fine", "odd"), ("reply", "copied"), ("worker", "odd")]:
                stub.SetShadowComparison(stubs.admin.SetShadowComparisonRequest(
                    endpoint=endpoint, comparison={"noise_proportion": 1}), timeout=SECONDS)
                stub.ShadowTraffic(stubs.admin.ShadowTrafficRequest(
                    endpoint=endpoint, backend=shadow, proportion=1), timeout=SECONDS)

    subject = Subject(
        [BUILD / "weir", "serve", "--json", "--store", "memory:", "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0", "--limit", "stream-window-bytes=1000000"], folder, prepare)
    yield subject
    code = subject.stop()
    for backend in backends.values():
        backend.close()
    assert code == 0, subject.last_words()


def response_faults(name):
    """The accepted results for an invalid response."""
    may = {INTERNAL, UNKNOWN}
    # A missing or long message of the backend is forwarded.
    if name in ("grpc-message", "grpc-status"):
        may |= {"silent", "long", "any status"}
    return frozenset(may)


@pytest.mark.parametrize("kind", ["Odd", "Fine", "Worker"])
def test_of_headers(subject, kind):
    path = f"/test.{kind}/Call"
    fields = grpc_fields(path, DEADLINE)
    asks = [
        Ask(f"{kind}: {place}: {name}: {shown(value)}", fields, message(b"%d" % number),
            may=response_faults(name), is_alone=len(value) > 60_000)
        for number, (name, value, place, _) in enumerate(RESPONSES)]
    # Weir calls a worker like an upstream, through another kind of socket.
    asks = asks[2::3] if kind == "Worker" else asks
    run(subject, kind, asks, [Ask("the same backend", fields, message(b"fine"))])


def test_of_compared_messages(subject, compared, stubs):
    fields = grpc_fields("/weir.boundary.Compared/Find", DEADLINE)
    asks = [
        Ask(f"{path}: {shown(value)}", fields, message(_number(number)))
        for number, (path, value, _) in enumerate(compared[1])]
    run(subject, "compared", asks)
    with grpc.insecure_channel(subject.admin) as channel:
        reports = stubs.admin_grpc.AdminStub(channel).GetShadowReport(
            stubs.admin.GetShadowReportRequest(endpoint="reply"), timeout=SECONDS).reports
    assert reports[0].compared + reports[0].overload + reports[0].pending > len(asks) / 2


def _number(number):
    text = b"%d" % number
    return b"\x0a" + bytes([len(text)]) + text


def test_of_plain_http(subject, call_responses):
    fields = [(":method", "POST"), (":scheme", "http"), (":path", "/calls"), (":authority", "a")]
    asks = [
        Ask(f"{path}: {shown(value)}", fields, b"%d" % number, may=frozenset({INTERNAL, UNKNOWN}))
        for number, (path, value, _) in enumerate(call_responses)]
    run(subject, "plain HTTP", asks, [Ask("the same backend", fields, b"fine")])


def run(subject, target, asks, checks=()):
    before = subject.inputs
    subject.faults.clear()
    subject.run(asks, checks=checks)
    print(f"{target}: {subject.inputs - before} inputs")
    assert not subject.faults, subject.summary()
    assert subject.inputs - before > 200
