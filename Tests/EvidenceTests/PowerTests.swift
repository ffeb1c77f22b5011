internal import TestSupport
internal import Testing

@testable internal import Evidence

#if canImport(Glibc)
    internal import Glibc
#endif

/// How soon a bad candidate is detected. The medians are those of simulations of 200 rollouts.
@Suite("The evidence detects a bad candidate")
struct PowerTests {
    private static let runs = 200

    /// The median tick of the first alarm; `Simulation.ticks` without one.
    private static func median(
        seed: UInt64, ticks: Int = Simulation.ticks, _ test: RatioTest, restartAt: [Int] = [],
        _ tick: (Int, inout SeededGenerator) -> EvidenceTick?
    ) -> Int {
        var random = SeededGenerator(state: seed)
        return Simulation.median(
            (0..<runs).map { _ in
                var test = test
                for index in 0..<ticks {
                    if restartAt.contains(index) { test.restart() }
                    guard let tick = tick(index, &random), tick.bad > 0 else { continue }
                    test.add(tick)
                    if test.reaches(Simulation.threshold) { return index + 1 }
                }
                return ticks
            })
    }

    @Test(
        "after a number of candidate requests that depends on the ratio and the rate",
        arguments: [
            (0.001, 5.0, 10, 920), (0.01, 2.0, 10, 1_110), (0.01, 5.0, 1, 80),
        ] as [(Double, Double, Int, Int)])
    func requests(rate: Double, ratio: Double, perTick: Int, expected: Int) {
        let seed = Simulation.newSeed()
        let sides = Sides(candidates: perTick, rate * ratio, baselines: 9 * perTick, rate)
        let ticks = Self.median(seed: seed, ratioTest(1)) { sides.tick(&$1) }
        let requests = ticks * perTick
        #expect(requests > expected * 6 / 10 && requests < expected * 15 / 10, "seed \(seed)")
    }

    @Test("that is 4.5 times worse within the first minute of 10,000 requests")
    func firstMinute() {
        let seed = Simulation.newSeed()
        let sides = Sides(candidates: 167, 0.009, baselines: 167, 0.002)
        let ticks = Self.median(seed: seed, ratioTest(1)) { sides.tick(&$1) }
        #expect(ticks <= 60, "seed \(seed)")
    }

    @Test("and proves that an identical one is not twice as bad")
    func proof() {
        let seed = Simulation.newSeed()
        let sides = Sides(candidates: 10, 0.01, baselines: 90, 0.01)
        let requests = 10 * Self.median(seed: seed, ratioTest(2, .below)) { sides.tick(&$1) }
        #expect(requests > 700 && requests < 1_800, "seed \(seed)")
    }

    @Test("that degrades late sooner with restarts than without")
    func late() {
        let seed = Simulation.newSeed()
        let (good, bad) = (
            Sides(candidates: 50, 0.004, baselines: 50, 0.004),
            Sides(candidates: 50, 0.020, baselines: 50, 0.004)
        )
        func tick(_ index: Int, _ random: inout SeededGenerator) -> EvidenceTick? {
            (index < 500 ? good : bad).tick(&random)
        }
        let without = Self.median(seed: seed, ratioTest(1), tick) - 500
        let restarts = [100, 200, 300, 400, 500]
        let with =
            Self.median(seed: seed, ratioTest(1, restarts: 5), restartAt: restarts, tick) - 500
        #expect(with > 0 && with * 10 < without * 8, "\(with) of \(without), seed \(seed)")
    }

    @Test("whose p99 is 1.5 times as long, in hundreds of requests")
    func latency() throws {
        let seed = Simulation.newSeed()
        var random = SeededGenerator(state: seed)
        // Normal logarithms of a standard deviation of 0.2: p99 is 1.6 times the median.
        func latency(_ factor: Double) -> UInt64 {
            let sum = (0..<12).reduce(0.0) { sum, _ in sum + random.share() } - 6
            return UInt64(10_000_000 * factor * exp(0.2 * sum))
        }
        let requests = try (0..<30).map { _ in
            var comparison = try #require(LatencyComparison(quantile: 0.99, tolerance: 0.2))
            var test = ratioTest(1)
            for index in 0..<600 {
                var (candidate, baseline) = (LatencyCounts(), LatencyCounts())
                // The baseline alone determines the first threshold.
                let candidates = index < 30 ? 0 : 5
                for _ in 0..<candidates { candidate.record(nanoseconds: latency(1.5)) }
                for _ in 0..<45 { baseline.record(nanoseconds: latency(1)) }
                let tick = comparison.tick(
                    candidate: candidate, started: UInt64(candidates), baseline: baseline,
                    started: 45)
                guard let tick else { continue }
                test.add(tick)
                if test.reaches(Simulation.threshold) { return (index - 29) * 5 }
            }
            return 3_000
        }
        #expect(Simulation.median(requests) < 700, "seed \(seed)")
    }
}

/// What the rules of other tools decide about the same counts: 20 requests a minute of which 0.2 %
/// fail, at most 1 % in a minute, one hour.
@Suite("The limits of other tools fail good releases")
struct OtherToolsTests {
    @Test("in 91 and 9 of 100 cases")
    func rates() {
        let minute = 1 - pow(0.998, 20.0)
        #expect(abs(minute - 0.039) < 0.0005)
        #expect(abs(1 - pow(1 - minute, 60) - 0.91) < 0.005)
        // At least five failed checks of 60.
        let fewer = (0..<5).reduce(0.0) { sum, k in
            let ways = (0..<k).reduce(1.0) { $0 * Double(60 - $1) / Double($1 + 1) }
            return sum + ways * pow(minute, Double(k)) * pow(1 - minute, Double(60 - k))
        }
        #expect(abs(1 - fewer - 0.09) < 0.01)
    }
}
