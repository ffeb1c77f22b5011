package import GRPCWire
internal import Messages
package import Transport

extension HTTPReply {
    /// A refusal: JSON with the gRPC status. Its header `grpc-status` distinguishes it from the
    /// responses of backends.
    package init(_ error: RPCError, status: Int? = nil) {
        let json = JSONValue.object([
            ("code", .string("\(error.code)")), ("message", .string(error.message)),
        ])
        self.init(
            status: status ?? error.code.httpStatus, contentType: "application/json",
            headers: [("grpc-status", "\(error.code.rawValue)")] + Self.retryAfter(error),
            body: Array((json.text(indent: 0) + "\n").utf8))
    }

    /// A refusal with an HTTP status.
    package init(_ refusal: HTTPRefusal) { self.init(refusal.error, status: refusal.status) }

    /// RFC 9110 section 10.2.3: whole seconds, rounded up.
    private static func retryAfter(_ error: RPCError) -> [HTTPFields.Field] {
        guard let text = error.metadata["grpc-retry-pushback-ms"],
            let milliseconds = DecimalNumber.parse(Array(text.utf8).span)
        else { return [] }
        return [("retry-after", "\((milliseconds + 999) / 1_000)")]
    }
}
