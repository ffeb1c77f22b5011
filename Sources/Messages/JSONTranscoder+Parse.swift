internal import FoundationEssentials

extension JSONTranscoder {
    /// Encodes a message from JSON. Errors name the path of the field.
    package func bytes(from json: JSONValue, message: String) throws(MessageError) -> [UInt8] {
        var writer = WireWriter()
        try write(json, message, path: "", to: &writer, depth: 0)
        return writer.bytes
    }

    func write(
        _ json: JSONValue, _ name: String, path: String, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard depth < Self.maximumDepth else {
            throw Self.error(path, "nests deeper than \(Self.maximumDepth) messages")
        }
        if try writeWellKnown(json, name, path: path, to: &writer, depth: depth) { return }
        let message = try description(of: name)
        guard case .object(let members) = json else {
            throw Self.error(path, "must be an object: it is a \(name)")
        }
        for (key, value) in members {
            let inner = path.isEmpty ? key : "\(path).\(key)"
            guard let field = message.fields.first(where: { $0.jsonName == key || $0.name == key })
            else {
                let known = message.fields.map(\.jsonName).joined(separator: ", ")
                throw Self.error(
                    inner, "is not a field of \(name)" + (known.isEmpty ? "" : "; it has \(known)"))
            }
            try write(value, field, path: inner, to: &writer, depth: depth)
        }
    }

    private func write(
        _ json: JSONValue, _ field: Schema.Field, path: String, to writer: inout WireWriter,
        depth: Int
    ) throws(MessageError) {
        if case .null = json, field.typeName != "google.protobuf.Value" { return }
        guard field.isRepeated else {
            return try element(json, field, path: path, to: &writer, depth: depth)
        }
        if let entry = schema.messages[field.typeName], entry.isMapEntry {
            return try map(json, entry, field, path: path, to: &writer, depth: depth)
        }
        guard case .array(let elements) = json else {
            throw Self.error(path, "must be an array: the field is repeated")
        }
        for (index, element) in elements.enumerated() {
            try self.element(
                element, field, path: "\(path)[\(index)]", to: &writer, depth: depth)
        }
    }

    private func map(
        _ json: JSONValue, _ entry: Schema.Message, _ field: Schema.Field, path: String,
        to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard case .object(let members) = json, let keyField = entry.field(1),
            let valueField = entry.field(2)
        else { throw Self.error(path, "must be an object: the field is a map") }
        for (key, value) in members {
            var inner = WireWriter()
            let place = "\(path)[\"\(key)\"]"
            let keyJSON: JSONValue =
                keyField.kind == .bool && (key == "true" || key == "false")
                ? .bool(key == "true") : .string(key)
            try element(keyJSON, keyField, path: place, to: &inner, depth: depth)
            try element(value, valueField, path: place, to: &inner, depth: depth)
            writer.field(field.number, bytes: inner.bytes)
        }
    }

    func element(
        _ json: JSONValue, _ field: Schema.Field, path: String, to writer: inout WireWriter,
        depth: Int
    ) throws(MessageError) {
        switch field.kind {
        case .message:
            var inner = WireWriter()
            try write(json, field.typeName, path: path, to: &inner, depth: depth + 1)
            if field.isGroup {
                writer.field(field.number, group: inner.bytes)
            } else {
                writer.field(field.number, bytes: inner.bytes)
            }
        case .string:
            guard case .string(let text) = json else { throw Self.error(path, "must be a string") }
            writer.field(field.number, bytes: Array(text.utf8))
        case .bytes:
            guard case .string(let text) = json, let data = Self.base64(text) else {
                throw Self.error(path, "must be a string of base64")
            }
            writer.field(field.number, bytes: data)
        default:
            let (bits, type) = try number(json, field, path: path)
            writer.key(field.number, type)
            switch type {
            case .fixed64: writer.fixed(bits, byteCount: 8)
            case .fixed32: writer.fixed(bits, byteCount: 4)
            default: writer.varint(bits)
            }
        }
    }

