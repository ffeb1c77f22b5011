internal import Serving
internal import Transport

/// The hosts that plain HTTP requests, and calls of web protocols, to the admin port may name.
///
/// The owner of `evil.example` can make that name resolve to an address of this server ("DNS
/// rebinding"). A browser then allows a page of `evil.example` to read the responses, because they
/// have the origin of the page. The request still names `evil.example`, so it is rejected. Hosts
/// that a page of another site cannot have are allowed: IP addresses, names without a dot, names
/// below `localhost` (RFC 6761 section 6.3), and the names of this server.
///
/// gRPC calls are not checked: browsers send HTTP/2 over TLS only, and a certificate of this server
/// does not have the page's name.
package struct AdminHosts: Sendable {
    private let names: Set<String>

    /// - Parameter names: names of this server; invalid ones are ignored.
    package init(_ names: [String] = []) {
        self.names = Set(names.compactMap { HTTPHost($0)?.name })
    }

    /// Whether an `Origin` has the host and the port of a request. The scheme is not compared,
    /// because a proxy in front of the server may have another one.
    static func isOwn(_ origin: String, of host: HTTPHost?) -> Bool {
        guard let host, let end = origin.firstRange(of: "://")?.upperBound else { return false }
        let scheme = origin[..<end].lowercased()
        let ports = ["http://": ":80", "https://": ":443"]
        let defaultPort = ports[scheme] ?? ""
        func full(_ authority: String) -> String {
            let text = authority.lowercased()
            return !defaultPort.isEmpty && text.hasSuffix(defaultPort)
                ? String(text.dropLast(defaultPort.count)) : text
        }
        return full(String(origin[end...])) == full(host.text)
    }

    /// Whether a request may name a host. A request of HTTP/1.0, which browsers do not send, may
    /// omit it.
    func allow(_ host: HTTPHost?) -> Bool {
        guard let host else { return true }
        // '%2e' is a dot too.
        let isLocal =
            !host.name.contains { $0 == "." || $0 == "%" } || host.name.hasSuffix(".localhost")
        return host.isAddress || isLocal
            || names.contains(host.name)
    }
}
