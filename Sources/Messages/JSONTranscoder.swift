internal import FoundationEssentials

/// Converts messages to JSON by their descriptors, without generated code (proto3's JSON mapping).
///
/// Omits fields with default values unless requested, as protobuf's printers do.
/// `JSONTranscoder+Parse.swift` has the reverse, and `JSONTranscoder+WellKnown.swift` the
/// well-known types with a special form.
package struct JSONTranscoder {
    /// The limit of nested messages, as in protobuf's own parsers.
    static let maximumDepth = 100

    let schema: Schema

    /// Whether to print fields with default values.
    private let printsDefaults: Bool
    /// Whether to use the original field names instead of camel case.
    private let keepsNames: Bool
    /// Whether to describe an out-of-range Timestamp or Duration as text instead of throwing an
    /// error.
    let describesInvalidTimes: Bool

    package init(
        schema: Schema, printsDefaults: Bool = false, keepsNames: Bool = false,
        describesInvalidTimes: Bool = false
    ) {
        self.schema = schema
        self.printsDefaults = printsDefaults
        self.keepsNames = keepsNames
        self.describesInvalidTimes = describesInvalidTimes
    }

    /// Whether messages of this type can be converted.
    package func knows(_ message: String) -> Bool { schema.messages[message] != nil }

    /// - Parameter message: the full name of the message type.
    package func json(from bytes: [UInt8], message: String) throws(MessageError) -> JSONValue {
        try json(bytes[...], message, depth: 0)
    }

    func description(of name: String) throws(MessageError) -> Schema.Message {
        guard let message = schema.messages[name] else {
            throw MessageError("unknown message type '\(name)'")
        }
        return message
    }

    func json(
        _ bytes: ArraySlice<UInt8>, _ name: String, depth: Int
    ) throws(MessageError) -> JSONValue {
        guard depth < Self.maximumDepth else {
            throw MessageError("\(name) nests deeper than \(Self.maximumDepth) messages")
        }
        if let special = try wellKnownJSON(bytes, name, depth: depth) { return special }
        let message = try description(of: name)
        let values = try Self.gather(bytes, message)
        var members: [(key: String, value: JSONValue)] = []
        for field in message.fields {
            if let value = try json(values[field.number] ?? [], field, depth: depth) {
                members.append((keepsNames ? field.name : field.jsonName, value))
            }
        }
        return .object(members)
    }

    /// The values of each known field in order; packed numbers are unpacked.
    static func gather(
        _ bytes: ArraySlice<UInt8>, _ message: Schema.Message
    ) throws(MessageError) -> [Int: [WireReader.Value]] {
        var values: [Int: [WireReader.Value]] = [:]
        var reader = WireReader(bytes)
        while let (number, value) = try reader.next() {
            guard let field = message.field(number) else { continue }
            if case .bytes(let packed) = value, field.isRepeated, let type = field.kind.wireType {
                var inner = WireReader(packed)
                while !inner.isAtEnd {
                    let element =
                        type == .varint
                        ? try inner.varint() : try inner.fixed(type == .fixed64 ? 8 : 4, number)
                    values[number, default: []].append(.number(element, type))
                }
            } else {
                values[number, default: []].append(value)
            }
        }
        return values
    }

    private func json(
        _ found: [WireReader.Value], _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> JSONValue? {
        if found.isEmpty, !printsDefaults || field.hasPresence { return nil }
        if field.kind == .message, field.isRepeated,
            let entry = schema.messages[field.typeName], entry.isMapEntry
        {
            return try map(found, entry, depth: depth)
        }
        if field.isRepeated {
            var elements: [JSONValue] = []
            for value in found { elements.append(try element(value, field, depth: depth)) }
            return .array(elements)
        }
        let last = found.last ?? field.kind.defaultValue
        if field.kind == .message {
            // Repeated occurrences of a message field are merged, which is equivalent to joining
            // their bytes.
            let joined = found.reduce(into: [UInt8]()) { bytes, value in
                if case .bytes(let part) = value { bytes += part }
            }
            return try element(.bytes(joined[...]), field, depth: depth)
        }
        let value = try element(last, field, depth: depth)
        return field.hasPresence || printsDefaults || !last.isDefault ? value : nil
    }

    private func map(
        _ found: [WireReader.Value], _ entry: Schema.Message, depth: Int
    ) throws(MessageError) -> JSONValue {
        guard let keyField = entry.field(1), let valueField = entry.field(2) else {
            throw MessageError("map entry \(entry.fullName) has no fields 1 and 2")
        }
        var members: [(key: String, value: JSONValue)] = []
        for case .bytes(let bytes) in found {
            let values = try Self.gather(bytes, entry)
            let keyValue = values[1]?.last ?? keyField.kind.defaultValue
            let valueValue = values[2]?.last ?? valueField.kind.defaultValue
            let key =
                switch try element(keyValue, keyField, depth: depth) {
                case .string(let text): text
                case let other: other.text(indent: 0)
                }
            members.removeAll { $0.key == key }
            members.append((key, try element(valueValue, valueField, depth: depth)))
        }
        return .object(members)
    }

    func element(
        _ value: WireReader.Value, _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> JSONValue {
        switch value {
        case .bytes(let bytes):
            switch field.kind {
            case .message:
                do throws(MessageError) {
                    return try json(bytes, field.typeName, depth: depth + 1)
                } catch {
                    throw error.inside(field.name)
                }
            case .string:
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw MessageError(field: field.name, "contains invalid UTF-8")
                }
                return .string(text)
            case .bytes: return .string(Data(bytes).base64EncodedString())
            default: throw Self.wrongType(field)
            }
        case .number(let bits, let type):
            guard type == field.kind.wireType else { throw Self.wrongType(field) }
            return number(bits, field)
        }
    }

    private static func wrongType(_ field: Schema.Field) -> MessageError {
        MessageError(field: field.name, "does not have the wire type of \(field.kind)")
    }

    private func number(_ bits: UInt64, _ field: Schema.Field) -> JSONValue {
        switch field.kind {
        case .double: return .number(Double(bitPattern: bits))
        case .float: return .number(Self.short(Float(bitPattern: UInt32(truncatingIfNeeded: bits))))
        case .int64, .sfixed64: return .string("\(Int64(bitPattern: bits))")
        case .uint64, .fixed64: return .string("\(bits)")
        case .sint64: return .string("\(Self.unzigzag(bits))")
        case .int32, .sfixed32: return .integer(Int64(Int32(truncatingIfNeeded: bits)))
        case .uint32, .fixed32: return .integer(Int64(UInt32(truncatingIfNeeded: bits)))
        case .sint32: return .integer(Self.unzigzag(bits & 0xffff_ffff))
        case .bool: return .bool(bits != 0)
        case .enumeration:
            // Numbers beyond int32 lose their upper bits, as in protobuf's own parsers.
            let number = Int(Int32(truncatingIfNeeded: bits))
            if field.typeName == "google.protobuf.NullValue" { return .null }
            let named = schema.enumerations[field.typeName]?.values.first { $0.number == number }
            return named.map { .string($0.name) } ?? .integer(Int64(number))
        case .string, .bytes, .message: return .null
        }
    }

    /// The double whose shortest text is the float's.
    private static func short(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

    private static func unzigzag(_ bits: UInt64) -> Int64 {
        Int64(bitPattern: bits >> 1) ^ -Int64(bitPattern: bits & 1)
    }
}

extension Schema.Kind {
    /// The wire type of a number; nil for types encoded as bytes.
    var wireType: WireType? {
        switch self {
        case .double, .fixed64, .sfixed64: .fixed64
        case .float, .fixed32, .sfixed32: .fixed32
        case .string, .bytes, .message: nil
        default: .varint
        }
    }

    var defaultValue: WireReader.Value {
        wireType.map { .number(0, $0) } ?? .bytes([])
    }
}

extension Schema.Field {
    /// Whether the field distinguishes unset from its default.
    var hasPresence: Bool {
        isOptional || oneof != nil || (kind == .message && !isRepeated)
    }
}

extension WireReader.Value {
    fileprivate var isDefault: Bool {
        switch self {
        case .number(let bits, _): bits == 0
        case .bytes(let bytes): bytes.isEmpty
        }
    }
}
