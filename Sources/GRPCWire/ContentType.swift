/// The `content-type` of a call: `application/grpc`, optionally with a suffix such as `+proto` or
/// `+json`, and parameters.
package enum ContentType {
    package static let grpc = "application/grpc"
    /// Whether the messages are JSON.
    package static let json = "application/grpc+json"

    private static let name = Array(grpc.utf8)

    /// Whether a request or a response with this type is gRPC. If not, a server answers with status
    /// 415.
    package static func isGRPC(_ value: ArraySlice<UInt8>) -> Bool {
        guard value.count >= name.count else { return false }
        for index in name.indices where lowercase(value[value.startIndex + index]) != name[index] {
            return false
        }
        guard value.count > name.count else { return true }
        let next = value[value.startIndex + name.count]
        return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || next == 0x20
    }

    /// Whether a gRPC content type declares JSON messages.
    package static func isJSON(_ value: ArraySlice<UInt8>) -> Bool {
        guard value.count >= json.utf8.count else { return false }
        let rest = value.dropFirst(json.utf8.count)
        return zip(value, json.utf8).allSatisfy { lowercase($0) == $1 }
            && (rest.isEmpty || rest.first == UInt8(ascii: ";") || rest.first == 0x20)
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (65...90).contains(byte) ? byte + 32 : byte
    }
}
