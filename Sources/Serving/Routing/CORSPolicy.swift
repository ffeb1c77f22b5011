internal import GRPCWire
internal import Transport

/// Which scripts of web pages may send requests (the Fetch Standard, "CORS protocol"). Without a
/// policy, browsers let only pages of the server's own origin read responses.
package struct CORSPolicy: Sendable, Equatable {
    /// The most origins, and the most headers of each kind.
    package static let maxCount = 64
    private static let maxBytes = 256
    /// The time for which browsers keep the answer to a preflight, in seconds.
    private static let maxAge = 7_200

    /// As browsers send them: lower case, without a path; or `*` for all.
    package let origins: [String]
    /// Request headers that scripts may set, in addition to those of the protocols.
    package let headers: [String]
    /// Response headers that scripts may read, in addition to those of the protocols.
    package let exposedHeaders: [String]
    /// Whether browsers may send cookies and certificates.
    package let allowsCredentials: Bool

    /// Why a policy is invalid.
    package struct Invalid: Error, Equatable {
        /// The field of the policy.
        package let field: String
        package let reason: String
    }

    package init(
        origins: [String], headers: [String] = [], exposedHeaders: [String] = [],
        allowsCredentials: Bool = false
    ) throws(Invalid) {
        func invalid(_ field: String, _ reason: String) -> Invalid {
            Invalid(field: field, reason: reason)
        }
        guard !origins.isEmpty else {
            throw invalid("origins", "must name at least one origin")
        }
        for (field, values) in [
            ("origins", origins), ("headers", headers), ("exposed_headers", exposedHeaders),
        ] where values.count > Self.maxCount {
            throw invalid(field, "has \(values.count) entries; the limit is \(Self.maxCount)")
        }
        for (index, origin) in origins.enumerated() {
            guard let problem = Self.problem(of: origin) else { continue }
            throw invalid("origins[\(index)]", "invalid origin \(origin.quoted): \(problem)")
        }
        for (field, names) in [("headers", headers), ("exposed_headers", exposedHeaders)] {
            for (index, name) in names.enumerated()
            where !HTTPFields.isToken(name.utf8) || name.utf8.count > Self.maxBytes || name == "*" {
                throw invalid("\(field)[\(index)]", "invalid header name \(name.quoted)")
            }
        }
        if allowsCredentials, origins.contains("*") {
            throw invalid("credentials", "with credentials, the origins must be named, without *")
        }
        self.origins = Set(origins.map { $0.lowercased() }).sorted()
        self.headers = Set(headers.map { $0.lowercased() }).sorted()
        self.exposedHeaders = Set(exposedHeaders.map { $0.lowercased() }).sorted()
        self.allowsCredentials = allowsCredentials
    }

    /// The ports that browsers omit.
    private static let defaultPorts = ["http": ":80", "https": ":443"]

    /// Why no browser sends an origin.
    private static func problem(of text: String) -> String? {
        if text == "*" { return nil }
        let form = "it must be SCHEME://HOST or SCHEME://HOST:PORT, or *"
        let parts = text.split(separator: "://", maxSplits: 1, omittingEmptySubsequences: false)
        guard text.utf8.count <= maxBytes, parts.count == 2, let first = parts[0].utf8.first,
            (0x61...0x7a).contains(first | 0x20), parts[0].utf8.allSatisfy(\.isSchemeByte),
            HTTPHost(String(parts[1])) != nil
        else { return form }
        if parts[1].contains("*") { return form + "; * stands alone, for all origins" }
        if let port = defaultPorts[parts[0].lowercased()], parts[1].hasSuffix(port) {
            return "browsers omit the default port: use '\(text.dropLast(port.count))'"
        }
        return nil
    }

    /// Whether scripts of pages of an origin may send requests.
    package func allows(_ origin: String) -> Bool {
        origins.contains("*") || origins.contains(origin.lowercased())
    }

    // MARK: Responses

    /// The fields of each response except the one to a preflight.
    ///
    /// - Parameter head: of the request.
    func fields(for head: HTTPRequestHead) -> [HTTPFields.Field] {
        [("vary", "origin")] + originFields(head)
            + (isAllowed(head)
                ? [
                    (
                        "access-control-expose-headers",
                        (Self.exposed + exposedHeaders).joined(separator: ", ")
                    )
                ] : [])
    }

    /// The response to a preflight: a request of the browser before a script's request. For an
    /// origin that is not allowed, it lacks the fields that allow it.
    ///
    /// - Parameter methods: that the path accepts.
    func preflight(_ head: HTTPRequestHead, methods: [String]) -> HTTPReply {
        var reply = HTTPReply(emptyWithStatus: 204)
        reply.headers = [
            (
                "vary", "origin, access-control-request-method, access-control-request-headers"
            )
        ]
        guard isAllowed(head) else { return reply }
        reply.headers += originFields(head)
        reply.headers += [
            ("access-control-allow-methods", methods.joined(separator: ", ")),
            (
                "access-control-allow-headers",
                (Self.accepted + headers).joined(separator: ", ")
            ),
            ("access-control-max-age", "\(Self.maxAge)"),
        ]
        return reply
    }

    /// Whether a request is a preflight.
    static func isPreflight(_ head: HTTPRequestHead) -> Bool {
        head.method == "OPTIONS" && origin(of: head) != nil
            && head.fields.contains { $0.name == "access-control-request-method" }
    }

    private static func origin(of head: HTTPRequestHead) -> String? {
        let origins = head.fields.filter { $0.name == "origin" }
        return origins.count == 1 ? origins[0].value : nil
    }

    private func isAllowed(_ head: HTTPRequestHead) -> Bool {
        Self.origin(of: head).map(allows) ?? false
    }

    private func originFields(_ head: HTTPRequestHead) -> [HTTPFields.Field] {
        guard let origin = Self.origin(of: head), allows(origin) else { return [] }
        let allowed = origins.contains("*") ? "*" : origin
        let credentials = allowsCredentials ? [("access-control-allow-credentials", "true")] : []
        return [("access-control-allow-origin", allowed)] + credentials
    }

    /// Whether a backend's response header is replaced by the policy's.
    static func replaces(_ name: String) -> Bool { name.hasPrefix("access-control-") }

    /// The request headers of gRPC-Web and Connect, and of Weir.
    private static let accepted = [
        "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent", "connect-protocol-version",
        "connect-timeout-ms", "x-serve-shard-key", "content-encoding", "grpc-encoding",
        "grpc-accept-encoding", "connect-content-encoding", "connect-accept-encoding",
    ]

    /// The response headers of the protocols, and of Weir.
    private static let exposed = [
        "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding",
        "connect-content-encoding", "content-encoding", "x-serve-backend",
        "trailer-x-serve-backend", "retry-after",
    ]
}

extension UInt8 {
    /// A byte of a scheme (RFC 3986 section 3.1).
    fileprivate var isSchemeByte: Bool {
        (0x61...0x7a).contains(self | 0x20) || isDigit || self == UInt8(ascii: "+")
            || self == UInt8(ascii: "-") || self == UInt8(ascii: ".")
    }
}
