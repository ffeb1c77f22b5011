/// The percent-encoding of `grpc-message`: bytes outside 0x20 to 0x7e, and `%`, become `%XX`
/// ("Percent-Encoded" in `PROTOCOL-HTTP2.md`).
package enum StatusMessage {
    private static let hex = Array("0123456789ABCDEF".utf8)

    package static func encode(_ message: String) -> String {
        if message.utf8.allSatisfy(isPlain) { return message }
        var text: [UInt8] = []
        for byte in message.utf8 {
            if isPlain(byte) {
                text.append(byte)
            } else {
                text += [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Never fails: what is no valid escape stays as it is, as the specification demands.
    package static func decode(_ text: String) -> String {
        let input = Array(text.utf8)
        var bytes: [UInt8] = []
        var index = 0
        while index < input.count {
            if input[index] == 0x25, index + 2 < input.count,
                let high = value(input[index + 1]), let low = value(input[index + 2])
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

    private static func isPlain(_ byte: UInt8) -> Bool {
        (0x20...0x7e).contains(byte) && byte != 0x25
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 48...57: digit - 48
        case 65...70: digit - 55
        case 97...102: digit - 87
        default: nil
        }
    }
}
