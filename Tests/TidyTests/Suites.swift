/// The Swift Testing suites of a file.
struct TestSuite: Equatable {
    let name: String
    /// From 1 on.
    let line: Int
    let hasTimeLimit: Bool
    let hasAsyncTest: Bool

    /// The types with tests, and the extensions that add async tests to a type of another file.
    static func all(in code: [Substring]) -> [TestSuite] {
        var suites: [TestSuite] = []
        var attributes = ""
        var isTest = false
        var open: (name: String, line: Int, hasTimeLimit: Bool, indentation: Int)?
        var (hasTest, hasAsyncTest) = (false, false)

        func close() {
            if let open, hasTest {
                suites.append(
                    TestSuite(
                        name: open.name, line: open.line, hasTimeLimit: open.hasTimeLimit,
                        hasAsyncTest: hasAsyncTest))
            }
            (open, hasTest, hasAsyncTest) = (nil, false, false)
        }

        for (index, line) in code.enumerated() {
            let content = line.drop { $0 == " " }
            let indentation = line.count - content.count
            if content.hasPrefix("@") { attributes = "" }
            if content.hasPrefix("@Test") { isTest = true }
            attributes += content
            if let name = typeName(content), indentation <= open?.indentation ?? 0 {
                close()
                open = (name, index + 1, attributes.contains(".timeLimit("), indentation)
                attributes = ""
            } else if content.contains("func "), isTest {
                (hasTest, isTest) = (true, false)
                if signature(from: index, in: code).contains(" async") { hasAsyncTest = true }
                attributes = ""
            }
        }
        close()
        return suites
    }

    /// The name of the type that a line declares or extends.
    private static func typeName(_ line: Substring) -> String? {
        let words = line.split { " (:{<.".contains($0) }
        guard
            let index = words.firstIndex(where: {
                ["struct", "class", "actor", "enum", "extension"].contains($0)
            }), index + 1 < words.count, line.contains("{") || line.hasSuffix(",")
        else { return nil }
        return String(words[index + 1])
    }

    /// The text from `func` to the brace of the body.
    private static func signature(from start: Int, in code: [Substring]) -> Substring {
        let text = code[start..<min(start + 20, code.count)].joined(separator: " ")
        return text.prefix { $0 != "{" }
    }
}
