internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Upstream

/// The monitor of a backend whose replicas are servers on loopback ports.
@Suite(.timeLimit(.minutes(1))) struct ReplicaMonitorTests {
    /// Runs a body with the pool of a set, on an event loop that ends afterwards.
    private func withPool(
        _ set: ReplicaSet, _ body: (any EventLoop, BackendPool) async throws -> Void
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let pools = LoopPools(
            LoopContext(
                ConnectionLoop(loop), viaMark: ViaMark(server: 1), http2Limits: HTTP2Limits()))
        try await loop.submit { pools.install([ObjectIdentifier(set): set]) }.get()
        let pool = try await loop.submit { pools.pool(for: set) }.get()
        try await body(loop, pool)
        try await loop.submit { pools.install([:]) }.get()
        try await group.shutdownGracefully()
    }

    private func options() -> BackendOptions {
        var options = BackendOptions()
        options.health.interval = .milliseconds(10)
        options.health.timeout = .seconds(10)
        return options
    }

    @Test("The verdict of a replica follows its health checks, and the set its verdict")
    func checksHealth() async throws {
        let server = StubServer(StubServer.health(1))
        let address = try await server.start()
        let changes = Mutex<[Bool]>([])
        let current = Mutex<ReplicaSet?>(nil)
        let set = try ReplicaSet(
            test: "b", addresses: ["127.0.0.1:\(address.port ?? 0)"], options: options()
        ) {
            let isUsable = current.withLock { $0 }?.isUsable ?? false
            changes.withLock { $0.append(isUsable) }
        }
        current.withLock { $0 = set }
        try await withPool(set) { _, _ in
            #expect(await eventually { set.statuses.first?.state == .ready })
            server.set(StubServer.health(2))
            #expect(await eventually { set.statuses.first?.state == .unhealthy })
            #expect(!set.isUsable)
            #expect(set.problem.hasSuffix("health check: the status is NOT_SERVING"))
            server.set(StubServer.health(1))
            #expect(await eventually { set.statuses.first?.state == .ready })
        }
        current.withLock { $0 = nil }
        #expect(changes.withLock { $0 } == [false, true])
        try await server.stop()
    }

    @Test("Checks that are off are begun by an update of the options")
    func followsOptions() async throws {
        let server = StubServer(StubServer.health(2))
        let address = try await server.start()
        var off = options()
        off.health.interval = .zero
        let set = try ReplicaSet(
            test: "b", addresses: ["127.0.0.1:\(address.port ?? 0)"], options: off)
        try await withPool(set) { _, _ in
            #expect(await eventually { set.statuses.first?.state == .ready })
            #expect(server.requests.withLock { $0.isEmpty })
            set.update(options())
            #expect(await eventually { set.statuses.first?.state == .unhealthy })
        }
        try await server.stop()
    }

    @Test("A name is resolved to a replica, which is connected and checked")
    func resolvesNames() async throws {
        let server = StubServer(StubServer.health(1))
        let port = try #require(try await server.start().port)
        let set = try ReplicaSet(
            test: "b", addresses: ["localhost:\(port)"], options: options())
        try await withPool(set) { _, _ in
            #expect(await eventually { set.statuses.first?.state == .ready })
            #expect(set.statuses.map(\.name) == ["localhost:\(port) (127.0.0.1)"])
        }
        try await server.stop()
    }

    @Test("A name that cannot be resolved is the problem of the set")
    func reportsNames() async throws {
        let set = try ReplicaSet(test: "b", addresses: ["name.invalid:80"], options: options())
        try await withPool(set) { _, _ in
            #expect(await eventually { !set.isUsable })
            #expect(set.problem.contains("'name.invalid' cannot be resolved"))
        }
    }

    @Test("An ejected replica is readmitted by the sweep of the monitor")
    func readmits() async throws {
        let server = StubServer(StubServer.health(1))
        let address = try await server.start()
        var options = options()
        options.outliers.interval = .milliseconds(10)
        options.outliers.baseEjection = .milliseconds(30)
        let set = try ReplicaSet(
            test: "b", addresses: ["127.0.0.1:\(address.port ?? 0)"], options: options)
        try await withPool(set) { loop, _ in
            #expect(await eventually { set.statuses.first?.state == .ready })
            try await loop.submit {
                set.eject(
                    set.replicas[0], at: loop.now.uptimeNanoseconds, because: "test")
            }.get()
            #expect(set.statuses.first?.ejections == 1)
            #expect(await eventually { set.statuses.first?.state == .ready })
        }
        try await server.stop()
    }
}
