internal import GRPCWire
internal import Testing

@Suite struct PrintableTextTests {
    @Test(
        "Control characters are escaped, and all other text is unchanged",
        arguments: [
            ("", ""), ("Grüße, 世界 👩‍👩‍👧", "Grüße, 世界 👩‍👩‍👧"), ("a\nb\tc\r", "a\\nb\\tc\\r"),
            ("\u{1b}[2J", "\\u{1B}[2J"), ("\0", "\\0"), ("\u{7f}", "\\u{7F}"),
            ("\u{9b}A", "\\u{009B}A"),
            ("\u{202e}txt", "\\u{202E}txt"), ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("\u{2028}", "\\u{2028}"), ("\u{feff}a", "\\u{FEFF}a"), ("\u{61c}", "\\u{061C}"),
        ])
    func escapes(text: String, expected: String) {
        #expect(text.printable() == expected)
    }

    @Test("Every control character is escaped")
    func passesNone() {
        for value in UInt32(0)...0xffff {
            guard let scalar = Unicode.Scalar(value), scalar.isControl else { continue }
            let shown = "a\(scalar)b".printable()
            #expect(!shown.unicodeScalars.contains { $0.isControl }, "U+\(value)")
        }
    }

    @Test(
        "Text over the limit is cut between characters and ends in an ellipsis",
        arguments: [
            ("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc…"), ("äää", 6, "äää"), ("ääää", 6, "ä…"),
            ("a\u{1b}\u{1b}", 6, "a…"), ("abcd", 3, "…"),
        ])
    func cuts(text: String, limit: Int, expected: String) {
        #expect(text.printable(limit: limit) == expected)
    }
}
