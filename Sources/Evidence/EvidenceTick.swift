/// What one stratum counted in one tick of one second: how many requests were bad at the candidate
/// and at the baseline, and which share of the risk the candidate had.
///
/// A request belongs to the tick in which it *started*. Counting requests when they end gives false
/// alarms after each step, because fast failures arrive before slow successes.
package struct EvidenceTick: Equatable, Sendable {
    /// C: bad at the candidate.
    let candidateBad: Double
    /// N: bad at either side.
    let bad: Double
    /// s: the share of requests, or of keys, that the candidate had; above 0 and below 1.
    let share: Double

    /// Bad requests, or keys, of each side.
    package var badAtCandidate: UInt64 { UInt64(exactly: candidateBad) ?? .max }
    package var badAtBaseline: UInt64 { UInt64(exactly: bad - candidateBad) ?? .max }

    /// Counts of requests. Nil if one side had none, or less than 2^-53 of all: such a tick
    /// compares nothing.
    ///
    /// - Parameters:
    ///   - candidate: requests that started at the candidate.
    ///   - candidateBad: how many of them were bad; at most all of them are counted.
    package init?(
        candidate: UInt64, candidateBad: UInt64, baseline: UInt64, baselineBad: UInt64
    ) {
        guard candidate > 0, baseline > 0 else { return nil }
        let (candidates, baselines) = (Double(candidate), Double(baseline))
        self.init(
            share: candidates / (candidates + baselines),
            candidateBad: min(candidateBad, candidate), baselineBad: min(baselineBad, baseline))
    }

    /// Counts of keys whose first bad response fell into this tick. Requests of one key are not
    /// independent, but keys are: the hash of a key selects its side.
    ///
    /// - Parameter share: the weight of the candidate in this tick. Nil unless it is above 0 and
    ///   below 1.
    package init?(share: Double, candidateBad: UInt64, baselineBad: UInt64) {
        guard share > 0, share < 1 else { return nil }
        self.share = share
        self.candidateBad = Double(candidateBad)
        bad = self.candidateBad + Double(baselineBad)
    }

    /// Pairs of a shadow copy and its primary response in which exactly one side is bad. This is
    /// McNemar's test, made sequential: each such pair is equally likely to fall on either side.
    package init(pairsBadAtShadow: UInt64, pairsBadAtPrimary: UInt64) {
        share = 0.5
        candidateBad = Double(pairsBadAtShadow)
        bad = candidateBad + Double(pairsBadAtPrimary)
    }
}
