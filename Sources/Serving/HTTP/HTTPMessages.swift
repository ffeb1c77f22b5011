package import GRPCWire
internal import Messages

/// A request that is not gRPC, complete.
package struct HTTPRequest: Sendable {
    package let method: String
    /// Without the query.
    package let path: String
    /// What stood behind the "?".
    package let query: String
    /// In order; names in lower case, without HTTP/2's own.
    package let headers: [(name: String, value: String)]
    package let body: [UInt8]
    /// Who asks.
    package let peer: Peer

    /// - Parameter target: path and query, or a whole URL, as a proxy's clients send.
    package init(
        _ method: String, target: String, headers: [(name: String, value: String)], body: [UInt8],
        peer: Peer
    ) {
        self.method = method
        let (path, query) = Self.parts(of: target)
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    package func first(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// Path and query of a request's target (RFC 9112 section 3.2).
    static func parts(of target: String) -> (path: String, query: String) {
        var rest = target.prefix { $0 != "#" }
        for scheme in ["http://", "https://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count).drop { $0 != "/" && $0 != "?" }
        }
        let path = rest.prefix { $0 != "?" }
        let query = rest.dropFirst(path.count + 1)
        return (path.isEmpty ? "/" : String(path), String(query))
    }
}

/// The answer to a request that is not gRPC.
package struct HTTPReply: Sendable {
    package let status: Int
    /// Names in lower case; what frames the body is added by whoever sends it.
    package var headers: [(name: String, value: String)]
    package let body: [UInt8]

    package init(
        status: Int, contentType: String = "text/plain; charset=utf-8",
        headers: [(name: String, value: String)] = [], body: [UInt8]
    ) {
        self.status = status
        self.headers = [("content-type", contentType)] + headers
        self.body = body
    }

    package init(status: Int, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.init(status: status, contentType: contentType, body: Array(body.utf8))
    }

    /// A refusal, as JSON that names the gRPC status. Its header `grpc-status` tells it from what a backend
    /// answers, whatever that looks like.
    package init(_ error: RPCError, status: Int? = nil) {
        let json = JSONValue.object([
            ("code", .string("\(error.code)")), ("message", .string(error.message)),
        ])
        self.init(
            status: status ?? error.code.httpStatus, contentType: "application/json",
            headers: [("grpc-status", "\(error.code.rawValue)")] + Self.retryAfter(error),
            body: Array((json.text(indent: 0) + "\n").utf8))
    }

    /// RFC 9110 section 10.2.3: whole seconds.
    private static func retryAfter(_ error: RPCError) -> [(name: String, value: String)] {
        error.metadata["grpc-retry-pushback-ms"].flatMap { Int($0) }.map {
            [("retry-after", "\(($0 + 999) / 1_000)")]
        } ?? []
    }

    /// Whether a response with this status may have a body (RFC 9110 section 6.4.1).
    var allowsBody: Bool { status != 204 && status != 304 }
}

extension StatusCode {
    /// The HTTP status for whoever does not speak gRPC (the table in `google/rpc/code.proto`).
    var httpStatus: Int {
        switch self {
        case .ok: 200
        case .cancelled: 499
        case .invalidArgument, .failedPrecondition, .outOfRange: 400
        case .deadlineExceeded: 504
        case .notFound: 404
        case .alreadyExists, .aborted: 409
        case .permissionDenied: 403
        case .unauthenticated: 401
        case .resourceExhausted: 429
        case .unimplemented: 501
        case .unavailable: 503
        default: 500
        }
    }
}
