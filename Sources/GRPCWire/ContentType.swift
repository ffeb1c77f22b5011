/// The `content-type` of a call: `application/grpc`, optionally with a suffix such as `+proto` or
/// `+json`, and parameters.
package enum ContentType {
    package static let grpc = "application/grpc"
    /// Whether the messages are JSON.
    package static let json = "application/grpc+json"

    private static let name = Array(grpc.utf8)
    private static let jsonName = Array(json.utf8)

    /// Whether a request or a response with this type is gRPC. If not, a server answers with status
    /// 415.
    package static func isGRPC(_ value: Span<UInt8>) -> Bool {
        guard value.count >= name.count else { return false }
        for index in name.indices where lowercase(value[index]) != name[index] {
            return false
        }
        guard value.count > name.count else { return true }
        let next = value[name.count]
        return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || next == 0x20
    }

    /// Whether a gRPC content type declares JSON messages.
    package static func isJSON(_ value: Span<UInt8>) -> Bool {
        guard value.count >= jsonName.count else { return false }
        for index in jsonName.indices where lowercase(value[index]) != jsonName[index] {
            return false
        }
        guard value.count > jsonName.count else { return true }
        return value[jsonName.count] == UInt8(ascii: ";") || value[jsonName.count] == 0x20
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (65...90).contains(byte) ? byte + 32 : byte
    }
}
