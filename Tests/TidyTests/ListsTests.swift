internal import Foundation
internal import Testing

/// `Lists.txt` has a line `KIND PATH COUNT` for each file with uses. `make lists` writes it.
@Suite struct ListsTests {
    private static let path = "\(Repository.root)/Tests/TidyTests/Lists.txt"

    @Test("Uses of unsafe, public, @unchecked Sendable and trapping operations are listed")
    func lists() throws {
        var counts: [String: Int] = [:]
        for use in Use.allCases {
            for file in Repository.swift(in: use.places)
            where use != .public || !file.isIn(Use.publicModules) {
                let count = use.lines(in: file).count
                if count > 0 { counts["\(use.rawValue) \(file.path)"] = count }
            }
        }
        if ProcessInfo.processInfo.environment["WEIR_WRITE_LISTS"] != nil {
            let text = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }.joined()
            try text.write(toFile: Self.path, atomically: true, encoding: .utf8)
        }
        let listed = Self.parse(try String(contentsOfFile: Self.path, encoding: .utf8))
        for key in Set(counts.keys).union(listed.keys).sorted() where counts[key] != listed[key] {
            Issue.record(
                """
                \(key): \(counts[key] ?? 0) uses, the list has \(listed[key] ?? 0); \
                check that each is necessary, then run 'make lists'
                """)
        }
    }

    static func parse(_ text: String) -> [String: Int] {
        let pairs = text.split(separator: "\n").compactMap { line -> (String, Int)? in
            guard let space = line.lastIndex(of: " "), let count = Int(line[space...].dropFirst())
            else { return nil }
            return (String(line[..<space]), count)
        }
        return Dictionary(pairs, uniquingKeysWith: { $1 })
    }

    @Test("Each @unchecked Sendable and each trapping operation states its invariant")
    func statesInvariants() {
        for use in [Use.unchecked, .force] {
            for file in Repository.swift(in: ["Sources"]) {
                let findings = use.withoutInvariant(in: file)
                #expect(findings.isEmpty, "\(findings.text)")
            }
        }
    }

    @Test("unsafe is used only by modules that call C or the system")
    func confinesUnsafe() {
        let modules = Set(
            Repository.swift(in: ["Sources"]).filter { !Use.unsafe.lines(in: $0).isEmpty }.map {
                $0.path.split(separator: "/")[1]
            })
        // HTTP2Session and Messages own the C libraries. Others call zlib, xxHash, SQLite,
        // libcrypto, NIO's file descriptors and POSIX functions, or read data of a C module.
        let allowed: Set<Substring> = [
            "Console", "ControlPlane", "GRPCWire", "HTTP2Session", "Messages", "StateStores",
            "TrafficPolicy",
            "Transport", "Upstream", "Webhooks", "Weir", "WeirCLI",
        ]
        #expect(modules == allowed)
    }

    @Test(
        "Uses are counted in code",
        arguments: [
            (Use.unsafe, "let a = unsafe b(unsafe c)", 2), (.unsafe, "unsafely(notunsafe)", 0),
            (.unsafe, "unowned(unsafe) let a", 0),
            (.unchecked, "final class A: @unchecked Sendable", 1),
            (.force, "a! + b()! + c[0]! + try! d as! E", 5), (.force, "a != b && !c", 0),
            (.force, "precondition(a, b)", 1), (.force, "preconditionFailure(a)", 1),
            (.force, "fatalError()", 1), (.force, "unowned(unsafe) let a", 1),
            (.public, "public func a()", 1), (.public, "public import A", 0),
            (.public, "republic", 0), (.public, "public private(set) var a", 1),
        ])
    func counts(use: Use, line: String, expected: Int) {
        #expect(use.count(in: line[...]) == expected)
    }

    @Test(
        "A use needs a comment with its invariant, or a message",
        arguments: [
            ("// Invariant: a is set.\nlet b = a!", true), ("// Because.\nlet b = a!", false),
            ("let b = a!", false), ("precondition(a, \"a is set\")", true),
            ("precondition(a)", false), ("// Invariant: x.\n\n\n\n\nlet b = a!", false),
            ("let b = a!\n\n\n\n\n// Invariant: x.", false),
        ])
    func requiresInvariants(text: String, isExplained: Bool) {
        let file = Scanned("a.swift", Array(text.utf8), .swift)
        #expect(Use.force.withoutInvariant(in: file).isEmpty == isExplained)
    }
}
