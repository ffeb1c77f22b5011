internal import Testing

@testable internal import GRPCWire

@Suite struct ASCIIBytesTests {
    @Test("Digits are the ASCII digits of Swift", arguments: UInt8.min...UInt8.max)
    func classifies(byte: UInt8) {
        let character = byte < 0x80 ? Character(UnicodeScalar(byte)) : nil
        #expect(byte.hexValue.map(Int.init) == character?.hexDigitValue)
        #expect(byte.isHexDigit == (byte.hexValue != nil))
        #expect(byte.isDigit == (character?.isWholeNumber ?? false))
        #expect(byte.isBlank == (byte == 0x20 || byte == 0x09))
    }

    @Test(
        "Spaces and tabs are trimmed at both ends only",
        arguments: [
            ("", ""), (" \t ", ""), ("a", "a"), ("\t a\t b \t", "a\t b"),
            ("\u{a0}a\r", "\u{a0}a\r"),
        ])
    func trims(text: String, rest: String) {
        #expect(Array(text.utf8.trimmed) == Array(rest.utf8))
    }
}
