internal import GRPCWire

/// The parts of a request target (RFC 9112 section 3.2).
package struct RequestTarget: Equatable, Sendable {
    /// Begins with a slash, or is `*` for a request to the server itself.
    package private(set) var path: String
    /// The part after the "?".
    package let query: String
    /// The host and port of a target that is a URL.
    package let authority: HTTPHost?

    /// Whether the request is to the server itself: `OPTIONS *`.
    package var isAsterisk: Bool { path == "*" }

    /// Parses a target.
    ///
    /// - Parameters:
    ///   - target: a path with a query, an `http` or `https` URL, or `*`.
    ///   - method: `*` is valid only for OPTIONS.
    package init(_ target: String, method: String) throws(HTTPRefusal) {
        try self.init(parsing: target)
        try check(method: method)
    }

    /// Parses a target of an OPTIONS request, for which a URL without a path is `*` (RFC 9112
    /// section 3.2.4).
    package init(parsing target: String) throws(HTTPRefusal) {
        guard target.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw HTTPRefusal(
                400,
                "invalid request target \(target.quoted): spaces, control characters "
                    + "and non-ASCII characters must be percent-encoded")
        }
        var rest = target.utf8.prefix { $0 != UInt8(ascii: "#") }
        var authority: HTTPHost?
        let isPath = rest.first == Self.slash
        if !isPath, let scheme = Self.schemes.first(where: { Self.begins(rest, with: $0) }) {
            rest = rest.dropFirst(scheme.utf8.count)
            let host = rest.prefix { $0 != Self.slash && $0 != Self.question }
            rest = rest.dropFirst(host.count)
            authority = HTTPHost(String(Substring(host)))
            guard authority != nil else {
                throw HTTPRefusal(
                    400,
                    "invalid host \(String(Substring(host)).quoted) in the request target")
            }
            if rest.isEmpty { rest = "*".utf8[...] }
        }
        let path = rest.prefix { $0 != Self.question }
        query = String(Substring(rest.dropFirst(path.count + 1)))
        self.path = path.isEmpty ? "/" : String(Substring(path))
        self.authority = authority
        let hasPath = path.isEmpty || path.first == Self.slash
        guard hasPath && (authority != nil || isPath) || isAsterisk && query.isEmpty else {
            throw Self.invalid(target)
        }
        // RFC 3986 section 7.3.
        guard !Self.containsNUL(path) else {
            throw HTTPRefusal(
                400,
                "invalid request target \(target.quoted): the path contains %00")
        }
    }

    private static let slash = UInt8(ascii: "/")
    private static let question = UInt8(ascii: "?")

    /// Whether a text begins with a scheme, in any case.
    private static func begins(_ text: Substring.UTF8View, with scheme: String) -> Bool {
        let beginning = text.prefix(scheme.utf8.count)
        return beginning.count == scheme.utf8.count
            && zip(beginning, scheme.utf8).allSatisfy { $0 | 0x20 == $1 }
    }

    /// Whether a path has a NUL, percent-encoded.
    private static func containsNUL(_ path: Substring.UTF8View) -> Bool {
        var rest = path
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            rest = rest[percent...].dropFirst()
            if rest.prefix(2).elementsEqual("00".utf8) { return true }
        }
        return false
    }

    private static let schemes = ["http://", "https://"]

    /// Applies the method: except for OPTIONS, a URL without a path is `/`, and `*` is invalid.
    private mutating func check(method: String) throws(HTTPRefusal) {
        guard isAsterisk, method != "OPTIONS" else { return }
        guard authority != nil else { throw Self.invalid(path) }
        path = "/"
    }

    private static func invalid(_ target: String) -> HTTPRefusal {
        HTTPRefusal(
            400,
            "invalid request target \(target.quoted): it must be a path, an http "
                + "or https URL, or * with OPTIONS")
    }
}
