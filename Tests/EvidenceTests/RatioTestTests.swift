internal import Testing

@testable internal import Evidence

private func tick(
    _ candidateBad: UInt64, _ baselineBad: UInt64, _ candidate: UInt64, _ baseline: UInt64
) throws -> EvidenceTick {
    try #require(
        EvidenceTick(
            candidate: candidate, candidateBad: candidateBad, baseline: baseline,
            baselineBad: baselineBad))
}

@Suite("The evidence for a ratio of bad shares")
struct RatioTestTests {
    @Test(
        "equals the test vectors",
        arguments: [
            (RatioTest.Side.above, 1, [(5, 10, 1_000, 9_000)], 2.0875678001),
            (.above, 1, [(5, 10, 1_000, 9_000), (30, 20, 5_000, 5_000)], 0.9488469175),
            (.above, 1, [(35, 30, 6_000, 14_000)], 6.2513260731),
            (.above, 1, [(1, 9, 1_000, 9_000)], -1.1722899707),
            (.below, 2, [(10, 90, 1_000, 9_000)], 1.1600823404),
            (.above, 1, [(0, 1, 100, 900), (50, 50, 500, 500)], -2.7525790601),
        ] as [(RatioTest.Side, Double, [(UInt64, UInt64, UInt64, UInt64)], Double)])
    func vectors(
        side: RatioTest.Side, bound: Double, ticks: [(UInt64, UInt64, UInt64, UInt64)],
        expected: Double
    ) throws {
        var test = ratioTest(bound, side)
        for counts in ticks { test.add(try tick(counts.0, counts.1, counts.2, counts.3)) }
        #expect(abs(test.logEvidence - expected) < 1e-9)
        #expect(test.reaches(expected - 1e-9) && !test.reaches(expected + 1e-9))
    }

    @Test(
        "equals the test vectors of pairs",
        arguments: [(12, 3, 2.1302153887), (5, 0, 2.6676052834)] as [(UInt64, UInt64, Double)])
    func pairs(shadow: UInt64, primary: UInt64, expected: Double) {
        var test = ratioTest(1)
        test.add(EvidenceTick(pairsBadAtShadow: shadow, pairsBadAtPrimary: primary))
        #expect(abs(test.logEvidence - expected) < 1e-9)
    }

