import Testing

@testable import TrafficPolicy

@Suite("Traffic weights")
struct TrafficWeightsTests {
    typealias Pairs = [(backend: String, weight: Double)]

    @Test(
        "that are invalid are rejected with an error that names them",
        arguments: [
            ([], PolicyError.noWeights),
            ([("a", 0.5), ("a", 0.5)], .duplicate(backend: "a")),
            ([("a", -0.5), ("b", 1.5)], .negative(backend: "a", value: -0.5)),
            ([("a", .infinity)], .notFinite(backend: "a", value: .infinity)),
            ([("a", 0.5), ("b", 0.4)], .sumNotOne(sum: 0.9)),
            ([("a", 0)], .sumNotOne(sum: 0)),
            ([("a", 1.000002)], .sumNotOne(sum: 1.000002)),
        ] as [(Pairs, PolicyError)])
    func refused(pairs: Pairs, error: PolicyError) {
        #expect(throws: error) { try TrafficWeights(pairs) }
    }

    @Test("reject NaN")
    func notANumber() {
        #expect { try TrafficWeights([("a", .nan)]) } throws: { "\($0)".contains("'a' is nan") }
    }

    @Test("are accepted for 1,024 backends and rejected for 1,025")
    func bound() throws {
        let bound = TrafficWeights.maximumBackends
        func even(_ count: Int) -> Pairs { (0..<count).map { ("b\($0)", 1 / Double(count)) } }
        #expect(try TrafficWeights(even(bound)).weights.count == bound)
        #expect(throws: PolicyError.tooManyBackends(count: bound + 1)) {
            try TrafficWeights(even(bound + 1))
        }
    }

    @Test("that sum to 1 within 1e-6 cover the whole space", arguments: [0.999_999_5, 1.000_000_5])
    func nearlyOne(weight: Double) throws {
        #expect(try TrafficWeights([("a", weight)]).shares == ["a": AffinityMap.space])
    }

    @Test("of 0 remove a backend from the policy")
    func zero() throws {
        let weights = try TrafficWeights([("a", 1), ("b", 0)])
        #expect(weights.shares == ["a": AffinityMap.space])
        #expect(weights.weights.map(\.backend) == ["a"])
    }

    @Test("give every backend its share to within 2^-52, and all backends the whole space")
    func shares() throws {
        var seeds = LoopRandom()
        for _ in 0..<5_000 {
            let seed = seeds.next()
            var random = LoopRandom(seed: seed)
            let raw = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                Double.random(in: 0x1p-40..<1, using: &random)
            }
            let sum = raw.reduce(0, +)
            let weights = try TrafficWeights(raw.enumerated().map { ("b\($0)", $1 / sum) })
            #expect(weights.shares.values.reduce(0, +) == AffinityMap.space, "seed \(seed)")
            for entry in weights.weights {
                let share = Double(weights.shares[entry.backend] ?? 0) / 0x1p64
                #expect(abs(share - entry.weight) <= 0x1p-52, "seed \(seed)")
            }
        }
    }
}
