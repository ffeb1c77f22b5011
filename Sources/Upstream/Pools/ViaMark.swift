internal import HTTP2Session
internal import Messages
internal import Transport

/// The value of `x-weir-via` in every request that one server sends to its backends. A request that
/// arrives with the mark has passed through the server before: an address of a backend points to
/// this server, directly or through another one.
package struct ViaMark {
    /// How often a request may pass through the same server. Services that copy all metadata into
    /// their own calls may do so a few times without a loop. With `n` shadows one request becomes
    /// at most `n^maxPasses` copies.
    static let maxPasses = 4

    /// 16 hexadecimal digits.
    package let value: String

    /// - Parameter server: a random number for each start of a server.
    package init(server: UInt64) {
        value = server.padded(16, radix: 16)
    }

    /// Whether a request with these headers has passed `maxPasses` times.
    func isForwardingLoop(_ headers: HeaderBlock) -> Bool {
        let fields = headers.all(.via)
        // A proxy on the way may have joined several fields with commas (RFC 9110 section 5.3).
        let marks = fields.flatMap { field in headers.text(field).split { ", ".contains($0) } }
        return marks.count { $0 == value } >= Self.maxPasses
    }
}
