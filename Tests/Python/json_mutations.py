"""Changes of JSON texts, and the intended differences from protobuf's `json_format`."""

import copy
import json

# Each justified difference: who accepts the text, a part of Weir's error, and why.
EXCEPTIONS = {
    "quoted number": (
        "json_format", "",
        "Python's int() and float() accept spaces, signs, underscores, other digits and "
        "names; the mapping has JSON's numbers in quotes"),
    "ignored number": (
        ("differ", "weir"), "",
        "of these strings, Weir ignores those that are unknown names of an enum"),
    "unknown extension": (
        "weir", "",
        "Python rejects the name of an unknown extension, even if it ignores unknown "
        "fields"),
    "bool as number": (
        "json_format", "",
        "Python converts true to 1"),
    "fraction of enum": (
        "json_format", "",
        "Python truncates 1.5 to 1"),
    "base64": (
        "json_format", "base64",
        "Python skips characters outside the alphabets"),
    "time": (
        "json_format", "a time",
        "Python's strptime accepts times without leading zeros, offsets beyond a day "
        "and a point without digits; RFC 3339 does not"),
    "duration": (
        "json_format", "a duration",
        "Python's int() accepts signs, spaces and underscores, and rounds more than "
        "nine digits; the mapping does not"),
    "field mask": (
        "json_format", "path",
        "Python accepts empty names and other characters"),
    "bare constant": (
        "json_format", "",
        "Python's JSON parser accepts NaN, Infinity and 1e999; JSON has none"),
    "float overflow": (
        "json_format", "",
        "Python stores infinity for integers and quoted numbers beyond a float's range"),
    "enum overflow": (
        "json_format", "from -2147483648 to 2147483647",
        "Python does not check the range of an enum's numbers; an int32 field of that "
        "value is rejected by both"),
    "empty object": (
        "json_format", "must be an object",
        "Python takes an empty string or list for an object without members"),
    "minus zero": (
        "differ", "",
        "Python reads -0 as an integer; JavaScript, Go and C++ read negative zero"),
    "float maximum": (
        "weir", "",
        "Python rejects 3.4028235e38, the shortest form of the largest float"),
    "both names": (
        "weir", "",
        "Python takes an optional field for a oneof, and rejects two spellings of its name"),
    "null in oneof": (
        "json_format", "oneof",
        "Python does not count null, which is a value of the field, as set"),
    "null of Value list": (
        "weir", "",
        "Python fails internally; null is the default of every field"),
    "null element": (
        "weir", "",
        "Python rejects its own form of a NullValue in a list or map"),
    "value of Empty": (
        "weir", "",
        'Go\'s implementation writes "value": {} for an Empty in an Any'),
    "member beside value": (
        "json_format", "in an Any",
        "Python ignores what stands beside the value of an Any"),
}
# Those that apply to any quoted value, and to any other.
QUOTED = ["base64", "field mask", "enum overflow", "empty object"]
BARE = ["enum overflow", "empty object"]


def is_excepted(verdict, error, text, exception):
    """Whether a difference of the verdicts is listed."""
    names = [exception] if exception else []
    names += ["ignored number"] if exception == "quoted number" else []
    names += ["null in oneof"] if exception == "both names" else []
    names += QUOTED if '"' in text.rsplit(": ", 1)[-1] else BARE
    for name in names:
        side, part, _ = EXCEPTIONS[name]
        if verdict.startswith(side) and part in error:
            return name
    return None


# Values that both read alike, or both reject, in any field.
AGREED = [
    '0', '-0.0', '1', '-1', '1.0', '1e3', '1E+2', '2147483647', '2147483648', '-2147483648',
    '-2147483649', '4294967295', '4294967296', '9007199254740993', '9223372036854775807',
    '9223372036854775808', '-9223372036854775808', '-9223372036854775809', '18446744073709551615',
    '18446744073709551616', '1e19', '1e38', '3.5e38', '1e300', '"1"', '"-1"', '"0"', '"1.0"',
    '"1.5"', '"1e3"', '"9223372036854775807"', '"NaN"', '"Infinity"', '"-Infinity"', '"nan"',
    '"0x10"', '" "', '"true"', '"E_V1"', '"E_V3"', '"E_V9"', '"e_v1"', '77', '-77', '"77"',
    '"QQ"', '"QQ=="', '"QQ="', '"QR=="', '"-_-_"', '"+/+/"', '"-/+_"', '"QUI"', '"Q"', '"Q==="',
    '"2026-01-31T12:00:00Z"', '"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999999Z"',
    '"0000-12-31T23:59:59Z"', '"10000-01-01T00:00:00Z"', '"0001-01-01T00:00:00+00:01"',
    '"9999-12-31T23:59:59-00:01"', '"2026-01-31T12:00:00+05:30"', '"2026-02-30T12:00:00Z"',
    '"2024-02-29T12:00:00.1Z"', '"2026-01-31T12:00:00.1234567890Z"', '"2026-01-31t12:00:00Z"',
    '"2026-01-31T12:00:00z"', '"2026-01-31 12:00:00Z"', '"2026-01-31T12:00:60Z"',
    '"2026-01-31T24:00:00Z"', '"2026-01-31T12:00:00"', '"1s"', '"-1.5s"', '"-0.5s"',
    '"0.000000001s"', '"315576000000s"', '"-315576000000.999999999s"', '"315576000001s"', '"1"',
    '"1S"', '"s"', '"1.1.1s"', '"--1s"', '".5s"', '"fooBar,a.bC"', '"foo_bar"', '"A"', '[]',
    '[1]', '["a"]', '[[]]', '[{}]', '{}', '{"a":1}', '{"":null}', '{"true":true,"1":1}',
    '{"1":1,"1":2}', '{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}',
    '{"@type":"google.protobuf.Int64Value","value":"5"}',
    '{"@type":"x/google.protobuf.Any","value":{}}', '{"@type":"x/google.protobuf.Empty"}',
    '{"@type":"x/google.protobuf.Duration"}', '{"@type":"x/unknown.Type"}', '{"@type":1}',
    '{"@type":""}', '{"value":"1s"}', '{"seconds":1}', '{"value":1}',
]

