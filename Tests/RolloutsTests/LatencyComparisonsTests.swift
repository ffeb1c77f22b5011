internal import Evidence
internal import Testing

@testable internal import Rollouts

@Suite("Latencies of several methods")
struct LatencyComparisonsTests {
    /// 100 requests at each side with these latencies in milliseconds.
    private static func counts(
        _ method: String, candidate: UInt64, baseline: UInt64
    ) -> TickCounts {
        var counts = TickCounts()
        counts.method = method
        for (isCandidate, milliseconds) in [(true, candidate), (false, baseline)] {
            var side = SideCounts()
            side.started = 100
            side.latencies.record(nanoseconds: milliseconds * 1_000_000, count: 100)
            if isCandidate { counts.candidate = side } else { counts.baseline = side }
        }
        return counts
    }

    private static func evidence(_ ticks: [TickCounts]) throws -> RolloutEvidence {
        var evidence = RolloutEvidence(try plan(gates: ["p99<1.2x"]))
        for _ in 0..<40 { for tick in ticks { evidence.add(tick) } }
        return evidence
    }

    @Test("are compared with the threshold of their method")
    func separate() throws {
        let slow = Self.counts("/x.Y/Slow", candidate: 1_000, baseline: 1_000)
        let same = Self.counts("/x.Y/Fast", candidate: 5, baseline: 5)
        let worse = Self.counts("/x.Y/Fast", candidate: 50, baseline: 5)
        #expect(try Self.evidence([slow, same]).failure == nil)
        #expect(try Self.evidence([slow, worse]).failure != nil)
        // One threshold for both would be that of the slow method, and hide the difference.
        var (pooledSlow, pooledWorse) = (slow, worse)
        (pooledSlow.method, pooledWorse.method) = ("", "")
        #expect(try Self.evidence([pooledSlow, pooledWorse]).failure == nil)
    }

    @Test("of more methods than a server counts share one threshold")
    func bounded() throws {
        let comparisons = try #require(LatencyComparisons(quantile: 0.99, tolerance: 0.2))
        var many = comparisons
        for number in 0..<1_000 {
            _ = many.tick(Self.counts("/x.Y/\(number)", candidate: 5, baseline: 5), servers: 1)
        }
        // The first of these methods after the bound has the threshold of the others.
        #expect(
            many.tick(Self.counts("/x.Y/new", candidate: 5, baseline: 5), servers: 1) != nil)
        var one = comparisons
        #expect(one.tick(Self.counts("/x.Y/new", candidate: 5, baseline: 5), servers: 1) == nil)
    }

    @Test("of a fleet have a window of 30 seconds, not of 30 publications")
    func fleets() throws {
        for (servers, isKnown) in [(1, false), (10, true)] {
            var comparison = try #require(LatencyComparison(quantile: 0.5, tolerance: 0))
            func add(_ milliseconds: UInt64) {
                var latencies = LatencyCounts()
                latencies.record(nanoseconds: milliseconds * 1_000_000, count: 100)
                _ = comparison.tick(
                    candidate: latencies, started: 100, baseline: latencies, started: 100,
                    window: LatencyComparison.window * servers)
            }
            // With 10 servers, these are 14 seconds.
            for _ in 0..<100 { add(500) }
            for _ in 0..<40 { add(1) }
            let threshold = try #require(comparison.threshold).baseline
            let slow = LatencyCounts.bucket(nanoseconds: 500_000_000)
            #expect((threshold == slow) == isKnown)
        }
    }
}
