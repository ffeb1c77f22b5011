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
            ("\u{e0001}\u{e0041}a", "\\u{000E0001}\\u{000E0041}a"), ("\u{ad}", "\\u{00AD}"),
            ("\u{200b}\u{2060}\u{3164}", "\\u{200B}\\u{2060}\\u{3164}"), ("❤️", "❤️"),
            ("می‌خواهم", "می‌خواهم"), ("\u{e0100}", "\\u{000E0100}"), ("\u{10ffff}", "\u{10ffff}"),
            ("\u{2028}", "\\u{2028}"), ("\u{feff}a", "\\u{FEFF}a"), ("\u{61c}", "\\u{061C}"),
        ])
    func escapes(text: String, expected: String) {
        #expect(text.printable() == expected)
    }

    @Test("Every control character and every invisible one is escaped, except joiners")
    func passesNone() {
        var escaped = 0
        for value in UInt32(0)...0x10_ffff {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let category = scalar.properties.generalCategory
            let isKnown =
                scalar.isControl || category == .format || category == .control
                || scalar.properties.isDefaultIgnorableCodePoint
            let isAllowed =
                (0x200c...0x200d).contains(value) || (0xfe00...0xfe0f).contains(value)
            #expect(scalar.needsEscape == (isKnown && !isAllowed), "U+\(value)")
            guard scalar.needsEscape else { continue }
            escaped += 1
            let shown = "a\(scalar)b".printable()
            #expect(shown.utf8.allSatisfy { (0x20...0x7e).contains($0) }, "U+\(value)")
        }
        #expect(escaped > 4_000)
    }

    @Test(
        "An escape in JSON has the units of UTF-16",
        arguments: [
            ("\u{1b}", "\\u001b"), ("\u{202e}", "\\u202e"), ("\u{e0001}", "\\udb40\\udc01"),
        ] as [(Unicode.Scalar, String)])
    func json(scalar: Unicode.Scalar, escape: String) {
        #expect(scalar.jsonEscape == escape)
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
