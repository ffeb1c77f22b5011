internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import Observability
internal import TrafficPolicy
internal import Transport

/// Everything that one event loop owns: its snapshot, counters, deadlines and connections.
///
/// `@unchecked Sendable`: every stored `var` is only touched on `eventLoop`.
final class ServingLoop: @unchecked Sendable {
    let eventLoop: any EventLoop
    let executor: LoopExecutor
    let blocking: ThreadExecutor
    /// For copies, which must not take a thread from calls of clients.
    let shadowThreads: ThreadExecutor
    let comparer: Comparer
    let shadowQueue: ShadowQueue
    let limits: Limits
    let namesBackends: Bool
    /// Marks the requests to backends; the same on all loops.
    let viaMark: ViaMark
    let log: Logger
    /// What all its HTTP/2 connections share, to clients and to upstreams.
    let shared: ConnectionLoop

    private(set) var snapshot = RoutingSnapshot.empty
    /// Paths resolved under this snapshot, by port.
    var dataPaths: [ArraySlice<UInt8>: ResolvedPath] = [:]
    var adminPaths: [ArraySlice<UInt8>: ResolvedPath] = [:]
    /// The way of dynamic calls, by endpoint.
    var dynamicPaths: [String: ResolvedPath] = [:]
    /// The connections to the backends of replicas whose turn has come, or that were asked for.
    private(set) var pools: [ObjectIdentifier: BackendPool] = [:]
    let pacer: ConnectPacer
    /// Maintains all pools; nil while there are no backends of replicas.
    private var upkeep: RepeatedTask?
    var random = LoopRandom()
    /// For the field `Date`.
    var clock = HTTPClock()
    var requestsInFlight = 0
    var blockingCalls = 0
    let lag: LoopLag
    /// Request bytes that wait in memory for handlers.
    private(set) var heldBytes = 0
    /// This loop's share of what may wait in memory.
    private let maxBufferedBytes: Int
    private var refused: [Overload: UInt64] = [:]
    var unrouted: UInt64 = 0
    /// Where replies are framed before the session takes them; reused.
    var scratch: [UInt8] = []

    let metrics: LoopMetrics
    private var tallies: [ObjectIdentifier: ShadowTally] = [:]
    private var connections: [ObjectIdentifier: any ServedConnection] = [:]
    private var tending: RepeatedTask?
    private var closingLines = TokenBucket(
        capacity: 10, perSecond: 5, at: NIODeadline.now().uptimeNanoseconds)
    private var unloggedClosings = 0
    private var deadlines: DeadlineWheel<ServerCall>
    private var wakeAt: UInt64?
    private var isDraining = false
    private var isClosed = false
    private var whenEmpty: EventLoopPromise<Void>?

    init(
        _ eventLoop: any EventLoop, blocking: ThreadExecutor,
        shadowThreads: ThreadExecutor, comparer: Comparer, limits: Limits,
        maxBufferedBytes: Int, namesBackends: Bool, methodNames: MethodNames, viaMark: ViaMark,
        log: Logger
    ) {
        self.maxBufferedBytes = maxBufferedBytes
        lag = LoopLag(eventLoop, limit: limits.maxQueueingDelay)
        self.eventLoop = eventLoop
        self.blocking = blocking
        self.shadowThreads = shadowThreads
        self.comparer = comparer
        shadowQueue = ShadowQueue(
            eventLoop, bytesPerMillisecond: limits.shadowBytesPerMillisecond)
        self.limits = limits
        self.namesBackends = namesBackends
        metrics = LoopMetrics(methodNames)
        self.viaMark = viaMark
        self.log = log
        executor = LoopExecutor(eventLoop)
        shared = ConnectionLoop(eventLoop)
        pacer = ConnectPacer(eventLoop)
        deadlines = DeadlineWheel(now: NIODeadline.now().uptimeNanoseconds)
    }

    /// Takes a new snapshot; requests that have started keep what they were given.
    func install(_ snapshot: RoutingSnapshot) {
        let known = self.snapshot.backends
        self.snapshot = snapshot
        if snapshot.backends !== known {
            installPools(from: known.sets, to: snapshot.backends.sets)
        }
        metrics.keep(snapshot, backendsChanged: snapshot.backends !== known)
        let accounts = Set(snapshot.shadowAccounts.map { ObjectIdentifier($0) })
        tallies = tallies.filter { accounts.contains($0.key) }
        dataPaths.removeAll(keepingCapacity: true)
        adminPaths.removeAll(keepingCapacity: true)
        dynamicPaths.removeAll(keepingCapacity: true)
    }

    private func installPools(
        from known: [ObjectIdentifier: ReplicaSet], to sets: [ObjectIdentifier: ReplicaSet]
    ) {
        for (id, pool) in pools where sets[id] == nil {
            pools[id] = nil
            pool.retire()
        }
        for (id, set) in sets where known[id] == nil {
            pacer.enqueue {
                // It may have closed meanwhile.
                if self.snapshot.backends.sets[id] === set { _ = self.pool(for: set) }
            }
        }
        if sets.isEmpty {
            upkeep?.cancel()
            upkeep = nil
        } else if upkeep == nil {
            upkeep = eventLoop.scheduleRepeatedTask(
                initialDelay: .seconds(1), delay: .seconds(1)
            ) { _ in
                for pool in self.pools.values { pool.tend() }
            }
        }
    }

