package import Logging
package import NIOCore
internal import NIOPosix
package import Observability
internal import Synchronization
package import Traces
package import Transport
internal import Upstream

/// Carries the traffic: event loops, listeners and connections.
///
/// The control plane publishes routing snapshots to it and reads its figures. Neither delays a
/// request.
package final class DataPlane: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loops: [ServingLoop]
    private let threads: CallThreads
    private let comparer: Comparer
    private let limits: Limits
    private let log: Logger
    private let methodNames: MethodNames
    private let listeners = Listeners()
    private let clients: ConnectionGate
    private let operators: ConnectionGate
    private let scrapers: ConnectionGate
    private let taps: OpenTaps
    private let uses = LoopUses()

    /// - Parameters:
    ///   - loops: the number of event loops; usually one per core.
    ///   - namesBackends: whether responses name the backend, in `x-serve-backend`.
    ///   - listeners: who receives the records of ended calls.
    ///   - tracing: nil to trace no calls; then the headers of traces pass unchanged.
    package init(
        loops count: Int, limits: Limits, namesBackends: Bool, log: Logger,
        listeners: CallListeners = .init(), tracing: TraceSettings? = nil
    ) {
        let limits = limits.bounded
        let group = MultiThreadedEventLoopGroup(numberOfThreads: count)
        self.group = group
        let threads = CallThreads(
            blocking: ThreadExecutor(threads: limits.blockingThreads),
            shadows: ThreadExecutor(threads: limits.shadowThreads, yields: true))
        let comparer = Comparer(
            limit: limits.maxPendingComparisons, maxMessageBytes: limits.maxMessageBytes)
        self.threads = threads
        self.comparer = comparer
        self.limits = limits
        self.log = log
        clients = ConnectionGate(
            limit: limits.maxConnections, limitPerAddress: limits.maxConnectionsPerAddress)
        operators = ConnectionGate(
            limit: limits.maxAdminConnections, limitPerAddress: limits.maxAdminConnections)
        scrapers = ConnectionGate(
            limit: limits.maxMetricsConnections,
            // One host cannot take the connections of probes and scrapes from others.
            limitPerAddress: max(1, limits.maxMetricsConnections / 2))
        let methodNames = MethodNames(
            maxPerEndpoint: limits.maxMethodsPerEndpoint, maxInAll: limits.maxMethods)
        self.methodNames = methodNames
        taps = OpenTaps(limits, at: NIODeadline.now().uptimeNanoseconds)
        let viaMark = ViaMark(server: .random(in: .min ... .max))
        loops = group.makeIterator().map {
            let context = LoopContext(
                ConnectionLoop($0), viaMark: viaMark, http2Limits: limits.upstreamHTTP2)
            let loop = LoopState(
                context, threads, limits, maxBufferedBytes: limits.maxBufferedBytes / count,
                methodNames, listeners, log,
                tracing.map { LoopTracing($0, context, loops: count) })
            return ServingLoop(loop, comparer, namesBackends: namesBackends)
        }
    }

    // MARK: Listening

    /// Listens for clients on one socket per loop, all with the same address (SO_REUSEPORT), so
    /// that the kernel spreads connections over the loops. An inherited socket is one socket: one
    /// loop accepts its connections and assigns them to all loops in turn.
    ///
    /// - Returns: the address, with the port that the system chose for port 0.
    package func listen(
        _ port: ListeningPort, tls: ServedTLS? = nil, serving served: ServedPort
    ) async throws -> SocketAddress {
        var port = port
        var address: SocketAddress?
        for loop in port.isInherited ? [loops[0]] : loops {
            let children: any EventLoopGroup = port.isInherited ? group : loop.eventLoop
            let channel = try await port.open(
                bootstrap(loop, children: children, clients, tls, served))
            listeners.add(channel, isInherited: port.isInherited)
            address = channel.localAddress
            // The system may have chosen the port of the first socket; the others use the same one.
            port.join(address)
        }
        guard let address else { throw ChannelError.unknownLocalAddress }
        return address
    }

    /// Listens for operators, on one socket.
    package func listenForOperators(
        _ port: ListeningPort, tls: ServedTLS? = nil, serving served: ServedPort
    ) async throws -> SocketAddress {
        try await listenOnce(port, operators, tls, served)
    }

    /// Listens for scrapers of metrics, on one socket.
    package func listenForScrapers(
        _ port: ListeningPort, serving served: ServedPort
    ) async throws -> SocketAddress {
        try await listenOnce(port, scrapers, nil, served)
    }

    private func listenOnce(
        _ port: ListeningPort, _ gate: ConnectionGate, _ tls: ServedTLS?, _ served: ServedPort
    ) async throws -> SocketAddress {
        let channel = try await port.open(
            bootstrap(loops[0], children: loops[0].eventLoop, gate, tls, served))
        listeners.add(
            channel, isInherited: port.isInherited, closesAtDrain: served.holdsDrain)
        guard let address = channel.localAddress else {
            throw ChannelError.unknownLocalAddress
        }
        return address
    }

    private func bootstrap(
        _ acceptor: ServingLoop, children: any EventLoopGroup, _ gate: ConnectionGate,
        _ tls: ServedTLS?, _ served: ServedPort
    ) -> ServerBootstrap {
        let loops = Dictionary(
            uniqueKeysWithValues: loops.map { (ObjectIdentifier($0.eventLoop), $0) })
        return ServerBootstrap(group: acceptor.eventLoop, childGroup: children)
            .serverChannelOption(.backlog, value: ListeningPort.backlog)
            .serverChannelInitializer { [log] channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(AcceptPause(log: log))
                }
            }
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let loop = loops[ObjectIdentifier(channel.eventLoop)] else {
                        preconditionFailure("a connection belongs to no loop of this server")
                    }
                    do {
                        try Self.setUp(channel, loop, gate, tls, served)
                    } catch {
                        loop.connections.logClosing(
                            Peer(channel), "setup failed: \(systemReason(error))")
                        throw error
                    }
                }
            }
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 2_048, initial: 2_048, maximum: 65_536))
    }

    /// Admits an accepted connection and installs its handlers. The caller closes the channel on an
    /// error.
    private static func setUp(
        _ channel: any Channel, _ loop: ServingLoop, _ gate: ConnectionGate, _ tls: ServedTLS?,
        _ served: ServedPort
    ) throws {
        let address = channel.remoteAddress?.ipAddress ?? ""
        try gate.enter(address)
        channel.closeFuture.whenComplete { _ in gate.leave(address) }
        // NIO ignores TCP_NODELAY on a socket that is not TCP.
        try channel.syncOptions?.setOption(.tcpOption(.tcp_nodelay), value: 1)
        try channel.syncOptions?.setOption(.socketOption(.so_keepalive), value: 1)
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(tls.handler()) }
        try pipeline.addHandler(ProtocolSniffer(loop.connections, servedPort: served))
    }

    // MARK: Control

    /// Installs the snapshot on every loop. Returns when all loops use it.
    package func publish(_ snapshot: RoutingSnapshot) async throws {
        methodNames.removeEndpoints(unless: { snapshot.endpoint(named: $0) != nil })
        _ = try await onEachLoop { $0.router.install(snapshot) }
    }

    /// The sum of the counts of all loops.
    package func figures() async throws -> ServingFigures {
        var sum = ServingFigures()
        for figures in try await onEachLoop(\.figures) { sum.add(figures) }
        sum.refusedConnections = clients.refused
        sum.refusedOperators = operators.refused
        sum.refusedScrapers = scrapers.refused
        return sum
    }

    /// The present second of the loops' clock.
    package static var second: UInt64 { NIODeadline.now().uptimeNanoseconds / 1_000_000_000 }

    /// Takes the counts of an endpoint under rollout whose requests can be judged, by second. Each
    /// count is taken once.
    package func takeCohorts(of endpoint: String) async throws -> [CohortTable.Cohort] {
        // All loops take the same seconds, so that each second is complete.
        let open = try await onEachLoop { $0.router.firstUnjudged(of: endpoint) }
        guard let end = open.compactMap(\.self).min() else { return [] }
        struct Key: Hashable {
            let second: UInt64
            let method: String
        }
        var sums: [Key: CohortTable.Cohort] = [:]
        for cohorts in try await onEachLoop({
            $0.router.takeCohorts(of: endpoint, before: end)
        }) {
            for cohort in cohorts {
                let key = Key(second: cohort.second, method: cohort.method)
                if sums[key]?.add(cohort) == nil { sums[key] = cohort }
            }
        }
        return sums.values.sorted { ($0.second, $0.method) < ($1.second, $1.method) }
    }

    // MARK: Records of calls

    /// Opens a tap.
    ///
    /// - Returns: nil if too many taps are open.
    package func openTap(_ options: CallTapStream.Options) async throws -> CallTapStream? {
        guard let tap = taps.open(options, at: NIODeadline.now().uptimeNanoseconds) else {
            return nil
        }
        do {
            _ = try await onEachLoop { $0.loop.recorder.add(tap) }
        } catch {
            await close(tap)
            throw error
        }
        return tap
    }

    /// Closes a tap.
    package func close(_ tap: CallTapStream) async {
        tap.finish()
        taps.close(tap)
        _ = try? await onEachLoop { $0.loop.recorder.remove(tap) }
    }

    /// Ends the streams of all taps, also of later ones.
    package func finishTaps() { taps.finishAll() }

    /// Ends the streams of the taps whose filter fulfils a condition.
    package func finishTaps(where isOver: (CallFilter) -> Bool) { taps.finish(where: isOver) }

    /// The figures of the taps.
    package var tapFigures: TapFigures { taps.figures }

    /// The calls of a trace that the loops still have, in the order in which they ended.
    package func calls(of trace: TraceID) async throws -> [CallRecord] {
        try await onEachLoop { $0.loop.recorder.recent.calls(of: trace) }.flatMap { $0 }
            .sorted { $0.endedAt < $1.endedAt }
    }

    /// Runs a function on every loop. Throws after `shutDown`.
    private func onEachLoop<Result: Sendable>(
        _ body: @escaping @Sendable (ServingLoop) -> Result
    ) async throws -> [Result] {
        try await uses.use {
            let futures = loops.map { loop in loop.eventLoop.submit { body(loop) } }
            var results: [Result] = []
            for future in futures { results.append(try await future.get()) }
            return results
        }
    }

    /// Stops listening, waits for running requests up to `Limits.drainTimeout`, and then closes
    /// the remaining connections.
    ///
    /// - Returns: whether all requests ended before the timeout.
    package func drain() async throws -> Bool {
        await listeners.close(all: false)
        let timeout = limits.drainTimeout
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                let ends = self.loops.map { loop in
                    loop.eventLoop.flatSubmit { loop.connections.drain() }
                }
                for end in ends { try? await end.get() }
                return true
            }
            group.addTask { (try? await Task.sleep(for: timeout)) == nil }
            let finished = await group.next() ?? true
            // Not in the second task: the closing also ends the first one.
            if !finished { await self.closeConnections() }
            group.cancelAll()
            return finished
        }
    }

    /// Exports the late calls that wait.
    package func finishTraces() async { _ = try? await onEachLoop { $0.loop.tracing?.finish() } }

    /// Closes all connections at once.
    package func closeConnections() async {
        _ = try? await onEachLoop { $0.closeAll() }
    }

    /// Ends the threads. The data plane cannot be used afterwards.
    package func shutDown() async throws {
        await listeners.close(all: true)
        await closeConnections()
        try await threads.shutDown()
        try await comparer.shutDown()
        await uses.close()
        try await group.shutdownGracefully()
    }
}

