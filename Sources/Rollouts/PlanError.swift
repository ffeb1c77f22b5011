/// Why a plan is invalid: the field of the request, and what is wrong and what would be correct.
package struct PlanError: Error, Equatable, Sendable, CustomStringConvertible {
    package let field: String
    package let problem: String

    package init(_ field: String, _ problem: String) {
        self.field = field
        self.problem = problem
    }

    package var description: String { "\(field): \(problem)" }
}

/// Reads the numbers of a plan. Each has a range, so NaN, infinity and overflow are rejected.
enum PlanText {
    /// The most bytes of one step, gate or ramp.
    static let maxBytes = 256

    /// A part of a request in an error, shortened.
    static func quoted(_ text: some StringProtocol) -> String {
        let shown = text.unicodeScalars.prefix(40).map { scalar in
            scalar.properties.generalCategory == .control ? "?" : String(scalar)
        }
        return "'\(shown.joined())\(text.unicodeScalars.count > 40 ? "..." : "")'"
    }

    /// A decimal number. Nil for other texts, including hexadecimal numbers, NaN and infinity.
    static func number(_ text: some StringProtocol) -> Double? {
        guard !text.isEmpty, text.utf8.count <= 32,
            text.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 })
        else { return nil }
        return Double(text)
    }

    /// `N%` as a share from 0 to 1.
    static func share(_ text: some StringProtocol) -> Double? {
        guard text.hasSuffix("%"), let percent = number(text.dropLast()),
            (0...100).contains(percent)
        else { return nil }
        return percent / 100
    }

    /// `10m`, `1h`, `500ms`: from 1 ms to `maximum`.
    static func duration(
        _ text: some StringProtocol, maximum: Duration = RolloutPlan.longest
    ) -> Duration? {
        // 1e12 ms are 31 years, more than any maximum here.
        guard let milliseconds = DurationText.milliseconds(text), (1...1e12).contains(milliseconds)
        else { return nil }
        let duration = Duration.milliseconds(Int64(milliseconds))
        return duration <= maximum ? duration : nil
    }
}

/// Reads durations as operators write them, in plans, options and files.
package enum DurationText {
    private static let units: [(suffix: String, milliseconds: Double)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// `500ms`, `90s`, `10m`, `1.5h`, `2d` in milliseconds, of any size; nil for other texts.
    package static func milliseconds(_ text: some StringProtocol) -> Double? {
        for unit in units where text.hasSuffix(unit.suffix) {
            if let value = PlanText.number(text.dropLast(unit.suffix.count)) {
                return value * unit.milliseconds
            }
        }
        return nil
    }
}
