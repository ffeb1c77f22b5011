"""Boundary values, and every field of a message to set to one, generated from descriptors."""

import math

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

INTEGERS = (
    0, 1, -1, 2**31 - 1, 2**31, 2**31 + 1, -2**31, 2**32 - 1, 2**32, 2**53, 2**63 - 1, 2**63,
    -2**63, 2**64 - 1)

DOUBLES = (
    0.0, -0.0, 0.5, 1.0, -1.0, 2.0**31, 2.0**53, 2.0**63, 2.0**64, 1e300, -1e300, 1e-300, 5e-324,
    math.inf, -math.inf, math.nan)

# Seconds and nanoseconds: the bounds of both types, their neighbours, and mixed signs.
TIMES = tuple((seconds, nanos) for seconds in (
    0, 1, -1, 604_800, 315_576_000_000, 315_576_000_001, -315_576_000_001, 253_402_300_799,
    253_402_300_800, -62_135_596_800, -62_135_596_801, 2**63 - 1, -2**63)
    for nanos in (0, 999_999_999)) + tuple((1, nanos) for nanos in (
        1, -1, 1_000_000_000, -999_999_999, -1_000_000_000, 2**31 - 1, 2**31, -2**31, 2**63 - 1))

# Over the size limit of a header field, and just below it.
LONG, ALMOST_LONG = "x" * 65_536, "9" * 60_000

TEXTS = tuple(map(str, INTEGERS)) + (
    "", str(2**64), str(-2**63 - 1), "9" * 20, "-" + "9" * 20, "01", "+1", "-0", "0x1", "1.5",
    "1,1", "1_000", "NaN", "nan", "Inf", "-Inf", "inf", "Infinity", "1e300", "-1e300",
    "1e-300", "true",
    " ", "\t", " 1", "1 ", "\t1\t", "%", "%00", "\"", "'", "../..", "/", "ü", "\u202e", "\u0661",
    "\0", "\x01", "\x1b[2J", "\x7f", "a\nb", "a\r\nb: c", ALMOST_LONG, LONG)

NOT_UTF8 = b"\xff\xfe"


def is_illegal(text):
    """Whether HTTP forbids the text in a header value."""
    return any(character in text for character in "\0\r\n\x01\x1b\x7f")


def shown(value):
    """A shortened value, for the message of a failed test."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}... of {len(value)}"


class Widened:
    """The messages of a file in a form with the same wire format that accepts any value.

    Integers, enums and booleans are 64 bits wide, and strings are bytes.
    """

    VARINTS = {"INT32", "INT64", "UINT32", "UINT64", "BOOL", "ENUM"}

    def __init__(self, file):
        self.pool = descriptor_pool.DescriptorPool()
        self._add(file, set())

    def _add(self, file, added):
        if file.name in added:
            return
        added.add(file.name)
        for dependency in file.dependencies:
            self._add(dependency, added)
        copy = descriptor_pb2.FileDescriptorProto()
        file.CopyToProto(copy)
        for message in copy.message_type:
            self._widen(message)
        self.pool.Add(copy)

    def _widen(self, message):
        for field in message.field:
            kind = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)[5:]
            # A key must not change.
            if message.options.map_entry and field.name == "key":
                continue
            if kind in self.VARINTS:
                field.type = field.TYPE_UINT64
                field.ClearField("type_name")
            elif kind == "SINT32":
                field.type = field.TYPE_SINT64
            elif kind == "STRING":
                field.type = field.TYPE_BYTES
            field.ClearField("default_value")
        for nested in message.nested_type:
            self._widen(nested)

    def message(self, like):
        """A message, as a copy of one of the original type."""
        kind = message_factory.GetMessageClass(
            self.pool.FindMessageTypeByName(like.DESCRIPTOR.full_name))
        return kind.FromString(like.SerializeToString())


def mutations(descriptor, path="", inside=()):
    """`(path, value, change)` for each value; `change` sets it in a widened message."""
    inside += (descriptor.full_name,)
    if descriptor.full_name in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
        for time in TIMES:
            yield path, time, lambda message, time=time: _set_time(message, time)
        return
    for field in descriptor.fields:
        here = f"{path}.{field.name}" if path else field.name
        if field.message_type and field.message_type.GetOptions().map_entry:
            yield from _of_map(field, here, inside)
        elif field.is_repeated:
            yield from _of_repeated(field, here, inside)
        elif field.message_type:
            yield here, "unset", lambda message, name=field.name: message.ClearField(name)
            yield here, "empty", lambda message, name=field.name: (
                message.ClearField(name), getattr(message, name).SetInParent())
            yield from _inside(
                field.message_type, here, inside,
                lambda message, name=field.name: _present(getattr(message, name)))
        else:
            for value in scalars(field):
                yield here, value, (
                    lambda message, name=field.name, value=value: setattr(message, name, value))


def mutated(like, widened, wanted="", elsewhere=()):
    """`(path, value, message)` for each mutation of a copy of a message, below a path only."""
    for path, value, change in mutations(like.DESCRIPTOR):
        if path.startswith(wanted) and not path.startswith(elsewhere):
            message = widened.message(like)
            change(message)
            yield path, value, message.SerializeToString()


def scalars(field):
    """The boundary values of a field's type, in the form of a widened message."""
    kind = descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)[5:]
    if kind in Widened.VARINTS:
        declared = [value.number for value in field.enum_type.values] if field.enum_type else []
        return list(dict.fromkeys(number % 2**64 for number in [*INTEGERS, *declared]))
    if kind in ("STRING", "BYTES"):
        return [text.encode() for text in TEXTS] + [NOT_UTF8]
    if kind in ("DOUBLE", "FLOAT"):
        return DOUBLES
    bits = 32 if kind.endswith("FIXED32") else 64
    least, most = (-2**(bits - 1), 2**(bits - 1) - 1) if kind[0] == "S" else (0, 2**bits - 1)
    return [number for number in INTEGERS if least <= number <= most]


