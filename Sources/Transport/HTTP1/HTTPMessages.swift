package import GRPCWire

/// The head of a plain HTTP request, checked as RFC 9110 and RFC 9112 require.
package struct HTTPRequestHead: Sendable {
    /// The version of HTTP.
    package enum Version: Equatable, Sendable {
        /// HTTP/1.0 or HTTP/1.1.
        case http1(minor: Int)
        case http2
    }

    /// The version of HTTP.
    package let version: Version
    /// The minor version of an HTTP/1 response.
    package var minorVersion: Int { if case .http1(let minor) = version { minor } else { 1 } }
    /// The method, in the client's case.
    package let method: String
    /// The path and the query.
    package let target: RequestTarget
    /// The host of the request; nil for a request of HTTP/1.0 without `Host`.
    package let host: HTTPHost?
    /// In order; names in lower case, values trimmed. The first field is `host`, if the request has
    /// one.
    package private(set) var fields: [HTTPFields.Field]
    /// Whether the client waits for `100 Continue`.
    package let expectsContinue: Bool

    /// - Parameters:
    ///   - fields: names in lower case, without the pseudo-header fields of HTTP/2.
    ///   - authority: `:authority` of HTTP/2.
    package init(
        _ method: String, target: String, authority: String? = nil, _ fields: [HTTPFields.Field],
        _ version: Version
    ) throws(HTTPRefusal) {
        guard HTTPFields.isToken(method.utf8) else {
            throw HTTPRefusal(400, "invalid method \(method.quoted)")
        }
        guard method != "CONNECT" else {
            throw HTTPRefusal(501, "CONNECT is not supported")
        }
        self.version = version
        self.method = method
        self.target = try RequestTarget(target, method: method)
        let fields = fields.map { (name: $0.name, value: HTTPFields.trimmed($0.value)) }
        let host = try Self.host(in: fields, authority: authority, version)
        // The authority of a URL replaces `Host` (RFC 9112 section 3.2.2).
        self.host = self.target.authority ?? host
        var others = fields.filter { $0.name != KnownHeader.host.name }
        if let host = self.host { others.insert((KnownHeader.host.name, host.text), at: 0) }
        self.fields = others
        expectsContinue = try Self.expectsContinue(others, version)
        try Self.checkMetadata(others)
    }

    /// The same head with a further field, which is metadata for the backend.
    package func adding(
        _ header: KnownHeader, _ value: String
    ) throws(HTTPRefusal) -> HTTPRequestHead {
        var head = self
        head.fields.append((header.name, HTTPFields.trimmed(value)))
        try Self.checkMetadata(head.fields)
        return head
    }

    private static func host(
        in fields: [HTTPFields.Field], authority: String?, _ version: Version
    ) throws(HTTPRefusal) -> HTTPHost? {
        let values = fields.filter { $0.name == KnownHeader.host.name }.map(\.value)
        guard values.count <= 1 else {
            throw HTTPRefusal(
                400, "the request has \(values.count) Host fields: it must have one")
        }
        guard let text = authority ?? values.first else {
            guard version == .http1(minor: 0) else {
                throw HTTPRefusal(400, "the request has no Host field")
            }
            return nil
        }
        guard let host = HTTPHost(text) else {
            throw HTTPRefusal(
                400, "invalid host \(text.quoted): it must be HOST or HOST:PORT")
        }
        // RFC 9113 section 8.3.1.
        if authority != nil, let value = values.first, value.lowercased() != text.lowercased() {
            throw HTTPRefusal(400, "Host and :authority of the request differ")
        }
        return host
    }

    /// RFC 9110 section 10.1.1. A server ignores `Expect` in HTTP/1.0.
    private static func expectsContinue(
        _ fields: [HTTPFields.Field], _ version: Version
    ) throws(HTTPRefusal) -> Bool {
        guard version != .http1(minor: 0) else { return false }
        let expected = HTTPFields.list("expect", in: fields)
        if let unknown = expected.first(where: { $0 != "100-continue" }) {
            throw HTTPRefusal(
                417, "the expectation \(unknown.quoted) is not supported")
        }
        return !expected.isEmpty
    }

    /// Fields that a backend receives as gRPC metadata. A strict gRPC server would end a call with
    /// an invalid field, which would count as a failure of that server.
    static let metadataFields: [KnownHeader] = [.shardKey, .forwardedFor, .via]

    private static func checkMetadata(_ fields: [HTTPFields.Field]) throws(HTTPRefusal) {
        for header in metadataFields {
            guard
                let invalid = fields.first(where: {
                    $0.name == header.name && !HTTPFields.isMetadataValue($0.value)
                })
            else { continue }
            throw HTTPRefusal(
                400,
                "invalid \(header.name) \(invalid.value.quoted): it must be printable "
                    + "ASCII")
        }
    }
}

/// A complete plain HTTP request.
package struct HTTPRequest: Sendable {
    /// The method, target and header fields.
    package let head: HTTPRequestHead
    /// The whole body.
    package let body: [UInt8]
    /// The client.
    package let peer: Peer

    /// A request from its parts.
    package init(_ head: HTTPRequestHead, body: [UInt8], peer: Peer) {
        self.head = head
        self.body = body
        self.peer = peer
    }

    /// The method, in the client's case.
    package var method: String { head.method }
    /// The path without the query.
    package var path: String { head.target.path }

    /// The first value of a field, by its name in lower case.
    package func first(_ name: String) -> String? {
        head.fields.first { $0.name == name }?.value
    }

    /// All values of a field, by its name in lower case.
    package func values(_ name: String) -> [String] {
        head.fields.filter { $0.name == name }.map(\.value)
    }

    /// The first non-empty shard key, as in gRPC.
    package var shardKey: String? {
        head.fields.first { $0.name == KnownHeader.shardKey.name && !$0.value.isEmpty }?.value
    }
}

/// The response to a plain HTTP request.
package struct HTTPReply: Sendable {
    /// The HTTP status.
    package let status: Int
    /// Names in lower case. The connection adds the fields that frame the body, and `Date`.
    package var headers: [HTTPFields.Field]
    /// The whole body.
    package let body: [UInt8]

    /// A response with the bytes of a body.
    package init(
        status: Int, contentType: String = "text/plain; charset=utf-8",
        headers: [HTTPFields.Field] = [], body: [UInt8]
    ) {
        self.status = status
        self.headers = [("content-type", contentType)] + headers
        self.body = body
    }

    /// A response with a text.
    package init(status: Int, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.init(status: status, contentType: contentType, body: Array(body.utf8))
    }

    /// A response without a body.
    package init(emptyWithStatus status: Int) {
        self.status = status
        headers = []
        body = []
    }

    /// Whether a response with this status has a length (RFC 9110 section 6.4.1).
    private var hasLength: Bool { status != 204 && status != 304 }

    /// The body, unless the status excludes one (RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5).
    package var content: [UInt8] { hasLength && status != 205 ? body : [] }

    /// All fields of the response, including `content-length` and `date`. A backend's `date` is
    /// kept.
    ///
    /// - Parameter isStreamed: whether the length is not known, because the body follows in pieces.
    package func fields(date: String, isStreamed: Bool = false) -> [HTTPFields.Field] {
        var fields = headers
        if hasLength, !isStreamed { fields.append(("content-length", "\(content.count)")) }
        if !headers.contains(where: { $0.name == "date" }) { fields.append(("date", date)) }
        return fields
    }
}

extension StatusCode {
    /// The HTTP status for plain HTTP clients (the table in `google/rpc/code.proto`).
    package var httpStatus: Int {
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
