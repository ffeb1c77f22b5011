internal import Testing

@Suite struct ScannerTests {
    struct Example: Sendable, CustomTestStringConvertible {
        let language: Language
        let text: String
        let code: String
        let prose: String
        var testDescription: String { text }
    }

    static let examples = [
        Example(language: .swift, text: "a // b", code: "a     ", prose: "  // b"),
        Example(language: .swift, text: "a /* b */ c", code: "a         c", prose: "  /* b */  "),
        Example(language: .swift, text: #"f("b", c)"#, code: "f(   , c)", prose: #"  "b"    "#),
        Example(
            language: .swift, text: #""a\(b("c"))d""#, code: #"  \(b(   ))  "#,
            prose: #""a    "c"  d""#),
        Example(
            language: .swift, text: ##"#"a\(b"#c"##, code: "        c", prose: ##"#"a\(b"# "##),
        Example(language: .swift, text: #""\"" a"#, code: "     a", prose: #""\""  "#),
        Example(
            language: .swift, text: "\"\"\"\na\"b\n\"\"\" c", code: "   \n   \n    c",
            prose: "\"\"\"\na\"b\n\"\"\"  "),
        Example(language: .python, text: "a # b", code: "a    ", prose: "  # b"),
        Example(language: .python, text: "'a' + \"b\"", code: "    +    ", prose: "'a'   \"b\""),
        Example(
            language: .python, text: "'''a\nb''' c", code: "    \n     c", prose: "'''a\nb'''  "),
        Example(language: .proto, text: "a; // b", code: "a;     ", prose: "   // b"),
        Example(language: .script, text: "a 'b' # c", code: "a 'b'    ", prose: "      # c"),
        Example(language: .markdown, text: "a", code: " ", prose: "a"),
    ]

    @Test("Comments and strings are prose, everything else is code", arguments: examples)
    func separates(_ example: Example) {
        let scanner = Scanner(Array(example.text.utf8), example.language)
        #expect(String(decoding: scanner.code, as: UTF8.self) == example.code)
        #expect(String(decoding: scanner.prose, as: UTF8.self) == example.prose)
    }
}
