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
        let bytes = text.utf8
        let host: Substring.UTF8View
        let rest: Substring.UTF8View
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = bytes[bytes.index(after: bytes.startIndex)..<close]
            rest = bytes[bytes.index(after: close)...]
            guard Self.isIPv6(host) else { return nil }
            isAddress = true
        } else {
            host = bytes.prefix { $0 != UInt8(ascii: ":") }
            rest = bytes[host.endIndex...]
            guard Self.isName(host) else { return nil }
            isAddress = Self.isIPv4(host)
        }
        guard Self.isPort(rest) else { return nil }
        self.text = text
        let name = String(Substring(host)).lowercased()
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

    /// Empty, or a colon and a port, which may be empty.
    private static func isPort(_ bytes: Substring.UTF8View) -> Bool {
        guard let first = bytes.first else { return true }
        let digits = bytes.dropFirst()
        return first == UInt8(ascii: ":") && digits.count <= 5 && digits.allSatisfy(\.isDigit)
            && digits.reduce(0) { $0 * 10 + Int($1 - 48) } <= 65_535
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 0x20) }
}
