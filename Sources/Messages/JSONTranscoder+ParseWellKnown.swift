extension JSONTranscoder {
    /// Writes a well-known type; false for other messages.
    func writeWellKnown(
        _ json: JSONValue, _ message: Schema.Message, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) -> Bool {
        guard let type = SpecialType(named: message.fullName) else { return false }
        switch type {
        case .timestamp:
            guard case .string(let text) = json, let time = Google_Protobuf_Timestamp(text: text)
            else {
                throw Self.error(
                    "must be a time from year 1 to 9999 such as \"2026-01-31T12:00:00Z\"")
            }
            writer.append(try time.serializedBytes())
        case .duration:
            guard case .string(let text) = json, let span = Google_Protobuf_Duration(text: text)
            else {
                throw Self.error("must be a duration of at most 315576000000 s such as \"1.5s\"")
            }
            writer.append(try span.serializedBytes())
        case .fieldMask: try writeFieldMask(json, to: &writer)
        case .any: try writeAny(json, to: &writer, depth: depth)
        case .value: try writeValue(json, message, to: &writer, depth: depth)
        case .structure:
            guard case .object = json, let field = message.field(1),
                let entry = schema.message(named: field.typeName)
            else { throw Self.error("must be an object") }
            try map(json, entry, field, to: &writer, depth: depth)
        case .list:
            guard case .array(let elements) = json, let field = message.field(1) else {
                throw Self.error("must be an array")
            }
            for (index, element) in elements.enumerated() {
                do throws(MessageError) {
                    try self.element(element, field, to: &writer, depth: depth)
                } catch {
                    throw error.within("[\(index)]")
                }
            }
        case .doubleValue, .floatValue, .int64Value, .uint64Value, .int32Value, .uint32Value,
            .boolValue, .stringValue, .bytesValue:
            guard let field = message.field(1) else { return false }
            try element(json, field, to: &writer, depth: depth, omitsDefault: true)
        }
        return true
    }

    private func writeFieldMask(
        _ json: JSONValue, to writer: inout WireWriter
    ) throws(MessageError) {
        guard case .string(let text) = json else {
            throw Self.error("must be a string of paths joined by commas")
        }
        guard !text.isEmpty else { return }
        for path in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let snake = FieldMaskPath.snake(String(path)) else {
                throw Self.error(
                    "has the invalid path '\(path.prefix(100))': use names in lowerCamelCase "
                        + "joined by dots")
            }
            writer.field(1, bytes: snake.utf8)
        }
    }

    private func writeValue(
        _ json: JSONValue, _ message: Schema.Message, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        let number =
            switch json {
            case .null: 1
            case .integer, .unsigned, .number: 2
            case .string: 3
            case .bool: 4
            case .object: 5
            case .array: 6
            }
        guard let field = message.field(number) else { return }
        try element(json, field, to: &writer, depth: depth)
    }

    private func writeAny(
        _ json: JSONValue, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard case .object(let members) = json else { throw Self.error("must be an object") }
        if members.isEmpty { return }
        guard case .string(let url)? = members.first(where: { $0.key == "@type" })?.value else {
            throw Self.error(
                "must have \"@type\" with a type URL such as \"type.googleapis.com/pkg.Message\"")
        }
        let name = AnyType.name(in: url)
        guard let message = schema.message(named: name) else {
            throw Self.error("is '\(url.prefix(200))': unknown message type").within("@type")
        }
        let rest = members.filter { $0.key != "@type" }
        var inner = WireWriter()
        if SpecialType(named: name) != nil {
            try writeSpecial(rest, name, to: &inner, depth: depth + 1)
        } else if !Self.isEmptyValue(rest, name) {
            guard depth + 1 < Self.maximumDepth else {
                throw Self.error("nests deeper than \(Self.maximumDepth) messages")
            }
            try write(rest, message, to: &inner, depth: depth + 1)
        }
        writer.field(1, bytes: url.utf8)
        if !inner.bytes.isEmpty { writer.field(2, bytes: inner.bytes) }
    }

    /// Writes a well-known type in an Any, whose JSON is the member `value`.
    private func writeSpecial(
        _ members: [(key: String, value: JSONValue)], _ name: String, to writer: inout WireWriter,
        depth: Int
    ) throws(MessageError) {
        guard let value = members.first(where: { $0.key == "value" })?.value else {
            throw Self.error("must have \"value\": it is a \(name)")
        }
        if !ignoresUnknown, let other = members.first(where: { $0.key != "value" }) {
            throw Self.error("is not a field of a \(name) in an Any; it has value").within(
                other.key)
        }
        do throws(MessageError) {
            try write(value, name, to: &writer, depth: depth)
        } catch {
            throw error.within("value")
        }
    }

    /// Whether it is the form `"value": {}` of an Empty, which some implementations write.
    private static func isEmptyValue(
        _ members: [(key: String, value: JSONValue)], _ name: String
    ) -> Bool {
        guard name == "google.protobuf.Empty", members.count == 1, members[0].key == "value",
            case .object(let content) = members[0].value
        else { return false }
        return content.isEmpty
    }
}
