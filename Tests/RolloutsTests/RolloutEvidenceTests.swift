internal import Evidence
internal import Testing

@testable internal import Rollouts

/// A tick of 100 requests at each side.
private func counts(
    candidateBad: UInt64, baselineBad: UInt64 = 1, started: UInt64 = 100,
    latency: UInt64 = 1_000_000
) -> TickCounts {
    var counts = TickCounts()
    counts.weight = 0.5
    for isCandidate in [true, false] {
        var side = SideCounts()
        side.started = started
        side.unkeyed = started
        side.bad = isCandidate ? candidateBad : baselineBad
        side.latencies.record(
            nanoseconds: isCandidate ? latency : 1_000_000, count: UInt32(started))
        if isCandidate { counts.candidate = side } else { counts.baseline = side }
    }
    return counts
}

@Suite("The evidence of a rollout")
struct RolloutEvidenceTests {
    private static func evidence(
        _ gates: [String], _ ticks: Int, _ counts: TickCounts
    ) throws -> RolloutEvidence {
        var evidence = RolloutEvidence(try plan(gates: gates))
        for _ in 0..<ticks { evidence.add(counts) }
        return evidence
    }

    @Test(
        "fails the gate that the candidate breaks, and no other",
        arguments: [
            ("errors<1.5x", counts(candidateBad: 10)), ("errors<1%", counts(candidateBad: 10)),
            ("p99<1.2x", counts(candidateBad: 1, latency: 2_000_000)),
            (
                "shadow-diff<1%",
                {
                    var counts = counts(candidateBad: 1)
                    (counts.compared, counts.different) = (100, 10)
                    return counts
                }()
            ),
            (
                "codes<2x",
                {
                    var counts = counts(candidateBad: 1)
                    counts.candidate.statuses[1] = 99
                    return counts
                }()
            ),
            (
                "errors<2x",
                {
                    var counts = counts(candidateBad: 0, baselineBad: 0)
                    counts.badOnlyAtShadow = 5
                    return counts
                }()
            ),
        ])
    func fails(gate: String, counts: TickCounts) throws {
        let gates = ["errors<1.5x", "errors<1%", "p99<1.2x", "shadow-diff<1%", "codes<2x"]
        let others = gates.filter { $0.prefix(5) != gate.prefix(5) }
        let evidence = try Self.evidence([gate] + others, 30, counts)
        let failure = try #require(evidence.failure)
        #expect(failure.hasPrefix(gate))
        #expect(try Self.evidence(others, 30, counts).failure == nil)
    }

    @Test(
        "fails a candidate whose replicas are ejected more often than its share",
        arguments: [
            (8, 0, 0.5, true), (8, 8, 0.5, false), (5, 0, 0.5, false), (0, 8, 0.5, false),
            (5, 0, 0.1, true), (8, 0, 0.9, false), (8, 0, nil, false),
        ] as [(UInt64, UInt64, Double?, Bool)])
    func ejections(candidate: UInt64, baseline: UInt64, share: Double?, fails: Bool) throws {
        var evidence = RolloutEvidence(try plan(gates: ["ejected<1.2x"]))
        var tick = TickCounts()
        tick.candidateEjections = candidate
        tick.baselineEjections = baseline
        tick.ejectionShare = share
        evidence.add(tick)
        #expect((evidence.failure != nil) == fails)
        #expect(evidence.isProven())
        var restored = RolloutEvidence(try plan(gates: ["ejected<1.2x"]))
        #expect(restored.restore(evidence.stored) == true)
        #expect(restored.logFailure == evidence.logFailure)
    }

    @Test("proves an identical candidate, and not one without errors")
    func proves() throws {
        let gates = ["errors<2x", "p99<1.2x", "codes<2x", "errors<50%"]
        let evidence = try Self.evidence(gates, 200, counts(candidateBad: 1))
        #expect(evidence.isProven() == evidence.reports.allSatisfy { $0.logPass ?? 9 >= 2.9 })
        #expect(evidence.failure == nil)
        #expect(try Self.evidence(["errors<2x"], 200, counts(candidateBad: 1)).isProven())
        #expect(
            try !Self.evidence(["errors<2x"], 200, counts(candidateBad: 0, baselineBad: 0))
                .isProven()
        )
    }

    @Test("counts each key once")
    func keys() throws {
        var keyed = counts(candidateBad: 0, baselineBad: 0)
        keyed.candidate.badKeys = Array(repeating: 7, count: 50)
        keyed.candidate.keyedBad = 50
        let evidence = try Self.evidence(["errors<1.5x"], 50, keyed)
        #expect(evidence.failure == nil)
        var many = RolloutEvidence(try plan(gates: ["errors<1.5x"]))
        for key in 0..<50 as Range<UInt64> {
            keyed.candidate.badKeys = [key]
            many.add(keyed)
        }
        #expect(many.failure != nil)
    }

    @Test("reports a ratio with its interval")
    func reports() throws {
        let report = try #require(
            try Self.evidence(["errors<1.5x"], 20, counts(candidateBad: 5)).reports.first)
        let ratio = try #require(report.ratio)
        #expect(ratio.lower < 5 && ratio.upper > 5)
        #expect(try #require(ratio.estimate) > 3.5)
        #expect(report.requests == 2_000 && report.candidateBad == 100 && report.baselineBad == 20)
    }

    @Test("continues from stored sums, and rejects those of other gates")
    func stores() throws {
        let gates = ["errors<1.5x", "errors<1%", "p99<1.2x", "shadow-diff<1%", "codes<2x"]
        var evidence = try Self.evidence(gates, 10, counts(candidateBad: 2))
        evidence.restart()
        evidence.add(counts(candidateBad: 2))
        var restored = RolloutEvidence(try plan(gates: gates))
        #expect(restored.restore(evidence.stored) == true)
        #expect(restored.reports == evidence.reports && restored.stored == evidence.stored)
        #expect(restored.logFailure == evidence.logFailure)
        let before = restored
        #expect(restored.restore([]) == false)
        for index in gates.indices {
            for invalid in [[], [[.nan]], [[1, 2, 3]], [[-1, 0]]] as [[[Double]]] {
                var stored = evidence.stored
                stored[index].sums = invalid
                #expect(restored.restore(stored) == false)
            }
            var stored = evidence.stored
            stored[index].gate = "errors<9x"
            #expect(restored.restore(stored) == false)
        }
        #expect(restored == before)
    }

    @Test("stays finite for the largest counts")
    func extremes() throws {
        let gates = ["errors<1.5x", "errors<1%", "p99<1.2x", "shadow-diff<1%", "codes<2x"]
        var largest = counts(candidateBad: .max, baselineBad: .max, started: 1)
        largest.candidate.started = .max
        largest.candidate.unkeyed = .max
        largest.baseline.started = .max
        largest.baseline.unkeyed = .max
        (largest.compared, largest.different) = (.max, .max)
        largest.candidate.keyedBad = 0
        let evidence = try Self.evidence(gates, 100, largest)
        #expect(!evidence.logFailure.isNaN)
        #expect(evidence.reports.allSatisfy { !$0.logFailure.isNaN })
    }
}
