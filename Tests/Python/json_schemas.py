"""Descriptors with random fields of all kinds, and random messages of them."""

import random
import string

from google.protobuf import (
    any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, empty_pb2, field_mask_pb2,
    message_factory, struct_pb2, timestamp_pb2, wrappers_pb2)

F = descriptor_pb2.FieldDescriptorProto
WELL_KNOWN = [any_pb2, duration_pb2, empty_pb2, field_mask_pb2, struct_pb2, timestamp_pb2,
              wrappers_pb2]
SCALARS = sorted(set(range(1, 19)) - {F.TYPE_GROUP, F.TYPE_MESSAGE, F.TYPE_ENUM})
MAP_KEYS = [F.TYPE_INT32, F.TYPE_INT64, F.TYPE_UINT32, F.TYPE_UINT64, F.TYPE_SINT32, F.TYPE_SINT64,
            F.TYPE_FIXED32, F.TYPE_FIXED64, F.TYPE_SFIXED32, F.TYPE_SFIXED64, F.TYPE_BOOL,
            F.TYPE_STRING]
TYPES = [f"google.protobuf.{name}" for name in (
    "Any", "Duration", "Empty", "FieldMask", "ListValue", "Struct", "Timestamp", "Value",
    "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value",
    "BoolValue", "StringValue", "BytesValue")]
NAMES = ["f{}", "foo_bar_{}", "_lead{}", "trail{}_", "two__{}_x", "Upper_Case{}", "camelCase{}",
         "x_{}_y"]
LAST_RANGE = 2000


class Schemas:
    """One file with messages M0 to M3, and their classes."""

    def __init__(self, seed, syntax):
        self.random = random.Random(f"{seed} {syntax}")
        self.syntax = syntax
        self.package = f"{syntax}{seed}"
        self.file = descriptor_pb2.FileDescriptorProto(
            name=f"{self.package}.proto", package=self.package,
            dependency=[module.DESCRIPTOR.name for module in WELL_KNOWN])
        if syntax == "editions":
            self.file.syntax, self.file.edition = "editions", descriptor_pb2.EDITION_2023
        else:
            self.file.syntax = syntax
        self.add_enum(self.file.enum_type, "E", closed=syntax == "proto2")
        # Enums as values of maps must begin with zero.
        self.add_enum(self.file.enum_type, "Zero", closed=syntax != "proto3", first=0)
        self.closed_name = f".{self.package}.Closed"
        if syntax == "editions":
            self.add_enum(self.file.enum_type, "Closed", closed=True)
        for index in range(4):
            self.file.message_type.add(name=f"M{index}")
        for message in self.file.message_type:
            self.fill(message)
        if syntax != "proto3":
            self.add_extensions()
        self.load()

    def load(self, names=("M0", "M1", "M2", "M3")):
        self.set = descriptor_pb2.FileDescriptorSet()
        pool = descriptor_pool.DescriptorPool()
        for module in WELL_KNOWN:
            self.set.file.add().ParseFromString(module.DESCRIPTOR.serialized_pb)
            pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        pool.Add(self.file)
        self.pool = pool
        self.set.file.append(self.file)
        self.types = {name: self.type(f"{self.file.package}.{name}") for name in names}

    def type(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def add_enum(self, enums, name, closed, first=None):
        enum = enums.add(name=name)
        enum.options.allow_alias = True
        if first is None:
            first = 1 if closed and self.random.random() < 0.5 else 0
        numbers = [first, 1, 2, 2, -1, 2147483647, -2147483648, first]
        for index, number in enumerate(numbers):
            enum.value.add(name=f"{name.upper()}_V{index}", number=number)
        if self.syntax == "editions":
            enum.options.features.enum_type = 2 if closed else 1

    def fill(self, message):
        oneofs = self.random.randrange(3)
        for index in range(oneofs):
            message.oneof_decl.add(name=f"choice{index}")
        for index in range(self.random.randrange(4, 16)):
            self.add_field(message, index + 1, oneofs)
        # A oneof without fields is invalid.
        for index in range(oneofs):
            for extra in range(2):
                field = self.field(message, 100 + 2 * index + extra)
                field.label, field.oneof_index = F.LABEL_OPTIONAL, index
        if self.syntax == "proto3":
            for index in range(2):
                field = self.field(message, 200 + index)
                field.label, field.proto3_optional = F.LABEL_OPTIONAL, True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field.name}")
        else:
            message.extension_range.add(start=1000, end=LAST_RANGE)

    def field(self, message, number):
        name = self.random.choice(NAMES).format(number)
        field = message.field.add(name=name, number=number)
        self.choose_type(field)
        if self.random.random() < 0.2:
            field.json_name = self.random.choice(["j{}", "J-{}", "ü{}", "$ {}"]).format(number)
        return field

    def add_field(self, message, number, oneofs):
        field = self.field(message, number)
        kind = self.random.random()
        if kind < 0.2:
            self.make_map(message, field)
        elif kind < 0.5:
            field.label = F.LABEL_REPEATED
            # json_format cannot parse the lists of NullValue that it prints.
            if field.type == F.TYPE_ENUM:
                field.type_name = f".{self.package}.E"
            if field.type in SCALARS and field.type not in (F.TYPE_STRING, F.TYPE_BYTES):
                if self.syntax != "editions" and self.random.random() < 0.4:
                    field.options.packed = self.random.random() < 0.5
        else:
            field.label = F.LABEL_OPTIONAL
            is_scalar = field.type != F.TYPE_MESSAGE
            if self.syntax == "editions" and is_scalar and self.random.random() < 0.4:
                if field.type_name != self.closed_name:
                    field.options.features.field_presence = 2
            elif oneofs and self.random.random() < 0.2:
                field.oneof_index = self.random.randrange(oneofs)
        self.make_group(message, field)

    def make_group(self, message, field):
        if field.type != F.TYPE_MESSAGE or self.random.random() < 0.6:
            return
        if self.syntax == "editions" and not field.type_name.endswith("Entry"):
            field.options.features.message_encoding = 2
        elif self.syntax == "proto2" and not field.type_name.endswith("Entry"):
            group = message.nested_type.add(name=f"Group{field.number}")
            inner = group.field.add(name=f"inner_{field.number}", number=1, label=F.LABEL_OPTIONAL)
            self.choose_type(inner)
            field.name, field.type = group.name.lower(), F.TYPE_GROUP
            field.type_name = f".{self.package}.{message.name}.{group.name}"
            field.ClearField("json_name")

    def choose_type(self, field):
        kind = self.random.random()
        if kind < 0.55:
            field.type = self.random.choice(SCALARS)
        elif kind < 0.65:
            field.type = F.TYPE_ENUM
            names = ["E"] + (["Closed"] if self.syntax == "editions" else [])
            field.type_name = f".{self.package}.{self.random.choice(names)}"
        elif kind < 0.68:
            field.type, field.type_name = F.TYPE_ENUM, ".google.protobuf.NullValue"
        elif kind < 0.8:
            field.type = F.TYPE_MESSAGE
            field.type_name = f".{self.package}.M{self.random.randrange(4)}"
        else:
            field.type, field.type_name = F.TYPE_MESSAGE, "." + self.random.choice(TYPES)

    def make_map(self, message, field):
        # The name of an entry is that of its field in camel case.
        field.name = f"map_{field.number}"
        entry = message.nested_type.add(name=f"Map{field.number}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=F.LABEL_OPTIONAL,
                        type=self.random.choice(MAP_KEYS))
        value = entry.field.add(name="value", number=2, label=F.LABEL_OPTIONAL)
        value.type = field.type
        if field.type_name:
            value.type_name = field.type_name
        if field.type == F.TYPE_ENUM:
            value.type_name = f".{self.package}.Zero"
        field.label, field.type = F.LABEL_REPEATED, F.TYPE_MESSAGE
        field.type_name = f".{self.package}.{message.name}.{entry.name}"

    def add_extensions(self):
        for index in range(6):
            field = self.file.extension.add(
                name=f"ext_{index}", number=1000 + index, extendee=f".{self.package}.M{index % 4}",
                label=self.random.choice([F.LABEL_OPTIONAL, F.LABEL_REPEATED]))
            self.choose_type(field)
            if field.type == F.TYPE_ENUM:
                field.type_name = f".{self.package}.E"


