internal import Testing

@Suite struct SuitesTests {
    /// The calls of `sleep` in tests, by file.
    static let sleeps = [
        // The helpers with which tests wait for conditions.
        "Tests/Python/waiting.py": 4,
        "Tests/TestSupport/Eventually.swift": 1,
        // Servers and backends that simulate slow work.
        "Tests/FixtureServer/FixtureServer.swift": 5,
        "Tests/Python/interop_server.py": 10,
        "Tests/Python/conformance_server.py": 4,
        // Load generators, which pace their load.
        "Tests/Python/abuse.py": 5,
        "Tests/Python/churn.py": 3,
        "Tests/Python/soak.py": 8,
        "Tests/Python/torture.py": 1,
        "Tests/Python/rollout_cases.py": 4,
    ]

    @Test("Each suite with an async test has a time limit")
    func limitsTime() {
        for file in Repository.swift(in: ["Tests"]) {
            for suite in TestSuite.all(in: file.code) where suite.hasAsyncTest {
                #expect(
                    suite.hasTimeLimit,
                    "\(file.path):\(suite.line): \(suite.name) has async tests; add .timeLimit")
            }
        }
    }

    @Test("Tests wait for conditions, not for time")
    func avoidsSleeps() {
        for file in Repository.scanned where file.isIn(["Tests"]) {
            let calls = file.code.indices.filter {
                Self.calls("sleep", file.code[$0]) || Self.calls("usleep", file.code[$0])
            }
            let findings = calls.map {
                Finding(
                    path: file.path, line: $0 + 1, text: "sleep; wait for a condition instead")
            }
            #expect(findings.count == Self.sleeps[file.path] ?? 0, "\(findings.text)")
        }
    }

    /// Whether a line of code calls a function.
    static func calls(_ name: String, _ line: Substring) -> Bool {
        guard let range = line.firstRange(of: "\(name)(") else { return false }
        guard let before = line[..<range.lowerBound].last else { return true }
        return !(before.isLetter || before.isNumber || before == "_")
    }

    @Test(
        "The suites of a file are found with their time limits",
        arguments: [
            ("@Suite struct A {\n @Test func a() {}\n}", [("A", false, false)]),
            ("@Suite struct A {\n @Test func a() async {}\n}", [("A", false, true)]),
            (
                "@Suite(.timeLimit(.minutes(1))) struct A {\n @Test func a()\n async {}\n}",
                [("A", true, true)]
            ),
            (
                "@Suite(\n .timeLimit(.minutes(1)))\nstruct A {\n @Test func a() {}\n}",
                [("A", true, false)]
            ),
            ("struct A {\n func a() async {}\n}", []),
            (
                "struct A {\n @Test func a() {}\n}\nstruct B {\n @Test func b() {}\n}",
                [("A", false, false), ("B", false, false)]
            ),
            ("@Suite struct A {\n enum K {\n }\n @Test func a() async {}\n}", [("A", false, true)]),
        ] as [(String, [(String, Bool, Bool)])])
    func findsSuites(text: String, expected: [(String, Bool, Bool)]) {
        let found = TestSuite.all(in: Scanned("a", Array(text.utf8), .swift).code)
        #expect(
            found.map { "\($0.name) \($0.hasTimeLimit) \($0.hasAsyncTest)" }
                == expected.map { "\($0.0) \($0.1) \($0.2)" })
    }

    @Test(
        "A call of sleep is found",
        arguments: [
            ("try await Task.sleep(for: x)", true), ("time.sleep(1)", true), ("sleep(1)", true),
            ("nosleep(1)", false), ("let sleep = 1", false),
        ])
    func findsSleeps(line: String, expected: Bool) {
        #expect(Self.calls("sleep", line[...]) == expected)
    }
}
