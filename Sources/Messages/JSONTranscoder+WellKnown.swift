internal import FoundationEssentials

/// The types of `google/protobuf/` with a special JSON form.
extension JSONTranscoder {
    private static let prefix = "google.protobuf."

    private static let wrappers: Set<String> = [
        "DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value",
        "BoolValue", "StringValue", "BytesValue",
    ]

    /// The JSON of a well-known type; nil for other messages.
    func wellKnownJSON(
        _ bytes: ArraySlice<UInt8>, _ name: String, depth: Int
    ) throws(MessageError) -> JSONValue? {
        guard name.hasPrefix(Self.prefix) else { return nil }
        let simple = String(name.dropFirst(Self.prefix.count))
        switch simple {
        case "Timestamp":
            let time = try Google_Protobuf_Timestamp(serializedBytes: Array(bytes))
            if let text = time.text { return .string(text) }
            return try invalid(simple, time.seconds, time.nanos, Google_Protobuf_Timestamp.rule)
        case "Duration":
            let span = try Google_Protobuf_Duration(serializedBytes: Array(bytes))
            if let text = span.text { return .string(text) }
            return try invalid(simple, span.seconds, span.nanos, Google_Protobuf_Duration.rule)
        case "FieldMask":
            let paths = try Google_Protobuf_FieldMask(serializedBytes: Array(bytes)).paths
            return .string(paths.joined(separator: ","))
        case "Any": return try any(bytes, depth: depth)
        case "Struct", "ListValue":
            let message = try description(of: name)
            guard let field = message.field(1) else { return nil }
            let values = try Self.gather(bytes, message)[1] ?? []
            return simple == "Struct"
                ? try structure(values, depth: depth)
                : .array(try elements(values, field, depth: depth))
        case "Value":
            let message = try description(of: name)
            for (number, values) in try Self.gather(bytes, message) {
                guard let field = message.field(number), let last = values.last else { continue }
                return try element(last, field, depth: depth)
            }
            return .null
        case _ where Self.wrappers.contains(simple):
            let message = try description(of: name)
            guard let field = message.field(1) else { return nil }
            let empty: WireReader.Value = field.kind.wireType.map { .number(0, $0) } ?? .bytes([])
            return try element(
                try Self.gather(bytes, message)[1]?.last ?? empty, field, depth: depth)
        default: return nil
        }
    }

    private func elements(
        _ values: [WireReader.Value], _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> [JSONValue] {
        var result: [JSONValue] = []
        for value in values { result.append(try element(value, field, depth: depth)) }
        return result
    }

    private func structure(
        _ entries: [WireReader.Value], depth: Int
    ) throws(MessageError) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        for case .bytes(let entry) in entries {
            let parsed = try ParsedFields(entry)
            let value = try json(
                parsed.messages(2).last ?? [], Self.prefix + "Value", depth: depth + 1)
            members.append((parsed.text(1), value))
        }
        return .object(members)
    }

    private func any(_ bytes: ArraySlice<UInt8>, depth: Int) throws(MessageError) -> JSONValue {
        let any = try Google_Protobuf_Any(serializedBytes: Array(bytes))
        let name = String(any.typeUrl.split(separator: "/").last ?? "")
        guard schema.messages[name] != nil else {
            return .object([
                ("@type", .string(any.typeUrl)),
                ("value", .string(Data(any.value).base64EncodedString())),
            ])
        }
        let inner = try json(any.value[...], name, depth: depth + 1)
        if case .object(let members) = inner, !name.hasPrefix(Self.prefix) {
            return .object([("@type", .string(any.typeUrl))] + members)
        }
        return .object([("@type", .string(any.typeUrl)), ("value", inner)])
    }

