internal import Testing
internal import TrafficPolicy

@testable internal import Upstream

@Suite struct ReplicaChoiceTests {
    typealias State = ReplicaChoice.MemberState

    static let ready = State(isReady: true, verdict: .serving)
    static let ejected = State(isReady: true, isEjected: true, verdict: .serving)
    static let unhealthy = State(isReady: true, verdict: .notServing)
    static let unchecked = State(isReady: true, verdict: .unknown)
    static let connecting = State(isConnecting: true, verdict: .serving)

    @Test(
        "Ready and healthy members that are not ejected are candidates",
        arguments: [
            ([], true, []),
            ([ready, connecting, ready], true, [0, 2]),
            ([unhealthy, unchecked, ready], true, [2]),
            ([unhealthy, unchecked, ready], false, [0, 1, 2]),
            ([ejected, ready], true, [1]),
            // Panic: all are ejected.
            ([ejected, ejected, unhealthy], true, [0, 1]),
            ([unhealthy, connecting], true, []),
        ] as [([State], Bool, [Int])])
    func candidates(members: [State], healthChecks: Bool, expected: [Int]) {
        var choice = ReplicaChoice()
        choice.update(members, healthChecks: healthChecks, ring: nil)
        #expect(choice.candidates == expected)
    }

    private func choice(_ members: [State], names: [String]? = nil) -> ReplicaChoice {
        var choice = ReplicaChoice()
        choice.update(members, healthChecks: true, ring: names.map { HashRing($0) })
        return choice
    }

    @Test("Without candidates, no replica is chosen")
    func none() {
        let choice = choice([Self.unhealthy])
        #expect(choice.first(point: nil, avoiding: nil, inFlight: 1, random: 0) { _ in 0 } == nil)
        #expect(choice.alternatives(avoiding: nil) { _ in 0 } == [])
    }

    @Test("The less loaded of two different random candidates is chosen")
    func twoChoices() {
        let choice = choice([Self.ready, Self.unhealthy, Self.ready, Self.ready])
        var random = LoopRandom(seed: 7)
        var counts = [0, 0, 0, 0]
        for _ in 0..<3_000 {
            let chosen = choice.first(
                point: nil, avoiding: nil, inFlight: 9, random: random.next()
            ) { [5, 0, 1, 3][$0] }
            counts[chosen ?? 1] += 1
        }
        // Of the pairs (0 2), (0 3), (2 3): member 2 is in two of three, and the less loaded.
        #expect(counts[0] == 0 && counts[1] == 0)
        #expect((1_900...2_100).contains(counts[2]))
        #expect(counts[2] + counts[3] == 3_000)
    }

    @Test("The replica of the last attempt is not chosen if there is another one")
    func avoidsFailed() {
        var random = LoopRandom(seed: 8)
        let two = choice([Self.ready, Self.ready])
        let one = choice([Self.ready])
        for _ in 0..<100 {
            let bits = random.next()
            // It has the lower load.
            let load = { (index: Int) in index }
            #expect(two.first(point: nil, avoiding: 0, inFlight: 1, random: bits, load: load) == 1)
            #expect(one.first(point: nil, avoiding: 0, inFlight: 1, random: bits, load: load) == 0)
        }
    }

    @Test("The alternatives are ordered by load, and the replica of the last attempt is the last")
    func alternatives() {
        let choice = choice([Self.ready, Self.ready, Self.unhealthy, Self.ready])
        let loads = [2, 1, 0, 3]
        #expect(choice.alternatives(avoiding: nil) { loads[$0] } == [1, 0, 3])
        #expect(choice.alternatives(avoiding: 1) { loads[$0] } == [0, 3, 1])
    }

    @Test("A shard key keeps its replica until the replica is over the load bound")
    func affinity() throws {
        let names = ["a", "b", "c", "d"]
        let choice = choice(names.map { _ in Self.ready }, names: names)
        for key in 0..<50 as Range<UInt64> {
            let point = key &* 0x9E37_79B9_7F4A_7C15
            let owner = try #require(HashRing(names).owner(of: point) { _ in true })
            func chosen(load: @escaping (Int) -> Int, avoiding failed: Int? = nil) -> Int? {
                choice.first(
                    point: point, avoiding: failed, inFlight: 8, random: key, load: load)
            }
            let bound = HashRing.loadBound(inFlight: 8, replicas: 4)
            #expect(chosen { $0 == owner ? bound - 1 : 0 } == owner)
            let next = chosen { $0 == owner ? bound : 0 }
            #expect(next != nil && next != owner)
            #expect(chosen(load: { _ in 0 }, avoiding: owner) == next)
            // All are at the bound: the shell tries the alternatives.
            #expect(chosen { _ in bound } == nil)
        }
    }

    @Test("A ring with more replicas than the pool has members is not read beyond them")
    func staleRing() {
        let choice = choice([Self.ready], names: ["a", "b", "c"])
        for key in 0..<20 as Range<UInt64> {
            let chosen = choice.first(
                point: key << 59, avoiding: nil, inFlight: 1, random: 0, load: { _ in 0 })
            #expect(chosen == 0)
        }
    }
}
