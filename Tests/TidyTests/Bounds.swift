/// The sizes of files, lines and functions.
enum Bounds {
    static let fileLines = 400
    static let functionLines = 70
    static let columns = 100

    static func longLines(in file: Scanned) -> [Finding] {
        file.lines.indices.filter { file.lines[$0].count > columns }.map {
            Finding(
                path: file.path, line: $0 + 1,
                text: "\(file.lines[$0].count) columns; wrap the line at \(columns)")
        }
    }

    static func longFunctions(in file: Scanned) -> [Finding] {
        functions(in: file).filter { $0.lines > functionLines }.map {
            Finding(
                path: file.path, line: $0.line,
                text: "function of \($0.lines) lines; split it at \(functionLines)")
        }
    }

    struct Function: Equatable {
        /// The line of its declaration, from 1 on.
        let line: Int
        let lines: Int
    }

    static func functions(in file: Scanned) -> [Function] {
        switch file.language {
        case .swift: swiftFunctions(file.code)
        case .python: pythonFunctions(file.code)
        case .proto, .markdown, .script, .other: []
        }
    }

    /// A function reaches from its keyword to the brace that closes its body.
    private static func swiftFunctions(_ code: [Substring]) -> [Function] {
        code.indices.compactMap { index in
            guard declaresFunction(code[index]) else { return nil }
            return end(ofBodyFrom: index, in: code).map {
                Function(line: index + 1, lines: $0 - index + 1)
            }
        }
    }

    private static func declaresFunction(_ line: Substring) -> Bool {
        guard line.contains("func ") || line.contains("init") else { return false }
        let words = line.split { !($0.isLetter || $0 == "_" || $0.isNumber) }
        guard let keyword = words.first(where: { !modifiers.contains($0) }) else { return false }
        if keyword == "func" { return true }
        return keyword == "init"
            && (line.contains("init(") || line.contains("init?(") || line.contains("init<"))
            && line.drop { $0 == " " }.hasPrefix(words[0])
    }

    private static let modifiers: Set<Substring> = [
        "async", "borrowing", "consuming", "convenience", "fileprivate", "final", "inline",
        "inlinable", "internal", "mutating", "nonisolated", "nonmutating", "override", "package",
        "private", "public", "required", "static", "always", "usableFromInline", "Sendable",
        "discardableResult", "unsafe", "class",
    ]

    /// The line of the closing brace; nil for a declaration without a body.
    private static func end(ofBodyFrom start: Int, in code: [Substring]) -> Int? {
        var (braces, parentheses) = (0, 0)
        for index in start..<code.count {
            // A declaration without a body ends before the next one.
            if index > start, braces == 0, parentheses == 0, declaresFunction(code[index]) {
                return nil
            }
            for byte in code[index].utf8 {
                switch byte {
                case UInt8(ascii: "("): parentheses += 1
                case UInt8(ascii: ")"): parentheses -= 1
                case UInt8(ascii: "{") where parentheses == 0 || braces > 0: braces += 1
                case UInt8(ascii: "}") where parentheses == 0 || braces > 0:
                    braces -= 1
                    if braces <= 0 { return braces == 0 ? index : nil }
                default: break
                }
            }
        }
        return nil
    }

    /// A function reaches to the last line with a larger indentation.
    private static func pythonFunctions(_ code: [Substring]) -> [Function] {
        code.indices.compactMap { index in
            let line = code[index].drop { $0 == " " }
            guard line.hasPrefix("def ") || line.hasPrefix("async def ") else { return nil }
            let indentation = code[index].count - line.count
            var last = index
            var parentheses = 0
            for next in index..<code.count {
                let content = code[next].drop { $0 == " " }
                if content.isEmpty { continue }
                let isInside =
                    next == index || parentheses > 0
                    || code[next].count - content.count > indentation
                guard isInside else { break }
                for byte in content.utf8 {
                    if byte == UInt8(ascii: "(") { parentheses += 1 }
                    if byte == UInt8(ascii: ")") { parentheses -= 1 }
                }
                last = next
            }
            return Function(line: index + 1, lines: last - index + 1)
        }
    }
}