/// The listening sockets. Those of ports that hold a drain are closed when it begins.
private final class Listeners: Sendable {
    /// The longest time from the acceptance of a connection to its assignment to a loop.
    private static let handOver = Duration.milliseconds(50)

    private struct Listener {
        let channel: any Channel
        let isInherited: Bool
        let closesAtDrain: Bool
    }

    private let listeners = Mutex<[Listener]>([])

    func add(_ channel: any Channel, isInherited: Bool, closesAtDrain: Bool = true) {
        let listener = Listener(
            channel: channel, isInherited: isInherited, closesAtDrain: closesAtDrain)
        listeners.withLock { $0.append(listener) }
    }

    func close(all: Bool) async {
        let open = listeners.withLock { listeners in
            let open = listeners.filter { all || $0.closesAtDrain }
            listeners.removeAll { all || $0.closesAtDrain }
            return open
        }
        let inherited = open.filter(\.isInherited)
        if !inherited.isEmpty {
            // Closing a listener also closes the connections that it is assigning to another loop.
            // Another process keeps an inherited socket open, so no client is refused meanwhile.
            for one in inherited { try? await one.channel.setOption(.autoRead, value: false).get() }
            try? await Task.sleep(for: Self.handOver)
        }
        for one in open { try? await one.channel.close().get() }
    }
}
