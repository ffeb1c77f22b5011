"""Weir's JSON mapping against protobuf's own, `google.protobuf.json_format`.

The descriptors, the messages and the texts are random. Their seed is printed; WEIR_JSON_SEED and
WEIR_JSON_ROUNDS choose others.
"""

import base64
import collections
import json
import os
import random
import struct
import time

import pytest
from google.protobuf import json_format

from json_mutations import is_excepted, mutated
from json_schemas import Messages, Schemas
from waiting import SECONDS

SEED = int(os.environ.get("WEIR_JSON_SEED", 1))
ROUNDS = int(os.environ.get("WEIR_JSON_ROUNDS", 12))
SYNTAXES = ["proto2", "proto3", "editions"]
OPTIONS = [{}, {"names": True}, {"defaults": True}]


def encoded(data):
    return base64.b64encode(data).decode()


class Converter:
    """Weir's conversions of the messages of a schema."""

    def __init__(self, server, schemas):
        self.call = server.channel(server.data).unary_unary("/test.JSON/Convert")
        self.set = encoded(schemas.set.SerializeToString())

    def convert(self, message, messages=(), texts=(), **options):
        """The results, each of them bytes or an error as a string."""
        request = {"set": self.set, "message": message, "messages": list(map(encoded, messages)),
                   "texts": list(map(encoded, texts)), **options}
        reply = json.loads(self.call(json.dumps(request).encode(), timeout=SECONDS))
        return [base64.b64decode(result) if isinstance(result, str) else result["error"]
                for result in reply["printed"] + reply["parsed"]]


def printed(type_, data, pool, names=False, defaults=False):
    """The JSON that protobuf prints; None if it rejects the message."""
    try:
        return json_format.MessageToDict(
            type_.FromString(data), preserving_proto_field_name=names, descriptor_pool=pool,
            always_print_fields_with_no_presence=defaults)
    except Exception:  # DecodeError, SerializeToJsonError, TypeError and others
        return None


def parsed(type_, text, pool, ignore=False):
    """The message that protobuf parses, encoded; None if it rejects the text or its own result."""
    try:
        message = json_format.Parse(
            text, type_(), descriptor_pool=pool, ignore_unknown_fields=ignore)
        data = message.SerializePartialToString(deterministic=True)
        type_.FromString(data)
        return data
    except Exception:  # ParseError and what its rounding of values raises
        return None


