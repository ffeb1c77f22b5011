internal import GRPCWire
internal import NIOCore
internal import Transport

/// The address of a replica, as an operator writes it.
package enum ReplicaAddress: Hashable, Sendable, CustomStringConvertible {
    /// `10.0.0.7:50051` or `[::1]:50051`
    case ip(String, port: Int)
    /// `model.internal:50051`: each address of the name is a replica. A dot at the end makes
    /// the name absolute: the system adds no search domain to it (resolv.conf(5)).
    case name(String, port: Int)
    /// `unix:/run/model.sock`
    case unix(String)

    /// A text that is not an address.
    package struct Invalid: Error, CustomStringConvertible {
        package let description: String
    }

    /// Linux keeps a path and its end in 108 bytes.
    private static let maxPathBytes = 107

    package init(_ text: String) throws(Invalid) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard path.hasPrefix("/"), path.utf8.count <= Self.maxPathBytes else {
                throw Invalid(
                    description:
                        "invalid address '\(text)': the path of a socket must be absolute and have "
                        + "at most \(Self.maxPathBytes) bytes, for example unix:/run/model.sock")
            }
            self = .unix(path)
            return
        }
        if let scheme = Self.scheme(of: text) {
            throw Invalid(
                description:
                    "invalid address '\(text)': omit the scheme '\(scheme)'; use HOST:PORT "
                    + "with a port from 1 to 65535, and the TLS settings of the backend for TLS")
        }
        guard let parts = HostAndPort(text), let port = parts.port, port > 0, !parts.host.isEmpty
        else {
            throw Invalid(
                description: "invalid address '\(text)': use HOST:PORT with a port from 1 to "
                    + "65535, [IPV6]:PORT, or unix:/PATH")
        }
        let host = parts.host
        // One address has one spelling, so that it is one replica.
        if let address = try? SocketAddress(ipAddress: String(host), port: port),
            host.contains(":") == parts.isBracketed
        {
            self = .ip(address.ipAddress ?? String(host), port: port)
        } else if !parts.isBracketed, Self.isHostName(host) {
            self = .name(host.lowercased(), port: port)
        } else {
            throw Invalid(
                description: "invalid address '\(text)': '\(host)' is neither a host name nor "
                    + "an IP address")
        }
    }

    /// The scheme of a URL or of gRPC's naming (`dns:///name`), with its separator.
    private static func scheme(of text: String) -> String? {
        if let end = text.firstRange(of: "://") { return String(text[..<end.upperBound]) }
        return ["dns:", "ipv4:", "ipv6:"].first { text.lowercased().hasPrefix($0) }
            .flatMap { HostAndPort(text)?.port == nil ? $0 : nil }
    }

    package var description: String {
        switch self {
        case .ip(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .name(let host, let port): "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// The host name without a final dot, as in certificates and TLS (RFC 6066 section 3); nil if
    /// the address has no name.
    package var host: String? {
        guard case .name(let host, _) = self else { return nil }
        return host.hasSuffix(".") ? String(host.dropLast()) : host
    }

    /// The socket address, or nil for a name, which must be resolved.
    var socketAddress: SocketAddress? {
        switch self {
        case .ip(let host, let port): try? SocketAddress(ipAddress: host, port: port)
        case .unix(let path): try? SocketAddress(unixDomainSocketPath: path)
        case .name: nil
        }
    }

    /// Letters, digits, hyphens and underscores in labels of 1 to 63 (RFC 1123 section 2.1); a dot
    /// may end the name.
    private static func isHostName(_ text: Substring) -> Bool {
        let text = text.hasSuffix(".") ? text.dropLast() : text
        return text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count)
                    && label.utf8.allSatisfy {
                        (97...122).contains($0) || (65...90).contains($0)
                            || $0.isDigit || $0 == 45 || $0 == 95
                    }
            }
    }
}
