internal import Foundation

/// A phrase that house style forbids, and the wording to use instead.
struct BannedPhrase: Sendable {
    /// A case-insensitive regular expression, which matches whole words.
    let pattern: String
    let instead: String

    static let all = [
        BannedPhrase("tells?|told|telling", "use 'reports', 'returns', 'contains' or 'shows'"),
        BannedPhrase("anew", "use 'again' or 'restarts'"),
        BannedPhrase(
            "somebody|someone|nobody|anybody|everybody|everyone|whoever|no one",
            "name the actor: the client, the backend, the operator"),
        BannedPhrase("goes", "use 'continues', 'is sent', 'is routed', 'ends' or 'fails'"),
        BannedPhrase("going (on|back|over)", "use 'continuing' or 'returning'"),
        BannedPhrase("went (wrong|well|back|on)", "use 'failed', 'succeeded' or 'ran'"),
        BannedPhrase("comes", "use 'arrives', 'returns', 'starts' or 'is'"),
        BannedPhrase("wished for|wishes", "use 'requested' or 'configured'"),
        BannedPhrase("of its own accord", "name the actor"),
        BannedPhrase("(is|are) said to|it is said", "name the actor"),
        BannedPhrase("(is|are) no (?!longer|more|different)[a-z]+", "write \"invalid Y 'X'\""),
        BannedPhrase("there (is|are|was|were) no", "use 'no X' or 'X does not exist'"),
        BannedPhrase("what [a-z]+ that", "name the object before its property"),
        BannedPhrase("lets? (in|out|through|pass)", "use 'admits', 'accepts' or 'forwards'"),
        BannedPhrase("as (it|they) (came|comes?)", "use 'unchanged'"),
        BannedPhrase("giv(es?|ing|en) up|gave up", "use 'cancels', 'drops' or 'stops'"),
        BannedPhrase("for people", "use 'for operators' or 'as text'"),
        BannedPhrase("in the place of", "use 'instead of'"),
    ]

    init(_ pattern: String, _ instead: String) {
        (self.pattern, self.instead) = (pattern, instead)
    }

    private static func regex(_ pattern: String) throws -> NSRegularExpression {
        try NSRegularExpression(pattern: "\\b(?:\(pattern))\\b", options: .caseInsensitive)
    }

    /// The prose of a line, with the name of a Python test as words.
    private static func text(of file: Scanned, _ index: Int) -> String {
        let definition = "def test_"
        guard file.language == .python, file.code[index].hasPrefix(definition) else {
            return String(file.prose[index])
        }
        let name = file.code[index].dropFirst(definition.count).prefix { $0 != "(" }
        return String(name.replacing("_", with: " "))
    }

    /// All occurrences of the phrases in the prose of a file and in the names of its tests.
    static func findings(
        in file: Scanned, _ phrases: [BannedPhrase] = all
    ) throws -> [Finding] {
        let any = try regex(phrases.map(\.pattern).joined(separator: "|"))
        let each = try phrases.map { (try regex($0.pattern), $0.instead) }
        return file.prose.indices.flatMap { index -> [Finding] in
            let line = text(of: file, index)
            let range = NSRange(line.startIndex..., in: line)
            guard any.firstMatch(in: line, range: range) != nil else { return [] }
            return each.flatMap { regex, instead in
                regex.matches(in: line, range: range).compactMap { match in
                    Range(match.range, in: line).map {
                        Finding(
                            path: file.path, line: index + 1, text: "'\(line[$0])': \(instead)")
                    }
                }
            }
        }
    }
}
