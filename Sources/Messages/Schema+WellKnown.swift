extension Schema {
    /// The types of `google/protobuf/` that have a special JSON form or are common. They take
    /// precedence over a file's own declaration of the same name, and are known without their file.
    static let wellKnown: Schema = {
        var schema = Schema()
        do {
            for file in [
                WeirProtobuf_AnyProto.file, WeirProtobuf_DurationProto.file,
                WeirProtobuf_EmptyProto.file, WeirProtobuf_FieldMaskProto.file,
                WeirProtobuf_StructProto.file, WeirProtobuf_TimestampProto.file,
                WeirProtobuf_WrappersProto.file,
            ] {
                try schema.add(file)
            }
        } catch {
            preconditionFailure("generated code describes itself: \(error)")
        }
        return schema
    }()

    /// The message type with a full name, which may be a well-known type.
    package func message(named name: String) -> Message? {
        Self.wellKnown.messages[name] ?? messages[name]
    }

    /// The enum type with a full name, which may be a well-known type.
    func enumeration(named name: String) -> Enumeration? {
        Self.wellKnown.enumerations[name] ?? enumerations[name]
    }

    /// The entry type of a map field; nil for other fields.
    func mapEntry(of field: Field) -> Message? {
        guard field.kind == .message, field.isRepeated, let entry = messages[field.typeName],
            entry.isMapEntry
        else { return nil }
        return entry
    }

    /// A field or an extension.
    func field(_ number: Int, of message: Message) -> Field? {
        message.field(number) ?? extensions[message.fullName]?[number]
    }
}