    @Test("does not change with a tick without bad requests, and skips one without a side")
    func emptyTicks() throws {
        var test = ratioTest(1)
        test.add(try tick(0, 0, 1_000, 9_000))
        #expect(test.logEvidence == 0)
        #expect(
            EvidenceTick(candidate: 0, candidateBad: 0, baseline: 9, baselineBad: 9) == nil)
        #expect(
            EvidenceTick(candidate: 9, candidateBad: 9, baseline: 0, baselineBad: 0) == nil)
        #expect(
            EvidenceTick(candidate: .max, candidateBad: 9, baseline: 1, baselineBad: 0) == nil)
    }

    @Test(
        "stays finite for the largest counts, and for one side only",
        arguments: [
            (UInt64.max, UInt64.max, UInt64.max, UInt64.max), (.max, 0, .max, .max),
            (0, 1 << 50, 1, 1 << 50), (1 << 50, 0, 1 << 50, 1), (1, 0, 1, 1 << 50),
            (0, 1, 1 << 50, 1),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func extremes(candidateBad: UInt64, baselineBad: UInt64, candidate: UInt64, baseline: UInt64)
        throws
    {
        let counts = try tick(candidateBad, baselineBad, candidate, baseline)
        for bound in [RatioTest.bounds.lowerBound, 1, RatioTest.bounds.upperBound] {
            for side in [RatioTest.Side.above, .below] {
                var test = ratioTest(bound, side, restarts: 2)
                for _ in 0..<1_000 { test.add(counts) }
                test.restart()
                test.add(counts)
                #expect(test.logEvidence.isFinite)
                #expect(test.stored.allSatisfy { $0.isFinite })
            }
        }
        var interval = RatioInterval()
        for _ in 0..<1_000 { interval.add(counts) }
        let range = interval.range(alpha: 0.05)
        #expect(range.lower.isFinite && range.upper.isFinite && range.lower <= range.upper)
    }

    @Test("counts at most the requests that started")
    func clamps() throws {
        #expect(try tick(9, 0, 5, 5) == tick(5, 0, 5, 5))
        #expect(try tick(0, 9, 5, 5) == tick(0, 5, 5, 5))
    }

    @Test(
        "rejects bounds, numbers of restarts and shares outside their ranges",
        arguments: [.nan, .infinity, -.infinity, 0, -1, 1e300, 0.00999, 100.1] as [Double])
    func rejects(value: Double) {
        #expect(RatioTest(bound: value, side: .above) == nil)
        #expect(RatioTest(bound: 1, side: .above, plannedRestarts: -1) == nil)
        #expect(RatioTest(bound: 1, side: .above, plannedRestarts: 64) != nil)
        #expect(RatioTest(bound: 1, side: .above, plannedRestarts: 65) == nil)
        if value <= 0 || value >= 1 || value.isNaN {
            #expect(EvidenceTick(share: value, candidateBad: 1, baselineBad: 1) == nil)
        }
        #expect(EvidenceTick(share: 1, candidateBad: 1, baselineBad: 1) == nil)
    }

    @Test("continues unchanged from stored sums")
    func stores() throws {
        var test = ratioTest(2, restarts: 3)
        test.add(try tick(5, 10, 1_000, 9_000))
        test.restart()
        test.add(try tick(30, 20, 5_000, 5_000))
        var restored = ratioTest(2, restarts: 3)
        #expect(restored.restore(test.stored) == true)
        #expect(restored == test)
        for invalid in [
            [], [1], Array(repeating: .nan, count: 24), Array(repeating: 0, count: 24 * 5),
        ] as [[Double]] {
            #expect(restored.restore(invalid) == false)
            #expect(restored == test)
        }
    }

    @Test("has an interval that contains the ratio and narrows")
    func interval() throws {
        var interval = RatioInterval()
        let unknown = interval.range(alpha: 0.05)
        #expect(unknown.estimate == nil)
        #expect(abs(unknown.lower - 1 / 64) < 1e-12 && abs(unknown.upper - 64) < 1e-9)
        interval.add(try tick(20, 90, 1_000, 9_000))
        let first = interval.range(alpha: 0.05)
        for _ in 0..<9 { interval.add(try tick(20, 90, 1_000, 9_000)) }
        let last = interval.range(alpha: 0.05)
        for range in [first, last] {
            #expect(try range.lower < 2 && range.upper > 2 && #require(range.estimate) > 1.9)
        }
        #expect(last.lower > first.lower && last.upper < first.upper)
        #expect(last.lower > 1.5 && last.upper < 2.6)
        // An invalid level gives the whole range.
        #expect(interval.range(alpha: .nan).upper == unknown.upper)
        var restored = RatioInterval()
        #expect(restored.restore(interval.stored) == true)
        #expect(restored == interval)
        #expect(restored.restore([1]) == false)
        #expect(restored.restore(Array(repeating: .nan, count: 257)) == false)
    }

    @Test("combines gates by a mean, so that one gate cannot exceed the level")
    func gates() throws {
        let threshold = try #require(GateEvidence.threshold(alpha: 0.05))
        #expect(GateEvidence.log([]) == 0)
        #expect(GateEvidence.log([threshold, -.infinity]) < threshold)
        #expect(abs(GateEvidence.log([threshold, threshold]) - threshold) < 1e-12)
        #expect(GateEvidence.log([-.infinity]) == -.infinity)
        #expect(GateEvidence.log([.infinity, 0]) == .infinity)
        for invalid in [0, 1, -1, .nan, .infinity] as [Double] {
            #expect(GateEvidence.threshold(alpha: invalid) == nil)
        }
    }

    @Test("detects a drift of one status in either direction, and stores it")
    func drift() throws {
        var drift = try #require(StatusDrift(statuses: 8, bound: 1))
        #expect(drift.logEvidence == 0)
        drift.add(try tick(0, 50, 100, 100), status: 3)
        #expect(drift.logEvidence > 3)
        #expect(drift.logEvidence(ofStatus: 3) > drift.logEvidence)
        #expect(drift.logEvidence(ofStatus: 9) == 0)
        var all = try #require(StatusDrift(statuses: 8, bound: 1))
        all.add(try tick(100, 0, 100, 100), status: 0)
        all.add(try tick(1, 0, 100, 100), status: 8)
        #expect(all.logEvidence > 3)
        var restored = try #require(StatusDrift(statuses: 8, bound: 1))
        #expect(restored.restore(all.stored) == true)
        #expect(restored == all)
        #expect(restored.restore([[1]]) == false)
        #expect(restored == all)
        #expect(StatusDrift(statuses: 0, bound: 1) == nil)
        #expect(StatusDrift(statuses: 8, bound: 0.9) == nil)
        #expect(StatusDrift(statuses: 8, bound: .nan) == nil)
    }
}
