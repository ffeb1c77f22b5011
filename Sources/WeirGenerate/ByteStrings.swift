internal import Messages

/// Changes every `string` field of a `FileDescriptorSet` to `bytes`, so that protobuf-c keeps the
/// length of a text. Its own strings end at the first NUL.
///
/// Numbers are the field numbers of `google/protobuf/descriptor.proto`. Map entries lose their
/// `map_entry` option, because a map's key can't be bytes, and fields lose their `proto3_optional`,
/// which protoc-gen-c 1.4 rejects; each becomes a oneof of one field. The wire format does not
/// change.
enum ByteStrings {
    static func rewrite(descriptorSet: [UInt8]) throws(MessageError) -> [UInt8] {
        try mapped(descriptorSet[...], [1: file])
    }

    private typealias Rewrite = (ArraySlice<UInt8>) throws(MessageError) -> [UInt8]

    private static func file(_ bytes: ArraySlice<UInt8>) throws(MessageError) -> [UInt8] {
        try mapped(bytes, [4: message])
    }

    private static func message(_ bytes: ArraySlice<UInt8>) throws(MessageError) -> [UInt8] {
        try mapped(bytes, [2: field, 3: message, 7: { _ in [] }])
    }

    private static func field(_ bytes: ArraySlice<UInt8>) throws(MessageError) -> [UInt8] {
        var reader = WireReader(bytes)
        var writer = WireWriter()
        let (string, bytesKind) = (Schema.Kind.string.rawValue, Schema.Kind.bytes.rawValue)
        while let (number, value) = try reader.next() {
            if number == 5, case .number(UInt64(string), .varint) = value {
                writer.field(5, varint: UInt64(bytesKind))
            } else if number != 17 {
                writer.field(number, value)
            }
        }
        return writer.bytes
    }

    private static func mapped(
        _ bytes: ArraySlice<UInt8>, _ rewrites: [Int: Rewrite]
    ) throws(MessageError) -> [UInt8] {
        var reader = WireReader(bytes)
        var writer = WireWriter()
        while let (number, value) = try reader.next() {
            if let rewrite = rewrites[number], case .bytes(let nested) = value {
                writer.field(number, bytes: try rewrite(nested))
            } else {
                writer.field(number, value)
            }
        }
        return writer.bytes
    }
}
