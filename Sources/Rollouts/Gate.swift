/// A condition that the candidate of a rollout must meet.
package struct Gate: Equatable, Sendable {
    package enum Measure: Equatable, Sendable {
        /// The share of bad requests.
        case errors
        /// A quantile of the latency, for example 0.99.
        case latency(Double)
        /// The rates of statuses that are not the server's fault.
        case statuses
        /// The share of shadow copies with a different response.
        case shadowDifferences
        /// How often replicas are ejected.
        case ejections
    }

    package enum Limit: Equatable, Sendable {
        /// At most this multiple of the baseline's value.
        case ratio(Double)
        /// At most this share, 0 to 1.
        case share(Double)
    }

    package let measure: Measure
    package let limit: Limit
    /// The text of the gate, for example `errors<1.5x`.
    package let text: String

    /// The forms of a gate, for errors.
    package static let forms =
        "errors<1.5x, errors<0.5%, p99<1.2x, codes<2x, ejected<2x or shadow-diff<0.1%"

    /// Whether copies for a shadow are evidence.
    var judgesCopies: Bool {
        switch (measure, limit) {
        case (.errors, .ratio), (.shadowDifferences, _): true
        default: false
        }
    }

    /// Reads a gate, for example `errors<1.5x`, `p99<1.2x` or `shadow-diff<0.1%`.
    package init(_ text: String, field: String) throws(PlanError) {
        func invalid(_ problem: String) -> PlanError {
            PlanError(field, "invalid gate \(PlanText.quoted(text)): \(problem)")
        }
        guard text.utf8.count <= PlanText.maxBytes,
            let separator = text.firstIndex(of: "<")
        else { throw invalid("use \(Self.forms)") }
        let name = text[..<separator]
        let bound = text[text.index(after: separator)...]
        guard let measure = Self.measure(name) else {
            throw invalid(
                "unknown measure \(PlanText.quoted(name)); use errors, p50 to p99.9, codes, "
                    + "ejected or shadow-diff")
        }
        guard let limit = Self.limit(bound) else {
            throw invalid(
                "invalid limit \(PlanText.quoted(bound)); use a ratio from 1x to 100x or a share "
                    + "from 0.0001% to 99%")
        }
        switch (measure, limit) {
        case (.shadowDifferences, .ratio):
            throw invalid("shadow-diff is a share; use for example shadow-diff<0.1%")
        case (.latency, .share), (.statuses, .share), (.ejections, .share):
            throw invalid("\(name) is a ratio; use for example \(name)<1.2x")
        default: break
        }
        self.measure = measure
        self.limit = limit
        self.text = text
    }

    private static func measure(_ name: Substring) -> Measure? {
        switch name {
        case "errors": return .errors
        case "codes": return .statuses
        case "shadow-diff": return .shadowDifferences
        case "ejected": return .ejections
        default:
            guard name.first == "p", let percent = PlanText.number(name.dropFirst()),
                (50...99.9).contains(percent)
            else { return nil }
            // 99.9 / 100 is not 0.999.
            return .latency((percent * 1_000).rounded() / 100_000)
        }
    }

    private static func limit(_ text: Substring) -> Limit? {
        if let share = PlanText.share(text) {
            return (0.000_001...0.99).contains(share) ? .share(share) : nil
        }
        guard text.hasSuffix("x"), let ratio = PlanText.number(text.dropLast()),
            (1...100).contains(ratio)
        else { return nil }
        return .ratio(ratio)
    }
}
