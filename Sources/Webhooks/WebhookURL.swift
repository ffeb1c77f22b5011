internal import GRPCWire
package import Transport

/// Where a webhook is sent: an `http` or `https` URL.
package struct WebhookURL: Hashable, Sendable, CustomStringConvertible {
    /// Why a text is not such a URL, with the remedy.
    package struct Invalid: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// The longest URL, in bytes.
    package static let maxBytes = 2_048

    package let isTLS: Bool
    package let address: Address
    /// The path with the query, for the request line.
    package let target: String
    /// As given.
    package let description: String

    /// The value of `Host`: without the port if it is that of the scheme.
    var host: String {
        let text = "\(address)"
        let hasDefaultPort = address.port == (isTLS ? 443 : 80)
        return hasDefaultPort ? String(text.dropLast(":\(address.port)".count)) : text
    }

    /// Parses a URL. Credentials in it are rejected, because URLs are shown and logged.
    package init(_ text: String) throws(Invalid) {
        func invalid(_ problem: String) -> Invalid {
            Invalid(
                description: "invalid webhook URL '\(text.printable(limit: 128))': \(problem), "
                    + "for example https://hooks.example.com/weir")
        }
        guard text.utf8.count <= Self.maxBytes else {
            throw invalid("it has more than \(Self.maxBytes) bytes")
        }
        guard text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw invalid("percent-encode spaces, control characters and non-ASCII characters")
        }
        let schemes = ["https://": true, "http://": false]
        guard
            let scheme = schemes.first(where: { text.lowercased().hasPrefix($0.key) })
        else { throw invalid("use http:// or https://") }
        let rest = text.dropFirst(scheme.key.count)
        guard !rest.contains("#") else { throw invalid("remove the fragment") }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else {
            throw invalid("remove the user and password; requests are signed instead")
        }
        guard let parts = HostAndPort(authority), !parts.host.isEmpty else {
            throw invalid("use HOST or HOST:PORT with a port from 1 to 65535")
        }
        let port = parts.port ?? (scheme.value ? 443 : 80)
        guard port > 0, authority.last != ":" else {
            throw invalid("use HOST or HOST:PORT with a port from 1 to 65535")
        }
        isTLS = scheme.value
        address = Address(host: String(parts.host), port: port)
        let target = String(rest[authority.endIndex...])
        self.target = target.hasPrefix("/") ? target : "/" + target
        description = text
    }
}
