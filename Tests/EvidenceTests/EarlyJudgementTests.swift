internal import GRPCWire
internal import Observability
internal import Rollouts
internal import TestSupport
internal import Testing

@testable internal import Evidence

/// The counts of a second are judged as soon as its requests have ended, and ejections in the
/// second in which they happen.
@Suite("Judging early")
struct EarlyJudgementTests {
    private static let runs = 400

    /// A rollout of 200 seconds with 10 requests at each side in a second, of which 2 % fail.
    /// Failures end at once; successes of the candidate take 4 s, those of the baseline 20 ms.
    ///
    /// - Parameter ofEnded: the mutant, which judges each second with the requests that have ended.
    private static func alarms(ofEnded: Bool, seed: UInt64) -> Double {
        Simulation.alarms(runs: runs, seed: seed) { random in
            let table = CohortTable()
            var test = ratioTest(1)
            /// The successes of the candidate that have not ended, by the second of their start.
            var open: [(second: UInt64, count: Int)] = []
            for second in UInt64(100)..<300 {
                let start = second * 1_000_000_000
                while let first = open.first, first.second + 4 <= second {
                    for _ in 0..<first.count {
                        end(table, .ok, isCandidate: true, first.second, after: 4_000_000_000)
                    }
                    open.removeFirst()
                }
                var count = 0
                for index in 0..<20 {
                    let isCandidate = index < 10
                    table.started(isCandidate: isCandidate, isKeyed: false, at: start)
                    if random.share() < 0.02 {
                        end(table, .internalError, isCandidate: isCandidate, second, after: 1_000)
                    } else if isCandidate {
                        count += 1
                    } else {
                        end(table, .ok, isCandidate: false, second, after: 20_000_000)
                    }
                }
                open.append((second, count))
                let now = start + 999_999_999
                let judged = ofEnded ? second + 1 : table.firstUnjudged(at: now)
                for cohort in table.take(before: judged) {
                    let tick = EvidenceTick(
                        candidate: ofEnded
                            ? cohort.candidate.latencies.count(upTo: LatencyCounts.buckets - 1)
                            : cohort.candidate.started,
                        candidateBad: cohort.candidate.bad,
                        baseline: cohort.baseline.started, baselineBad: cohort.baseline.bad)
                    if let tick, tick.bad > 0 { test.add(tick) }
                    if test.reaches(Simulation.threshold) { return true }
                }
            }
            return false
        }
    }

    private static func end(
        _ table: CohortTable, _ code: StatusCode, isCandidate: Bool, _ second: UInt64,
        after nanoseconds: UInt64
    ) {
        table.ended(
            code, isCandidate: isCandidate, key: nil, startedAt: second * 1_000_000_000,
            nanoseconds: nanoseconds)
    }

    @Test("does not fail a slower candidate, which counting only ended requests does")
    func whenRequestsHaveEnded() {
        let seed = Simulation.newSeed()
        let limit = Simulation.limit(runs: Self.runs)
        #expect(Self.alarms(ofEnded: false, seed: seed) <= limit, "seed \(seed)")
        #expect(Self.alarms(ofEnded: true, seed: seed) > limit, "seed \(seed)")
    }

    /// A ramp in which each replica is ejected equally often, also because of a failure of the
    /// network, which ejects all.
    ///
    /// - Parameter byRequests: the mutant, which expects the candidate's share of the requests.
    private static func ejections(byRequests: Bool, seed: UInt64) -> Double {
        let (candidates, replicas) = (2.0, 8.0)
        let candidate = Counts.poisson(candidates * 0.005)
        let baseline = Counts.poisson((replicas - candidates) * 0.005)
        let weights = [0.01, 0.1, 0.5]
        return Simulation.alarms(seed: seed) { random in
            var test = ratioTest(1, restarts: weights.count - 1)
            for second in 0..<Simulation.ticks {
                if second > 0, second % 334 == 0 { test.restart() }
                let weight = weights[min(weights.count - 1, second / 334)]
                let share = byRequests ? weight : max(weight, candidates / replicas)
                var (bad, other) = (candidate.draw(&random), baseline.draw(&random))
                if random.share() < 0.002 { (bad, other) = (bad + 2, other + 6) }
                guard bad + other > 0,
                    let tick = EvidenceTick(share: share, candidateBad: bad, baselineBad: other)
                else { continue }
                test.add(tick)
                if test.reaches(Simulation.threshold) { return true }
            }
            return false
        }
    }

    @Test("by ejections does not fail a candidate with few requests and many replicas")
    func ejections() {
        let seed = Simulation.newSeed()
        #expect(
            Self.ejections(byRequests: false, seed: seed) <= Simulation.limit(), "seed \(seed)")
        #expect(Self.ejections(byRequests: true, seed: seed) > 0.3, "seed \(seed)")
    }
}
