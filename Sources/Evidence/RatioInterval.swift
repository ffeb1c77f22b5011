internal import Glibc

/// The ratio of the bad shares of candidate and baseline with an interval that contains the true
/// ratio at all times together with probability 1 − α; for display: "1.9x (1.6 to 2.4)".
///
/// ```
///   { δ : L(δ) > ln Σ w_j exp L(δ_j) − ln(1/α) }
///   δ_j = exp(linspace(−ln 64, ln 64)), 257 points
/// ```
///
/// Source: as for `RatioTest`. A ratio outside 1/64 to 64 is displayed as that bound.
package struct RatioInterval: Equatable, Sendable {
    /// The interval and the most likely ratio within it.
    package struct Range: Equatable, Sendable {
        package let lower: Double
        /// Nil before the first bad request.
        package let estimate: Double?
        package let upper: Double
    }

    /// The number of ratios.
    package static let points = 257
    private static let logRatios = (0..<points).map { index in
        log(64.0) * (2 * Double(index) / Double(points - 1) - 1)
    }
    private static let offsets = logRatios.map { expm1($0) }

    /// L(δ_j).
    private var sums = Array(repeating: 0.0, count: points)

    package init() {}

    /// Adds the counts of a tick.
    package mutating func add(_ tick: EvidenceTick) {
        guard tick.bad > 0 else { return }
        for point in sums.indices {
            sums[point] +=
                tick.candidateBad * Self.logRatios[point]
                - tick.bad * log1p(tick.share * Self.offsets[point])
        }
    }

    /// The interval at a level.
    ///
    /// - Parameter alpha: above 0 and below 1. For other values, the interval is the whole range.
    package func range(alpha: Double) -> Range {
        let all = sums.indices
        let largest = all.max { sums[$0] < sums[$1] } ?? 0
        let hasData = sums.contains { $0 != 0 }
        let limit = alpha > 0 && alpha < 1 ? LogSpace.mean(sums) + log(alpha) : -.infinity
        let inside = all.filter { sums[$0] > limit }
        return Range(
            lower: exp(Self.logRatios[inside.first ?? largest]),
            estimate: hasData ? exp(Self.logRatios[largest]) : nil,
            upper: exp(Self.logRatios[inside.last ?? largest]))
    }

    /// The sums, for `restore`.
    package var stored: [Double] { sums }

    /// Continues with stored sums.
    ///
    /// - Returns: false, without a change, if they are not those of an interval.
    package mutating func restore(_ stored: [Double]) -> Bool {
        guard stored.count == Self.points, stored.allSatisfy(\.isFinite) else { return false }
        sums = stored
        return true
    }
}