INTEGERS = [0, 1, -1, 2, 42, 127, 128, 2**31 - 1, -2**31, 2**32 - 1, 2**53, 2**53 + 1, 2**63 - 1,
            -2**63, 2**64 - 1]
FLOATS = [0.0, -0.0, 1.0, 1.5, 0.1, -2.25, 1e20, 1e-20, 3.4028234663852886e38, 1.17549435e-38,
          1e-45, 16777216.0, 123456.79, float("inf"), float("-inf"), float("nan")]
DOUBLES = [*FLOATS, 1e300, 5e-324, 1.7976931348623157e308, 2.0**53, 2.0**53 + 2, 1e15, 1e16,
           0.30000000000000004]
TEXTS = ["", "a", "ü", "é", "é", "K", "K", "\0", "\x1f\x7f", "\"\\/\b\f\n\r\t", "\u2028",
         "😀", "@type", "a" * 100, "null", "0", "true"]
PATHS = ["a", "foo_bar", "foo_bar.baz_q", "a.b.c", "x1", "Bad", "bad_1", "bad__x", "trail_"]


class Messages:
    """Random messages of a schema."""

    def __init__(self, schemas, seed):
        self.schemas = schemas
        self.random = random.Random(f"{schemas.package} {seed}")

    def message(self, type_, depth=0):
        message = type_()
        self.fill(message, depth)
        return message

    def fill(self, message, depth):
        name = message.DESCRIPTOR.full_name
        if name.startswith("google.protobuf."):
            return self.well_known(message, name.removeprefix("google.protobuf."), depth)
        for field in message.DESCRIPTOR.fields:
            if self.random.random() < (0.5 if depth < 2 else 0.15):
                self.set(message, field, depth)
        pool = self.schemas.pool
        for field in pool.FindAllExtensions(message.DESCRIPTOR):
            if self.random.random() < 0.3:
                self.set(message, field, depth)
        return None

    def set(self, message, field, depth):
        is_message = field.cpp_type == field.CPPTYPE_MESSAGE
        if field.is_extension and not field.is_repeated and not is_message:
            message.Extensions[field] = self.scalar(field)
            return
        target = message.Extensions[field] if field.is_extension else getattr(message, field.name)
        if is_message and field.message_type.GetOptions().map_entry:
            self.fill_map(target, field.message_type.fields_by_name, depth)
        elif field.is_repeated:
            for _ in range(self.random.randrange(4)):
                if is_message:
                    self.fill(target.add(), depth + 1)
                else:
                    target.append(self.scalar(field))
        elif is_message:
            target.SetInParent()
            if depth < 5:
                self.fill(target, depth + 1)
        else:
            setattr(message, field.name, self.scalar(field))

    def fill_map(self, target, fields, depth):
        for _ in range(self.random.randrange(4)):
            key = self.scalar(fields["key"])
            if fields["value"].cpp_type == F.TYPE_GROUP:  # CPPTYPE_MESSAGE
                self.fill(target[key], depth + 1)
            else:
                target[key] = self.scalar(fields["value"])

    def scalar(self, field):
        kind = field.type
        if kind == F.TYPE_ENUM:
            numbers = [value.number for value in field.enum_type.values]
            if field.enum_type.name == "NullValue":
                return 0
            if not field.enum_type.is_closed:
                numbers += [77, -77]
            return self.random.choice(numbers)
        if kind == F.TYPE_BOOL:
            return self.random.random() < 0.5
        if kind == F.TYPE_STRING:
            return self.random.choice(TEXTS)
        if kind == F.TYPE_BYTES:
            return self.random.randbytes(self.random.randrange(6))
        if kind in (F.TYPE_FLOAT, F.TYPE_DOUBLE):
            return self.random.choice(FLOATS if kind == F.TYPE_FLOAT else DOUBLES)
        return self.random.choice([value for value in INTEGERS if fits(value, kind)])

    def well_known(self, message, name, depth):
        choice = self.random.choice
        if name == "Timestamp":
            message.seconds = choice(
                [0, 1, -1, -62135596800, 253402300799, 1769860800, 253402300800])
            message.nanos = choice([0, 1, 500_000_000, 999_999_999, 123_456_000, 120, -1])
        elif name == "Duration":
            message.seconds = choice([0, 1, -1, 315576000000, -315576000000, 3600, 315576000001])
            message.nanos = choice([0, 1, -1, 500_000_000, -500_000_000, 999_999_999, -999_999_999])
        elif name == "FieldMask":
            bounds = len(PATHS) if self.random.random() < 0.1 else 5
            message.paths.extend(choice(PATHS[:bounds]) for _ in range(self.random.randrange(4)))
        elif name == "Any":
            self.fill_any(message, depth)
        elif name == "Struct":
            for _ in range(self.random.randrange(3)):
                self.value(message.fields[choice(TEXTS)], depth)
        elif name == "ListValue":
            for _ in range(self.random.randrange(3)):
                self.value(message.values.add(), depth)
        elif name == "Value":
            self.value(message, depth)
        elif name != "Empty" and self.random.random() < 0.8:
            message.value = self.scalar(message.DESCRIPTOR.fields_by_name["value"])

    def value(self, message, depth):
        kind = self.random.randrange(6 if depth < 4 else 4)
        if kind == 0:
            message.null_value = 0
        elif kind == 1:
            finite = DOUBLES[:13]
            message.number_value = self.random.choice(
                DOUBLES if self.random.random() < 0.1 else finite)
        elif kind == 2:
            message.string_value = self.random.choice(TEXTS)
        elif kind == 3:
            message.bool_value = self.random.random() < 0.5
        else:
            inner = message.struct_value if kind == 4 else message.list_value
            inner.SetInParent()
            self.well_known(inner, "Struct" if kind == 4 else "ListValue", depth + 1)

    def fill_any(self, message, depth):
        kind = self.random.random()
        if kind < 0.1 or depth >= 4:
            return
        if kind < 0.12:
            message.type_url = "type.googleapis.com/unknown.Type"
            return
        own = [f"{self.schemas.package}.M{index}" for index in range(4)]
        name = self.random.choice(TYPES + own)
        inner = self.schemas.type(name)()
        self.fill(inner, depth + 1)
        message.type_url = self.random.choice(["type.googleapis.com/", "x.y/z/", ""]) + name
        message.value = inner.SerializePartialToString()


def fits(value, kind):
    """Whether an integer is in the range of a field's type."""
    if kind in (F.TYPE_INT32, F.TYPE_SINT32, F.TYPE_SFIXED32):
        return -2**31 <= value < 2**31
    if kind in (F.TYPE_UINT32, F.TYPE_FIXED32):
        return 0 <= value < 2**32
    if kind in (F.TYPE_UINT64, F.TYPE_FIXED64):
        return 0 <= value < 2**64
    return -2**63 <= value < 2**63
