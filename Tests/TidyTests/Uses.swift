/// Constructs whose uses are listed in `Lists.txt`.
enum Use: String, CaseIterable, Sendable {
    /// `unsafe` expressions.
    case unsafe
    /// `@unchecked Sendable` conformances.
    case unchecked
    /// Operations that trap: `!`, `try!`, `as!`, `unowned(unsafe)`, `fatalError`, `precondition`.
    case force
    /// `public` declarations outside the modules that users import.
    case `public`

    /// Folders in which uses are counted.
    var places: [String] {
        switch self {
        case .unsafe, .unchecked: ["Benchmarks", "Sources", "Tests"]
        case .force, .public: ["Sources"]
        }
    }

    /// Modules that users import, whose public declarations are not listed.
    static let publicModules = ["Sources/Weir", "Sources/WeirSwiftProtobuf"]

    /// The number of uses in a line of code.
    func count(in line: Substring) -> Int {
        switch self {
        case .unsafe: Self.words("unsafe", in: line) - Self.occurrences("(unsafe)", in: line)
        case .unchecked: Self.occurrences("@unchecked Sendable", in: line)
        case .force:
            Self.forcedUnwraps(in: line) + Self.occurrences("unowned(unsafe)", in: line)
                + ["fatalError", "precondition", "preconditionFailure"].reduce(0) {
                    $0 + (SuitesTests.calls($1, line) ? 1 : 0)
                }
        case .public: line.contains("import ") ? 0 : Self.words("public", in: line)
        }
    }

    /// `x!`, `f()!`, `a[0]!`, `try!` and `as!`, but not `a != b` and `!a`.
    private static func forcedUnwraps(in line: Substring) -> Int {
        guard line.contains("!") else { return 0 }
        let bytes = Array(line.utf8)
        return bytes.indices.count { index in
            guard bytes[index] == UInt8(ascii: "!"), index > 0 else { return false }
            if index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "=") { return false }
            return isEndOfOperand(bytes[index - 1])
        }
    }

    private static func isEndOfOperand(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: ")"),
            UInt8(ascii: "]"):
            true
        default: false
        }
    }

    private static func occurrences(_ text: String, in line: Substring) -> Int {
        line.contains(text) ? line.ranges(of: text).count : 0
    }

    private static func words(_ word: String, in line: Substring) -> Int {
        guard line.contains(word) else { return 0 }
        return line.split { !($0.isLetter || $0.isNumber || $0 == "_") }.count { $0 == word }
    }

    /// The lines with uses in a file, from 1 on; a line with several uses several times.
    func lines(in file: Scanned) -> [Int] {
        file.code.indices.flatMap { index in
            Array(repeating: index + 1, count: count(in: file.code[index]))
        }
    }

    /// Uses without a comment or a message that states the invariant.
    func withoutInvariant(in file: Scanned) -> [Finding] {
        lines(in: file).filter { line in
            // The comment is above, or on one of the first lines of a type.
            let comments = file.prose[max(0, line - 5)..<min(file.prose.count, line + 4)]
            let message = file.prose[line - 1..<min(file.prose.count, line + 3)]
            let hasMessage =
                file.code[line - 1].contains("precondition")
                || file.code[line - 1].contains("fatal")
            return !comments.contains { $0.contains("nvariant") }
                && !(hasMessage && message.contains { $0.contains("\"") })
        }
        .map {
            Finding(
                path: file.path, line: $0,
                text: "\(self) without its invariant; add a comment '// Invariant: ...'")
        }
    }
}
