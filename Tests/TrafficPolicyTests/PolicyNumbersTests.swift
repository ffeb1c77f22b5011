import Testing

@testable import TrafficPolicy

/// Weights, proportions, maps and counts at the bounds of their types.
@Suite("Numbers of the policy")
struct PolicyNumbersTests {
    static let doubles: [Double] = [
        0, -0.0, 1, -1, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, .leastNormalMagnitude,
        .ulpOfOne, 1e-300, 1e-7, 1e-6, 0.5, 1 - .ulpOfOne / 2, 1 + .ulpOfOne, 1 - 1e-6, 1 + 1e-6,
        1 - 1.1e-6, 1 + 1.1e-6, 2, 0x1p53, 0x1p63, 0x1p64, 1e300, -1e300,
        .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .infinity, -.infinity, .nan,
        .signalingNaN,
    ]

    private func expectPolicy(_ weights: TrafficWeights, _ label: String) {
        #expect(weights.shares.values.reduce(0, +) == AffinityMap.space, "\(label)")
        #expect(weights.weights.allSatisfy { $0.weight > 0 }, "\(label)")
        let change = AffinityMap(owner: "a").changed(to: weights)
        #expect(change.map.shares == weights.shares, "\(label)")
        #expect((0...1).contains(change.movedShare), "\(label)")
        let policy = EndpointPolicy(endpoint: "e", map: change.map, shadows: [])
        for point in [0, 1, .max / 2, .max] as [UInt64] {
            #expect(policy.backends.indices.contains(policy.choose(point)), "\(label)")
        }
    }

    @Test("Any two weights are rejected, or are a policy that covers the whole space")
    func handlesWeights() {
        for first in Self.doubles {
            for second in Self.doubles {
                let pairs = [(backend: "a", weight: first), (backend: "b", weight: second)]
                let label = "\(first) and \(second)"
                do throws(PolicyError) {
                    expectPolicy(try TrafficWeights(pairs), label)
                    #expect(first >= 0 && second >= 0 && abs(first + second - 1) < 1.01e-6)
                } catch {
                    #expect(!(first >= 0 && second >= 0 && abs(first + second - 1) < 0.99e-6))
                    #expect(!error.description.contains("sum to nan"), "\(label)")
                }
                if let stored = TrafficWeights(stored: pairs) { expectPolicy(stored, label) }
            }
        }
    }

    @Test("Weights at the bounds of the tolerance cover the whole space, as given and as stored")
    func handlesTolerance() throws {
        for count in [1, 2, 3, 7, 1_000, 1_024] {
            for sum in [1, 1 - 0.99e-6, 1 + 0.99e-6, 1 - 0x1p-52, 1 + 0x1p-52] {
                let even = (0..<count).map { (backend: "b\($0)", weight: sum / Double(count)) }
                    .sorted { $0.backend < $1.backend }
                expectPolicy(try TrafficWeights(even), "\(count) of \(sum)")
                expectPolicy(try #require(TrafficWeights(stored: even)), "\(count) of \(sum)")
                // One weight is nearly 1.
                var uneven = even.map { ($0.backend, Double.leastNonzeroMagnitude) }
                uneven[0].1 = sum
                expectPolicy(try TrafficWeights(uneven), "uneven \(count) of \(sum)")
                if let stored = TrafficWeights(stored: uneven) {
                    expectPolicy(stored, "uneven \(count) of \(sum)")
                }
            }
        }
    }

    @Test("Any proportion of a shadow selects a share of the points from none to all")
    func handlesProportions() throws {
        let map = AffinityMap(owner: "a")
        for proportion in Self.doubles {
            let policy = EndpointPolicy(
                endpoint: "e", map: map, shadows: [(backend: "s", proportion: proportion)])
            var random = LoopRandom(seed: 7)
            let taken = (0..<1_000).count { _ in policy.isShadowed(0, using: &random) }
            switch proportion {
            case 1...: #expect(taken == 1_000)
            case 0.999...: #expect(taken > 900)
            case 0.5: #expect((400...600).contains(taken))
            default: #expect(taken == 0, "\(proportion)")
            }
        }
    }

    @Test(
        "A map of the last generation can change and keeps its generation",
        arguments: [0, 1, .max - 1, .max] as [UInt64])
    func handlesGenerations(generation: UInt64) throws {
        for since in [0, generation, .max] {
            let holder = AffinityMap.Holder(owner: "a", since: since)
            let map = try #require(
                AffinityMap(
                    stored: [
                        .init(start: 0, holder: holder, lineage: [holder]),
                        .init(start: .max, holder: .init(owner: "b", since: since), lineage: []),
                    ], generation: generation))
            let weights = try TrafficWeights([("a", 0.5), ("c", 0.5)])
            let next = generation == .max ? generation : generation + 1
            let changed = map.changed(to: weights, history: [map]).map
            #expect(changed.generation == next)
            #expect(changed.shares == weights.shares)
            #expect(map.restored(over: map).generation == next)
        }
    }

    @Test("A stored map covers the space in order, or is rejected")
    func handlesFragments() {
        let starts: [UInt64] = [0, 1, 2, 1 << 63, .max - 1, .max]
        let holder = AffinityMap.Holder(owner: "a", since: 0)
        for first in starts {
            for second in starts {
                for third in starts {
                    let fragments = [first, second, third].map {
                        AffinityMap.Fragment(start: $0, holder: holder, lineage: [])
                    }
                    let map = AffinityMap(stored: fragments, generation: 1)
                    #expect((map != nil) == (first == 0 && second > first && third > second))
                    #expect(map.map { $0.shares == ["a": AffinityMap.space] } != false)
                }
            }
        }
        #expect(AffinityMap(stored: [], generation: 0) == nil)
    }

    @Test("A ring of no replicas or of one, and points at both ends")
    func handlesRings() {
        for count in [0, 1, 2, 1_000] {
            let ring = HashRing((0..<count).map { "10.0.0.\($0):1" })
            for point in [0, 1, 1 << 63, .max - 1, .max] as [UInt64] {
                let owner = ring.owner(of: point) { _ in true }
                #expect(owner.map((0..<count).contains) == (count == 0 ? nil : true))
                #expect(ring.owner(of: point) { _ in false } == nil)
            }
        }
    }

    @Test("The load limit holds for any counts that fit in memory")
    func handlesLoad() {
        for replicas in [0, 1, 2, 1_000, Int(Int32.max)] {
            for inFlight in [0, 1, 2, 1_000_000, Int(Int32.max), 1 << 40] {
                let bound = HashRing.loadBound(inFlight: inFlight, replicas: replicas)
                #expect(replicas == 0 ? bound == 0 : bound >= 1 && bound * replicas > inFlight)
            }
        }
    }
}
