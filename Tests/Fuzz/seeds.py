"""Writes the initial inputs of each fuzz target to a folder: input from correct and faulty peers.

    python seeds.py FOLDER
"""

import gzip
import pathlib
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests/Python"), str(ROOT / "Benchmarks")]

import frames  # noqa: E402
from peer import (  # noqa: E402
    CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE,
    RST_STREAM, SETTINGS, WINDOW_UPDATE, message, request_fields)
from google.protobuf import descriptor_pb2  # noqa: E402
from weir.admin.v1 import admin_pb2 as pb  # noqa: E402

BLOCK = frames.header_block(request_fields())
SEEDS = {}


def seed(target, name, data):
    SEEDS[f"{target}/{name}"] = data


def configuration():
    text = pb.Configuration()
    text.backends.add(name="a", upstream=pb.UpstreamKind(addresses=["127.0.0.1:1", "[::1]:2"]))
    text.backends.add(name="b", worker=pb.WorkerKind(command=["sh", "-c", "x"], replicas=2))
    text.backends.add(name="greeter-v1", handler=pb.HandlerKind())
    one = text.endpoints.add(name="e", route="/p.S/", weights={"a": 0.25, "b": 0.75})
    one.shadows.add(backend="b", proportion=0.5)
    one.rate_limit.requests_per_second = 10
    one.comparison.ignored_fields.append("x.y")
    text.endpoints.add(name="f", route="/path", weights={"a": 1})
    return text


def described():
    """A descriptor set with fields of every type, and a message of such a type."""
    one = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="a.proto", package="a", dependency=["b.proto"])
    message = file.message_type.add(name="M")
    message.oneof_decl.add(name="o")
    entry = message.nested_type.add(name="E")
    entry.options.map_entry = True
    for name, number, kind in [("key", 1, one.TYPE_STRING), ("value", 2, one.TYPE_MESSAGE)]:
        entry.field.add(name=name, json_name=name, number=number, type=kind, label=1,
            type_name=".a.M")
    message.enum_type.add(name="K").value.add(name="ONE", number=-1)
    types = {one.TYPE_MESSAGE: ".google.protobuf.Timestamp", one.TYPE_ENUM: ".a.M.K",
        one.TYPE_GROUP: ".a.M"}
    for kind in range(1, 19):
        message.field.add(name=f"f{kind}", json_name=f"f{kind}", number=kind, type=kind,
            label=1 + kind % 2 * 2,
                          type_name=types.get(kind))
    message.field.add(name="map", json_name="map", number=20, type=11, label=3, type_name=".a.M.E")
    message.field.add(name="one", json_name="one", number=21, type=5, label=1, oneof_index=0)
    message.field.add(name="self", json_name="self", number=22, type=11, label=1, type_name=".a.M")
    file.service.add(name="S").method.add(name="C", input_type=".a.M", output_type=".a.M")
    files = descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    inner = b"\x4a\x01x\x53\x28\x07\x54\x5a\x04\x08\x05\x10\x06"
    content = inner + b"\xa2\x01\x05\x0a\x01k\x12\x00\xa8\x01\x01\xb2\x01" + bytes([len(inner)]) + inner
    return struct.pack(">H", len(files)) + files + content


