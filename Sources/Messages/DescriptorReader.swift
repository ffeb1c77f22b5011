/// Reads one `FileDescriptorProto` and validates its numbers, so that no later step has to.
///
/// Numbers in the code are the field numbers of `google/protobuf/descriptor.proto`. Referenced
/// types may be missing; using such a type is an error.
struct DescriptorReader {
    /// The limit of the total size of all full names. Each contains the enclosing names, so a small
    /// file could otherwise declare names of any total size.
    private static let maximumSymbolBytes = 16 << 20
    /// The values of `FieldDescriptorProto.Type`, except the group.
    private static let types = 1...18
    private static let groupType = 10
    private static let labels = 1...3
    private static let repeatedLabel: Int32 = 3
    private static let reservedNumbers = 19_000...19_999
    /// An extension of a message set may have any positive number.
    private static let extensionNumbers = 1...Int(Int32.max)

    private(set) var file: Schema.File
    private(set) var messages: [Schema.Message] = []
    private(set) var enumerations: [Schema.Enumeration] = []
    private(set) var services: [Schema.Service] = []
    private var symbolBytes = 0

    /// - Parameter isKnown: whether a file of this name is already known; then the result is nil.
    init?(_ bytes: [UInt8], unless isKnown: (String) -> Bool) throws(MessageError) {
        let parsed = try ParsedFields(bytes[...])
        let name = parsed.text(1)
        guard !isKnown(name) else { return nil }
        let package = parsed.text(2)
        file = Schema.File(
            name: name, package: package, dependencies: parsed.texts(3), bytes: bytes)
        for message in parsed.messages(4) { try add(message: message, scope: package, depth: 1) }
        for enumeration in parsed.messages(5) { try add(enumeration: enumeration, scope: package) }
        for service in parsed.messages(6) { try add(service: service, scope: package) }
        try checkExtensions(parsed.messages(7), of: "package '\(package)'")
    }

    private mutating func add(
        message bytes: ArraySlice<UInt8>, scope: String, depth: Int
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = try symbol(parsed.text(1), in: scope)
        let place = "message '\(fullName)'"
        guard depth < JSONTranscoder.maximumDepth else {
            throw error(place, "declarations nest deeper than \(JSONTranscoder.maximumDepth)")
        }
        var oneofs: [String] = []
        for oneof in parsed.messages(8) { oneofs.append(try ParsedFields(oneof).text(1)) }
        var fields: [Schema.Field] = []
        var names: [Int: String] = [:]
        for bytes in parsed.messages(2) {
            let field = try field(bytes, of: place, oneofs: oneofs.count)
            fields.append(field)
            if let other = names.updateValue(field.name, forKey: field.number) {
                throw error(
                    place, "fields '\(other)' and '\(field.name)' both have number \(field.number)")
            }
        }
        var isMapEntry = false
        for options in parsed.messages(7) { isMapEntry = try ParsedFields(options).bool(7) }
        messages.append(
            Schema.Message(
                fullName: fullName, fields: fields, oneofs: oneofs, isMapEntry: isMapEntry))
        for nested in parsed.messages(3) {
            try add(message: nested, scope: fullName, depth: depth + 1)
        }
        for nested in parsed.messages(4) { try add(enumeration: nested, scope: fullName) }
        try checkExtensions(parsed.messages(6), of: place)
    }

    private func field(
        _ bytes: ArraySlice<UInt8>, of scope: String, oneofs: Int
    ) throws(MessageError) -> Schema.Field {
        let field = try field(
            bytes, of: scope, numbers: 1...Schema.Field.maximumNumber, oneofs: oneofs)
        guard !Self.reservedNumbers.contains(field.number) else {
            throw error(
                "\(scope), field '\(field.name)'",
                "its number is \(field.number); protobuf reserves 19000 to 19999")
        }
        return field
    }

    /// Validates an extension. Extensions are not used, but an invalid one makes the file invalid.
    private func checkExtensions(
        _ extensions: [ArraySlice<UInt8>], of scope: String
    ) throws(MessageError) {
        for bytes in extensions {
            _ = try field(bytes, of: scope, numbers: Self.extensionNumbers, oneofs: 0)
        }
    }