    /// Writes a well-known type; false for other messages.
    func writeWellKnown(
        _ json: JSONValue, _ name: String, path: String, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) -> Bool {
        guard name.hasPrefix(Self.prefix) else { return false }
        let simple = String(name.dropFirst(Self.prefix.count))
        switch simple {
        case "Timestamp":
            guard case .string(let text) = json, let time = Google_Protobuf_Timestamp(text: text)
            else {
                throw Self.error(
                    path, "must be a time from year 1 to 9999 such as \"2026-01-31T12:00:00Z\"")
            }
            writer.append(try time.serializedBytes())
        case "Duration":
            guard case .string(let text) = json, let span = Google_Protobuf_Duration(text: text)
            else {
                throw Self.error(
                    path, "must be a duration of at most 315576000000 s such as \"1.5s\"")
            }
            writer.append(try span.serializedBytes())
        case "FieldMask":
            guard case .string(let text) = json else {
                throw Self.error(path, "must be a string of paths joined by commas")
            }
            let paths = text.split(separator: ",").map(String.init)
            writer.append(try Google_Protobuf_FieldMask(paths: paths).serializedBytes())
        case "Any": try writeAny(json, path: path, to: &writer, depth: depth)
        case "Value": try writeValue(json, path: path, to: &writer, depth: depth)
        case "Struct", "ListValue":
            try writeCollection(json, name, path: path, to: &writer, depth: depth)
        case _ where Self.wrappers.contains(simple):
            guard let field = try description(of: name).field(1) else { return false }
            try element(json, field, path: path, to: &writer, depth: depth)
        default: return false
        }
        return true
    }

    private func writeCollection(
        _ json: JSONValue, _ name: String, path: String, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        switch json {
        case .array(let elements) where name == Self.prefix + "ListValue":
            for (index, value) in elements.enumerated() {
                var inner = WireWriter()
                try writeValue(value, path: "\(path)[\(index)]", to: &inner, depth: depth + 1)
                writer.field(1, bytes: inner.bytes)
            }
        case .object(let entries) where name == Self.prefix + "Struct":
            for (key, value) in entries {
                var inner = WireWriter()
                try writeValue(value, path: "\(path).\(key)", to: &inner, depth: depth + 1)
                var entry = WireWriter()
                entry.field(1, bytes: Array(key.utf8))
                entry.field(2, bytes: inner.bytes)
                writer.field(1, bytes: entry.bytes)
            }
        default:
            let wanted = name.hasSuffix("Struct") ? "an object" : "an array"
            throw Self.error(path, "must be \(wanted)")
        }
    }

    private func writeValue(
        _ json: JSONValue, path: String, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        let (key, value): (Int, JSONValue) =
            switch json {
            case .null: (1, .integer(0))
            case .integer, .unsigned, .number: (2, json)
            case .string: (3, json)
            case .bool: (4, json)
            case .object: (5, json)
            case .array: (6, json)
            }
        guard let field = try description(of: Self.prefix + "Value").field(key) else { return }
        try element(value, field, path: path, to: &writer, depth: depth)
    }

    private func writeAny(
        _ json: JSONValue, path: String, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard case .object(let members) = json,
            case .string(let url)? = members.first(where: { $0.key == "@type" })?.value
        else { throw Self.error(path, "must be an object with \"@type\"") }
        let name = String(url.split(separator: "/").last ?? "")
        let rest = members.filter { $0.key != "@type" }
        var inner = WireWriter()
        if name.hasPrefix(Self.prefix), let value = rest.first(where: { $0.key == "value" }) {
            try write(value.value, name, path: path + ".value", to: &inner, depth: depth + 1)
        } else {
            try write(.object(rest), name, path: path, to: &inner, depth: depth + 1)
        }
        writer.append(
            try Google_Protobuf_Any(typeUrl: url, value: inner.bytes).serializedBytes())
    }

    /// The text of an out-of-range time, or an error.
    private func invalid(
        _ type: String, _ seconds: Int64, _ nanos: Int32, _ rule: String
    ) throws(MessageError) -> JSONValue {
        let numbers = "seconds \(seconds), nanos \(nanos)"
        guard describesInvalidTimes else {
            throw MessageError("\(type) is out of range with \(numbers): \(rule)")
        }
        return .string("invalid \(type): \(numbers)")
    }
}
