internal import GRPCWire
internal import NIOCore
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Upstream

@Suite struct BackendPoolTests {
    /// A request that records what its pool does with it.
    private final class Request: PoolRequest {
        let isShadow: Bool
        var replicaPoint: UInt64? { nil }
        var failedReplica: Replica? { nil }
        private(set) var ticket: WaitingTicket?
        private(set) var refusal: RPCError?

        init(isShadow: Bool = false) { self.isShadow = isShadow }

        func begin(on lease: BackendPool.Lease) {}
        func waits(_ ticket: WaitingTicket) { self.ticket = ticket }
        func refused(_ error: RPCError) { refusal = error }
    }

    /// A pool of a backend whose only address is a name without a result: its requests wait.
    private func withPool(
        _ body: (borrowing EmbeddedLoop, ReplicaSet, BackendPool) throws -> Void
    ) throws {
        let loop = EmbeddedLoop()
        let set = try ReplicaSet(test: "b", addresses: ["replica.test:1"])
        let pool = BackendPool(LoopContext(test: loop), set)
        pool.refresh()
        try body(loop, set, pool)
    }

    @Test("A request waits until its timeout, and a copy does not wait")
    func waits() throws {
        try withPool { loop, _, pool in
            let (request, copy) = (Request(), Request(isShadow: true))
            pool.submit(request, at: pool.loop.now)
            pool.submit(copy, at: pool.loop.now)
            #expect(copy.refusal?.message == "backend 'b' is not connected yet")
            #expect(request.ticket != nil && request.refusal == nil)
            loop.advance(by: .milliseconds(4_999))
            #expect(request.refusal == nil)
            loop.advance(by: .milliseconds(1))
            #expect(request.refusal?.code == .unavailable)
        }
    }

    @Test("Another wait timeout applies to a request that waits already")
    func newTimeout() throws {
        try withPool { loop, set, pool in
            let request = Request()
            pool.submit(request, at: pool.loop.now)
            loop.advance(by: .milliseconds(100))
            var options = BackendOptions()
            options.waitTimeout = .milliseconds(300)
            set.update(options)
            pool.refresh()
            loop.advance(by: .milliseconds(199))
            #expect(request.refusal == nil)
            loop.advance(by: .milliseconds(1))
            #expect(request.refusal?.message.contains("within 0.3 seconds") == true)
        }
    }

    @Test("A request that waits stays in the line when its backend is removed")
    func retiresAfterLine() throws {
        try withPool { loop, _, pool in
            let request = Request()
            pool.submit(request, at: pool.loop.now)
            pool.retire()
            #expect(request.refusal == nil)
            loop.advance(by: .seconds(5))
            #expect(request.refusal?.code == .unavailable)
            let late = Request()
            pool.submit(late, at: pool.loop.now)
            #expect(late.refusal?.code == .unavailable)
        }
    }

    @Test("A pool that is closed takes no members, also after its last request has left")
    func staysClosed() throws {
        try withPool { loop, set, pool in
            let request = Request()
            pool.submit(request, at: pool.loop.now)
            pool.retire()
            pool.leave(try #require(request.ticket))
            let path = "/run/weir-test-replica.sock"
            set.add(
                Replica(name: path, address: try SocketAddress(unixDomainSocketPath: path)))
            pool.refresh()
            #expect(pool.members.isEmpty)
            loop.advance(by: .seconds(10))
            #expect(request.refusal == nil)
        }
    }
}
