internal import Glibc

/// Evidence that the ratio of the bad shares of candidate and baseline is above, or below, a bound.
/// It is valid however often it is read, and whatever the common rate and the weights do.
///
/// ```
///   L(δ) += C ln δ − N ln(s δ + 1 − s)        for each tick and stratum
///   E     = Σ w_j exp(L(δ_j) − L(r))          δ_j on one side of r, w_j = 1/24
/// ```
///
/// With equal risk, C is hypergeometric given N and the numbers of requests. `δ^C` is convex, so
/// `E δ^C ≤ (sδ + 1 − s)^N` (Hoeffding, JASA 58, 1963). The product over ticks is a
/// supermartingale. By Ville's inequality, E reaches 1/α with probability at most α. A stratum
/// only adds factors: instances can join and leave.
///
/// Source: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022,
/// arXiv 2011.03567, with a mixture over a fixed grid.
///
/// **Late degradation.** `restart` begins another sum at each step of a rollout. The evidence is
/// the mean over all sums, with weights that are fixed in advance. Good ticks of earlier steps
/// therefore cannot hide a candidate that degrades later.
package struct RatioTest: Equatable, Sendable {
    /// Which ratios the evidence is for.
    package enum Side: Sendable {
        /// H0: the ratio is at most the bound. Much evidence means that the candidate fails.
        case above
        /// H0: the ratio is at least the bound. Much evidence means that the candidate passes.
        case below
    }

    /// The number of ratios of the mixture.
    package static let points = 24
    /// The bounds that a test accepts.
    package static let bounds = 0.01...100.0
    /// The largest number of restarts.
    package static let maxRestarts = 64

    package let bound: Double
    package let side: Side
    /// How many restarts the weights provide for.
    package let plannedRestarts: Int
    /// δ_j − r and ln(δ_j / r).
    private let offsets: [Double]
    private let logRatios: [Double]
    /// L(δ_j) − L(r) since the start, and since each restart: one list after the other.
    private var sums: [Double]
    /// The largest of them.
    private var largest = 0.0

    /// - Parameters:
    ///   - bound: r. Nil unless it is within `bounds`.
    ///   - plannedRestarts: at most `maxRestarts`. Without any, the whole weight is on the sum
    ///     since the start; otherwise half of it.
    package init?(bound: Double, side: Side, plannedRestarts: Int = 0) {
        guard Self.bounds.contains(bound), (0...Self.maxRestarts).contains(plannedRestarts) else {
            return nil
        }
        self.bound = bound
        self.side = side
        self.plannedRestarts = plannedRestarts
        let (first, last) = (log(1.1), log(32.0))
        let logRatios = (0..<Self.points).map { index in
            let distance = first + (last - first) * Double(index) / Double(Self.points - 1)
            return side == .above ? distance : -distance
        }
        self.logRatios = logRatios
        offsets = logRatios.map { bound * expm1($0) }
        sums = Array(repeating: 0, count: Self.points)
    }

    /// Adds the counts of a tick. A tick without bad requests changes nothing.
    package mutating func add(_ tick: EvidenceTick) {
        guard tick.bad > 0 else { return }
        // L(δ) − L(r) as one logarithm, so that nothing cancels.
        let scale = tick.share / (1 + tick.share * (bound - 1))
        let (candidateBad, bad) = (tick.candidateBad, tick.bad)
        var top = -Double.infinity
        for point in 0..<Self.points {
            let change = candidateBad * logRatios[point] - bad * log1p(scale * offsets[point])
            var index = point
            while index < sums.count {
                let sum = sums[index] + change
                sums[index] = sum
                if sum > top { top = sum }
                index += Self.points
            }
        }
        largest = top
    }

    /// Begins another sum. Ignored after `plannedRestarts` restarts.
    package mutating func restart() {
        guard started <= plannedRestarts else { return }
        sums += Array(repeating: 0, count: Self.points)
        largest = max(0, largest)
    }

    /// The number of sums: one since the start, and one for each restart.
    private var started: Int { sums.count / Self.points }

    private func logMean(ofSum index: Int) -> Double {
        LogSpace.mean(Array(sums[index * Self.points..<(index + 1) * Self.points]))
    }

    /// ln E.
    package var logEvidence: Double {
        guard plannedRestarts > 0 else { return logMean(ofSum: 0) }
        let later = 0.5 / Double(plannedRestarts)
        var parts = (0..<started).map { index in
            (weight: index == 0 ? 0.5 : later, log: logMean(ofSum: index))
        }
        // A sum that has not begun has the evidence 1.
        let unused = later * Double(plannedRestarts - (started - 1))
        if unused > 0 { parts.append((weight: unused, log: 0)) }
        return LogSpace.mean(parts)
    }

    /// Whether E is at least 1/α.
    ///
    /// - Parameter logThreshold: ln(1/α), which is positive.
    package func reaches(_ logThreshold: Double) -> Bool {
        // A mean does not exceed its largest part, and few ticks have a large part.
        largest >= logThreshold && logEvidence >= logThreshold
    }

    // MARK: Storing

    /// All sums in order, for `restore`.
    package var stored: [Double] { sums }

    /// Continues with stored sums.
    ///
    /// - Returns: false, without a change, if they are not those of such a test.
    package mutating func restore(_ stored: [Double]) -> Bool {
        let count = stored.count / Self.points
        guard stored.count % Self.points == 0, (1...plannedRestarts + 1).contains(count),
            stored.allSatisfy(\.isFinite)
        else { return false }
        sums = stored
        largest = stored.max() ?? 0
        return true
    }
}
