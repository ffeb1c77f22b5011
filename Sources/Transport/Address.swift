internal import NIOCore

/// A TCP address.
public struct Address: Hashable, Sendable, CustomStringConvertible {
    /// A host name or an IP address; IPv6 without brackets.
    public let host: String
    /// 0 to 65535.
    public let port: Int

    /// An address from a host and a port.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses `host:port`, `[ipv6]:port` or `:port`, whose host is 127.0.0.1.
    public init(_ text: String) throws(AddressError) {
        guard let parts = HostAndPort(text), let port = parts.port else {
            throw AddressError(text: text)
        }
        self.init(host: parts.host.isEmpty ? "127.0.0.1" : String(parts.host), port: port)
    }

    /// The host, unless it is an IP address.
    package var hostName: String? {
        (try? SocketAddress(ipAddress: host, port: port)) == nil ? host : nil
    }

    /// Whether the host is `localhost` or a loopback IP address.
    package var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        return host.hasPrefix("127.") && hostName == nil
    }

    /// `host:port`, with brackets around IPv6.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// An invalid address.
public struct AddressError: Error, CustomStringConvertible {
    package let text: String

    /// The invalid text, and the valid form.
    public var description: String {
        "invalid address '\(text)': use HOST:PORT with a port from 0 to 65535, "
            + "for example 127.0.0.1:8000 or [::1]:8000"
    }
}
