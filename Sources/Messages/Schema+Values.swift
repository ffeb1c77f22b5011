/// The fields of a message on the wire, grouped by number.
struct FieldValues {
    /// The values of the fields of the descriptor, in order. Packed numbers are unpacked.
    fileprivate(set) var known: [Int: [WireReader.Value]] = [:]
    fileprivate(set) var unknown: [Int: [WireReader.Value]] = [:]

    /// The values of a field; empty if it is not set.
    subscript(number: Int) -> [WireReader.Value] { known[number] ?? [] }
}

/// The content of a message by its descriptor, as protobuf's own parsers read it.
extension Schema {
    /// Reads the fields of a message. Of a oneof, only the last field remains.
    ///
    /// A value of another wire type, and a number that a closed enum does not declare, is an
    /// unknown field.
    func values(
        _ bytes: ArraySlice<UInt8>, of message: Message
    ) throws(MessageError) -> FieldValues {
        var values = FieldValues()
        var chosen: [Int: Int] = [:]
        var reader = WireReader(bytes)
        while let (number, value) = try reader.next() {
            guard let field = field(number, of: message),
                let found = try elements(value, of: field)
            else {
                values.unknown[number, default: []].append(value)
                continue
            }
            if let oneof = field.oneof, let other = chosen.updateValue(number, forKey: oneof),
                other != number
            {
                values.known[other] = nil
            }
            values.known[number, default: []] += found
        }
        return values
    }

    /// The values of one occurrence of a field; nil if it is an unknown field.
    private func elements(
        _ value: WireReader.Value, of field: Field
    ) throws(MessageError) -> [WireReader.Value]? {
        switch (value, field.kind.wireType) {
        case (.group, nil): return field.isGroup ? [value] : nil
        case (.bytes, nil): return field.isGroup ? nil : [value]
        case (.number(let bits, let type), let wanted?) where type == wanted:
            return isKnown(bits, field) ? [value] : nil
        case (.bytes(let packed), let type?) where field.isRepeated:
            var reader = WireReader(packed)
            var found: [WireReader.Value] = []
            while !reader.isAtEnd {
                let bits =
                    type == .varint
                    ? try reader.varint() : try reader.fixed(type == .fixed64 ? 8 : 4, field.number)
                if isKnown(bits, field) { found.append(.number(bits, type)) }
            }
            return found.isEmpty ? nil : found
        default: return nil
        }
    }

    private func isKnown(_ bits: UInt64, _ field: Field) -> Bool {
        guard field.kind == .enumeration, let type = enumeration(named: field.typeName),
            type.isClosed
        else { return true }
        return type.name(of: Int(Int32(truncatingIfNeeded: bits))) != nil
    }

    /// The value of a field that is not repeated: the last value counts; messages are merged.
    static func single(_ found: [WireReader.Value], _ field: Field) -> WireReader.Value {
        guard field.kind == .message, found.count > 1 else {
            return found.last ?? field.defaultValue
        }
        let joined = found.flatMap { $0.content ?? [] }[...]
        return field.isGroup ? .group(joined) : .bytes(joined)
    }

    /// The keys and values of a map. Of several entries with one key, the last counts. Entries
    /// whose value is unknown to a closed enum are omitted.
    func entries(
        _ found: [WireReader.Value], of entry: Message
    ) throws(MessageError) -> [(key: WireReader.Value, value: WireReader.Value)] {
        guard let keyField = entry.field(1), let valueField = entry.field(2) else {
            throw MessageError("map entry \(entry.fullName) has no fields 1 and 2")
        }
        var entries: [(key: WireReader.Value, value: WireReader.Value)] = []
        var positions: [WireReader.Value: Int] = [:]
        for case .bytes(let bytes) in found {
            let values = try values(bytes, of: entry)
            let isUnknown = values[2].isEmpty && values.unknown[2] != nil
            if isUnknown, valueField.kind == .enumeration { continue }
            let key = keyField.canonical(values[1].last ?? keyField.defaultValue)
            let value = Self.single(values[2], valueField)
            if let position = positions[key] {
                entries[position].value = value
            } else {
                positions[key] = entries.count
                entries.append((key, value))
            }
        }
        return entries
    }
}

extension Schema.Kind {
    /// The wire type of a number; nil for types encoded as bytes.
    package var wireType: WireType? {
        switch self {
        case .double, .fixed64, .sfixed64: .fixed64
        case .float, .fixed32, .sfixed32: .fixed32
        case .string, .bytes, .message: nil
        default: .varint
        }
    }
}

extension Schema.Field {
    var defaultValue: WireReader.Value {
        kind.wireType.map { .number(0, $0) } ?? (isGroup ? .group([]) : .bytes([]))
    }

    /// The value as protobuf's parsers store it: numbers lose the bits that their type has not.
    func canonical(_ value: WireReader.Value) -> WireReader.Value {
        guard case .number(let bits, .varint) = value else { return value }
        switch kind {
        case .bool: return .number(bits == 0 ? 0 : 1, .varint)
        case .uint32, .sint32: return .number(bits & 0xffff_ffff, .varint)
        case .int32, .enumeration:
            return .number(UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: bits))), .varint)
        default: return value
        }
    }
}

extension WireReader.Value {
    /// The content of bytes or a group.
    var content: ArraySlice<UInt8>? {
        switch self {
        case .bytes(let bytes), .group(let bytes): bytes
        case .number: nil
        }
    }

    /// Whether the value is zero or empty.
    var isDefault: Bool {
        switch self {
        case .number(let bits, _): bits == 0
        case .bytes(let bytes), .group(let bytes): bytes.isEmpty
        }
    }
}