def _inside(descriptor, path, inside, reach):
    """The mutations of the message that `reach` finds in another one; each type once."""
    if descriptor.full_name in inside:
        return
    for where, value, change in mutations(descriptor, path, inside):
        yield where, value, lambda message, change=change: change(reach(message))


def _of_repeated(field, path, inside):
    name = field.name
    # Long elements are tested without a thousand repetitions.
    for count in (0, 2, 1_000):
        yield path, f"{count} entries", lambda message, count=count: _repeat(message, field, count)
    if field.message_type:
        yield from _inside(
            field.message_type, f"{path}[0]", inside,
            lambda message: _first(getattr(message, name)))
    else:
        for value in scalars(field):
            yield f"{path}[0]", value, (
                lambda message, value=value: _set_first(getattr(message, name), value))


def _of_map(field, path, inside):
    name = field.name
    key, value = (field.message_type.fields_by_name[part] for part in ("key", "value"))
    is_text = key.type == key.TYPE_STRING
    keys = [text for text in TEXTS] if is_text else [
        number for number in scalars(key) if -2**31 <= number < 2**31]

    def put(message, key, change=lambda _: None):
        entries = getattr(message, name)
        if value.message_type:
            change(entries[key])
        else:
            entries[key] = next(iter(entries.values()), _plain(value))

    for number in keys:
        number = bool(number) if key.type == key.TYPE_BOOL else number
        yield f"{path} key", number, lambda message, number=number: put(message, number)
    if is_text:
        yield path, "1000 entries", lambda message: [
            put(message, f"key-{number}") for number in range(1_000)]
    yield path, "no entries", lambda message: message.ClearField(name)

    def first(message):
        return next(iter(getattr(message, name)), "key" if is_text else 1)

    if value.message_type:
        for where, what, change in mutations(value.message_type, f"{path} value", inside):
            yield where, what, lambda message, change=change: put(message, first(message), change)
    else:
        for what in scalars(value):
            yield f"{path} value", what, lambda message, what=what: getattr(
                message, name).__setitem__(first(message), what)


def _plain(field):
    return b"v" if field.type in (field.TYPE_STRING, field.TYPE_BYTES) else 1


def _present(message):
    message.SetInParent()
    return message


def _first(elements):
    return elements[0] if elements else elements.add()


def _set_first(elements, value):
    if elements:
        elements[0] = value
    else:
        elements.append(value)


def _repeat(message, field, count):
    elements = getattr(message, field.name)
    if field.message_type:
        first = type(_first(elements))()
        first.CopyFrom(elements[0])
        message.ClearField(field.name)
        elements.extend([first] * count)
    else:
        first = elements[0] if elements else _plain(field)
        message.ClearField(field.name)
        elements.extend([first] * count)


def _set_time(message, time):
    message.seconds, message.nanos = (number % 2**64 for number in time)
