internal import Messages

/// The result of a check of `weir doctor`.
struct Finding: Equatable {
    enum Level: String { case ok, warning, failure }

    let level: Level
    /// What was checked.
    let subject: String
    /// What was found and, unless all is well, what to do.
    let text: String

    static func ok(_ subject: String, _ text: String) -> Finding {
        Finding(level: .ok, subject: subject, text: text)
    }

    static func warning(_ subject: String, _ text: String) -> Finding {
        Finding(level: .warning, subject: subject, text: text)
    }

    static func failure(_ subject: String, _ text: String) -> Finding {
        Finding(level: .failure, subject: subject, text: text)
    }

    static func json(_ findings: [Finding]) -> JSONValue {
        let rows = findings.map { finding in
            JSONValue.object([
                ("level", .string(finding.level.rawValue)),
                ("subject", .string(finding.subject)), ("text", .string(finding.text)),
            ])
        }
        return .object([("findings", .array(rows))])
    }

    /// The findings, one a line.
    static func page(_ findings: [Finding], screen: Screen) -> TerminalText {
        let subjects = findings.map(\.subject.count).max() ?? 0
        // On a narrow terminal, the text follows on its own lines.
        let isNarrow = screen.columns.map { $0 < subjects + 50 } ?? false
        return findings.map { finding in
            let level = finding.level.rawValue.padding(to: 7)
            let line =
                isNarrow
                ? screen.words("\(level)  \(finding.subject)", indent: 4) + "\n"
                    + screen.words("    \(finding.text)", indent: 4)
                : screen.words(
                    "\(level)  \(finding.subject.padding(to: subjects))  \(finding.text)",
                    indent: 11 + subjects)
            switch finding.level {
            case .ok: return line
            case .warning: return Style.yellow(line)
            case .failure: return Style.red(line)
            }
        }.joined(separator: "\n")
    }
}

extension String {
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
