/// The features of `descriptor.proto` that change how messages are encoded or converted: set by the
/// syntax or the edition of a file, and overridden by options of the declarations in it.
///
/// Source: protobuf's "Feature Settings for Editions".
struct SchemaFeatures {
    /// Whether fields without a oneof do not distinguish unset from their default.
    private(set) var hasImplicitPresence = false
    /// Whether an enum drops numbers that it does not declare.
    private(set) var hasClosedEnums = false
    /// Whether repeated numbers are packed when written.
    private(set) var isPacked = true
    /// Whether messages in fields are groups on the wire.
    private(set) var isDelimited = false

    /// Field numbers of the `features` option of each kind of declaration.
    enum Option {
        static let file = 50
        static let message = 12
        static let field = 21
        static let enumeration = 7
    }

    /// - Parameter file: a `FileDescriptorProto`.
    init(file: ParsedFields) throws(MessageError) {
        switch file.text(12) {
        case "proto3": hasImplicitPresence = true
        case "editions": self = try overridden(by: file.messages(8), Option.file)
        default: (hasClosedEnums, isPacked) = (true, false)
        }
    }

    /// The features of a declaration with the given options.
    func overridden(
        by options: [ArraySlice<UInt8>], _ number: Int
    ) throws(MessageError) -> SchemaFeatures {
        var result = self
        for option in options {
            for set in try ParsedFields(option).messages(number) {
                let features = try ParsedFields(set)
                if let presence = features.int32(1), presence != 0 {
                    result.hasImplicitPresence = presence == 2
                }
                if let type = features.int32(2), type != 0 { result.hasClosedEnums = type == 2 }
                if let packing = features.int32(3), packing != 0 { result.isPacked = packing == 1 }
                if let encoding = features.int32(5), encoding != 0 {
                    result.isDelimited = encoding == 2
                }
            }
        }
        return result
    }
}
