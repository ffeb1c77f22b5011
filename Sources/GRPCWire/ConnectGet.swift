/// The query of a Connect GET: the message and its encoding.
///
/// Source: "Connect Protocol Reference", "Unary-Get-Request".
package struct ConnectGet: Equatable, Sendable {
    package enum Failure: Error, Equatable, Sendable, CustomStringConvertible {
        case missing(String)
        case invalid(String, value: String, rule: String)

        package var description: String {
            switch self {
            case .missing(let name): "the query has no parameter '\(name)'"
            case .invalid(let name, let value, let rule):
                "invalid query parameter \(name) '\(value.prefix(100))': \(rule)"
            }
        }
    }

    package let codec: MessageCodec
    package let message: [UInt8]
    /// The name of the compression; `identity` without one.
    package let compression: String

    /// Whether a query belongs to a Connect GET: it has `connect=v1` or an encoding and a message.
    package static func isConnect(_ query: String) -> Bool {
        // An invalid escape elsewhere makes it an invalid Connect GET.
        let names = query.utf8.split(separator: UInt8(ascii: "&")).compactMap {
            FormQuery.parse(String(decoding: $0.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self))?
                .first?.name
        }
        return names.contains("connect") || names.contains("message") && names.contains("encoding")
    }

    /// Reads a query. Ignores other parameters; the first of several values counts.
    package init(query: String) throws(Failure) {
        guard let pairs = FormQuery.parse(query) else {
            throw .invalid("?", value: query, rule: "a % must precede two hexadecimal digits")
        }
        func first(_ name: String) -> [UInt8]? { pairs.first { $0.name == name }?.value }
        func text(_ name: String) -> String? {
            first(name).map { String(decoding: $0, as: UTF8.self) }
        }
        if let version = text("connect"), version != "v1" {
            throw .invalid("connect", value: version, rule: "it must be v1")
        }
        guard let encoding = text("encoding") else { throw .missing("encoding") }
        guard let codec = MessageCodec(rawValue: encoding) else {
            throw .invalid("encoding", value: encoding, rule: "it must be json or proto")
        }
        guard let message = first("message") else { throw .missing("message") }
        self.codec = codec
        compression = text("compression") ?? "identity"
        let isBase64 = text("base64")
        guard isBase64 == nil || isBase64 == "0" || isBase64 == "1" else {
            throw .invalid("base64", value: isBase64 ?? "", rule: "it must be 0 or 1")
        }
        guard isBase64 == "1" else {
            self.message = message
            return
        }
        let standard = message.map { byte in
            byte == UInt8(ascii: "-")
                ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
        }
        guard let bytes = Base64.decode(standard) else {
            throw .invalid(
                "message", value: String(decoding: message, as: UTF8.self),
                rule: "it must be base64 of the URL-safe alphabet")
        }
        self.message = bytes
    }
}

/// The query of a URL: `name=value` pairs joined by `&`, percent-encoded.
package enum FormQuery {
    /// The pairs in order; nil if an escape is invalid. A plus sign is a space.
    package static func parse(_ query: String) -> [(name: String, value: [UInt8])]? {
        var pairs: [(name: String, value: [UInt8])] = []
        for part in query.utf8.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = decode(part[..<equals]),
                let value = decode(part[equals...].dropFirst())
            else { return nil }
            pairs.append((String(decoding: name, as: UTF8.self), value))
        }
        return pairs
    }

    /// Decodes `%XX`; nil if an escape is invalid.
    ///
    /// - Parameter plusIsSpace: as in forms.
    package static func decode(
        _ text: some Collection<UInt8>, plusIsSpace: Bool = true
    ) -> [UInt8]? {
        var bytes: [UInt8] = []
        var rest = Array(text)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+") where plusIsSpace: bytes.append(0x20)
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return bytes
    }
}
