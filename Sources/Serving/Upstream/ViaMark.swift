internal import HTTP2Session
internal import TrafficPolicy

/// The value of `x-weir-via` in every request that one server sends to one backend. A request that arrives
/// with the mark has passed through both before: the backend's addresses lead back to the server, directly or
/// through another one.
struct ViaMark {
    /// How often a request may pass through the same server to the same backend. Services that copy all
    /// metadata into their own calls may do so a few times without a loop.
    static let maxPasses = 4

    /// 16 hexadecimal digits, which reveal neither the server nor the backend's name.
    let value: String

    /// - Parameter server: a random number for each start of a server.
    init(server: UInt64, backend: String) {
        let digits = String(KeyHash.hash(backend, seed: server), radix: 16)
        value = String(repeating: "0", count: max(0, 16 - digits.utf8.count)) + digits
    }

    /// Whether a request with these headers has passed as often as it may.
    func isLoop(_ headers: HeaderBlock) -> Bool {
        let fields = headers.fields.filter { $0.known == KnownHeader.via.rawValue }
        // A proxy on the way may have joined several fields with commas (RFC 9110 section 5.3).
        let marks = fields.flatMap { field in headers.text(field).split { ", ".contains($0) } }
        return marks.count { $0 == value } >= Self.maxPasses
    }
}