def same(left, right):
    """Whether two JSON values are equal. Numbers may be those of one float."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool) or isinstance(left, str):
        return type(left) is type(right) and left == right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return struct.pack("d", left) == struct.pack("d", right) or one_float(left, right)
    return left == right


def one_float(left, right):
    is_float = 0 < abs(left) < 3.41e38 and 0 < abs(right) < 3.41e38
    return is_float and struct.pack("f", left) == struct.pack("f", right)


def schemas(seed):
    return [
        Schemas(f"s{seed}r{index}", syntax) for index in range(ROUNDS) for syntax in SYNTAXES]


def tails(message, choices):
    """Wire forms of a message: itself, twice, and with a damaged or unknown end."""
    data = message.SerializePartialToString()
    yield data
    yield data + data
    number = choices.randrange(1, 20)
    field = number << 3
    content = choices.choice([
        b"", b"\x00", b"\x01", b"\xff", b"\x08\x05", b"\xc3\xbc", b"\xed\xa0\x80", b"\x00" * 8])
    known = message.DESCRIPTOR.fields_by_number.get(number)
    # Unlike protobuf's other parsers, Python's reads bytes as a repeated group, drops entries of
    # maps that have an unknown field, and prints invalid UTF-8 of proto2 as Python's bytes.
    is_proto2 = message.DESCRIPTOR.file.package.startswith("proto2")
    kind = known.type if known is not None else None
    is_unlike = kind == 10 or content and (kind == 11 or kind == 9 and is_proto2)
    if not is_unlike:
        yield data + bytes([*varint(field | 2), len(content)]) + content
    yield data + bytes(varint(field)) + choices.choice([b"\x00", b"\x4d", b"\xff" * 9 + b"\x01"])
    yield data + bytes(varint(field | 5)) + choices.randbytes(4)
    yield data + bytes(varint(field | 1)) + choices.randbytes(choices.choice([7, 8]))
    yield data + bytes(varint(field | 3)) + b"\x08\x01" + bytes(varint(field | 4))


def varint(value):
    return [value] if value < 0x80 else [value & 0x7f | 0x80, *varint(value >> 7)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_messages_are_printed_as_protobuf_prints_them(fixture_server, options):
    print(f"seed {SEED}")
    count = accepted = 0
    for schema in schemas(SEED):
        converter = Converter(fixture_server, schema)
        messages = Messages(schema, SEED)
        for type_ in schema.types.values():
            data = [tail for _ in range(6)
                    for tail in tails(messages.message(type_), messages.random)]
            results = converter.convert(type_.DESCRIPTOR.full_name, messages=data, **options)
            for item, result in zip(data, results):
                expected = printed(type_, item, schema.pool, **options)
                about = (schema.package, type_.DESCRIPTOR.full_name, item.hex(), expected, result)
                count += 1
                if expected is None:
                    assert isinstance(result, str), about
                    continue
                accepted += 1
                assert isinstance(result, bytes), about
                assert same(expected, json.loads(result)), about
    print(f"{count} messages, of which {accepted} have a JSON form")
    assert accepted > count / 2


def test_what_weir_prints_is_parsed_to_the_same_message(fixture_server):
    print(f"seed {SEED}")
    for schema in schemas(SEED):
        converter = Converter(fixture_server, schema)
        messages = Messages(schema, SEED + 1)
        for type_ in schema.types.values():
            data = [messages.message(type_).SerializePartialToString() for _ in range(10)]
            name = type_.DESCRIPTOR.full_name
            results = converter.convert(name, messages=data)
            texts = [text for text in results if isinstance(text, bytes)]
            for text, result in zip(texts, converter.convert(name, texts=texts)):
                assert isinstance(result, bytes), (schema.package, name, text, result)
                again, = converter.convert(name, messages=[result])
                assert again == text, (schema.package, name, text, again)


@pytest.mark.parametrize("ignore", [False, True])
def test_texts_are_parsed_as_protobuf_parses_them(fixture_server, ignore):
    """Both accept a text, with the same result, or both reject it, except as listed."""
    print(f"seed {SEED}")
    counts, used, wrong = collections.Counter(), collections.Counter(), []
    for schema in schemas(SEED):
        converter = Converter(fixture_server, schema)
        messages = Messages(schema, SEED + 2)
        choices = random.Random(f"{schema.package} texts")
        for type_ in schema.types.values():
            data = [messages.message(type_).SerializePartialToString() for _ in range(12)]
            trees = [printed(type_, item, schema.pool) for item in data]
            # json_format cannot parse all that it prints, for example the largest float.
            trees = [tree for tree in trees if tree is not None
                     and parsed(type_, json.dumps(tree), schema.pool) is not None]
            changes = [mutated(tree, type_.DESCRIPTOR, choices) for tree in trees for _ in range(8)]
            name = type_.DESCRIPTOR.full_name
            results = converter.convert(
                name, texts=[text.encode() for text, _, _ in changes], ignore=ignore)
            for (text, change, exception), result in zip(changes, results):
                expected = parsed(type_, text, schema.pool, ignore)
                verdict = compare(type_, expected, result, schema.pool)
                counts[verdict.split(":")[0]] += 1
                if verdict in ("same", "both reject"):
                    continue
                error = result if isinstance(result, str) else ""
                listed = is_excepted(verdict, error, change, exception)
                if listed:
                    used[listed] += 1
                else:
                    wrong.append((schema.package, name, change, exception, verdict, result, text))
    print(dict(counts), dict(used))
    assert not wrong, (len(wrong), wrong[:20])
    assert counts["same"] > 500 and counts["both reject"] > 500


def compare(type_, expected, result, pool):
    """Who accepts, or whether both results are the same message."""
    if isinstance(result, str):
        return "both reject" if expected is None else "json_format"
    if expected is None:
        return "weir"
    if type_.FromString(result).SerializePartialToString(deterministic=True) == expected:
        return "same"
    # The bytes in an Any may be in another order.
    if same(printed(type_, expected, pool), printed(type_, result, pool)):
        return "same"
    return f"differ: {expected.hex()} {result.hex()}"


def test_nesting_is_limited_to_100_messages(fixture_server):
    """As by protobuf's parsers. An entry of a map is a message."""
    schema = recursive()
    converter = Converter(fixture_server, schema)
    type_ = schema.type("deep.M")
    for depth in (99, 100, 101, 5_000):
        texts = [b'{"child":' * (depth - 1) + b"{}" + b"}" * (depth - 1)]
        result, = converter.convert("deep.M", texts=texts)
        assert isinstance(result, bytes) == (depth <= 100), depth
        assert (parsed(type_, texts[0], schema.pool) is not None) == (depth <= 100)
        data = b""
        for _ in range(min(depth, 200) - 1):
            data = bytes([10, *varint(len(data))]) + data
        result, = converter.convert("deep.M", messages=[data])
        assert isinstance(result, bytes) == (depth <= 100), depth


def test_large_maps_take_linear_time(fixture_server):
    schema = recursive()
    converter = Converter(fixture_server, schema)

    def seconds(entries):
        message = schema.type("deep.M")(big={f"key-{index}": index for index in range(entries)})
        begin = time.monotonic()
        text, = converter.convert("deep.M", messages=[message.SerializeToString()])
        data, = converter.convert("deep.M", texts=[text])
        assert schema.type("deep.M").FromString(data) == message
        return time.monotonic() - begin

    seconds(10)
    assert seconds(80_000) < 16 * max(seconds(10_000), 0.05)


def recursive():
    """A schema with a message that contains itself, and a map."""
    schema = Schemas("deep", "proto3")
    schema.file.Clear()
    schema.file.name, schema.file.package, schema.file.syntax = "deep.proto", "deep", "proto3"
    message = schema.file.message_type.add(name="M")
    message.field.add(name="child", number=1, label=1, type=11, type_name=".deep.M")
    entry = message.nested_type.add(name="BigEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=9)
    entry.field.add(name="value", number=2, label=1, type=3)
    message.field.add(name="big", number=2, label=3, type=11, type_name=".deep.M.BigEntry")
    schema.load(["M"])
    return schema