# Values to which an exception applies in some field.
EXCEPTED = {
    "null element": ['null', '[null]'],
    "bool as number": ['true', 'false'],
    "minus zero": ['-0'],
    "fraction of enum": ['1.5', '1e-3'],
    "float maximum": ['3.4028235e38'],
    "bare constant": ['1e999', 'NaN', '-Infinity'],
    "float overflow": ['1000000000000000000000000000000000000000', '"1e39"', '"1e999"'],
    "quoted number": [
        '"01"', '"+1"', '" 1"', '"1_0"', '".5"', '"5."', '"inf"', '"\\uff11"', '"-0"',
    ],
    "field mask": ['""', '"a"', '"a,,b"', '"a-b"'],
    "base64": [
        '"Q Q="', '"Q\\nQ=="', '"?"', '"\\u00fc"', '"\\ud83d\\ude00"', '"\\ud800"',
        '"\\udc00\\ud800"', '"\\u0000"',
    ],
    "time": ['"2026-1-31T12:00:00Z"', '"2026-01-31T12:00:00.Z"', '"2026-01-31T12:00:00+99:99"'],
    "duration": ['"+1s"', '" 1s"', '"1.s"', '"0.1234567891s"'],
    "value of Empty": ['{"value":{},"@type":"x/google.protobuf.Empty"}'],
    "member beside value": ['{"@type":"x/google.protobuf.Duration","value":"1s","more":1}'],
}
VALUES = [(text, None) for text in AGREED] + [
    (text, name) for name, texts in EXCEPTED.items() for text in texts]

# Texts that are not JSON, and texts around `{}`.
TEXTS = [
    '', ' ', '{', '}', '{} x', '{}{}', '[]', 'null', '1', '"a"', '\ufeff{}', "{'a':1}",
    '{"a":1,}', '{,}', '{"a"}', '{"a":}', '{"a" 1}', '{a:1}', '{"a":01}', '{"a":+1}', '{"a":.5}',
    '{"a":5.}', '{"a":1e}', '{"a":0x1}', '{"a":--1}', '{"a":tru}', '{"a":"\t"}', '{"a":"\\x"}',
    '{"a":"\\u12"}', '{"a":"b}', '{"a":[1,]}', '{"a":[,1]}', '{"a":[1 2]}', '// c\n{}',
    '{"a":\x0b1}', '\xa0{}', ' \t\r\n{} \t\r\n', '{"unknown_field":1}', '{"[x.y]":1}', '{"[":1}',
    '{"":1}',
]


def holders(value, found=None):
    """All objects and arrays in a value."""
    found = [] if found is None else found
    if isinstance(value, (dict, list)):
        found.append(value)
        for inner in value.values() if isinstance(value, dict) else value:
            holders(inner, found)
    return found


class Raw:
    """A value that is written as this text."""

    def __init__(self, text):
        self.text = text


def write(value):
    """JSON in which `Raw` values are written unchanged, and lists of pairs as objects."""
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{write(inner)}" for key, inner in value) + "}"
    if isinstance(value, dict):
        return write(Pairs(value.items()))
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


class Pairs(list):
    """The members of an object, which may have duplicates."""


def mutated(tree, descriptor, random):
    """A text made by one change of a value, the change, and the exception, if any, for it."""
    tree = copy.deepcopy(tree)
    inner = [holder for holder in holders(tree) if holder]
    if not inner or random.random() < 0.02:
        text = random.choice(TEXTS)
        return text, "text", "unknown extension" if text.startswith('{"[x.y]') else None
    holder = random.choice(inner)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = random.choice(keys)
    kind = random.randrange(10)
    if kind < 6 or isinstance(holder, list):
        text, exception = random.choice(VALUES)
        holder[key] = Raw(text)
        return write(tree), f"{key}: {text}", exception
    if kind == 6:
        name = random.choice(["unknown", "@type", "value", "[a.b]", key.upper(), key + " "])
        holder[name] = holder.pop(key)
        return write(tree), f"{key} is now {name}", "unknown extension" if name == "[a.b]" else None
    return rewritten(tree, descriptor, random)


def rewritten(tree, descriptor, random):
    """A change of the names at the top."""
    if not isinstance(tree, dict) or not tree:
        return write(tree), "none", None
    fields = {field.json_name: field for field in descriptor.fields}
    name = random.choice(list(tree))
    field = fields.get(name)
    kind = random.randrange(4)
    if kind == 0:
        return write(Pairs([*tree.items(), (name, tree[name])])), f"{name} twice", None
    if kind == 1 and field is not None:
        tree[field.name] = tree.pop(name)
        return write(tree), f"{name} is now {field.name}", None
    if kind == 2 and field is not None and field.name != name:
        return write({**tree, field.name: tree[name]}), f"{name} and {field.name}", "both names"
    if field is not None and field.containing_oneof is not None:
        others = [other for other in field.containing_oneof.fields if other is not field]
        if others:
            other = random.choice(others)
            text, _ = random.choice(VALUES)
            change = f"{name} and {other.json_name}: {text}"
            return write({**tree, other.json_name: Raw(text)}), change, "null in oneof"
    return write({**tree, name: None}), f"{name}: null", "null of Value list"
