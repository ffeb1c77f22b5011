import Testing

@testable import TrafficPolicy

private func weights(_ pairs: KeyValuePairs<String, Double>) throws -> TrafficWeights {
    try TrafficWeights(pairs.map { ($0.key, $0.value) })
}

/// Random weights over up to `names` backends; some are 0, some tiny.
private func randomWeights(names: Int, using random: inout LoopRandom) throws -> TrafficWeights {
    var raw: [(backend: String, weight: Double)] = (0..<names).map { index in
        let draw = Double.random(in: 0..<1, using: &random)
        return ("b\(index)", Int.random(in: 0..<4, using: &random) == 0 ? 0 : draw * draw)
    }
    raw[Int.random(in: 0..<names, using: &random)].weight += 0.1
    let sum = raw.reduce(0) { $0 + $1.weight }
    return try TrafficWeights(raw.map { ($0.backend, $0.weight / sum) })
}

private func distance(_ old: [String: UInt128], _ new: [String: UInt128]) -> UInt128 {
    old.reduce(0) { sum, entry in
        let kept = new[entry.key] ?? 0
        return sum + (entry.value > kept ? entry.value - kept : 0)
    }
}

/// Checks the invariants of every map.
private func expectSound(_ map: AffinityMap, shares: [String: UInt128], _ seed: String) {
    #expect(map.fragments.first?.start == 0, "\(seed)")
    for (left, right) in zip(map.fragments, map.fragments.dropFirst()) {
        #expect(left.start < right.start, "\(seed)")
    }
    #expect(map.shares == shares, "\(seed)")
    #expect(map.shares.values.reduce(0, +) == AffinityMap.space, "\(seed)")
    #expect(map.fragments.count <= AffinityMap.maximumIntervals, "\(seed)")
    let intervals = map.intervals
    for (left, right) in zip(intervals, intervals.dropFirst()) {
        #expect(left.backend != right.backend, "\(seed)")
    }
}

@Suite("The affinity map")
struct AffinityMapTests {
    @Test("moves exactly the total variation distance, over thousands of random weight sequences")
    func minimalMovement() throws {
        var seeds = LoopRandom()
        for sequence in 0..<2_000 {
            let seed = seeds.next()
            let label = "sequence \(sequence), seed \(seed)"
            var random = LoopRandom(seed: seed)
            let names = Int.random(in: 2...12, using: &random)
            var map = AffinityMap(owner: "b0")
            for _ in 0..<12 {
                let target = try randomWeights(names: names, using: &random)
                let change = map.changed(to: target)
                expectSound(change.map, shares: target.shares, label)
                #expect(!change.packed, "\(label)")
                let minimum = distance(map.shares, target.shares)
                #expect(map.movedPoints(to: change.map) == minimum, "\(label)")
                #expect(change.movedShare == Double(minimum) / 0x1p64, "\(label)")
                map = change.map
            }
        }
    }

    @Test("is restored when the latest change is undone, without earlier maps")
    func undo() throws {
        var seeds = LoopRandom()
        for sequence in 0..<2_000 {
            let seed = seeds.next()
            var random = LoopRandom(seed: seed)
            let names = Int.random(in: 2...8, using: &random)
            let start = try randomWeights(names: names, using: &random)
            var map = AffinityMap(owner: "b0").changed(to: start).map
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                map = map.changed(to: try randomWeights(names: names, using: &random)).map
            }
            let before = TrafficWeights(shares: map.shares)
            let there = map.changed(to: try randomWeights(names: names, using: &random)).map
            let back = there.changed(to: before).map
            let restored = back.intervals == map.intervals
            #expect(restored, "sequence \(sequence), seed \(seed)")
        }
    }

    @Test("uses the map of an earlier revision with the same weights if it moves no more keys")
    func historyIsTaken() throws {
        let history = [AffinityMap(owner: "v1")]
        let canary = try weights(["v1": 0.9, "v2": 0.1])
        let first = history[0].changed(to: canary).map
        let back = first.changed(to: TrafficWeights(all: "v1"), history: history + [first]).map
        let again = back.changed(to: canary, history: history + [first, back]).map
        #expect(again.intervals == first.intervals)
        #expect(again.generation == 3)
    }

    @Test("gives a growing canary only keys of the shrinking backend")
    func canary() throws {
        let start = AffinityMap(owner: "v1").changed(to: try weights(["v1": 0.9, "v2": 0.1])).map
        let grown = start.changed(to: try weights(["v1": 0.8, "v2": 0.2]))
        #expect(abs(grown.movedShare - 0.1) < 0x1p-50)
        let (before, after) = (policy(start), policy(grown.map))
        for draw in 0..<10_000 {
            let point = KeyHash.hash("user-\(draw)", seed: before.seed)
            let old = before.backends[before.choose(point)]
            let new = after.backends[after.choose(point)]
            #expect(old == new || (old == "v1" && new == "v2"))
        }
    }

    @Test("dropping one of five equal backends moves 20 % of the keys")
    func dropOneOfFive() throws {
        let five = try weights(["a": 0.2, "b": 0.2, "c": 0.2, "d": 0.2, "e": 0.2])
        let four = try weights(["b": 0.25, "c": 0.25, "d": 0.25, "e": 0.25])
        let change = AffinityMap(owner: "a").changed(to: five).map.changed(to: four)
        #expect(abs(change.movedShare - 0.2) < 0x1p-50)
    }

    @Test("never has more than 1,024 intervals: it is repacked, and the change reports it")
    func packing() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = LoopRandom(seed: seed)
        var map = AffinityMap(owner: "b0")
        var packings = 0
        for _ in 0..<12 {
            let target = try randomWeights(names: 900, using: &random)
            let minimum = distance(map.shares, target.shares)
            let change = map.changed(to: target)
            expectSound(change.map, shares: target.shares, "seed \(seed)")
            let moved = map.movedPoints(to: change.map)
            #expect(change.packed ? moved >= minimum : moved == minimum, "seed \(seed)")
            #expect(change.movedShare == Double(moved) / 0x1p64, "seed \(seed)")
            packings += change.packed ? 1 : 0
            map = change.map
        }
        #expect(packings > 0, "no map reached the bound, so nothing was tested, seed \(seed)")
    }

    @Test("from a store is rejected if it does not cover the space in order")
    func storedMaps() {
        let holder = AffinityMap.Holder(owner: "a", since: 0)
        func fragment(_ start: UInt64) -> AffinityMap.Fragment {
            AffinityMap.Fragment(start: start, holder: holder, lineage: [])
        }
        #expect(AffinityMap(stored: [], generation: 0) == nil)
        #expect(AffinityMap(stored: [fragment(1)], generation: 0) == nil)
        #expect(AffinityMap(stored: [fragment(0), fragment(9), fragment(9)], generation: 0) == nil)
        #expect(AffinityMap(stored: [fragment(0), fragment(9)], generation: 0) != nil)
        let bound = AffinityMap.maximumIntervals
        let full = (0..<bound).map { fragment(UInt64($0)) }
        #expect(AffinityMap(stored: full, generation: 0) != nil)
        #expect(AffinityMap(stored: full + [fragment(UInt64(bound))], generation: 0) == nil)
    }

    private func policy(_ map: AffinityMap) -> EndpointPolicy {
        EndpointPolicy(endpoint: "e", map: map, shadows: [])
    }
}
