package import GRPCWire

/// The route of an endpoint: a method, all methods of a service, a plain HTTP path, or only its
/// name.
package enum Route: Hashable, Sendable, CustomStringConvertible {
    case method(MethodPath)
    case service(String)
    /// A path of plain HTTP requests; with a slash at the end, a prefix of paths.
    case path(String)
    /// No path: calls of `weir.v1.Serve` name the endpoint.
    case nameOnly

    /// The valid forms, for errors.
    package static let forms =
        "a method /pkg.Service/Method, a service /pkg.Service/, a plain path /like/this, "
        + "or nothing for an endpoint that is called by name"

    /// Nil unless the text is empty or a path.
    package init?(_ text: String) {
        guard !text.isEmpty else {
            self = .nameOnly
            return
        }
        guard text.hasPrefix("/"), text.utf8.allSatisfy(Self.isPathByte) else { return nil }
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        if let path = MethodPath(text) {
            self = .method(path)
        } else if parts.count == 2, !parts[0].isEmpty {
            self = .service(String(parts[0]))
        } else {
            // Only the last part may be empty.
            guard parts.dropLast().allSatisfy({ !$0.isEmpty }) else { return nil }
            self = .path(text)
        }
    }

    /// The full name of the service; nil for other routes.
    package var service: String? {
        switch self {
        case .method(let path): path.service
        case .service(let name): name
        case .path, .nameOnly: nil
        }
    }

    /// Whether the route matches plain HTTP requests. A service name with a dot is only for gRPC,
    /// one without a dot is for both.
    package var matchesPlainHTTP: Bool {
        switch self {
        case .method, .service: service?.contains(".") == false
        case .path: true
        case .nameOnly: false
        }
    }

    package var description: String {
        switch self {
        case .method(let path): path.description
        case .service(let name): "/\(name)/"
        case .path(let path): path
        case .nameOnly: ""
        }
    }

    /// Printable ASCII without the characters that end a path (RFC 3986).
    private static func isPathByte(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
    }
}
