internal import GRPCWire
internal import HTTP2Session

/// Header fields of plain HTTP: their syntax (RFC 9110 section 5), their size, and which of them
/// belong to one connection. Names are in lower case.
package enum HTTPFields {
    /// A header field.
    package typealias Field = (name: String, value: String)

    // MARK: Syntax

    /// Whether the bytes are a token of RFC 9110 section 5.6.2.
    package static func isToken(_ bytes: some Collection<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy(isTokenByte)
    }

    /// Whether a token can contain the byte.
    package static func isTokenByte(_ byte: UInt8) -> Bool { tokenBytes[Int(byte)] }

    /// For each byte.
    private static let tokenBytes: [Bool] = {
        let marks = Array("!#$%&'*+-.^_`|~".utf8)
        return (UInt8.min...UInt8.max).map { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: marks.contains(byte)
            }
        }
    }()

    /// Whether a field value can have these bytes: visible ASCII, space, tab and obs-text (RFC 9110
    /// section 5.5).
    package static func isValue(_ bytes: some Collection<UInt8>) -> Bool {
        bytes.allSatisfy { $0 == 0x09 || $0 >= 0x20 && $0 != 0x7f }
    }

    /// A value as text. A value that is not UTF-8 is decoded as ISO 8859-1, which preserves all
    /// bytes (RFC 9110 section 5.5).
    package static func text(of value: some Collection<UInt8>) -> String {
        String(validating: value, as: UTF8.self)
            ?? String(String.UnicodeScalarView(value.map { Unicode.Scalar($0) }))
    }

    /// Whether the text is a valid value of gRPC metadata: visible ASCII and spaces.
    static func isMetadataValue(_ value: String) -> Bool {
        value.utf8.allSatisfy { (0x20...0x7e).contains($0) }
    }

    /// The text without surrounding spaces and tabs, which are not part of a value (RFC 9110
    /// section 5.5).
    package static func trimmed(_ text: String) -> String {
        let value = text.utf8.trimmed
        return value.count == text.utf8.count ? text : String(Substring(value))
    }

    /// The members of a field that is a list of tokens, in lower case, from all its lines (RFC 9110
    /// section 5.6.1).
    package static func list(_ name: String, in fields: [Field]) -> [String] {
        fields.filter { $0.name == name }.flatMap { field in
            field.value.split(separator: ",").map { trimmed(String($0)).lowercased() }
        }.filter { !$0.isEmpty }
    }

    /// Whether a list of codings has one with a weight that is not zero (RFC 9110 section 12.5.3).
    package static func accepts(_ coding: String, _ list: String) -> Bool {
        list.split(separator: ",").contains { member in
            let parts = member.split(separator: ";").map { trimmed(String($0)) }
            guard parts.first?.lowercased() == coding else { return false }
            return !parts.dropFirst().contains {
                $0.lowercased().hasPrefix("q=0") && $0.dropFirst(3).allSatisfy { "0.".contains($0) }
            }
        }
    }

    /// The size of a header list, counted as in RFC 9113 section 6.5.2.
    package static func size(_ fields: [Field]) -> Int {
        fields.reduce(0) {
            $0 + $1.name.utf8.count + $1.value.utf8.count + HeaderBlock.fieldOverheadBytes
        }
    }

    // MARK: Forwarding

    /// Fields of one connection, or of the framing of one message (RFC 9110 section 7.6.1).
    /// `Proxy-*` fields are not forwarded either.
    private static let connectionFields: Set<String> = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
        "http2-settings", "content-length",
    ]

    /// The fields of a gRPC response to pass to a client of HTTP: without those of one connection.
    package static func passed(_ fields: [Field]) -> [Field] {
        fields.filter { !connectionFields.contains($0.name) && $0.name != "date" }
    }

    /// Fields that only Weir sets.
    private static let ownFields: Set<String> = [
        KnownHeader.shadow.name, KnownHeader.backend.name,
    ]

    /// Fields that a CallRequest or CallResponse contains elsewhere, or that the server has
    /// handled.
    private static let handledFields: Set<String> = [KnownHeader.contentType.name, "expect"]

    /// The fields to forward, in order: without those of one connection, those that `Connection`
    /// names, those that only Weir sets, and `Content-Type`, which the messages contain separately.
    /// `Host` is always forwarded.
    package static func forwarded(_ fields: [Field]) -> [Field] {
        let named = Set(list("connection", in: fields)).subtracting([KnownHeader.host.name])
        return fields.filter { field in
            !connectionFields.contains(field.name) && !ownFields.contains(field.name)
                && !handledFields.contains(field.name) && !named.contains(field.name)
                && !field.name.hasPrefix("proxy-")
        }
    }
}
