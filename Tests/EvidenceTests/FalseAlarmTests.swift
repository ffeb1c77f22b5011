internal import TestSupport
internal import Testing

@testable internal import Evidence

#if canImport(Glibc)
    internal import Glibc
#endif

/// Each case simulates 2,000 rollouts of 1,000 ticks in which candidate and baseline are the same.
@Suite("The rate of false alarms is at most the level")
struct FalseAlarmTests {
    /// Whether one of the ticks raises an alarm.
    private static func alarm(
        ticks: Int = Simulation.ticks, restartAt: [Int] = [],
        _ tick: (Int) -> EvidenceTick?
    ) -> Bool {
        var test = ratioTest(1, restarts: restartAt.count)
        for index in 0..<ticks {
            if restartAt.contains(index) { test.restart() }
            guard let tick = tick(index), tick.bad > 0 else { continue }
            test.add(tick)
            if test.reaches(Simulation.threshold) { return true }
        }
        return false
    }

    @Test("with few requests", arguments: [0.002, 0.05, 0.5])
    func fewRequests(rate: Double) {
        let seed = Simulation.newSeed()
        // 20 requests a minute at the candidate, 180 at the baseline.
        let (candidates, baselines) = (Counts.poisson(20 / 60), Counts.poisson(3))
        let bad = (0...60).map { Counts.binomial($0, rate) }
        let alarms = Simulation.alarms(seed: seed) { random in
            Self.alarm { _ in
                let (candidate, baseline) = (candidates.draw(&random), baselines.draw(&random))
                guard candidate > 0, baseline > 0 else { return nil }
                return EvidenceTick(
                    candidate: candidate, candidateBad: bad[Int(candidate)].draw(&random),
                    baseline: baseline, baselineBad: bad[Int(baseline)].draw(&random))
            }
        }
        #expect(alarms <= Simulation.limit(), "seed \(seed)")
    }

    @Test("although it is read after each tick, where a z-test fails every second good release")
    func peeking() {
        let seed = Simulation.newSeed()
        let sides = Sides(candidates: 50, 0.01, baselines: 50, 0.01)
        let alarms = Simulation.alarms(seed: seed) { random in
            Self.alarm { _ in sides.tick(&random) }
        }
        #expect(alarms <= Simulation.limit(), "seed \(seed)")
        let naive = Simulation.alarms(runs: 500, seed: seed) { random in
            var (candidateBad, bad) = (0.0, 0.0)
            for _ in 0..<Simulation.ticks {
                guard let tick = sides.tick(&random), tick.bad > 0 else { continue }
                candidateBad += tick.candidateBad
                bad += tick.bad
                // Given N, C is binomial with the share ½.
                if bad >= 10, (candidateBad - bad / 2) / (bad / 4).squareRoot() > 1.645 {
                    return true
                }
            }
            return false
        }
        #expect(naive > 0.3, "seed \(seed)")
    }

    @Test("in a ramp while the common rate moves, where pooled counts fail (Simpson's paradox)")
    func simpson() {
        let seed = Simulation.newSeed()
        // The candidate has 1, 10 and 50 % of 100 requests; meanwhile the common rate rises.
        let steps = [
            Sides(candidates: 1, 0.002, baselines: 99, 0.002),
            Sides(candidates: 10, 0.005, baselines: 90, 0.005),
            Sides(candidates: 50, 0.02, baselines: 50, 0.02),
        ]
        func side(_ tick: Int) -> Sides { steps[min(2, tick / 300)] }
        let alarms = Simulation.alarms(seed: seed) { random in
            Self.alarm(restartAt: [300, 600]) { side($0).tick(&random) }
        }
        #expect(alarms <= Simulation.limit(), "seed \(seed)")
        let pooled = Simulation.alarms(runs: 200, seed: seed) { random in
            var (candidates, baselines, candidateBad, bad) = (0.0, 0.0, 0.0, 0.0)
            for index in 0..<Simulation.ticks {
                let sides = side(index)
                candidates += Double(sides.candidates)
                baselines += Double(sides.baselines)
                guard let tick = sides.tick(&random), tick.bad > 0 else { continue }
                candidateBad += tick.candidateBad
                bad += tick.bad
                guard index % 10 == 0,
                    let all = EvidenceTick(
                        candidate: UInt64(candidates), candidateBad: UInt64(candidateBad),
                        baseline: UInt64(baselines), baselineBad: UInt64(bad - candidateBad))
                else { continue }
                var test = ratioTest(1)
                test.add(all)
                if test.reaches(Simulation.threshold) { return true }
            }
            return false
        }
        #expect(pooled > 0.5, "seed \(seed)")
    }

    /// Three users of which each request fails cause most failures; the hash of a user's key
    /// selects the side.
    private static func heavyUsers(byKey: Bool, seed: UInt64) -> Double {
        let weight = 0.1
        let background = Sides(candidates: 10, 0.002, baselines: 90, 0.002)
        return Simulation.alarms(runs: byKey ? Simulation.runs : 500, seed: seed) { random in
            let heavy = (0..<3).map { _ in random.next() }
            func isCandidate(_ point: UInt64) -> Bool { Double(point) < weight * 0x1p64 }
            var failures = FirstFailures()
            return alarm { _ in
                guard let others = background.tick(&random) else { return nil }
                var candidateBad = UInt64(others.candidateBad)
                var bad = UInt64(others.bad)
                // Each heavy user sends a request in every tenth tick.
                for point in heavy where random.share() < 0.1 {
                    guard !byKey || failures.insert(point) else { continue }
                    bad += 1
                    if isCandidate(point) { candidateBad += 1 }
                }
                return EvidenceTick(
                    share: weight, candidateBad: candidateBad, baselineBad: bad - candidateBad)
            }
        }
    }

