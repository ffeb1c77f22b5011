/// Reads one `FieldDescriptorProto` and validates its numbers.
struct FieldReader {
    private static let types = 1...18
    private static let groupType = 10
    private static let labels = 1...3
    private static let repeatedLabel: Int32 = 3

    /// The name of the file and the enclosing declaration, for errors.
    let file: String
    let place: String

    /// - Parameters:
    ///   - numbers: the valid field numbers.
    ///   - oneofs: the number of the message's oneofs.
    ///   - extensionName: the full name of an extension; nil for a field of a message.
    ///   - canBeDelimited: whether a field of a message type may be a group by its features.
    func field(
        _ bytes: ArraySlice<UInt8>, _ outer: SchemaFeatures, numbers: ClosedRange<Int>, oneofs: Int,
        extensionName: String? = nil, canBeDelimited: (String) -> Bool = { _ in true }
    ) throws(MessageError) -> Schema.Field {
        let parsed = try ParsedFields(bytes)
        let name = parsed.text(1)
        let place = "\(place), field '\(name)'"
        let features = try outer.overridden(by: parsed.messages(8), SchemaFeatures.Option.field)
        let number = try value(parsed.int32(3), "number", in: numbers, place)
        let type = try value(parsed.int32(5), "type", in: Self.types, place)
        if let label = parsed.int32(4) { _ = try value(label, "label", in: Self.labels, place) }
        let isRepeated = parsed.int32(4) == Self.repeatedLabel
        let isGroup = type == Self.groupType
        guard let kind = isGroup ? Schema.Kind.message : Schema.Kind(rawValue: type) else {
            throw Self.error(file: file, place, "unsupported type \(type)")
        }
        let typeName = Self.typeName(parsed.text(6))
        let isOptional = parsed.bool(17)
        let oneof = try oneof(parsed.int32(9), count: oneofs, place)
        let isAlwaysPresent = kind == .message || oneof != nil || extensionName != nil
        let jsonName = parsed.text(10)
        // The option `packed`, which editions replace by a feature.
        var isPacked = features.isPacked
        for options in parsed.messages(8) {
            if let flag = try ParsedFields(options).int32(2) { isPacked = flag != 0 }
        }
        return Schema.Field(
            name: extensionName.map { "[\($0)]" } ?? name,
            jsonName: extensionName.map { "[\($0)]" }
                ?? (jsonName.isEmpty ? Schema.Field.jsonName(of: name) : jsonName),
            number: number, isRepeated: isRepeated,
            isPacked: isRepeated && isPacked && kind.wireType != nil, kind: kind,
            isGroup: isGroup
                || kind == .message && features.isDelimited && canBeDelimited(typeName),
            typeName: typeName, oneof: isOptional ? nil : oneof, isOptional: isOptional,
            hasPresence: !isRepeated
                && (isAlwaysPresent || isOptional || !features.hasImplicitPresence))
    }

    private func oneof(_ index: Int32?, count: Int, _ place: String) throws(MessageError) -> Int? {
        guard let index else { return nil }
        guard count > 0 else {
            throw Self.error(
                file: file, place, "its oneof_index is \(index), but no oneof is declared")
        }
        return try value(index, "oneof_index", in: 0...count - 1, place)
    }

    private func value(
        _ value: Int32?, _ what: String, in range: ClosedRange<Int>, _ place: String
    ) throws(MessageError) -> Int {
        guard let value else { throw Self.error(file: file, place, "it has no \(what)") }
        guard range.contains(Int(value)) else {
            throw Self.error(
                file: file, place,
                "its \(what) is \(value); it must be from \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return Int(value)
    }

    static func typeName(_ name: String) -> String { String(name.drop { $0 == "." }) }

    static func error(file: String, _ place: String, _ what: String) -> MessageError {
        // Names from the file may have any length.
        MessageError("file '\(file.prefix(200))', \(place.prefix(400)): \(what.prefix(400))")
    }
}
