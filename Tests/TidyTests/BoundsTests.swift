internal import Testing

@Suite struct BoundsTests {
    /// Files over the bound, with the number of lines that they may have.
    static let longFiles = [
        // Test modules whose tests share fixtures.
        "Tests/Python/abuse.py": 433,
        "Tests/Python/test_access.py": 432,
        "Tests/Python/test_http_edges.py": 502,
        "Tests/Python/test_limits.py": 545,
        "Tests/Python/test_output.py": 523,
        "Tests/Python/test_python_client.py": 643,
        "Tests/Python/test_security.py": 552,
        "Tests/Python/test_shadow.py": 584,
        "Tests/Python/test_state.py": 461,
        "Tests/Python/test_upstream.py": 513,
        "Tests/Python/test_workers.py": 429,
    ]
    /// Files with long lines, and their number. The table may only shrink.
    static let longLines = [
        "Benchmarks/passthrough.py": 1,
        "Benchmarks/shadows.py": 2,
        "Benchmarks/state.py": 1,
        "Tests/Fuzz/seeds.py": 2,
        "Tests/Python/test_access.py": 1,
        "Tests/Python/test_isolation.py": 2,
        "Tests/Python/test_options.py": 2,
        "Tests/Python/test_output.py": 4,
        "Tests/Python/test_python_client.py": 1,
        "Tests/Python/test_restore.py": 10,
        "Tests/Python/test_secrets.py": 2,
        "Tests/Python/test_security.py": 2,
        "Tests/Python/test_shadow.py": 1,
        "Tests/Python/test_upstream.py": 1,
        "Tests/Python/torture.py": 2,
        "clients/python/examples/shadow_testing.py": 1,
    ]
    /// Files with long functions, and their number. The table may only shrink.
    static let longFunctions: [String: Int] = [:]

    private static let files = Repository.scanned.filter {
        $0.language == .swift || $0.language == .python
    }

    @Test("The files of the repository are read")
    func readsFiles() { #expect(Self.files.count > 300) }

    @Test("A file has at most 400 lines")
    func limitsFiles() {
        for file in Self.files where file.path != "Package.swift" {
            // The last line end does not begin a line.
            let count = file.lines.count - (file.lines.last?.isEmpty == true ? 1 : 0)
            let bound = Self.longFiles[file.path] ?? Bounds.fileLines
            #expect(count <= bound, "\(file.path):1: \(count) lines; split the file at \(bound)")
        }
    }

    @Test("A line of Swift or Python has at most 100 columns")
    func limitsLines() {
        for file in Self.files {
            let findings = Bounds.longLines(in: file)
            #expect(findings.count <= Self.longLines[file.path] ?? 0, "\(findings.text)")
        }
    }

    @Test("A function has at most 70 lines")
    func limitsFunctions() {
        for file in Self.files {
            let findings = Bounds.longFunctions(in: file)
            #expect(findings.count <= Self.longFunctions[file.path] ?? 0, "\(findings.text)")
        }
    }

    @Test(
        "The functions of a file are found with their lines",
        arguments: [
            (Language.swift, "func a() {\n}\nfunc b() { c() }", [(1, 2), (3, 1)]),
            (.swift, "func a(\n b: Int = { 1 }()\n) {\n if c {\n }\n}", [(1, 6)]),
            (.swift, "protocol P {\n func a()\n func b()\n}", []),
            (.swift, "// func a() {\nlet b = \"func c() {\"", []),
            (.swift, "struct S {\n init(a: Int) {\n }\n}", [(2, 2)]),
            (.swift, "struct S {\n let a = S.init(b)\n func c() {\n\n }\n}", [(3, 3)]),
            (.python, "def a():\n    b\n\n    c\n\n\nd", [(1, 4)]),
            (
                .python, "class C:\n    def a(\n    b):\n        c\n    def d(): e\n",
                [(2, 3), (5, 1)]
            ),
            (.python, "# def a():\nb", []),
        ] as [(Language, String, [(Int, Int)])])
    func findsFunctions(language: Language, text: String, expected: [(line: Int, lines: Int)]) {
        let found = Bounds.functions(in: Scanned("a", Array(text.utf8), language))
        #expect(found == expected.map { Bounds.Function(line: $0.line, lines: $0.lines) })
    }

    @Test("A line over the bound is found", arguments: [(100, 0), (101, 1)])
    func findsLines(columns: Int, expected: Int) {
        let text = Array(repeating: UInt8(ascii: "x"), count: columns)
        #expect(Bounds.longLines(in: Scanned("a.swift", text, .swift)).count == expected)
    }
}