def annotated():
    """The descriptor set with bindings of `google.api.http`, encoded by field numbers."""
    def text(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    data = described()
    files = descriptor_pb2.FileDescriptorSet.FromString(data[2:2 + int.from_bytes(data[:2], "big")])
    more = text(4, b"/a/{f9}") + text(7, b"*"), text(6, b"/{f9=a/**}:d") + text(7, b"self")
    rule = text(2, b"/a/{one}") + b"".join(text(11, binding) for binding in more)
    # The key of the extension 72295728.
    option = bytes([0x82, 0xd3, 0xe4, 0x93, 0x02, len(rule)]) + rule
    files.file[0].service[0].method[0].options.ParseFromString(option)
    return files.SerializeToString()


def archive():
    """A checkpoint with an endpoint, encoded by field numbers, without generated messages."""
    def field(number, content):
        if isinstance(content, int):
            return bytes([number << 3, content])
        return bytes([number << 3 | 2, len(content)]) + content

    backend = pb.Backend(name="a",
        upstream=pb.UpstreamKind(addresses=["127.0.0.1:1"])).SerializeToString()
    weight = pb.BackendWeight(backend="a", weight=1).SerializeToString()
    shadow = pb.Shadow(backend="a", proportion=0.5).SerializeToString()
    fragments = field(2, b"a") + field(3, bytes(8)) + field(4, b"\0") + field(5, b"\0") + field(6,
        b"\0")
    endpoint = (field(1, b"e") + field(2, b"/p.S/") + field(3, weight) + field(4,
        fragments) + field(5, shadow)
                + field(8, fragments))
    checkpoint = field(1, 7) + field(2, backend) + field(3, endpoint)
    revision = field(1, 8) + field(2, field(1, 1)) + field(6, backend) + field(8, endpoint)
    return field(1, checkpoint) + field(2, revision)


def sessions():
    """Conversations by topic."""
    def f(*arguments):
        return frames.frame(*arguments)

    begin = f(HEADERS, END_HEADERS, 1, BLOCK)
    yield "call", begin + f(DATA, END_STREAM, 1, message(b"hello"))
    yield "trailers", begin + f(HEADERS, END_HEADERS | END_STREAM, 1,
        frames.header_block([("a", "b")]))
    yield "continuation", f(HEADERS, 0, 1, BLOCK[:20]) + f(CONTINUATION, END_HEADERS, 1, BLOCK[20:])
    yield "reset", begin + f(RST_STREAM, 0, 1, struct.pack(">I", 8)) + f(HEADERS, END_HEADERS, 3,
        BLOCK)
    yield "control", f(PING, 0, 0, bytes(8)) + f(WINDOW_UPDATE, 0, 0, struct.pack(">I", 9)) + f(
        PRIORITY, 0, 3, bytes(5)) + f(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + begin
    yield "goaway", begin + f(GOAWAY, 0, 0, bytes(8))
    yield "large", f(HEADERS, END_HEADERS, 1, BLOCK + frames.header_block([("x", "v" * 200)] * 12))
    yield "push", begin + f(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + BLOCK)
    yield "unknown", f(0xBE, 1, 0, b"abc") + begin
    yield "table", f(HEADERS, END_HEADERS, 1, b"\x3f\xe1\x1f" + BLOCK + b"\x40\x01a\x01b\xbe\xbe")


def compact(data):
    """The frames in the format of the target `frames`: type, flags, stream, length."""
    packed = b""
    while data:
        length = int.from_bytes(data[:3], "big")
        packed += bytes([data[3], data[4], data[8], min(length, 255)]) + data[9:9 + min(length,
            255)]
        data = data[9 + length:]
    return packed


for size in (0, 4):
    seed("deframer", f"two-{size}", bytes([size]) + message(b"hello") + message(b"", 1))
seed("deframer", "huge", b"\x01\x00\xff\xff\xff\xff")
seed("deframer", "flag", b"\x02\x07" + message(b"x"))


def long_frame(kind, flags, stream, payload, length=0):
    """A frame in the format of the target `headers`; the last byte is repeated up to the length."""
    return bytes([kind, flags, stream]) + struct.pack(">HB", length, len(payload)) + payload


OK = b"\x88"
for size in (7, 200):
    seed("headers", f"call-{size}",
        bytes([size]) + long_frame(0, 4, 1, OK) + long_frame(4, 0, 1, b"x", 500)
         + long_frame(0, 5, 1, b"\x00\x01a\x01b"))
    for name, start in (("indexed", b"\x40\x01a\x7f\xf1\xa1\x04x"),
        ("name", b"\x00\x7f\xf1\xa1\x04x"),
                        ("huffman", b"\x7a\xff\xf1\xa1\x04\x1f"), ("length", b"\x00\x01a\x7f\xf1")):
        rest = b"\xa1\x04x" if name == "length" else b"x"
        parts = [long_frame(1, 0, 1, rest, 16_000) for _ in range(4)]
        seed("headers", f"{name}-{size}",
            bytes([size]) + long_frame(0, 0, 1, OK + start, 6_000) + b"".join(parts)
             + long_frame(1, 4, 1, b"x" * 7 + b"\xbe") + long_frame(0, 5, 3,
                 b"\x88\x40\x01a\x01b\xbe"))
seed("headers", "padded",
    b"\x20" + long_frame(0, 0x28, 1, b"\x03\x00\x00\x00\x00\x0f\x88\x00\x00\x00")
     + long_frame(1, 4, 1, b"\x00\x01a\x01b"))
seed("headers", "interleaved", b"\x20" + long_frame(0, 0, 1, OK) + long_frame(4, 0, 1, b"x"))
REQUEST = b"GET /a?b HTTP/1.1\r\nHost: x:1\r\nX-Serve-Shard-Key: \t a \r\nConnection: close, x\r\n"
for name, data in [
    ("get", REQUEST + b"\r\n" + REQUEST + b"\r\n"),
    ("length", REQUEST + b"Content-Length: 5\r\n\r\nhello"),
    ("chunks", REQUEST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: 1\r\n\r\n"),
    ("url", b"OPTIONS http://[::1]:80?q HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"),
    ("invalid", REQUEST + b"Content-Length: 99999999999999999999\r\nA : b\r\n c\r\n\r\n"),
]:
    for size in (0, 7):
        seed("http1", f"{name}-{size}", bytes([size]) + data)
for number, text in enumerate([
        b"100m", b"99999999H", b"1n", b"0S", "50 %25 ü\n".encode(), b"x-name\nvalue",
        b"x-name-bin\nAAEC/w==", gzip.compress(b"hello" * 50, mtime=0), b"%", b"%ff%"]):
    seed("wire", f"text-{number}", text)
PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
for number, text in enumerate([
        PARENT, b"cc" + PARENT[2:] + b"-x", b"ff" + PARENT[2:], b"00-" + b"0" * 32 + PARENT[35:],
        bytes(2) + bytes(range(1, 17)) + b"\x01" + bytes(range(1, 9)) + b"\x02\x01",
        b" " + PARENT + b"\n!a=1\n#user=7", b" " + PARENT + b"\n " + PARENT,
        b"\"AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE", b"\"%%%\n!a\n!b",
        b"parentbased_traceidratio 0.25", b"traceidratio 1e300", b"always_on"]):
    seed("traces", f"header-{number}", text)
for name, data in sessions():
    seed("session", name, data + b"\x40")
    seed("frames", name, compact(data) + b"\x07")
wished = configuration()
stats = pb.Stats()
stats.backends.add(endpoint="e", backend="a", in_flight=3)
seed("messages", "configuration", wished.SerializeToString(deterministic=True))
seed("messages", "stats", stats.SerializeToString(deterministic=True) * 2)
seed("messages", "descriptors", (ROOT / "protos/released.binpb").read_bytes()[:3_000])
seed("configuration", "whole", wished.SerializeToString(deterministic=True))
seed("configuration", "empty", b"")
from google.protobuf import json_format  # noqa: E402
seed("json", "configuration",
    json_format.MessageToJson(wished, indent=None, sort_keys=True).encode())
seed("json", "numbers", b'{"a":[1e308,-0.5,"\\u00fc\\ud83d\\ude00",null,true,{"b":{}}]}')
seed("json", "deep", b"[" * 60 + b"]" * 60)
seed("yaml", "configuration", b"""\
backends:
  - name: a
    upstream: {addresses: ["127.0.0.1:1"], connections: 2, requestTimeout: 1.5s}
  - {name: b, worker: {command: [sh, -c, "x: y"], replicas: 2}}  # a comment
endpoints:
  - name: "1"
    route: /p.S/
    weights: {a: 0.25, b: 0.75}
    shadows: [{backend: b, proportion: 5e-1}]
""")
seed("yaml", "scalars",
    b"a: &x [~, yes, 0x1F, 1_000, .inf, .nan, 2001-01-01, !!str 1, |\n  b]\nb: *x\n")
seed("yaml", "deep", b"[" * 60 + b"]" * 60)
seed("affinity", "canary",
    bytes([0, 9, 9, 9, 1, 99, 0, 0, 1, 0, 0, 1, 50, 0, 0, 50, 0, 0, 0, 1, 1, 1]))
seed("affinity", "many", bytes(range(250)))
seed("store", "empty", b"\x08\x01")
seed("store", "revision", b"\x08\x05\x1a\x03ada" + b"\x32\x09" + b"\x0a\x01e\x12\x04/p/x")
seed("schema", "kinds", described())
seed("schema", "empty", b"\0\0\x08\x01")
for name, seconds, nanos in [("now", 1_769_860_800, 500_000_000), ("first", -62_135_596_800, 0),
                             ("last", 253_402_300_799, 999_999_999), ("least", -2**63, -2**31)]:
    seed("times", name, struct.pack(">qi", seconds, nanos))
for name, text in [("timestamp", "2026-01-31T12:00:00.5+01:30"),
    ("duration", "-315576000000.999999999s")]:
    seed("times", name, text.encode())
for kind in range(8):
    seed("rows", f"row-{kind}",
        bytes([kind | 4 << 3]) + struct.pack(">qq", kind - 2, -1) + b"\x08\x01")
seed("rows", "head", b"41")
seed("rows", "location", b"ttl=5&prefix=x&user=y")
seed("archive", "whole", archive())
seed("access", "list", b"# who\nada admin cert:uri:spiffe://x # why\neve viewer cert:dns:E.x\nmail viewer cert:email:a@x\n"
     b"bot operator:a,b sha256:" + b"0" * 64 + b"\n")
seed("export", "settings",
     b"http://127.0.0.1:4317\na=b,c=d%20e\n10000\nzone=a\nweir\nparentbased_traceidratio\n0.25\n"
     b"2048\ngzip")
seed("access", "wrong", b"ada king cert:\nx\n\n")
for number, text in enumerate([
        b"aGVsbG8=\nd29ybGQ=QQ==", b"grpc-status: 5\r\nx-name: a b\r\n",
        b"application/grpc-web-text+proto", b"application/json; charset=utf-8",
        b"connect=v1&encoding=json&base64=1&message=eyJhIjoi_-8ifQ",
        b"message=%7B%7D&encoding=proto&compression=gzip&x", b"9999999999"]):
    seed("web", f"text-{number}", text)
JSON = b'{"path":"/a","payload":"QQ=="}'
for number, body in enumerate([
        message(b"\x22\x02/a"), message(JSON), JSON, gzip.compress(JSON, mtime=0),
        message(gzip.compress(JSON, mtime=0), 1)]):
    for form in range(16):
        seed("forms", f"{number}-{form}", bytes([form, 3]) + body)

for number, text in enumerate([
        b"/v1/{name=shelves/*/books/*}:move\n/v1/shelves/1/books/a%2Fb:move",
        b"/v1/{a.b}/{c=**}\n/v1/%C3%A9/x//y", b"/\n/", b"/v1/**\n/v1/"]):
    seed("template", f"text-{number}", text)
for name, request in [
        ("get", b"GET\n/a/7?f18=-1&f9=x&f9=y&self.one=3&f14=ONE&f11=1970-01-01T00:00:00Z\n\n"),
        ("post", b'POST\n/a/x\napplication/json\n{"map":{"a":{}},"self":{"f3":"1"}}'),
        ("lines", b'PATCH\n/a/b/c:d?one=1\napplication/x-ndjson\n{"one":1}')]:
    set_size = struct.pack(">H", len(annotated()))
    seed("transcoding", name, set_size + annotated() + request)

folder = pathlib.Path(sys.argv[1])
for name, data in SEEDS.items():
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
