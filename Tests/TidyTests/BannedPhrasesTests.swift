internal import Testing

@Suite struct BannedPhrasesTests {
    /// Files with a phrase that is correct there, and the reason.
    static let exceptions: [(path: String, phrase: String, reason: String)] = [
        (".ci/unprivileged", "nobody", "the name of a user account"),
        ("Sources/Weir/Weir.docc/Contributing.md", "is no name", "an example of wrong style"),
        ("Tests/TidyTests", "", "the list itself and its tests"),
    ]

    @Test("Comments and strings are in plain technical English")
    func files() throws {
        let findings = try Repository.scanned.flatMap { try BannedPhrase.findings(in: $0) }
            .filter { finding in
                !Self.exceptions.contains {
                    (finding.path == $0.path || finding.path.hasPrefix($0.path + "/"))
                        && finding.text.lowercased().hasPrefix("'\($0.phrase)")
                }
            }
        #expect(findings.isEmpty, "\(findings.text)")
    }

    @Test(
        "A banned phrase is found in prose, but not in code or in other words",
        arguments: [
            ("// It tells the client", "'tells'"), ("let tells = 1", nil),
            ("// foretells", nil), ("f(\"Nobody answers\")", "'Nobody'"),
            ("// 'x' is no name", "'is no name'"), ("// is no longer used", nil),
            ("// what it is that", nil), ("// what is that", "'what is that'"),
            ("\"\\(tells) anew\"", "'anew'"), ("// undergoes", nil),
        ])
    func finds(line: String, expected: String?) throws {
        try check(line, .swift, expected)
    }

    @Test(
        "A banned phrase is found in the name of a Python test",
        arguments: [
            ("def test_a_server_goes(a):", "'goes'"), ("def test_undergoes(goes):", nil),
            ("def goes():", nil),
        ])
    func findsInTestNames(line: String, expected: String?) throws {
        try check(line, .python, expected)
    }

    private func check(_ line: String, _ language: Language, _ expected: String?) throws {
        let file = Scanned("a", Array(line.utf8), language)
        let findings = try BannedPhrase.findings(in: file)
        #expect(findings.first.map { $0.text.prefix { $0 != ":" } } == expected.map { $0[...] })
        #expect(findings.allSatisfy { $0.line == 1 && $0.path == "a" })
    }
}
