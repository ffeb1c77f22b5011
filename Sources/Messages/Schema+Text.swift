/// Values of fields as text, as in the path and the query of a URL.
extension Schema {
    /// The fields on a path of names, such as `book.author.name`, from a message to a value that
    /// has a text form. Errors name the path.
    ///
    /// - Parameter names: original or JSON names.
    package func fields(
        at names: [String], in message: String
    ) throws(MessageError) -> [Field] {
        let path = names.joined(separator: ".")
        guard names.count < JSONTranscoder.maximumDepth else {
            throw MessageError(
                field: String(path.prefix(100)),
                "nests deeper than \(JSONTranscoder.maximumDepth) messages")
        }
        var fields: [Field] = []
        var type = message
        for (index, name) in names.enumerated() {
            guard let message = self.message(named: type) else {
                throw MessageError("unknown message type '\(type)'")
            }
            guard let field = message.field(named: name) else {
                throw MessageError(field: path, "is not a field of \(message.membership(of: name))")
            }
            fields.append(field)
            guard index < names.count - 1 else { break }
            let outer = names[...index].joined(separator: ".")
            guard field.kind == .message, SpecialType(named: field.typeName) == nil else {
                throw MessageError(field: path, "does not exist: '\(outer)' is one value")
            }
            guard !field.isRepeated else {
                throw MessageError(
                    field: path, "is inside '\(outer)', which is repeated: only a body can have it")
            }
            type = field.typeName
        }
        if let last = fields.last, let reason = reasonWithoutText(last) {
            throw MessageError(field: path, reason)
        }
        return fields
    }

    /// Why a field has no text form; nil for numbers, strings, enums, and the well-known types.
    private func reasonWithoutText(_ field: Field) -> String? {
        guard field.kind == .message, SpecialType(named: field.typeName) == nil else { return nil }
        if mapEntry(of: field) != nil { return "is a map: only a body can have it" }
        return "is a message: name one of the fields of \(field.typeName)"
    }

    /// The JSON of one value of a field that has a text form. Whether the value is valid is known
    /// when the message is encoded.
    package func json(ofText text: String, _ field: Field) throws(MessageError) -> JSONValue {
        switch field.kind {
        case .bool: return try Self.bool(text)
        case .message:
            switch SpecialType(named: field.typeName) {
            case .boolValue: return try Self.bool(text)
            case .any, .list, .structure, .value: return try JSONValue(parsing: text)
            default: return .string(text)
            }
        default: return .string(text)
        }
    }

    private static func bool(_ text: String) throws(MessageError) -> JSONValue {
        guard text == "true" || text == "false" else {
            throw JSONTranscoder.error("must be true or false")
        }
        return .bool(text == "true")
    }
}

extension Schema.Message {
    /// The name, and the field that a misspelled one probably means, or else all fields, for an
    /// error.
    ///
    /// - Parameter keepsNames: whether fields have the names of the `.proto` file.
    func membership(of name: String, keepsNames: Bool = false) -> String {
        let known = fields.prefix(100).map { keepsNames ? $0.name : $0.jsonName }
        guard let meant = NameSuggestion.closest(to: name, in: known) else {
            return known.isEmpty
                ? fullName : "\(fullName); it has \(known.joined(separator: ", "))"
        }
        return "\(fullName); did you mean '\(meant)'?"
    }
}
