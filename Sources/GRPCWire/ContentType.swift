/// The `content-type` of a call: `application/grpc`, perhaps with `+proto`, `+json` or another
/// suffix, perhaps with parameters.
package enum ContentType {
    package static let grpc = "application/grpc"

    private static let name = Array(grpc.utf8)

    /// Whether a request or a response with this type is gRPC; if not, a server answers 415.
    package static func isGRPC(_ value: ArraySlice<UInt8>) -> Bool {
        guard value.count >= name.count else { return false }
        for index in name.indices where lowercase(value[value.startIndex + index]) != name[index] {
            return false
        }
        guard value.count > name.count else { return true }
        let next = value[value.startIndex + name.count]
        return next == UInt8(ascii: "+") || next == UInt8(ascii: ";") || next == 0x20
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 {
        (65...90).contains(byte) ? byte + 32 : byte
    }
}
