internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Transport
internal import Weir

@testable internal import Upstream

/// A replica that is a server on a loopback port.
@Suite(.timeLimit(.minutes(1))) struct LoopReplicaTests {
    /// Keeps the lease that its pool gives it.
    private final class Request: PoolRequest, Sendable {
        let isShadow = false
        var replicaPoint: UInt64? { nil }
        var failedReplica: Replica? { nil }
        let lease = Mutex<BackendPool.Lease?>(nil)
        let refusal = Mutex<RPCError?>(nil)

        func begin(on lease: BackendPool.Lease) { self.lease.withLock { $0 = lease } }
        func waits(_ ticket: WaitingTicket) {}
        func refused(_ error: RPCError) { refusal.withLock { $0 = error } }
    }

    @Test("A replica is connected, checked, leased, and down when its server has ended")
    func follows() async throws {
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.loops = 1
        configuration.log.logLevel = .critical
        let server = WeirServer(configuration, backends: [])
        let address = try await server.start().data

        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        var options = BackendOptions()
        options.health.interval = .milliseconds(20)
        options.maxRequestsPerReplica = 1
        let set = try ReplicaSet(test: "b", addresses: [address.description], options: options)
        let pools = LoopPools(
            LoopContext(
                ConnectionLoop(loop), viaMark: ViaMark(server: 1), http2Limits: HTTP2Limits()))
        try await loop.submit { pools.install([ObjectIdentifier(set): set]) }.get()
        #expect(await eventually { set.statuses.first?.state == .ready })

        let (first, second) = (Request(), Request())
        try await loop.submit {
            let pool = pools.pool(for: set)
            pool.submit(first, at: pool.loop.now)
            pool.submit(second, at: pool.loop.now)
        }.get()
        let lease = try #require(first.lease.withLock { $0 })
        #expect(second.lease.withLock { $0 == nil } && set.requestsInFlight == 1)
        try await loop.submit {
            let pool = pools.pool(for: set)
            pool.giveBack(lease, .ok, failure: nil, at: pool.loop.now)
        }.get()
        #expect(second.lease.withLock { $0 != nil } && set.requestsInFlight == 1)

        try await server.shutDown()
        #expect(await eventually { !set.isUsable })
        #expect(set.statuses.first?.connections == 0)
        try await loop.submit { pools.install([:]) }.get()
        try await group.shutdownGracefully()
    }
}
