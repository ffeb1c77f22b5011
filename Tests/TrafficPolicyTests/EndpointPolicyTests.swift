import Testing

@testable import TrafficPolicy

@Suite("An endpoint's policy")
struct EndpointPolicyTests {
    private func policy(
        _ pairs: [(backend: String, weight: Double)],
        shadows: [(backend: String, proportion: Double)] = []
    ) throws -> EndpointPolicy {
        let map = AffinityMap(owner: pairs[0].backend).changed(to: try TrafficWeights(pairs)).map
        return EndpointPolicy(endpoint: "greeter", map: map, shadows: shadows)
    }

    /// Pearson's statistic of observed counts against expected shares.
    private func chiSquare(_ counts: [Int], _ shares: [Double]) -> Double {
        let total = Double(counts.reduce(0, +))
        return zip(counts, shares).reduce(0) { sum, pair in
            let expected = pair.1 * total
            let difference = Double(pair.0) - expected
            return sum + difference * difference / expected
        }
    }

    @Test("splits requests without a key by the weights (chi-square, fixed seed)")
    func unkeyedSplit() throws {
        let shares = [0.5, 0.3, 0.15, 0.05]
        let policy = try policy([("a", 0.5), ("b", 0.3), ("c", 0.15), ("d", 0.05)])
        var random = LoopRandom(seed: 42)
        var counts = [0, 0, 0, 0]
        for _ in 0..<200_000 { counts[policy.choose(random.next())] += 1 }
        // 16.27 is the 0.999 quantile at three degrees of freedom.
        #expect(chiSquare(counts, shares) < 16.27)
    }

    @Test("splits keys by the weights (chi-square)")
    func keyedSplit() throws {
        let policy = try policy([("a", 0.9), ("b", 0.1)])
        var counts = [0, 0]
        for user in 0..<100_000 {
            counts[policy.choose(KeyHash.hash("user-\(user)", seed: policy.seed))] += 1
        }
        #expect(chiSquare(counts, [0.9, 0.1]) < 10.83)
    }

    @Test("finds the owner of the first and last point of every interval")
    func borders() throws {
        var seeds = LoopRandom()
        for _ in 0..<300 {
            let seed = seeds.next()
            var random = LoopRandom(seed: seed)
            var map = AffinityMap(owner: "b0")
            for _ in 0..<6 {
                let raw = (0..<9).map { _ in Double.random(in: 0.01..<1, using: &random) }
                let sum = raw.reduce(0, +)
                let pairs = raw.enumerated().map { ("b\($0)", $1 / sum) }
                map = map.changed(to: try TrafficWeights(pairs)).map
            }
            let policy = EndpointPolicy(endpoint: "e", map: map, shadows: [])
            let intervals = map.intervals
            for (index, interval) in intervals.enumerated() {
                #expect(policy.backends[policy.choose(interval.start)] == interval.backend)
                let last = index + 1 < intervals.count ? intervals[index + 1].start - 1 : .max
                #expect(policy.backends[policy.choose(last)] == interval.backend, "seed \(seed)")
            }
        }
    }

    @Test("samples shadows independently of the selection and of each other, with and without keys")
    func shadowsAreIndependent() throws {
        let policy = try policy(
            [("a", 0.5), ("b", 0.5)], shadows: [("c", 0.5), ("d", 0.5)])
        var random = LoopRandom(seed: 7)
        var keyed = [Int](repeating: 0, count: 8)
        var unkeyed = keyed
        for user in 0..<80_000 {
            let key = "session-\(user)"
            let bytes = unsafe key.utf8Span.span.bytes
            let point = policy.point(of: bytes)
            let (inC, inD) = (
                policy.isShadowed(0, key: bytes), policy.isShadowed(1, key: bytes)
            )
            keyed[policy.choose(point) * 4 + (inC ? 2 : 0) + (inD ? 1 : 0)] += 1
            let draw = policy.choose(random.next())
            let drawnC = policy.isShadowed(0, using: &random)
            let drawnD = policy.isShadowed(1, using: &random)
            unkeyed[draw * 4 + (drawnC ? 2 : 0) + (drawnD ? 1 : 0)] += 1
        }
        // 24.32 is the 0.999 quantile at seven degrees of freedom.
        let even = [Double](repeating: 0.125, count: 8)
        #expect(chiSquare(keyed, even) < 24.32)
        #expect(chiSquare(unkeyed, even) < 24.32)
    }

    @Test("copies all requests at proportion 1 and none at 0", arguments: [0.0, 1.0])
    func extremes(proportion: Double) throws {
        let policy = try policy([("a", 1)], shadows: [("c", proportion)])
        var random = LoopRandom(seed: 3)
        for user in 0..<1_000 {
            let key = "k\(user)"
            let keyed = policy.isShadowed(0, key: unsafe key.utf8Span.span.bytes)
            #expect(keyed == (proportion == 1))
            #expect(policy.isShadowed(0, using: &random) == (proportion == 1))
        }
    }

    @Test("gives one key different points at different endpoints")
    func seedsDiffer() {
        #expect(EndpointPolicy.seed(of: "greeter") != EndpointPolicy.seed(of: "router"))
    }
}
