internal import GRPCWire

/// The id of a trace: 16 bytes, not all zero.
package struct TraceID: Hashable, Sendable {
    package let high: UInt64
    package let low: UInt64

    /// Nil if both halves are zero, which W3C Trace Context forbids.
    package init?(high: UInt64, low: UInt64) {
        guard high | low != 0 else { return nil }
        (self.high, self.low) = (high, low)
    }

    /// A random id.
    package init(using generator: inout some RandomNumberGenerator) {
        high = generator.next()
        low = max(1, generator.next())
    }

    /// 32 lower-case hexadecimal digits; nil for anything else, and for zero.
    package init?(hex text: Span<UInt8>) {
        guard text.count == 32, let high = Hex.word(text, at: 0), let low = Hex.word(text, at: 16)
        else { return nil }
        self.init(high: high, low: low)
    }

    /// 32 lower-case hexadecimal digits.
    package var hex: String { Hex.text(high) + Hex.text(low) }

    /// The 16 bytes, most significant first.
    package var bytes: [UInt8] { Hex.bytes(high) + Hex.bytes(low) }
}

/// The id of a span: 8 bytes, not all zero.
package struct SpanID: Hashable, Sendable {
    package let value: UInt64

    /// Nil if the value is zero, which W3C Trace Context forbids.
    package init?(_ value: UInt64) {
        guard value != 0 else { return nil }
        self.value = value
    }

    /// A random id.
    package init(using generator: inout some RandomNumberGenerator) {
        value = max(1, generator.next())
    }

    /// 16 lower-case hexadecimal digits; nil for anything else, and for zero.
    package init?(hex text: Span<UInt8>) {
        guard text.count == 16, let value = Hex.word(text, at: 0) else { return nil }
        self.init(value)
    }

    /// 16 lower-case hexadecimal digits.
    package var hex: String { Hex.text(value) }

    /// The 8 bytes, most significant first.
    package var bytes: [UInt8] { Hex.bytes(value) }
}

/// Lower-case hexadecimal digits, the only ones that W3C Trace Context allows.
enum Hex {
    static func digit(_ byte: UInt8) -> UInt8? {
        (0x41...0x46).contains(byte) ? nil : byte.hexValue
    }

    /// The number of 16 digits; nil if one is not a digit. The text has `start + 16` bytes or more.
    static func word(_ text: Span<UInt8>, at start: Int) -> UInt64? {
        // Without a branch per digit.
        var (word, invalid): (UInt64, UInt8) = (0, 0)
        for index in start..<start + 16 {
            let (number, letter) = (text[index] &- 0x30, text[index] &- 0x61)
            let isNumber = number < 10
            invalid |= isNumber || letter < 6 ? 0 : 1
            word = word << 4 | UInt64((isNumber ? number : letter &+ 10) & 15)
        }
        return invalid == 0 ? word : nil
    }

    /// The number of 2 digits. The text has at least `start + 2` bytes.
    static func byte(_ text: Span<UInt8>, at start: Int) -> UInt8? {
        guard let high = digit(text[start]), let low = digit(text[start + 1]) else { return nil }
        return high << 4 | low
    }

    /// Appends the digits of the lowest `count` bytes, the most significant first.
    static func append(_ word: UInt64, bytes count: Int = 8, to text: inout [UInt8]) {
        for shift in stride(from: count * 8 - 4, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: word >> UInt64(shift) & 15)
            text.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }

    static func text(_ word: UInt64) -> String {
        var text: [UInt8] = []
        append(word, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    static func bytes(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
    }

    static func word(ofBytes bytes: some Sequence<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}
