/// The types of `google/protobuf/` with a special JSON form.
enum SpecialType: String {
    case any = "google.protobuf.Any"
    case duration = "google.protobuf.Duration"
    case fieldMask = "google.protobuf.FieldMask"
    case list = "google.protobuf.ListValue"
    case structure = "google.protobuf.Struct"
    case timestamp = "google.protobuf.Timestamp"
    case value = "google.protobuf.Value"
    case doubleValue = "google.protobuf.DoubleValue"
    case floatValue = "google.protobuf.FloatValue"
    case int64Value = "google.protobuf.Int64Value"
    case uint64Value = "google.protobuf.UInt64Value"
    case int32Value = "google.protobuf.Int32Value"
    case uint32Value = "google.protobuf.UInt32Value"
    case boolValue = "google.protobuf.BoolValue"
    case stringValue = "google.protobuf.StringValue"
    case bytesValue = "google.protobuf.BytesValue"

    /// Nil for other types. Most types are not of `google.protobuf`.
    init?(named name: String) {
        guard name.hasPrefix("google.protobuf.") else { return nil }
        self.init(rawValue: name)
    }
}

extension JSONTranscoder {
    /// The JSON of a well-known type; nil for other messages.
    func wellKnownJSON(
        _ bytes: ArraySlice<UInt8>, _ message: Schema.Message, depth: Int
    ) throws(MessageError) -> JSONValue? {
        guard let type = SpecialType(named: message.fullName) else { return nil }
        let values = try schema.values(bytes, of: message)
        switch type {
        case .timestamp:
            let (seconds, nanos) = Self.time(values)
            if let text = Google_Protobuf_Timestamp(seconds: seconds, nanos: nanos).text {
                return .string(text)
            }
            return try invalid("Timestamp", seconds, nanos, Google_Protobuf_Timestamp.rule)
        case .duration:
            let (seconds, nanos) = Self.time(values)
            if let text = Google_Protobuf_Duration(seconds: seconds, nanos: nanos).text {
                return .string(text)
            }
            return try invalid("Duration", seconds, nanos, Google_Protobuf_Duration.rule)
        case .fieldMask: return .string(try fieldMask(values[1]))
        case .any: return try any(values, depth: depth)
        case .structure:
            guard let field = message.field(1), let entry = schema.message(named: field.typeName)
            else { return nil }
            return .object(try map(values[1], entry, depth: depth))
        case .list:
            guard let field = message.field(1) else { return nil }
            return .array(try elements(values[1], field, depth: depth))
        case .value: return try value(values, message, depth: depth)
        case .doubleValue, .floatValue, .int64Value, .uint64Value, .int32Value, .uint32Value,
            .boolValue, .stringValue, .bytesValue:
            guard let field = message.field(1) else { return nil }
            return try element(Schema.single(values[1], field), field, depth: depth)
        }
    }

    /// Seconds and nanoseconds.
    private static func time(_ values: FieldValues) -> (Int64, Int32) {
        func bits(_ number: Int) -> UInt64 {
            if case .number(let bits, _)? = values[number].last { bits } else { 0 }
        }
        return (Int64(bitPattern: bits(1)), Int32(truncatingIfNeeded: bits(2)))
    }

    private func value(
        _ values: FieldValues, _ message: Schema.Message, depth: Int
    ) throws(MessageError) -> JSONValue {
        // The fields are a oneof.
        guard let (number, found) = values.known.first, let field = message.field(number) else {
            return .null
        }
        let json = try element(Schema.single(found, field), field, depth: depth)
        if case .number(let value) = json, !value.isFinite, !describesInvalid {
            throw MessageError("a Value contains \(value), which JSON cannot represent")
        }
        return json
    }

    private func fieldMask(_ paths: [WireReader.Value]) throws(MessageError) -> String {
        var texts: [String] = []
        for path in paths {
            let text = String(decoding: path.content ?? [], as: UTF8.self)
            guard let camel = FieldMaskPath.camel(text) ?? (describesInvalid ? text : nil) else {
                throw MessageError(
                    "the path '\(text.prefix(200))' of a FieldMask has no JSON form: it must "
                        + "consist of names in lower_snake_case")
            }
            texts.append(camel)
        }
        return texts.joined(separator: ",")
    }

    private func any(
        _ values: FieldValues, depth: Int
    ) throws(MessageError) -> JSONValue {
        guard !values.known.isEmpty else { return .object([]) }
        let url = String(decoding: values[1].last?.content ?? [], as: UTF8.self)
        let content = values[2].last?.content ?? []
        let name = AnyType.name(in: url)
        guard let message = schema.message(named: name) else {
            guard describesInvalid else {
                throw MessageError("unknown message type '\(name.prefix(200))' in an Any")
            }
            return .object([
                ("@type", .string(url)), ("value", .string(Base64Text.encode(content))),
            ])
        }
        guard depth + 1 < Self.maximumDepth else {
            throw MessageError("\(name) nests deeper than \(Self.maximumDepth) messages")
        }
        if let special = try wellKnownJSON(content, message, depth: depth + 1) {
            return .object([("@type", .string(url)), ("value", special)])
        }
        return .object(
            [("@type", .string(url))] + (try members(content, message, depth: depth + 1)))
    }

    /// The text of an out-of-range time, or an error.
    private func invalid(
        _ type: String, _ seconds: Int64, _ nanos: Int32, _ rule: String
    ) throws(MessageError) -> JSONValue {
        let numbers = "seconds \(seconds), nanos \(nanos)"
        guard describesInvalid else {
            throw MessageError("\(type) is out of range with \(numbers): \(rule)")
        }
        return .string("invalid \(type): \(numbers)")
    }
}

/// The type URL of an Any.
enum AnyType {
    /// The full name after the last slash.
    static func name(in url: String) -> String {
        String(
            url.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).last
                .map { String(decoding: $0, as: UTF8.self) } ?? "")
    }
}

/// A path of a FieldMask. Its names are in snake case in protobuf, in camel case in JSON.
///
/// Source: `google/protobuf/field_mask.proto`, "JSON Encoding of Field Masks".
enum FieldMaskPath {
    /// Nil if the path has no JSON form from which it could be parsed again.
    static func camel(_ path: String) -> String? {
        var (result, isCapital) = ("", false)
        for scalar in path.unicodeScalars {
            switch scalar {
            case "a"..."z":
                result += isCapital ? String(scalar).uppercased() : String(scalar)
                isCapital = false
            case "0"..."9" where !isCapital, "." where !isCapital:
                result.unicodeScalars.append(scalar)
            case "_" where !isCapital: isCapital = true
            default: return nil
            }
        }
        return isCapital ? nil : result
    }

    /// Nil if the path contains something other than names in camel case joined by dots.
    static func snake(_ path: String) -> String? {
        guard !path.isEmpty, !path.hasPrefix("."), !path.hasSuffix("."), !path.contains("..")
        else { return nil }
        var result = ""
        for scalar in path.unicodeScalars {
            switch scalar {
            case "A"..."Z": result += "_" + String(scalar).lowercased()
            case "a"..."z", "0"..."9", ".": result.unicodeScalars.append(scalar)
            default: return nil
            }
        }
        return result
    }
}
