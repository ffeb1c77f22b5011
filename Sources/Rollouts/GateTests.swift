internal import Evidence

/// The evidence about one gate.
struct GateTests: Equatable, Sendable {
    private enum Kind: Equatable, Sendable {
        case ratio(RatioTest, RatioTest, RatioInterval)
        case latency(LatencyComparisons, RatioTest, RatioTest, RatioInterval)
        case share(ShareTest)
        case statuses(StatusDrift)
        /// Only fails.
        case ejections(RatioTest)
    }

    let gate: Gate
    private var kind: Kind
    /// Requests at the candidate that counted for the gate, and bad ones of each side.
    private(set) var requests: UInt64 = 0
    private(set) var candidateBad: UInt64 = 0
    private(set) var baselineBad: UInt64 = 0

    init?(_ gate: Gate, plannedRestarts: Int) {
        func ratio(_ bound: Double, _ side: RatioTest.Side) -> RatioTest? {
            // Proof is about the whole rollout, and a failure also about each step alone.
            RatioTest(
                bound: bound, side: side, plannedRestarts: side == .above ? plannedRestarts : 0)
        }
        self.gate = gate
        switch (gate.measure, gate.limit) {
        case (.errors, .ratio(let bound)):
            guard let fail = ratio(bound, .above), let pass = ratio(bound, .below) else {
                return nil
            }
            kind = .ratio(fail, pass, RatioInterval())
        case (.latency(let quantile), .ratio(let bound)):
            guard
                let comparison = LatencyComparisons(quantile: quantile, tolerance: bound - 1),
                let fail = ratio(1, .above), let pass = ratio(1, .below)
            else { return nil }
            kind = .latency(comparison, fail, pass, RatioInterval())
        case (.statuses, .ratio(let bound)):
            guard
                let drift = StatusDrift(
                    statuses: SideCounts.statusCodes.count, bound: bound,
                    plannedRestarts: plannedRestarts)
            else { return nil }
            kind = .statuses(drift)
        case (.ejections, .ratio(let bound)):
            guard let fail = ratio(bound, .above) else { return nil }
            kind = .ejections(fail)
        case (_, .share(let limit)):
            guard let test = ShareTest(limit: limit) else { return nil }
            kind = .share(test)
        case (.shadowDifferences, .ratio): return nil
        }
    }

    // MARK: Counting

    /// - Parameters:
    ///   - firstFailures: keys that failed for the first time, at each side.
    ///   - servers: how many servers' counts are added.
    mutating func add(
        _ counts: TickCounts, firstFailures: (candidate: UInt64, baseline: UInt64), servers: Int
    ) {
        switch kind {
        case .ratio(var fail, var pass, var interval):
            for tick in Self.errorTicks(counts, firstFailures) {
                fail.add(tick)
                pass.add(tick)
                interval.add(tick)
            }
            kind = .ratio(fail, pass, interval)
            note(counts.candidate.started, counts.candidate.allBad, counts.baseline.allBad)
        case .latency(var comparison, var fail, var pass, var interval):
            if let tick = comparison.tick(counts, servers: servers) {
                fail.add(tick)
                pass.add(tick)
                interval.add(tick)
                note(
                    counts.candidate.started, tick.badAtCandidate,
                    tick.badAtBaseline)
            }
            kind = .latency(comparison, fail, pass, interval)
        case .share(var test):
            let (bad, all) =
                gate.measure == .shadowDifferences
                ? (counts.different, counts.compared)
                : (counts.candidate.allBad, counts.candidate.started)
            test.add(bad: bad, of: all)
            kind = .share(test)
            note(all, bad, 0)
        case .ejections(var fail):
            let (candidate, baseline) = (counts.candidateEjections, counts.baselineEjections)
            if let share = counts.ejectionShare,
                let tick = EvidenceTick(
                    share: share, candidateBad: candidate, baselineBad: baseline)
            {
                fail.add(tick)
                note(counts.candidate.started, candidate, baseline)
            }
            kind = .ejections(fail)
        case .statuses(var drift):
            for status in SideCounts.statusCodes.indices {
                let tick = EvidenceTick(
                    candidate: counts.candidate.started,
                    candidateBad: counts.candidate.statuses[status],
                    baseline: counts.baseline.started,
                    baselineBad: counts.baseline.statuses[status])
                if let tick { drift.add(tick, status: status) }
            }
            kind = .statuses(drift)
            note(
                counts.candidate.started, counts.candidate.statuses.reduce(0, +),
                counts.baseline.statuses.reduce(0, +))
        }
    }