    /// The pool of a backend in the snapshot, which begins to connect if it is new.
    func pool(for set: ReplicaSet) -> BackendPool {
        let id = ObjectIdentifier(set)
        if let known = pools[id] { return known }
        let pool = BackendPool(self, set)
        pools[id] = pool
        pool.open()
        return pool
    }

    // MARK: Overload

    /// Why no request is taken on; nil while there is room for one.
    var overload: RPCError? {
        lag.noteRequest()
        guard requestsInFlight < limits.maxRequestsInFlightPerLoop else {
            return refusal(.requests, "\(requestsInFlight) requests are in flight")
        }
        guard !lag.isOverLimit else {
            return refusal(.delay, "the server is \(lag.nanoseconds / 1_000_000) ms behind")
        }
        return memoryOverload
    }

    /// Why nothing more is kept in memory; nil while there is room.
    private var memoryOverload: RPCError? {
        guard bufferedBytes > maxBufferedBytes else { return nil }
        return refusal(.memory, "\(bufferedBytes) bytes wait in memory")
    }

    private var bufferedBytes: Int { heldBytes + shared.allocator.bodyBytes }

    /// Counts bytes that are kept for a request, or no longer are.
    ///
    /// - Returns: why that is too much.
    func hold(_ change: Int) -> RPCError? {
        heldBytes += change
        return change > 0 ? memoryOverload : nil
    }

    /// The status of a request that is one too many; counted.
    func refusal(_ reason: Overload, _ message: String) -> RPCError {
        noteRefusal(reason)
        return RPCError(.resourceExhausted, message)
    }

    func noteRefusal(_ reason: Overload) { refused[reason, default: 0] += 1 }

    // MARK: Metrics

    func tally(for account: ShadowAccount) -> ShadowTally {
        if let known = tallies[ObjectIdentifier(account)] { return known }
        let tally = ShadowTally(account)
        tallies[ObjectIdentifier(account)] = tally
        return tally
    }

    var figures: ServingFigures {
        var figures = ServingFigures()
        figures.calls = metrics.figures
        figures.connections = connections.values.count { $0.port.servesEndpoints }
        figures.unrouted = unrouted
        figures.refused = refused
        figures.bufferedBytes = bufferedBytes
        figures.lag = lag.nanoseconds
        for tally in tallies.values { figures.shadows[tally.account.key] = tally.figures }
        for pool in pools.values { figures.pools[pool.set.name] = pool.allFigures }
        return figures
    }

    // MARK: Connections

    /// A connection that comes while the server ends is served what it has sent, and asked to go.
    func add(_ connection: any ServedConnection) {
        if tending == nil { tendConnections() }
        connections[ObjectIdentifier(connection)] = connection
        if isClosed {
            connection.close()
        } else if isDraining {
            connection.drain()
        }
    }

    /// Logs why a client is sent away. Clients that do it on purpose must not fill the log, nor
    /// hold the loop up where it is written: above a few lines a second, only the number is logged.
    func noteClosing(_ peer: Peer, _ reason: String) {
        guard closingLines.take(1, at: NIODeadline.now().uptimeNanoseconds) else {
            unloggedClosings += 1
            return
        }
        var metadata: Logger.Metadata = ["peer": "\(peer.text)", "reason": "\(reason)"]
        if unloggedClosings > 0 { metadata["before"] = "\(unloggedClosings) more" }
        unloggedClosings = 0
        log.notice("closing connection", metadata: metadata)
    }

    func remove(_ connection: any ServedConnection) {
        connections[ObjectIdentifier(connection)] = nil
        if connections.isEmpty, let promise = whenEmpty {
            whenEmpty = nil
            promise.succeed()
        }
    }

    /// Looks after the connections for as long as there are any.
    private func tendConnections() {
        let interval = Self.tendingInterval
        tending = eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { task in
            guard !self.connections.isEmpty else {
                self.tending = nil
                return task.cancel()
            }
            let now = NIODeadline.now().uptimeNanoseconds
            for connection in self.connections.values { connection.tend(at: now) }
        }
    }

    /// How exact the time limits of connections are.
    private static let tendingInterval = TimeAmount.milliseconds(250)

    // MARK: Drain

    /// Asks all clients to go; succeeds when the last connection has closed.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        guard !connections.isEmpty else { return eventLoop.makeSucceededVoidFuture() }
        let promise = whenEmpty ?? eventLoop.makePromise(of: Void.self)
        whenEmpty = promise
        for connection in connections.values { connection.drain() }
        return promise.futureResult
    }

    /// Closes what is still open; running requests end as CANCELLED.
    func closeAll() {
        isClosed = true
        for connection in connections.values { connection.close() }
        install(.empty)
    }

    // MARK: Deadlines

    func setDeadline(_ call: ServerCall, at due: UInt64) -> DeadlineWheel<ServerCall>.Token {
        wake(at: due)
        return deadlines.insert(due: due, call)
    }

    func clearDeadline(_ token: DeadlineWheel<ServerCall>.Token) {
        deadlines.remove(token)
    }

    /// Sees to it that the wheel is turned in time.
    private func wake(at next: UInt64) {
        guard next < wakeAt ?? .max else { return }
        wakeAt = next
        eventLoop.scheduleTask(deadline: .uptimeNanoseconds(next)) {
            guard self.wakeAt == next else { return }
            self.wakeAt = nil
            var expired: [ServerCall] = []
            self.deadlines.advance(to: NIODeadline.now().uptimeNanoseconds) { expired.append($0) }
            for call in expired { call.deadlinePassed() }
            if let next = self.deadlines.nextWake { self.wake(at: next) }
        }
    }
}
