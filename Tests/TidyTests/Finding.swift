/// A violation of a rule, printed as `file:line: text`.
struct Finding: CustomStringConvertible, Equatable {
    let path: String
    let line: Int
    let text: String

    var description: String { "\(path):\(line): \(text)" }
}

extension [Finding] {
    /// One line for each finding.
    var text: String { map { "\n\($0)" }.joined() }
}