    /// Requests without a key, keys that failed for the first time, and pairs of a shadow: three
    /// strata.
    private static func errorTicks(
        _ counts: TickCounts, _ firstFailures: (candidate: UInt64, baseline: UInt64)
    ) -> [EvidenceTick] {
        var ticks: [EvidenceTick] = []
        if let tick = EvidenceTick(
            candidate: counts.candidate.unkeyed, candidateBad: counts.candidate.bad,
            baseline: counts.baseline.unkeyed, baselineBad: counts.baseline.bad)
        {
            ticks.append(tick)
        }
        if let weight = counts.weight,
            let tick = EvidenceTick(
                share: weight, candidateBad: firstFailures.candidate,
                baselineBad: firstFailures.baseline)
        {
            ticks.append(tick)
        }
        ticks.append(
            EvidenceTick(
                pairsBadAtShadow: counts.badOnlyAtShadow, pairsBadAtPrimary: counts.badOnlyAtPrimary
            ))
        return ticks
    }

    private mutating func note(_ requests: UInt64, _ candidateBad: UInt64, _ baselineBad: UInt64) {
        self.requests &+= requests
        self.candidateBad &+= candidateBad
        self.baselineBad &+= baselineBad
    }

    /// A step begins.
    mutating func restart() {
        switch kind {
        case .ratio(var fail, let pass, let interval):
            fail.restart()
            kind = .ratio(fail, pass, interval)
        case .latency(let comparison, var fail, let pass, let interval):
            fail.restart()
            kind = .latency(comparison, fail, pass, interval)
        case .statuses(var drift):
            drift.restart()
            kind = .statuses(drift)
        case .ejections(var fail):
            fail.restart()
            kind = .ejections(fail)
        case .share: break
        }
    }

    // MARK: Reading

    /// ln E that the candidate exceeds the limit.
    var logFailure: Double {
        switch kind {
        case .ratio(let fail, _, _), .latency(_, let fail, _, _), .ejections(let fail):
            fail.logEvidence
        case .share(let test): test.logEvidence(.above)
        case .statuses(let drift): drift.logEvidence
        }
    }

    /// ln E that the candidate meets the limit; nil for a gate that only fails.
    var logPass: Double? {
        switch kind {
        case .ratio(_, let pass, _), .latency(_, _, let pass, _): pass.logEvidence
        case .share(let test): test.logEvidence(.below)
        case .statuses, .ejections: nil
        }
    }

    /// The ratio and its interval; nil for other gates.
    func range(alpha: Double) -> RatioInterval.Range? {
        switch kind {
        case .ratio(_, _, let interval), .latency(_, _, _, let interval):
            interval.range(alpha: alpha)
        case .share, .statuses, .ejections: nil
        }
    }

    // MARK: Storing

    var stored: RolloutEvidence.StoredGate {
        var stored = RolloutEvidence.StoredGate(gate: gate.text)
        switch kind {
        case .ratio(let fail, let pass, let interval),
            .latency(_, let fail, let pass, let interval):
            stored.sums = [fail.stored, pass.stored, interval.stored]
        case .share(let test): stored.sums = [[test.bad, test.good]]
        case .statuses(let drift): stored.sums = drift.stored
        case .ejections(let fail): stored.sums = [fail.stored]
        }
        (stored.requests, stored.candidateBad, stored.baselineBad) =
            (requests, candidateBad, baselineBad)
        return stored
    }

    /// Continues with stored sums. The thresholds of latencies begin again.
    ///
    /// - Returns: false, without a change, if they are not those of the gate.
    mutating func restore(_ stored: RolloutEvidence.StoredGate) -> Bool {
        guard stored.gate == gate.text else { return false }
        let sums = stored.sums
        switch kind {
        case .ratio(var fail, var pass, var interval):
            guard sums.count == 3, fail.restore(sums[0]), pass.restore(sums[1]),
                interval.restore(sums[2])
            else { return false }
            kind = .ratio(fail, pass, interval)
        case .latency(let comparison, var fail, var pass, var interval):
            guard sums.count == 3, fail.restore(sums[0]), pass.restore(sums[1]),
                interval.restore(sums[2])
            else { return false }
            kind = .latency(comparison, fail, pass, interval)
        case .share(var test):
            guard sums.count == 1, sums[0].count == 2,
                test.restore(bad: sums[0][0], good: sums[0][1])
            else { return false }
            kind = .share(test)
        case .ejections(var fail):
            guard sums.count == 1, fail.restore(sums[0]) else { return false }
            kind = .ejections(fail)
        case .statuses(var drift):
            guard drift.restore(sums) else { return false }
            kind = .statuses(drift)
        }
        (requests, candidateBad, baselineBad) =
            (stored.requests, stored.candidateBad, stored.baselineBad)
        return true
    }
}
