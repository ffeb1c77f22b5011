/// The percent-encoding of `grpc-message`: bytes outside 0x20 to 0x7e, and `%`, become `%XX`
/// ("Percent-Encoded" in `PROTOCOL-HTTP2.md`).
package enum StatusMessage {
    /// The size limit of an encoded message, because clients reject long trailers.
    package static let maxBytes = 4_096

    private static let hex = Array("0123456789ABCDEF".utf8)

    /// Encodes a message. If the result exceeds `maxBytes`, cuts it between two characters. Leading
    /// and trailing spaces are encoded too, because HTTP removes them (RFC 9113 section 8.2.1).
    package static func encode(_ message: String) -> String {
        let bytes = message.utf8
        if bytes.count <= maxBytes, bytes.allSatisfy(isPlain), bytes.first != space,
            bytes.last != space
        {
            return message
        }
        var text: [UInt8] = []
        // The start of the last character.
        var start = 0
        for (index, byte) in bytes.enumerated() {
            // A byte 10xxxxxx continues a character (RFC 3629 section 3).
            if byte & 0xc0 != 0x80 { start = text.count }
            let isOuterSpace = byte == space && (index == 0 || index == bytes.count - 1)
            if isPlain(byte), !isOuterSpace {
                text.append(byte)
            } else {
                text += [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
            guard text.count > maxBytes else { continue }
            text.removeSubrange(start...)
            while text.last == space { text.removeLast() }
            break
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Never fails: keeps an invalid escape unchanged, as the specification requires.
    package static func decode(_ text: String) -> String {
        let input = Array(text.utf8)
        var bytes: [UInt8] = []
        var index = 0
        while index < input.count {
            if input[index] == 0x25, index + 2 < input.count,
                let high = input[index + 1].hexValue, let low = input[index + 2].hexValue
            {
                bytes.append(high << 4 | low)
                index += 3
            } else {
                bytes.append(input[index])
                index += 1
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let space: UInt8 = 0x20

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != 0x25
    }
}
