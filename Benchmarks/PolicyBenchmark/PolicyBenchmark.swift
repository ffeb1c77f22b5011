internal import TrafficPolicy

/// Measures the nanoseconds per decision of the policy engine. Prints `KIND BACKENDS INTERVALS
/// NANOSECONDS`.
@main
enum PolicyBenchmark {
    private static let decisions = 5_000_000

    static func main() throws {
        for backends in [2, 4, 8] {
            let policy = try self.policy(backends)
            let intervals = policy.intervalCount
            print("unkeyed", backends, intervals, unkeyed(policy))
            print("keyed", backends, intervals, keyed(policy))
        }
    }

    /// A policy after many changes, whose map is as fragmented as after a year of releases.
    private static func policy(_ backends: Int) throws -> EndpointPolicy {
        var random = LoopRandom(seed: 1)
        var map = AffinityMap(owner: "backend-0")
        for _ in 0..<200 {
            let raw = (0..<backends).map { _ in Double.random(in: 0.1...1, using: &random) }
            let sum = raw.reduce(0, +)
            let weights = raw.enumerated().map { ("backend-\($0)", $1 / sum) }
            map = map.changed(to: try TrafficWeights(weights)).map
        }
        return EndpointPolicy(endpoint: "endpoint", map: map, shadows: [])
    }

    private static func unkeyed(_ policy: EndpointPolicy) -> Double {
        var random = LoopRandom(seed: 7)
        var sum = 0
        let time = ContinuousClock().measure {
            for _ in 0..<decisions { sum &+= policy.choose(random.next()) }
        }
        return nanoseconds(time, sum)
    }

    private static func keyed(_ policy: EndpointPolicy) -> Double {
        let keys = (0..<1_024).map { Array("user-\($0)-session".utf8) }
        var sum = 0
        let time = ContinuousClock().measure {
            for index in 0..<decisions {
                // Invariant: a UInt8 has no padding, so every byte is initialised.
                let key = keys[index & 1_023]
                let bytes = unsafe key.span.bytes
                sum &+= policy.choose(policy.point(of: bytes))
            }
        }
        return nanoseconds(time, sum)
    }

    /// Uses the sum, so that the compiler cannot remove the loop.
    private static func nanoseconds(_ time: Duration, _ sum: Int) -> Double {
        precondition(sum >= 0)
        let (seconds, attoseconds) = time.components
        return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(decisions)
    }
}
