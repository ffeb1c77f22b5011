internal import Testing

@Suite struct ImportsTests {
    /// The modules in order, each with the modules of the package that it imports. A module imports
    /// only modules above it. The system libraries are `C` modules. Generated code is not read.
    static let modules: [(name: String, imports: [String])] = [
        ("TrafficPolicy", ["CXXHash"]),
        ("Evidence", []),
        ("Rollouts", ["Evidence", "TrafficPolicy"]),
        ("GRPCWire", ["CZlib"]),
        ("HTTP2Session", ["CNGHTTP2"]),
        ("Messages", ["CProtobufC"]),
        ("MessageYAML", ["Messages"]),
        ("Transcoding", ["GRPCWire", "Messages"]),
        ("Traces", ["GRPCWire"]),
        (
            "Observability",
            ["Evidence", "GRPCWire", "Messages", "Rollouts", "Traces", "TrafficPolicy"]
        ),
        ("Transport", ["GRPCWire", "HTTP2Session", "Traces"]),
        ("Logs", ["GRPCWire", "Messages", "Observability", "Traces", "Transport"]),
        ("GRPCClient", ["GRPCWire", "HTTP2Session", "Messages", "Transport"]),
        (
            "OTLP",
            ["GRPCClient", "GRPCWire", "Messages", "Observability", "Traces", "Transport"]
        ),
        ("Console", ["CConsole", "GRPCWire", "Messages", "TrafficPolicy", "Transport"]),
        ("Webhooks", ["CLibCrypto", "GRPCWire", "Transport"]),
        (
            "Upstream",
            ["GRPCWire", "HTTP2Session", "Messages", "Observability", "TrafficPolicy", "Transport"]
        ),
        (
            "Serving",
            [
                "GRPCWire", "HTTP2Session", "Messages", "Observability", "TrafficPolicy",
                "Traces", "Transcoding", "Transport", "Upstream",
            ]
        ),
        (
            "StateStores",
            ["CSQLite", "GRPCClient", "GRPCWire", "Messages", "TrafficPolicy", "Transport"]
        ),
        (
            "ControlPlane",
            [
                "CLibCrypto", "Evidence", "GRPCWire", "Messages", "Observability", "Rollouts",
                "Serving", "StateStores", "Traces", "TrafficPolicy", "Transcoding", "Transport",
                "Upstream", "Webhooks",
            ]
        ),
        (
            "Weir",
            [
                "CBuildInfo", "Console", "ControlPlane", "GRPCClient", "GRPCWire", "Logs",
                "Messages", "OTLP", "Observability", "Serving", "StateStores", "Traces",
                "TrafficPolicy", "Transport", "Upstream", "Webhooks",
            ]
        ),
        ("WeirServiceLifecycle", ["Weir"]),
        ("WeirSwiftProtobuf", ["Weir"]),
        ("WeirTracing", ["Traces", "Transport", "Weir"]),
        ("HelloWorld", ["Weir"]),
        ("WeirGenerate", ["Messages"]),
        (
            "WeirCLI",
            [
                "CExecInfo", "ControlPlane", "GRPCWire", "HelloWorld", "Logs", "MessageYAML",
                "Messages", "OTLP", "Rollouts", "Serving", "StateStores", "Transport", "Upstream",
                "Weir",
            ]
        ),
    ]

    /// Modules of pure values, which tests run without sockets, files and clocks.
    static let pure = [
        "TrafficPolicy", "Evidence", "Rollouts", "GRPCWire", "HTTP2Session", "Observability",
        "Traces", "Transcoding",
    ]
    /// The modules of the system and of swift-collections that a pure module may import.
    static let standard = ["Glibc", "Synchronization", "BasicContainers"]

    /// The modules that a file imports.
    static func imports(in file: Scanned) -> Set<String> {
        let kinds = ["struct", "class", "enum", "protocol", "func", "let", "var", "typealias"]
        let levels = ["public", "package", "internal", "fileprivate", "private"]
        var modules: Set<String> = []
        for line in file.code {
            let words = line.split(separator: " ")
            guard let keyword = words.firstIndex(of: "import"),
                words[..<keyword].allSatisfy({ $0.first == "@" || levels.contains(String($0)) })
            else { continue }
            let path = words[(keyword + 1)...].first { !kinds.contains(String($0)) }
            if let name = path?.split(separator: ".").first { modules.insert(String(name)) }
        }
        return modules
    }

    private func imports(of module: String) -> Set<String> {
        Repository.swift(in: ["Sources/\(module)"]).reduce(into: []) {
            $0.formUnion(Self.imports(in: $1))
        }
    }

    @Test("A module imports the modules of the table, and no others of the package")
    func matrix() {
        let names = Set(Self.modules.map(\.name))
        for (module, expected) in Self.modules {
            let ours = imports(of: module).filter {
                names.contains($0) || expected.contains($0) || Self.isSystemModule($0)
            }
            #expect(ours.sorted() == expected.sorted(), "Sources/\(module)")
        }
    }

    private static func isSystemModule(_ name: String) -> Bool {
        name.first == "C" && name.dropFirst().first?.isUppercase == true
    }

    @Test("Each Swift module of the package is in the table")
    func complete() {
        let folders = Set(
            Repository.swift(in: ["Sources"]).map { $0.path.split(separator: "/")[1] })
        #expect(folders.sorted() == Self.modules.map { $0.name[...] }.sorted())
    }

    @Test("A module of the table imports only modules above it")
    func order() {
        for (index, module) in Self.modules.enumerated() {
            let below = Self.modules[index...].map(\.name)
            #expect(Set(module.imports).isDisjoint(with: below), "\(module.name)")
        }
    }

    @Test("A pure module imports neither NIO nor Foundation", arguments: pure)
    func purity(module: String) {
        let allowed = Set(Self.modules.flatMap { [$0.name] + $0.imports } + Self.standard)
        #expect(imports(of: module).subtracting(allowed).isEmpty)
    }

    @Test(
        "The imports of a file are found",
        arguments: [
            ("internal import A", ["A"]), ("import A\npackage import B", ["A", "B"]),
            ("@testable internal import A", ["A"]), ("internal import struct A.B", ["A"]),
            ("internal import class A.B.C", ["A"]), ("// import A", []),
            ("let a = \"import A\"", []), ("let import = a", []), ("a.import(B)", []),
        ] as [(String, [String])])
    func finds(text: String, expected: [String]) {
        let file = Scanned("a.swift", Array(text.utf8), .swift)
        #expect(Self.imports(in: file).sorted() == expected)
    }
}
