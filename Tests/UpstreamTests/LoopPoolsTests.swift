internal import HTTP2Session
internal import Logging
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Upstream

@Suite struct LoopPoolsTests {
    private func set(_ name: String) -> ReplicaSet {
        ReplicaSet(
            name: name, options: BackendOptions(), log: Logger(label: "test"), onChange: {})
    }

    private func pools(_ loop: borrowing EmbeddedLoop) -> LoopPools {
        LoopPools(
            LoopContext(
                ConnectionLoop(loop.eventLoop), viaMark: ViaMark(server: 1),
                http2Limits: HTTP2Limits()))
    }

    private func byID(_ sets: [ReplicaSet]) -> [ObjectIdentifier: ReplicaSet] {
        Dictionary(uniqueKeysWithValues: sets.map { (ObjectIdentifier($0), $0) })
    }

    @Test("A loop has a pool for each backend from its installation to its removal")
    func installs() {
        let loop = EmbeddedLoop()
        let pools = pools(loop)
        let sets = (0..<40).map { set("b\($0)") }
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
    func removesBeforeTurn() {
        let loop = EmbeddedLoop()
        let pools = pools(loop)
        let sets = (0..<33).map { set("b\($0)") }
        pools.install(byID(sets))
        pools.install([:])
        loop.advance(by: .seconds(1))
        #expect(pools.figures.isEmpty)
    }
}