    @Test("with users who fail often, where counting their requests fails good releases")
    func heavyUsers() {
        let seed = Simulation.newSeed()
        #expect(
            Self.heavyUsers(byKey: true, seed: seed) <= Simulation.limit(), "seed \(seed)")
        #expect(Self.heavyUsers(byKey: false, seed: seed) > 0.15, "seed \(seed)")
    }

    /// A ramp in which failures end at once and successes after five ticks.
    ///
    /// - Parameter atCompletion: the mutant, which counts a request in the tick in which it ends.
    private static func transients(atCompletion: Bool, seed: UInt64) -> Double {
        let delay = 5
        let steps = [(2, 198), (10, 190), (20, 180), (50, 150), (100, 100)].map {
            Sides(candidates: $0.0, 0.005, baselines: $0.1, 0.005)
        }
        func step(_ tick: Int) -> Int { min(steps.count - 1, tick / 100) }
        return Simulation.alarms(seed: seed) { random in
            // The baseline has been running before.
            var successes = Array(
                repeating: (candidate: UInt64(0), baseline: UInt64(199)), count: delay)
            return alarm(restartAt: (1..<steps.count).map { $0 * 100 }) { tick in
                let sides = steps[step(tick)]
                guard let started = sides.tick(&random) else { return nil }
                guard atCompletion else { return started }
                let candidateBad = UInt64(started.candidateBad)
                let baselineBad = UInt64(started.bad - started.candidateBad)
                let ended = successes[tick % delay]
                successes[tick % delay] = (
                    UInt64(sides.candidates) - candidateBad, UInt64(sides.baselines) - baselineBad
                )
                return EvidenceTick(
                    candidate: ended.candidate + candidateBad, candidateBad: candidateBad,
                    baseline: ended.baseline + baselineBad, baselineBad: baselineBad)
            }
        }
    }

    @Test("just after a step, where counting requests when they end fails good releases")
    func transient() {
        let seed = Simulation.newSeed()
        #expect(
            Self.transients(atCompletion: false, seed: seed) <= Simulation.limit(), "seed \(seed)")
        #expect(
            Self.transients(atCompletion: true, seed: seed) > Simulation.limit(), "seed \(seed)")
    }

    @Test("of latencies, at a threshold that the baseline determines")
    func latency() {
        let seed = Simulation.newSeed()
        // A long tail: each octave has half of the requests of the one before it.
        func latency(_ random: inout SeededGenerator) -> UInt64 {
            UInt64(1_000_000 / (1.0000001 - random.share()))
        }
        // With 8 requests a tick. More requests would not change the level, only the time that the
        // test takes.
        let alarms = Simulation.alarms(seed: seed) { random in
            guard var comparison = LatencyComparison(quantile: 0.9, tolerance: 0) else {
                return true
            }
            return Self.alarm(ticks: 300) { _ in
                var (candidate, baseline) = (LatencyCounts(), LatencyCounts())
                for _ in 0..<2 { candidate.record(nanoseconds: latency(&random)) }
                for _ in 0..<6 { baseline.record(nanoseconds: latency(&random)) }
                return comparison.tick(
                    candidate: candidate, started: 2, baseline: baseline, started: 6)
            }
        }
        #expect(alarms <= Simulation.limit(), "seed \(seed)")
    }

    @Test("of a share at its limit", arguments: [0.001, 0.02])
    func share(limit: Double) {
        let seed = Simulation.newSeed()
        let bad = Counts.binomial(50, limit)
        let alarms = Simulation.alarms(seed: seed) { random in
            guard var test = ShareTest(limit: limit) else { return true }
            for _ in 0..<Simulation.ticks {
                let count = bad.draw(&random)
                test.add(bad: count, of: 50)
                // Good results only lower the evidence. Below the limit there is none.
                guard count > 0, test.bad > limit * (test.bad + test.good) else { continue }
                if test.logEvidence(.above) >= Simulation.threshold { return true }
            }
            return false
        }
        #expect(alarms <= Simulation.limit(), "seed \(seed)")
    }

    @Test("of pairs, and of several gates together")
    func gates() {
        let seed = Simulation.newSeed()
        let bad = Counts.poisson(0.05)
        let gates = 4
        let alarms = Simulation.alarms(seed: seed) { random in
            var tests = Array(repeating: ratioTest(1), count: gates)
            for _ in 0..<Simulation.ticks {
                var hasChanged = false
                for gate in 0..<gates {
                    let (shadow, primary) = (bad.draw(&random), bad.draw(&random))
                    guard shadow + primary > 0 else { continue }
                    hasChanged = true
                    tests[gate].add(
                        EvidenceTick(pairsBadAtShadow: shadow, pairsBadAtPrimary: primary))
                }
                if hasChanged,
                    GateEvidence.log(tests.map(\.logEvidence)) >= Simulation.threshold
                {
                    return true
                }
            }
            return false
        }
        #expect(alarms <= Simulation.limit(), "seed \(seed)")
    }

    @Test("of proof that a candidate is good, if it is bad")
    func falseProof() {
        let seed = Simulation.newSeed()
        let sides = Sides(candidates: 50, 0.02, baselines: 50, 0.01)
        let proofs = Simulation.alarms(seed: seed) { random in
            var test = ratioTest(2, .below)
            for _ in 0..<Simulation.ticks {
                guard let tick = sides.tick(&random), tick.bad > 0 else { continue }
                test.add(tick)
                if test.reaches(Simulation.threshold) { return true }
            }
            return false
        }
        #expect(proofs <= Simulation.limit(), "seed \(seed)")
    }
}
