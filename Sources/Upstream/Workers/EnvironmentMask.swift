internal import GRPCWire

/// Hides the values of a worker's environment in its output, because they may be secrets.
package struct EnvironmentMask {
    /// Shorter values, such as `true` or `8080`, are part of too many other words.
    private static let minBytes = 6
    /// The longest first: a value may contain another one.
    private let values: [String]

    /// - Parameter environment: the variables of the backend. A line of output holds one line of a
    ///   value.
    package init(_ environment: [String: String]) {
        let lines = environment.values.flatMap { $0.split(whereSeparator: \.isNewline) }
        values = Set(lines.map(String.init)).filter { $0.utf8.count >= Self.minBytes }
            .sorted { ($0.utf8.count, $0) > ($1.utf8.count, $1) }
    }

    package func apply(to line: String) -> String {
        values.reduce(line) { $0.replacing($1, with: String.masked) }
    }
}
