/// Base64 as binary metadata uses it: written without padding, read with or without
/// (RFC 4648 section 4; "Binary-Header" in gRPC's `PROTOCOL-HTTP2.md`).
package enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xff, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    package static func encode(_ bytes: some Sequence<UInt8>, padded: Bool = false) -> String {
        var text: [UInt8] = []
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                text.append(alphabet[Int(bits >> UInt32(count)) & 63])
            }
        }
        if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
        while padded && text.count % 4 != 0 { text.append(0x3d) }
        return String(decoding: text, as: UTF8.self)
    }

    /// The decoded bytes; nil if the text is not base64.
    package static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
        var bytes: [UInt8] = []
        var reader = Reader()
        for character in text {
            guard reader.read(character) else { return nil }
            if let byte = reader.takeByte() { bytes.append(byte) }
        }
        return reader.isComplete ? bytes : nil
    }

    /// The values of a `-bin` header field, which may be joined with commas.
    package enum Values {
        case one, several, invalid
    }

    /// Checks the values of a `-bin` header field; allocates nothing.
    package static func values(_ field: Span<UInt8>) -> Values {
        var values = Values.one
        var reader = Reader()
        for index in field.indices {
            switch field[index] {
            case UInt8(ascii: ",") where reader.isComplete:
                values = .several
                reader = Reader()
            case UInt8(ascii: " "), UInt8(ascii: "\t"): reader.space()
            default: if !reader.read(field[index]) { return .invalid }
            }
            _ = reader.takeByte()
        }
        return reader.isComplete ? values : .invalid
    }

    /// The values of a `-bin` header field as text, without the white space around them.
    package static func separated(_ field: String) -> [String] {
        field.split(separator: ",", omittingEmptySubsequences: false)
            .map { String(decoding: Array($0.utf8.trimmed), as: UTF8.self) }
    }

    /// Reads base64 by character.
    private struct Reader {
        private var bits: UInt32 = 0
        private var bitCount = 0
        private var digits = 0
        private var padding = 0
        private var hasEnded = false

        /// - Returns: whether the text can be base64.
        mutating func read(_ character: UInt8) -> Bool {
            guard !hasEnded else { return false }
            if character == 0x3d {
                padding += 1
                return true
            }
            let value = values[Int(character)]
            guard value != 0xff, padding == 0 else { return false }
            digits += 1
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            return true
        }

        mutating func takeByte() -> UInt8? {
            guard bitCount >= 8 else { return nil }
            bitCount -= 8
            return UInt8(truncatingIfNeeded: bits >> UInt32(bitCount))
        }

        /// White space may only precede and follow a value.
        mutating func space() { hasEnded = digits + padding > 0 }

        var isComplete: Bool {
            let isPadded = padding == 0 || (padding <= 2 && (digits + padding) % 4 == 0)
            return digits % 4 != 1 && isPadded
        }
    }
}
