internal import GRPCWire

/// The host of a request: the value of `Host`, the `:authority` of HTTP/2, or the authority of a
/// target that is a URL (RFC 9110 section 7.2).
package struct HTTPHost: Equatable, Sendable {
    /// As received.
    package let text: String
    /// In lower case, without port, brackets and final dot.
    package let name: String
    /// Whether the name is an IP address.
    package let isAddress: Bool

    /// Nil unless the text is `uri-host [ ":" port ]` of RFC 3986 section 3.2 with a non-empty
    /// host. User information is not allowed (RFC 9110 section 4.2.4).
    package init?(_ text: String) {
        guard let parts = HostAndPort(text) else { return nil }
        let host = parts.host.utf8
        guard parts.isBracketed ? Self.isIPv6(host) : Self.isName(host) else { return nil }
        isAddress = parts.isBracketed || Self.isIPv4(host)
        self.text = text
        let name = parts.host.lowercased()
        self.name = name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    /// Hexadecimal digits, colons and dots. The structure is not checked.
    private static func isIPv6(_ bytes: Substring.UTF8View) -> Bool {
        (2...45).contains(bytes.count) && bytes.contains(UInt8(ascii: ":"))
            && bytes.allSatisfy {
                $0.isHexDigit || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".")
            }
    }

    private static func isIPv4(_ bytes: Substring.UTF8View) -> Bool {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy {
                (1...3).contains($0.count) && $0.allSatisfy(\.isDigit)
                    && $0.reduce(0) { $0 * 10 + Int($1 - 48) } <= 255
            }
    }

    private static let marks = Set("-._~!$&'()*+,;=".utf8)

    /// `reg-name` of RFC 3986, at most as long as a DNS name.
    private static func isName(_ bytes: Substring.UTF8View) -> Bool {
        guard (1...255).contains(bytes.count) else { return false }
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst(), let low = rest.popFirst(), high.isHexDigit,
                    low.isHexDigit
                else { return false }
            } else if !isLetter(byte), !byte.isDigit, !marks.contains(byte) {
                return false
            }
        }
        return true
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 0x20) }
}
