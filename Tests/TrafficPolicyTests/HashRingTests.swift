internal import Testing

@testable internal import TrafficPolicy

@Suite struct HashRingTests {
    private static let names = (0..<8).map { "10.0.0.\($0):50051" }

    private func points(_ count: Int, seed: UInt64) -> [UInt64] {
        var random = LoopRandom(seed: seed)
        return (0..<count).map { _ in random.next() }
    }

    @Test("Every replica gets its share to within a fifth", arguments: [2, 3, 5, 8])
    func sharesEvenly(count: Int) {
        let ring = HashRing(Array(Self.names.prefix(count)))
        var owned = [Int](repeating: 0, count: count)
        for point in points(40_000, seed: 1) {
            guard let owner = ring.owner(of: point, where: { _ in true }) else {
                Issue.record("no owner")
                return
            }
            owned[owner] += 1
        }
        let even = 40_000 / count
        for share in owned { #expect(abs(share - even) < even / 5, "\(owned)") }
    }

    @Test("When a replica is removed, only its keys move, and they return with it")
    func movesOnlyLostKeys() {
        let all = HashRing(Self.names)
        for gone in Self.names.indices {
            var rest = Self.names
            rest.remove(at: gone)
            let smaller = HashRing(rest)
            for point in points(2_000, seed: UInt64(gone)) {
                let before = all.owner(of: point) { _ in true }.map { Self.names[$0] }
                let unusable = all.owner(of: point) { $0 != gone }.map { Self.names[$0] }
                let after = smaller.owner(of: point) { _ in true }.map { rest[$0] }
                if before != Self.names[gone] { #expect(before == after) }
                // A key has the same replica whether another one is unusable or removed.
                #expect(unusable == after)
            }
        }
    }

    @Test("The order of the replicas does not matter")
    func ignoresOrder() {
        let reversed = Array(Self.names.reversed())
        let (left, right) = (HashRing(Self.names), HashRing(reversed))
        for point in points(1_000, seed: 7) {
            let first = left.owner(of: point) { _ in true }.map { Self.names[$0] }
            #expect(first == right.owner(of: point) { _ in true }.map { reversed[$0] })
        }
    }

    @Test("Without a usable replica, no replica owns a key")
    func findsNoOwner() {
        let ring = HashRing(Self.names)
        #expect(ring.owner(of: 5) { _ in false } == nil)
        #expect(HashRing([]).owner(of: 5) { _ in true } == nil)
    }

    @Test(
        "The load limit of a replica is a quarter above the average, and at least one request",
        arguments: [(0, 1, 2), (0, 4, 1), (3, 4, 2), (7, 4, 3), (99, 10, 13)])
    func limitsLoad(inFlight: Int, replicas: Int, bound: Int) {
        #expect(HashRing.loadBound(inFlight: inFlight, replicas: replicas) == bound)
    }
}
