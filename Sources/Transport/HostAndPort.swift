internal import GRPCWire

/// A host with or without a port, as text: `HOST`, `HOST:PORT` or `[IPV6]:PORT`.
///
/// Only the separators and the port are checked. The users of this type check the host.
package struct HostAndPort: Equatable, Sendable {
    /// Without brackets; may be empty.
    package let host: Substring
    /// Whether the host is in brackets.
    package let isBracketed: Bool
    /// 0 to 65535; nil without a port, or with an empty one (`HOST:`).
    package let port: Int?

    /// Nil for a text with another form, or with an invalid port.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        let rest: Substring
        if text.utf8.first == UInt8(ascii: "[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = text[..<close].dropFirst()
            rest = text[close...].dropFirst()
            isBracketed = true
        } else {
            host = text.prefix { $0 != ":" }
            rest = text[host.endIndex...]
            isBracketed = false
        }
        let digits = rest.dropFirst()
        guard rest.isEmpty || rest.first == ":", digits.utf8.count <= 5,
            digits.utf8.allSatisfy(\.isDigit)
        else { return nil }
        port = Int(digits)
        guard port ?? 0 <= 65_535 else { return nil }
    }
}
