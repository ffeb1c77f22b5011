/// Turns latencies into ticks of bad requests: a request is bad if it is slower than a threshold.
///
/// The threshold of a tick is the quantile of the baseline over the *previous* 30 ticks. It is thus
/// known before the tick, and the evidence of `RatioTest` with the bound 1 stays valid. At the
/// candidate, the threshold is multiplied by 1 + tolerance. A request that has not finished when it
/// is judged is bad at either side.
package struct LatencyComparison: Equatable, Sendable {
    /// The number of ticks of the baseline that determine a threshold, for one server.
    package static let window = 30
    /// The same for all servers.
    package static let maxWindow = 1_920

    package let quantile: Double
    package let tolerance: Double
    private var recent = Window()

    /// - Parameters:
    ///   - quantile: above 0 and below 1, for example 0.99.
    ///   - tolerance: 0 to 99; 0.2 accepts a candidate that is 20 % slower.
    package init?(quantile: Double, tolerance: Double) {
        guard quantile > 0, quantile < 1, (0...99).contains(tolerance) else { return nil }
        self.quantile = quantile
        self.tolerance = tolerance
    }

    /// Judges the requests of a tick.
    ///
    /// - Parameters:
    ///   - started: the requests that started in the tick, also those that have not finished.
    ///   - window: the number of ticks that determine the next threshold; more than `maxWindow`
    ///     count as those.
    /// - Returns: nil before the baseline has a quantile, and if one side had no requests.
    package mutating func tick(
        candidate: LatencyCounts, started candidates: UInt64,
        baseline: LatencyCounts, started baselines: UInt64, window: Int = Self.window
    ) -> EvidenceTick? {
        let threshold = threshold
        recent.add(baseline, keeping: max(1, min(window, Self.maxWindow)))
        recent.moveToQuantile(quantile)
        guard let threshold else { return nil }
        return EvidenceTick(
            candidate: candidates,
            candidateBad: candidates - min(candidates, candidate.count(upTo: threshold.candidate)),
            baseline: baselines,
            baselineBad: baselines - min(baselines, baseline.count(upTo: threshold.baseline)))
    }

    /// The last buckets that are fast enough; nil without latencies of the baseline, and if its
    /// quantile is in the last bucket.
    package var threshold: (baseline: Int, candidate: Int)? {
        guard recent.all > 0, let end = LatencyCounts.end(ofBucket: recent.bucket) else {
            return nil
        }
        // The bucket that contains the tolerated latency is still fast enough: the rounding favours
        // the candidate, so that it causes no false alarm. An end is at most 2^36 ns.
        let tolerated = UInt64(Double(end - 1) * (1 + tolerance))
        return (recent.bucket, LatencyCounts.bucket(nanoseconds: tolerated))
    }

    /// The latencies of the last ticks and their quantile, which moves with each tick by a few
    /// buckets.
    private struct Window: Equatable {
        private var ticks: [LatencyCounts] = []
        private var counts = Array(repeating: UInt64(0), count: LatencyCounts.buckets)
        private(set) var all: UInt64 = 0
        /// The bucket of the quantile, and the number of latencies up to its end.
        private(set) var bucket = 0
        private var reached: UInt64 = 0

        mutating func add(_ tick: LatencyCounts, keeping limit: Int) {
            while ticks.count >= limit {
                for entry in ticks.removeFirst().entries {
                    counts[entry.bucket] -= UInt64(entry.count)
                    all -= UInt64(entry.count)
                    if entry.bucket <= bucket { reached -= UInt64(entry.count) }
                }
            }
            ticks.append(tick)
            for entry in tick.entries {
                counts[entry.bucket] += UInt64(entry.count)
                all += UInt64(entry.count)
                if entry.bucket <= bucket { reached += UInt64(entry.count) }
            }
        }

        mutating func moveToQuantile(_ quantile: Double) {
            // A window holds at most 1,920 times 418 counts of 32 bits, so the product is exact
            // enough and at most `all`.
            let rank = max(1, UInt64((quantile * Double(all)).rounded(.up)))
            while reached < rank, bucket + 1 < counts.count {
                bucket += 1
                reached += counts[bucket]
            }
            while bucket > 0, reached - counts[bucket] >= rank {
                reached -= counts[bucket]
                bucket -= 1
            }
        }
    }
}