    private func field(
        _ bytes: ArraySlice<UInt8>, of scope: String, numbers: ClosedRange<Int>, oneofs: Int
    ) throws(MessageError) -> Schema.Field {
        let parsed = try ParsedFields(bytes)
        let name = parsed.text(1)
        let place = "\(scope), field '\(name)'"
        let number = try value(parsed.int32(3), "number", in: numbers, place)
        let type = try value(parsed.int32(5), "type", in: Self.types, place)
        if let label = parsed.int32(4) { _ = try value(label, "label", in: Self.labels, place) }
        var oneof: Int?
        if let index = parsed.int32(9) {
            guard oneofs > 0 else {
                throw error(place, "its oneof_index is \(index), but no oneof is declared")
            }
            oneof = try value(index, "oneof_index", in: 0...oneofs - 1, place)
        }
        let isGroup = type == Self.groupType
        guard let kind = isGroup ? Schema.Kind.message : Schema.Kind(rawValue: type) else {
            throw error(place, "unsupported type \(type)")
        }
        let isOptional = parsed.bool(17)
        return Schema.Field(
            name: name, jsonName: parsed.text(10), number: number,
            isRepeated: parsed.int32(4) == Self.repeatedLabel, kind: kind, isGroup: isGroup,
            typeName: Self.typeName(parsed.text(6)), oneof: isOptional ? nil : oneof,
            isOptional: isOptional)
    }

    private mutating func add(
        enumeration bytes: ArraySlice<UInt8>, scope: String
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = try symbol(parsed.text(1), in: scope)
        var values: [(name: String, number: Int)] = []
        for value in parsed.messages(2) {
            let entry = try ParsedFields(value)
            values.append((entry.text(1), Int(entry.int32(2) ?? 0)))
        }
        enumerations.append(Schema.Enumeration(fullName: fullName, values: values))
    }

    private mutating func add(
        service bytes: ArraySlice<UInt8>, scope: String
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = Self.join(scope, parsed.text(1))
        var methods: [Schema.Method] = []
        for method in parsed.messages(2) {
            let entry = try ParsedFields(method)
            methods.append(
                Schema.Method(
                    name: entry.text(1), input: Self.typeName(entry.text(2)),
                    output: Self.typeName(entry.text(3)), clientStreams: entry.bool(5),
                    serverStreams: entry.bool(6)))
            _ = try symbol(entry.text(1), in: fullName)
        }
        services.append(Schema.Service(fullName: fullName, methods: methods))
        _ = try symbol(parsed.text(1), in: scope)
    }

    // MARK: Names and numbers

    /// Adds a declaration.
    ///
    /// - Returns: its full name.
    private mutating func symbol(_ name: String, in scope: String) throws(MessageError) -> String {
        let fullName = Self.join(scope, name)
        symbolBytes += fullName.utf8.count
        guard symbolBytes <= Self.maximumSymbolBytes else {
            throw error(
                "declaration '\(name.prefix(100))'",
                "the names in the file have more than \(Self.maximumSymbolBytes) bytes")
        }
        file.symbols.append(fullName)
        return fullName
    }

    private static func join(_ scope: String, _ name: String) -> String {
        scope.isEmpty ? name : "\(scope).\(name)"
    }

    private static func typeName(_ name: String) -> String { String(name.drop { $0 == "." }) }

    private func value(
        _ value: Int32?, _ what: String, in range: ClosedRange<Int>, _ place: String
    ) throws(MessageError) -> Int {
        guard let value else { throw error(place, "it has no \(what)") }
        guard range.contains(Int(value)) else {
            throw error(
                place,
                "its \(what) is \(value); it must be from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return Int(value)
    }

    private func error(_ place: String, _ what: String) -> MessageError {
        // Names from the file may have any length.
        MessageError("file '\(file.name.prefix(200))', \(place.prefix(400)): \(what.prefix(400))")
    }
}
