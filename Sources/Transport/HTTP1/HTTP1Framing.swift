internal import GRPCWire

/// How the body of an HTTP/1 request is delimited (RFC 9112 section 6.3).
package enum HTTP1Framing: Equatable, Sendable {
    /// This many bytes; 0 for a request without a body.
    case length(Int)
    case chunked

    /// Whether the request has a body.
    package var hasBody: Bool { self != .length(0) }

    /// Reads the header fields. Refuses what two recipients could interpret differently: a request
    /// with both fields, with several lengths, or with a coding other than chunked.
    ///
    /// - Parameters:
    ///   - minorVersion: of HTTP/1.
    ///   - limit: the largest body accepted, in bytes.
    package init(
        _ fields: [HTTPFields.Field], minorVersion: Int, limit: Int
    ) throws(HTTPRefusal) {
        let lengths = fields.filter { $0.name == "content-length" }
        guard fields.contains(where: { $0.name == "transfer-encoding" }) else {
            self = .length(try Self.length(lengths.map(\.value), limit: limit))
            return
        }
        guard minorVersion > 0 else {
            throw HTTPRefusal(400, "HTTP/1.0 does not support Transfer-Encoding")
        }
        guard lengths.isEmpty else {
            throw HTTPRefusal(400, "the request has both Content-Length and Transfer-Encoding")
        }
        let codings = HTTPFields.list("transfer-encoding", in: fields)
        if let unknown = codings.first(where: { $0 != "chunked" }) {
            throw HTTPRefusal(
                501, "the transfer coding \(unknown.quoted) is not supported: use chunked")
        }
        guard codings.count == 1 else {
            throw HTTPRefusal(400, "invalid Transfer-Encoding: it must be chunked, once")
        }
        self = .chunked
    }

    private static func length(_ values: [String], limit: Int) throws(HTTPRefusal) -> Int {
        guard let value = values.first else { return 0 }
        guard values.count == 1 else {
            throw HTTPRefusal(400, "the request has \(values.count) Content-Length fields")
        }
        // `Int` accepts a sign, which a length does not have.
        guard !value.isEmpty, value.utf8.allSatisfy(\.isDigit) else {
            throw HTTPRefusal(
                400,
                "invalid Content-Length \(value.quoted): it must be a number of bytes"
            )
        }
        guard let length = Int(value) else {
            throw HTTPRefusal(
                400, "invalid Content-Length \(value.quoted): it must be at most \(Int.max)")
        }
        guard length <= limit else { throw .bodyTooLarge(limit: limit) }
        return length
    }
}
