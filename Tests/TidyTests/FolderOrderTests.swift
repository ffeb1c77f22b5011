internal import Testing

@Suite struct FolderOrderTests {
    static let serving = FolderOrder(
        module: "Sources/Serving",
        folders: [
            "Loop", "Calls", "Handlers", "Standard", "Forwarding", "Answering", "Shadows",
            "Routing", "Web", "HTTP", "Connections",
        ])

    @Test("A file of Serving uses only types of its own folder and of the folders before it")
    func serving() {
        let files = Repository.swift(in: [Self.serving.module])
        #expect(files.count > 40)
        let findings = Self.serving.findings(in: files)
        #expect(findings.isEmpty, "\(findings.text)")
    }

    @Test(
        "A use of a later folder is found, but not other uses of the same name",
        arguments: [
            // A file of the folder B, and whether it violates the order.
            ("let a: First", false), ("let a: Second", false), ("let a: Third", true),
            ("let a: [Third?]", true), ("extension Third {}", true), ("let a = Third()", true),
            ("let a: Top", true), ("let a: Outer.Third", false), ("let a = b.Third", false),
            ("// Third", false), ("let a = \"Third\"", false), ("let a = \"\\(Third())\"", true),
            ("struct Outer {\n    enum Third {}\n    let a: Third\n}", false),
            ("let a: Thirds", false), ("let third: Int", false),
            ("let a: Inner", false), ("let a: Both", false),
        ])
    func findsViolations(text: String, isViolation: Bool) {
        let order = FolderOrder(module: "M", folders: ["A", "B", "C"])
        let files = [
            ("M/A/a.swift", "package struct First {}\nprotocol Both {}"), ("M/B/b.swift", text),
            ("M/B/c.swift", "final class Second {}"),
            ("M/C/d.swift", "enum Third {\n    struct Inner {}\n}\nstruct Both {}"),
            ("M/e.swift", "typealias Top = First"),
        ].map { Scanned($0.0, Array($0.1.utf8), .swift) }
        let findings = order.findings(in: files)
        #expect(findings.count == (isViolation ? 1 : 0), "\(findings.text)")
        #expect(findings.allSatisfy { $0.path == "M/B/b.swift" })
    }

    @Test("A folder without a place in the order is found")
    func findsUnknownFolders() {
        let order = FolderOrder(module: "M", folders: ["A"])
        let files = ["M/A/a.swift", "M/B/b.swift", "M/c.swift"].map { Scanned($0, [], .swift) }
        #expect(order.findings(in: files).map(\.path) == ["M/B/b.swift"])
    }
}
