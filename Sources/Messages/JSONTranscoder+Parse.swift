extension JSONTranscoder {
    /// Encodes a message from JSON. Errors name the path of the field.
    package func bytes(from json: JSONValue, message: String) throws(MessageError) -> [UInt8] {
        var writer = WireWriter()
        do throws(MessageError) {
            try write(json, message, to: &writer, depth: 0)
        } catch {
            guard error.field?.isEmpty == true else { throw error }
            throw MessageError("the message \(error.reason)")
        }
        return writer.bytes
    }

    /// An error of the value at hand. Each enclosing value adds its name.
    static func error(_ reason: String) -> MessageError { MessageError(field: "", reason) }

    func write(
        _ json: JSONValue, _ name: String, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard depth < Self.maximumDepth else {
            throw Self.error("nests deeper than \(Self.maximumDepth) messages")
        }
        let message = try description(of: name)
        if try writeWellKnown(json, message, to: &writer, depth: depth) { return }
        guard case .object(let members) = json else {
            throw Self.error("must be an object: it is a \(name)")
        }
        try write(members, message, to: &writer, depth: depth)
    }

    func write(
        _ members: [(key: String, value: JSONValue)], _ message: Schema.Message,
        to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        // Of two spellings of one name, the last counts, as for protobuf's own parsers.
        var lastKeys: [Int: Int] = [:]
        for (index, member) in members.enumerated() {
            guard let field = field(named: member.key, of: message) else { continue }
            if let other = lastKeys.updateValue(index, forKey: field.number), rejectsTwoSpellings {
                throw Self.error("is given twice, also as '\(members[other].key)'").within(
                    member.key)
            }
        }
        var oneofs: [Int: String] = [:]
        for (index, (key, value)) in members.enumerated() {
            guard let field = field(named: key, of: message) else {
                if ignoresUnknown { continue }
                throw unknown(key, message)
            }
            guard !value.isNull || field.acceptsNull else { continue }
            if let oneof = field.oneof, let other = oneofs.updateValue(key, forKey: oneof) {
                throw Self.error(
                    "must not be set, because '\(other)' is set, which is in the same oneof "
                        + "'\(message.oneofs[oneof])'"
                ).within(key)
            }
            do throws(MessageError) {
                if lastKeys[field.number] == index {
                    try write(value, field, to: &writer, depth: depth)
                } else {
                    var overridden = WireWriter()
                    try write(value, field, to: &overridden, depth: depth)
                }
            } catch {
                throw error.within(key)
            }
        }
    }

    private func field(named key: String, of message: Schema.Message) -> Schema.Field? {
        if let field = message.field(named: key) { return field }
        guard key.hasPrefix("["), let extensions = schema.extensions[message.fullName] else {
            return nil
        }
        return extensions.values.first { $0.name.hasSameCodePoints(as: key) }
    }

    private func unknown(_ key: String, _ message: Schema.Message) -> MessageError {
        let membership = message.membership(of: key, keepsNames: keepsNames)
        return Self.error("is not a field of \(membership)").within(key)
    }

    private func write(
        _ json: JSONValue, _ field: Schema.Field, to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard field.isRepeated else {
            try element(json, field, to: &writer, depth: depth, omitsDefault: !field.hasPresence)
            return
        }
        if let entry = schema.mapEntry(of: field) {
            return try map(json, entry, field, to: &writer, depth: depth)
        }
        guard case .array(let elements) = json else {
            throw Self.error("must be an array: the field is repeated")
        }
        var packed = WireWriter()
        for (index, element) in elements.enumerated() {
            do throws(MessageError) {
                if field.isPacked, let bits = try number(element, field) {
                    packed.number(bits, field.kind.wireType)
                } else if !field.isPacked {
                    try self.element(element, field, to: &writer, depth: depth)
                }
            } catch {
                throw error.within("[\(index)]")
            }
        }
        if !packed.bytes.isEmpty { writer.field(field.number, bytes: packed.bytes) }
    }

    func map(
        _ json: JSONValue, _ entry: Schema.Message, _ field: Schema.Field,
        to writer: inout WireWriter, depth: Int
    ) throws(MessageError) {
        guard case .object(let members) = json, let keyField = entry.field(1),
            let valueField = entry.field(2)
        else { throw Self.error("must be an object: the field is a map") }
        for (key, value) in members {
            var inner = WireWriter()
            let keyJSON: JSONValue =
                keyField.kind == .bool && (key == "true" || key == "false")
                ? .bool(key == "true") : .string(key)
            do throws(MessageError) {
                try element(keyJSON, keyField, to: &inner, depth: depth)
                let isWritten = try element(value, valueField, to: &inner, depth: depth + 1)
                if isWritten { writer.field(field.number, bytes: inner.bytes) }
            } catch {
                throw error.within("[\"\(key.prefix(100))\"]")
            }
        }
    }

    /// Writes one value of a field.
    ///
    /// - Parameter omitsDefault: whether to write nothing for zero or an empty value.
    /// - Returns: false for an unknown name of an enum that is ignored.
    @discardableResult
    func element(
        _ json: JSONValue, _ field: Schema.Field, to writer: inout WireWriter, depth: Int,
        omitsDefault: Bool = false
    ) throws(MessageError) -> Bool {
        switch field.kind {
        case .message:
            guard !json.isNull || field.acceptsNull(inList: true) else {
                throw Self.error("must not be null")
            }
            var inner = WireWriter()
            try write(json, field.typeName, to: &inner, depth: depth + 1)
            if field.isGroup {
                writer.field(field.number, group: inner.bytes)
            } else {
                writer.field(field.number, bytes: inner.bytes)
            }
        case .string:
            guard case .string(let text) = json else { throw Self.error("must be a string") }
            if !omitsDefault || !text.isEmpty { writer.field(field.number, bytes: text.utf8) }
        case .bytes:
            guard case .string(let text) = json, let data = Base64Text.decode(text) else {
                throw Self.error("must be a string of base64")
            }
            if !omitsDefault || !data.isEmpty { writer.field(field.number, bytes: data) }
        default:
            guard let bits = try number(json, field) else { return false }
            if !omitsDefault || bits != 0 { writer.field(field.number, bits, field.kind.wireType) }
        }
        return true
    }

    /// The bits of a number on the wire; nil for an unknown name of an enum that is ignored.
    private func number(
        _ json: JSONValue, _ field: Schema.Field
    ) throws(MessageError) -> UInt64? {
        switch field.kind {
        case .double: return try Self.double(json).bitPattern
        case .float:
            let value = try Self.double(json)
            let short = Float(value)
            guard short.isFinite == value.isFinite else {
                throw Self.error("must be within ±\(Float.greatestFiniteMagnitude)")
            }
            return UInt64(short.bitPattern)
        case .bool:
            guard case .bool(let value) = json else { throw Self.error("must be true or false") }
            return value ? 1 : 0
        case .enumeration: return try enumeration(json, field)
        case .int32, .sfixed32: return UInt64(bitPattern: Int64(try Self.integer(json) as Int32))
        case .sint32: return Self.zigzag(Int64(try Self.integer(json) as Int32))
        case .int64, .sfixed64: return UInt64(bitPattern: try Self.integer(json) as Int64)
        case .sint64: return Self.zigzag(try Self.integer(json))
        case .uint32, .fixed32: return UInt64(try Self.integer(json) as UInt32)
        default: return try Self.integer(json)
        }
    }

    private static func zigzag(_ value: Int64) -> UInt64 {
        UInt64(bitPattern: value << 1 ^ value >> 63)
    }

    /// The number of an enum's value, which is given by name or by number.
    private func enumeration(
        _ json: JSONValue, _ field: Schema.Field
    ) throws(MessageError) -> UInt64? {
        if json.isNull, field.isNullValue { return 0 }
        let type = schema.enumeration(named: field.typeName)
        var value: Int32?
        if case .string(let name) = json, let type {
            if let number = type.number(of: name) { return UInt64(bitPattern: Int64(number)) }
            if case .integer? = JSONNumber.value(of: name) {
                value = try Self.integer(json) as Int32
            }
            if value == nil, ignoresUnknown { return nil }
        } else {
            value = try Self.integer(json) as Int32
        }
        if let value, type?.isClosed != true || type?.name(of: Int(value)) != nil {
            return UInt64(bitPattern: Int64(value))
        }
        let names = (type?.values ?? []).prefix(100).map(\.name).joined(separator: ", ")
        throw Self.error("is \(json.text(indent: 0).prefix(100)); it must be one of \(names)")
    }

    private static func integer<Value: FixedWidthInteger>(
        _ json: JSONValue
    ) throws(MessageError) -> Value {
        let value: Value? =
            switch json.unquotedNumber {
            case .integer(let value): Value(exactly: value)
            case .unsigned(let value): Value(exactly: value)
            // An integer below the range of Int64 can be rounded to its minimum.
            case .number(let value) where value != -0x1p63: Value(exactly: value)
            default: nil
            }
        guard let value else {
            throw error("must be a whole number from \(Value.min) to \(Value.max)")
        }
        return value
    }

    private static func double(_ json: JSONValue) throws(MessageError) -> Double {
        switch json {
        case .string("NaN"): return .nan
        case .string("Infinity"): return .infinity
        case .string("-Infinity"): return -.infinity
        default: break
        }
        switch json.unquotedNumber {
        case .integer(let value): return Double(value)
        case .unsigned(let value): return Double(value)
        case .number(let value): return value
        default: throw error("must be a number")
        }
    }
}

extension Schema.Field {
    /// Whether null is a value of the field, not the lack of one.
    fileprivate var acceptsNull: Bool { !isRepeated && acceptsNull(inList: true) }

    fileprivate func acceptsNull(inList: Bool) -> Bool {
        isNullValue || kind == .message && typeName == SpecialType.value.rawValue
    }
}

extension JSONValue {
    var isNull: Bool { if case .null = self { true } else { false } }

    /// The number in a string, or the value itself.
    fileprivate var unquotedNumber: JSONValue {
        if case .string(let text) = self { JSONNumber.value(of: text) ?? self } else { self }
    }
}

extension MessageError {
    /// The error of a value inside the value with this name: a key, or `[index]`.
    func within(_ outer: String) -> MessageError {
        guard let field else { return MessageError(field: outer, reason) }
        let isIndex = field.isEmpty || field.hasPrefix("[")
        return MessageError(field: isIndex ? outer + field : "\(outer).\(field)", reason)
    }
}
