internal import Evidence
internal import TestSupport
internal import Testing

#if canImport(Glibc)
    internal import Glibc
#endif

/// Repeats a simulated rollout.
enum Simulation {
    static let alpha = 0.05
    static let threshold = -log(alpha)
    static let runs = 2_000
    static let ticks = 1_000

    /// The rate of false alarms that `runs` runs may show at the level α: α + 3σ.
    static func limit(runs: Int = runs) -> Double {
        alpha + 3 * (alpha * (1 - alpha) / Double(runs)).squareRoot()
    }

    /// The share of runs that end with an alarm.
    static func alarms(
        runs: Int = runs, seed: UInt64, _ run: (inout SeededGenerator) -> Bool
    ) -> Double {
        var random = SeededGenerator(state: seed)
        var alarms = 0
        for _ in 0..<runs where run(&random) { alarms += 1 }
        return Double(alarms) / Double(runs)
    }

    /// A seed, which a failure prints.
    static func newSeed() -> UInt64 { .random(in: .min ... .max) }

    static func median(_ values: [Int]) -> Int { values.sorted()[values.count / 2] }
}

extension SeededGenerator {
    /// A number from 0 to 1, without 1.
    mutating func share() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// A distribution of counts, as a table of cumulated probabilities.
struct Counts {
    private let cumulated: [Double]

    private init(_ logs: [Double]) {
        var sum = 0.0
        cumulated = logs.map {
            sum += exp($0)
            return sum
        }
    }

    /// ln n!
    private static func logFactorial(_ n: Int) -> Double {
        (0..<n).reduce(0) { $0 + log(Double($1 + 1)) }
    }

    /// The bad ones of n requests.
    static func binomial(_ n: Int, _ p: Double) -> Counts {
        let all = logFactorial(n)
        return Counts(
            (0...n).map { k -> Double in
                let ways = all - logFactorial(k) - logFactorial(n - k)
                return ways + Double(k) * log(p) + Double(n - k) * log1p(-p)
            })
    }

    /// Requests that arrive in a tick.
    static func poisson(_ mean: Double) -> Counts {
        let end = Int(mean + 12 * mean.squareRoot() + 12)
        return Counts(
            (0...end).map { k -> Double in Double(k) * log(mean) - mean - logFactorial(k) })
    }

    func draw(_ random: inout SeededGenerator) -> UInt64 {
        let share = random.share()
        if share < cumulated[0] { return 0 }
        var (low, high) = (0, cumulated.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if cumulated[middle] > share { high = middle } else { low = middle + 1 }
        }
        return UInt64(low)
    }
}

/// Candidate and baseline with a fixed number of requests per tick.
struct Sides {
    let candidates: Int
    let baselines: Int
    let candidateBad: Counts
    let baselineBad: Counts

    init(candidates: Int, _ p: Double, baselines: Int, _ q: Double) {
        self.candidates = candidates
        self.baselines = baselines
        candidateBad = .binomial(candidates, p)
        baselineBad = .binomial(baselines, q)
    }

    func tick(_ random: inout SeededGenerator) -> EvidenceTick? {
        EvidenceTick(
            candidate: UInt64(candidates), candidateBad: candidateBad.draw(&random),
            baseline: UInt64(baselines), baselineBad: baselineBad.draw(&random))
    }
}

/// A test of which the arguments are known to be valid.
func ratioTest(_ bound: Double, _ side: RatioTest.Side = .above, restarts: Int = 0) -> RatioTest {
    guard let test = RatioTest(bound: bound, side: side, plannedRestarts: restarts) else {
        preconditionFailure("valid arguments")
    }
    return test
}
