/// Converts messages to and from JSON by their descriptors, without generated code.
///
/// Source: protobuf's "ProtoJSON Format". Fields without presence are omitted if they have their
/// default, unless requested. `JSONTranscoder+Parse.swift` has the reverse,
/// `JSONTranscoder+WellKnown.swift` the well-known types with a special form.
package struct JSONTranscoder: Sendable {
    /// The limit of nested messages, as in protobuf's own parsers. An entry of a map is a message.
    static let maximumDepth = 100

    let schema: Schema

    /// Whether to print fields without presence that have their default.
    private let printsDefaults: Bool
    /// Whether to use the original field names instead of camel case, in errors, too.
    let keepsNames: Bool
    /// Whether to describe values without a JSON form as text, for example a Timestamp out of
    /// range, instead of throwing an error.
    let describesInvalid: Bool
    /// Whether to ignore fields and enum names of JSON that the descriptor does not have.
    let ignoresUnknown: Bool
    /// Whether a field in two spellings is an error. Otherwise the last one counts, as for
    /// protobuf's own parsers.
    let rejectsTwoSpellings: Bool

    package init(
        schema: Schema, printsDefaults: Bool = false, keepsNames: Bool = false,
        describesInvalid: Bool = false, ignoresUnknown: Bool = false,
        rejectsTwoSpellings: Bool = false
    ) {
        self.schema = schema
        self.printsDefaults = printsDefaults
        self.keepsNames = keepsNames
        self.describesInvalid = describesInvalid
        self.ignoresUnknown = ignoresUnknown
        self.rejectsTwoSpellings = rejectsTwoSpellings
    }

    /// Whether messages of this type can be converted.
    package func knows(_ message: String) -> Bool { schema.message(named: message) != nil }

    /// - Parameter message: the full name of the message type.
    package func json(from bytes: [UInt8], message: String) throws(MessageError) -> JSONValue {
        try json(bytes[...], message, depth: 0)
    }

    func description(of name: String) throws(MessageError) -> Schema.Message {
        guard let message = schema.message(named: name) else {
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
        let message = try description(of: name)
        if let special = try wellKnownJSON(bytes, message, depth: depth) { return special }
        return .object(try members(bytes, message, depth: depth))
    }

    func members(
        _ bytes: ArraySlice<UInt8>, _ message: Schema.Message, depth: Int
    ) throws(MessageError) -> [(key: String, value: JSONValue)] {
        let values = try schema.values(bytes, of: message)
        var members: [(key: String, value: JSONValue)] = []
        var fields = message.fields
        if let extensions = schema.extensions[message.fullName] {
            fields += values.known.keys.sorted().compactMap { extensions[$0] }
        }
        for field in fields {
            if let value = try json(values[field.number], field, depth: depth) {
                members.append((keepsNames ? field.name : field.jsonName, value))
            }
        }
        return members
    }

    private func json(
        _ found: [WireReader.Value], _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> JSONValue? {
        if found.isEmpty, !printsDefaults || field.hasPresence { return nil }
        if let entry = schema.mapEntry(of: field) {
            let entries = try map(found, entry, depth: depth)
            return entries.isEmpty && !printsDefaults ? nil : .object(entries)
        }
        if field.isRepeated { return .array(try elements(found, field, depth: depth)) }
        let value = Schema.single(found, field)
        guard field.hasPresence || printsDefaults || !field.canonical(value).isDefault else {
            return nil
        }
        return try element(value, field, depth: depth)
    }

    func elements(
        _ values: [WireReader.Value], _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> [JSONValue] {
        var result: [JSONValue] = []
        result.reserveCapacity(values.count)
        for value in values { result.append(try element(value, field, depth: depth)) }
        return result
    }

    func map(
        _ found: [WireReader.Value], _ entry: Schema.Message, depth: Int
    ) throws(MessageError) -> [(key: String, value: JSONValue)] {
        var members: [(key: String, value: JSONValue)] = []
        for (key, value) in try schema.entries(found, of: entry) {
            guard let keyField = entry.field(1), let valueField = entry.field(2) else { continue }
            let name = try element(key, keyField, depth: depth).key
            members.append((name, try element(value, valueField, depth: depth + 1)))
        }
        return members
    }

    func element(
        _ value: WireReader.Value, _ field: Schema.Field, depth: Int
    ) throws(MessageError) -> JSONValue {
        switch value {
        case .number(let bits, _): return number(bits, field)
        case .bytes(let bytes) where field.kind == .bytes: return .string(Base64Text.encode(bytes))
        case .bytes(let bytes) where field.kind == .string:
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw MessageError(field: field.name, "contains invalid UTF-8")
            }
            return .string(text)
        case .bytes(let bytes), .group(let bytes):
            do throws(MessageError) {
                return try json(bytes, field.typeName, depth: depth + 1)
            } catch {
                throw error.inside(field.name)
            }
        }
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
            if field.isNullValue { return .null }
            let name = schema.enumeration(named: field.typeName)?.name(of: number)
            return name.map { .string($0) } ?? .integer(Int64(number))
        case .string, .bytes, .message: return .null
        }
    }

    /// The double whose shortest text is the float's.
    private static func short(_ value: Float) -> Double { Double("\(value)") ?? Double(value) }

    private static func unzigzag(_ bits: UInt64) -> Int64 {
        Int64(bitPattern: bits >> 1) ^ -Int64(bitPattern: bits & 1)
    }
}

extension Schema.Field {
    /// Whether the field is an enum with the only value null.
    var isNullValue: Bool { kind == .enumeration && typeName == "google.protobuf.NullValue" }
}

extension JSONValue {
    /// The value as a key of an object.
    fileprivate var key: String {
        if case .string(let text) = self { text } else { text(indent: 0) }
    }
}
