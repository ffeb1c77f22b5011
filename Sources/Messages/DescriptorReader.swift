/// Reads one `FileDescriptorProto` and validates its numbers, so that no later step has to.
///
/// Numbers in the code are the field numbers of `google/protobuf/descriptor.proto`. Referenced
/// types may be missing; using such a type is an error.
struct DescriptorReader {
    /// The limit of the total size of all full names. Each contains the enclosing names, so a small
    /// file could otherwise declare names of any total size.
    private static let maximumSymbolBytes = 16 << 20
    private static let reservedNumbers = 19_000...19_999
    /// An extension of a message set may have any positive number.
    private static let extensionNumbers = 1...Int(Int32.max)

    private(set) var file: Schema.File
    private(set) var messages: [Schema.Message] = []
    private(set) var enumerations: [Schema.Enumeration] = []
    private(set) var services: [Schema.Service] = []
    private(set) var extensions: [Schema.Extension] = []
    private var symbolBytes = 0

    /// - Parameter isKnown: whether a file of this name is already known; then the result is nil.
    init?(_ bytes: [UInt8], unless isKnown: (String) -> Bool) throws(MessageError) {
        let parsed = try ParsedFields(bytes[...])
        let name = parsed.text(1)
        guard !isKnown(name) else { return nil }
        let package = parsed.text(2)
        file = Schema.File(
            name: name, package: package, dependencies: parsed.texts(3), bytes: bytes)
        let features = try SchemaFeatures(file: parsed)
        for message in parsed.messages(4) {
            try add(message: message, scope: package, features, depth: 1)
        }
        for enumeration in parsed.messages(5) {
            try add(enumeration: enumeration, scope: package, features)
        }
        for service in parsed.messages(6) { try add(service: service, scope: package) }
        try add(
            extensions: parsed.messages(7), scope: package, of: "package '\(package)'", features)
    }

    private mutating func add(
        message bytes: ArraySlice<UInt8>, scope: String, _ outer: SchemaFeatures, depth: Int
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = try symbol(parsed.text(1), in: scope)
        let place = "message '\(fullName)'"
        guard depth < JSONTranscoder.maximumDepth else {
            throw error(place, "declarations nest deeper than \(JSONTranscoder.maximumDepth)")
        }
        let features = try outer.overridden(by: parsed.messages(7), SchemaFeatures.Option.message)
        var isMapEntry = false
        for options in parsed.messages(7) { isMapEntry = try ParsedFields(options).bool(7) }
        var oneofs: [String] = []
        for oneof in parsed.messages(8) { oneofs.append(try ParsedFields(oneof).text(1)) }
        // A map entry and its value are never groups.
        var entries: Set<String> = []
        for nested in parsed.messages(3) {
            let message = try ParsedFields(nested)
            for options in message.messages(7) where try ParsedFields(options).bool(7) {
                entries.insert(Self.join(fullName, message.text(1)))
            }
        }
        var fields: [Schema.Field] = []
        var names: [Int: String] = [:]
        for bytes in parsed.messages(2) {
            let field = try field(
                bytes, of: place, features, oneofs: oneofs.count,
                canBeDelimited: { !isMapEntry && !entries.contains($0) })
            fields.append(field)
            if let other = names.updateValue(field.name, forKey: field.number) {
                throw error(
                    place, "fields '\(other)' and '\(field.name)' both have number \(field.number)")
            }
        }
        messages.append(
            Schema.Message(
                fullName: fullName, fields: fields, oneofs: oneofs, isMapEntry: isMapEntry))
        for nested in parsed.messages(3) {
            try add(message: nested, scope: fullName, features, depth: depth + 1)
        }
        for nested in parsed.messages(4) {
            try add(enumeration: nested, scope: fullName, features)
        }
        try add(extensions: parsed.messages(6), scope: fullName, of: place, features)
    }

    private func field(
        _ bytes: ArraySlice<UInt8>, of scope: String, _ features: SchemaFeatures, oneofs: Int,
        canBeDelimited: (String) -> Bool
    ) throws(MessageError) -> Schema.Field {
        let field = try FieldReader(file: file.name, place: scope).field(
            bytes, features, numbers: 1...Schema.Field.maximumNumber, oneofs: oneofs,
            canBeDelimited: canBeDelimited)
        guard !Self.reservedNumbers.contains(field.number) else {
            throw error(
                "\(scope), field '\(field.name)'",
                "its number is \(field.number); protobuf reserves 19000 to 19999")
        }
        return field
    }

    private mutating func add(
        extensions list: [ArraySlice<UInt8>], scope: String, of place: String,
        _ features: SchemaFeatures
    ) throws(MessageError) {
        for bytes in list {
            let parsed = try ParsedFields(bytes)
            let fullName = try symbol(parsed.text(1), in: scope)
            let field = try FieldReader(file: file.name, place: place).field(
                bytes, features, numbers: Self.extensionNumbers, oneofs: 0,
                extensionName: fullName)
            extensions.append(
                Schema.Extension(
                    extendee: FieldReader.typeName(parsed.text(2)), field: field))
        }
    }

    private mutating func add(
        enumeration bytes: ArraySlice<UInt8>, scope: String, _ features: SchemaFeatures
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = try symbol(parsed.text(1), in: scope)
        let own = try features.overridden(
            by: parsed.messages(3), SchemaFeatures.Option.enumeration)
        var values: [(name: String, number: Int)] = []
        for value in parsed.messages(2) {
            let entry = try ParsedFields(value)
            values.append((entry.text(1), Int(entry.int32(2) ?? 0)))
        }
        enumerations.append(
            Schema.Enumeration(fullName: fullName, values: values, isClosed: own.hasClosedEnums))
    }

    /// The number of `idempotency_level` in `MethodOptions`, and its value NO_SIDE_EFFECTS.
    private static let idempotencyLevel = 34
    private static let noSideEffects: Int32 = 1

    private mutating func add(
        service bytes: ArraySlice<UInt8>, scope: String
    ) throws(MessageError) {
        let parsed = try ParsedFields(bytes)
        let fullName = Self.join(scope, parsed.text(1))
        var methods: [Schema.Method] = []
        for method in parsed.messages(2) {
            let entry = try ParsedFields(method)
            var level: Int32?
            for options in entry.messages(4) {
                level = try ParsedFields(options).int32(Self.idempotencyLevel) ?? level
            }
            methods.append(
                Schema.Method(
                    name: entry.text(1), input: FieldReader.typeName(entry.text(2)),
                    output: FieldReader.typeName(entry.text(3)), clientStreams: entry.bool(5),
                    serverStreams: entry.bool(6),
                    hasSideEffects: level != Self.noSideEffects, options: entry.messages(4)))
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

    private func error(_ place: String, _ what: String) -> MessageError {
        FieldReader.error(file: file.name, place, what)
    }
}
