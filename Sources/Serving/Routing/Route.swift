/// A gRPC `:path`, `/pkg.Service/Method`, in its two parts.
package struct MethodPath: Hashable, Sendable, CustomStringConvertible {
    /// The full name of the service.
    package let service: String
    package let method: String

    package init(service: String, method: String) {
        self.service = service
        self.method = method
    }

    /// Nil when the text is not two non-empty parts, each behind a slash.
    package init?(_ path: String) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, !parts[2].isEmpty else {
            return nil
        }
        self.init(service: String(parts[1]), method: String(parts[2]))
    }

    package var description: String { "/\(service)/\(method)" }
}

/// What selects an endpoint: one method, or all methods of a service.
package enum Route: Hashable, Sendable, CustomStringConvertible {
    case method(MethodPath)
    case service(String)

    /// Nil when the text is neither `/pkg.Service/Method` nor `/pkg.Service/`.
    package init?(_ text: String) {
        guard text.utf8.allSatisfy(Self.isPathByte) else { return nil }
        if let path = MethodPath(text) {
            self = .method(path)
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, !parts[1].isEmpty, parts[2].isEmpty else {
            return nil
        }
        self = .service(String(parts[1]))
    }

    /// The full name of the service concerned.
    package var service: String {
        switch self {
        case .method(let path): path.service
        case .service(let name): name
        }
    }

    package var description: String {
        switch self {
        case .method(let path): path.description
        case .service(let name): "/\(name)/"
        }
    }

    /// Printable ASCII without the characters that end a path (RFC 3986).
    private static func isPathByte(_ byte: UInt8) -> Bool {
        (0x21...0x7e).contains(byte) && byte != UInt8(ascii: "?") && byte != UInt8(ascii: "#")
    }
}