    /// Decodes both base64 alphabets, with or without padding, as the JSON mapping requires.
    private static func base64(_ text: String) -> [UInt8]? {
        var plain = text.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }
        while plain.count % 4 != 0 { plain.append("=") }
        return Data(base64Encoded: String(plain)).map { [UInt8]($0) }
    }

    private func number(
        _ json: JSONValue, _ field: Schema.Field, path: String
    ) throws(MessageError) -> (UInt64, WireType) {
        switch field.kind {
        case .double: return (try Self.double(json, path).bitPattern, .fixed64)
        case .float:
            let value = try Self.double(json, path)
            let short = Float(value)
            guard short.isFinite == value.isFinite else {
                throw Self.error(path, "must be within ±\(Float.greatestFiniteMagnitude)")
            }
            return (UInt64(short.bitPattern), .fixed32)
        case .bool:
            guard case .bool(let value) = json else {
                throw Self.error(path, "must be true or false")
            }
            return (value ? 1 : 0, .varint)
        case .enumeration: return (try enumeration(json, field, path: path), .varint)
        case .int32, .sint32, .sfixed32:
            let value = Int64(try Self.integer(json, path) as Int32)
            return (Self.signed(value, field.kind), field.kind.wireType ?? .varint)
        case .int64, .sint64, .sfixed64:
            let value: Int64 = try Self.integer(json, path)
            return (Self.signed(value, field.kind), field.kind.wireType ?? .varint)
        case .uint32, .fixed32:
            let value: UInt32 = try Self.integer(json, path)
            return (UInt64(value), field.kind.wireType ?? .varint)
        default:
            return (try Self.integer(json, path), field.kind.wireType ?? .varint)
        }
    }

    private static func signed(_ value: Int64, _ kind: Schema.Kind) -> UInt64 {
        kind == .sint32 || kind == .sint64
            ? UInt64(bitPattern: value << 1 ^ value >> 63) : UInt64(bitPattern: value)
    }

    private func enumeration(
        _ json: JSONValue, _ field: Schema.Field, path: String
    ) throws(MessageError) -> UInt64 {
        if case .string(let name) = json, let known = schema.enumerations[field.typeName] {
            guard let value = known.values.first(where: { $0.name == name }) else {
                let names = known.values.map(\.name).joined(separator: ", ")
                throw Self.error(path, "is '\(name.prefix(100))'; it must be one of \(names)")
            }
            return UInt64(bitPattern: Int64(value.number))
        }
        return UInt64(bitPattern: Int64(try Self.integer(json, path) as Int32))
    }

    private static func integer<Value: FixedWidthInteger>(
        _ json: JSONValue, _ path: String
    ) throws(MessageError) -> Value {
        let value: Value? =
            switch json {
            case .integer(let value): Value(exactly: value)
            case .unsigned(let value): Value(exactly: value)
            case .number(let value): Value(exactly: value)
            case .string(let text): Value(text) ?? Double(text).flatMap { Value(exactly: $0) }
            default: nil
            }
        guard let value else {
            throw error(path, "must be a whole number from \(Value.min) to \(Value.max)")
        }
        return value
    }

    private static func double(_ json: JSONValue, _ path: String) throws(MessageError) -> Double {
        let value: Double? =
            switch json {
            case .integer(let value): Double(value)
            case .unsigned(let value): Double(value)
            case .number(let value): value
            case .string("NaN"): .nan
            case .string("Infinity"): .infinity
            case .string("-Infinity"): -.infinity
            // Rejects other spellings of infinity, such as 1e999.
            case .string(let text): Double(text).flatMap { $0.isFinite ? $0 : nil }
            default: nil
            }
        guard let value else { throw error(path, "must be a number") }
        return value
    }

    static func error(_ path: String, _ text: String) -> MessageError {
        path.isEmpty ? MessageError("the message \(text)") : MessageError(field: path, text)
    }
}
