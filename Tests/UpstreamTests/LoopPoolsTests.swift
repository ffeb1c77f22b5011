internal import TestSupport
internal import Testing

@testable internal import Upstream

@Suite struct LoopPoolsTests {
    private func byID(_ sets: [ReplicaSet]) -> [ObjectIdentifier: ReplicaSet] {
        Dictionary(uniqueKeysWithValues: sets.map { (ObjectIdentifier($0), $0) })
    }

    @Test("A loop has a pool for each backend from its installation to its removal")
    func installs() throws {
        let loop = EmbeddedLoop()
        let pools = LoopPools(LoopContext(test: loop))
        let sets = try (0..<40).map { try ReplicaSet(test: "b\($0)") }
        pools.install(byID(sets))
        // The pacer opens 32 at once, and four more each millisecond.
        #expect(pools.figures.count == 32)
        // A request does not wait for the pacer.
        let last = pools.pool(for: sets[39])
        #expect(pools.pool(for: sets[39]) === last)
        loop.advance(by: .milliseconds(2))
        #expect(pools.figures.count == 40)
        pools.install(byID(Array(sets[..<3])))
        #expect(pools.figures.keys.sorted() == ["b0", "b1", "b2"])
        pools.install([:])
        #expect(pools.figures.isEmpty)
    }

    @Test("A backend that is removed before its turn is not opened")
    func removesBeforeTurn() throws {
        let loop = EmbeddedLoop()
        let pools = LoopPools(LoopContext(test: loop))
        let sets = try (0..<33).map { try ReplicaSet(test: "b\($0)") }
        pools.install(byID(sets))
        pools.install([:])
        loop.advance(by: .seconds(1))
        #expect(pools.figures.isEmpty)
    }
}
