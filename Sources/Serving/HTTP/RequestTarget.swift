internal import GRPCWire

/// The target of a request in its parts (RFC 9112 section 3.2).
package struct RequestTarget: Equatable, Sendable {
    /// Begins with a slash, or is `*` for a request about the server itself.
    package let path: String
    /// The part after the "?".
    package let query: String
    /// Of a target that is a URL.
    package let authority: HTTPHost?

    /// About the server itself: `OPTIONS *`.
    package var isServer: Bool { path == "*" }

    /// - Parameters:
    ///   - target: a path with a query, an `http` or `https` URL, or `*`.
    ///   - method: `*` is valid for OPTIONS only.
    package init(_ target: String, method: String) throws(HTTPRefusal) {
        guard target.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw HTTPRefusal(
                400,
                "invalid request target \(target.quoted): spaces, control characters "
                    + "and non-ASCII characters must be percent-encoded")
        }
        var rest = target.prefix { $0 != "#" }
        var authority: HTTPHost?
        if let scheme = Self.schemes.first(where: { rest.prefix($0.count).lowercased() == $0 }) {
            rest = rest.dropFirst(scheme.count)
            let host = rest.prefix { $0 != "/" && $0 != "?" }
            rest = rest.dropFirst(host.count)
            authority = HTTPHost(String(host))
            guard authority != nil else {
                throw HTTPRefusal(
                    400,
                    "invalid host \(String(host).quoted) in the request target")
            }
            if rest.isEmpty, method == "OPTIONS" { rest = "*" }
        }
        let path = rest.prefix { $0 != "?" }
        query = String(rest.dropFirst(path.count + 1))
        self.path = path.isEmpty ? "/" : String(path)
        self.authority = authority
        try check(method, hasAuthority: authority != nil, target)
    }

    private static let schemes = ["http://", "https://"]

    private func check(
        _ method: String, hasAuthority: Bool, _ target: String
    ) throws(HTTPRefusal) {
        guard
            path.hasPrefix("/") && (hasAuthority || target.hasPrefix("/"))
                || isServer && query.isEmpty && method == "OPTIONS"
        else {
            throw HTTPRefusal(
                400,
                "invalid request target \(target.quoted): it must be a path, an http "
                    + "or https URL, or * with OPTIONS")
        }
        // RFC 3986 section 7.3.
        guard !path.contains("%00") else {
            throw HTTPRefusal(
                400,
                "invalid request target \(target.quoted): the path contains %00")
        }
    }
}
