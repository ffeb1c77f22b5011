internal import Testing

@testable internal import WeirCLI

@Suite struct TerminalTextTests {
    @Test(
        "Values are escaped, literals are not",
        arguments: [
            ("plain ü", "plain ü"), ("a\nb", "a\\nb"), ("\u{1b}[31mred", "\\u{1B}[31mred"),
            ("\u{9b}2J", "\\u{009B}2J"), ("\u{7f}", "\\u{7F}"), ("a\u{202e}b", "a\\u{202E}b"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"), ("\r\n", "\\r\\n"), ("\0", "\\0"),
            ("a\u{e0001}\u{e0062}", "a\\u{000E0001}\\u{000E0062}"), ("\u{200b}", "\\u{200B}"),
        ])
    func escapes(value: String, shown: String) {
        let text: TerminalText = "\u{1b}[1m<\(value)>\n"
        #expect(text.text == "\u{1b}[1m<\(shown)>\n")
    }

    @Test("Interpolated terminal text is not escaped twice, and keeps its colours")
    func nests() {
        let inner = ("a\(UInt8(1))\u{1}" as TerminalText).styled("32")
        let outer: TerminalText = "[\(inner)]"
        #expect(outer.text == "[\u{1b}[32ma1\u{1}\u{1b}[0m]")
        #expect((outer + "\(String("\u{1b}"))").text.hasSuffix("]\\u{1B}"))
    }

    @Test("A long value is cut")
    func cuts() {
        let long = String(repeating: "x", count: 1 << 20)
        let text: TerminalText = "\(long)"
        #expect(text.text.utf8.count == TerminalText.maxValueBytes)
        #expect(text.text.hasSuffix("…"))
    }

    @Test("All control characters of several lines are escaped, except line ends")
    func lines() {
        #expect(TerminalText(lines: "a\tb\n\u{1b}c\n").text == "a\\tb\n\\u{1B}c\n")
    }
}
