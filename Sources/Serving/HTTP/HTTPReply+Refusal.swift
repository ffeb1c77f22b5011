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
            headers: [("grpc-status", "\(error.code.rawValue)")]
                + WebHeaders.retryAfter(error.metadata[KnownHeader.retryPushback.name]),
            body: Array((json.text(indent: 0) + "\n").utf8))
    }

    /// A refusal with an HTTP status.
    package init(_ refusal: HTTPRefusal) { self.init(refusal.error, status: refusal.status) }
}
