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

    /// The findings, one a line.
    static func page(_ findings: [Finding], screen: Screen) -> TerminalText {
        let subjects = findings.map(\.subject.count).max() ?? 0
        return findings.map { finding in
            let name = finding.subject.padding(to: subjects)
            let line = screen.words(
                "\(finding.level.rawValue.padding(to: 7))  \(name)  \(finding.text)",
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
