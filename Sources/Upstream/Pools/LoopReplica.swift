internal import HTTP2Session
internal import NIOCore
internal import Observability
internal import Synchronization
internal import Transport

/// The connections of one loop to one replica, and the time of the next attempt.
///
/// ```
///            connect                    SETTINGS
///   idle --------------> connecting ----------------> ready
///    ^                        |  ^                      |
///    |                 failed |  | after the backoff    | GOAWAY: reconnect at once
///    | idle timeout        v  |                      | lost: at once if it served
///    '--------------------- waiting <-------------------'
/// ```
///
/// Invariant: every stored `var` is used only on the loop of its pool.
final class LoopReplica: ClientConnectionOwner, @unchecked Sendable {
    private struct Entry {
        let connection: ClientConnection
        /// Whether it is counted in `replica.connections`.
        var isReady = false
    }

    let replica: Replica
    var figures = CallFigures()
    /// When a request was last sent, in nanoseconds of the loop's clock.
    private var lastUsed: UInt64
    private let loop: LoopContext
    /// Nil after the pool has retired the replica.
    private var pool: BackendPool?
    private var entries: [Entry] = []
    private var backoff = Backoff()
    /// Bounds immediate reconnects after connections that served no request. If one request makes
    /// the replica close its connection, other requests must still reach it. If the replica always
    /// closes connections, the loop must not reconnect without end.
    private var replacements: TokenBucket
    private var retry: Scheduled<Void>?
    /// Grows when the server reports too many pings (gRFC A8).
    private var keepaliveFactor = 1
    private(set) var isRetired = false
    /// Whether it waits for the pacer.
    private var isPaced = false

    init(_ replica: Replica, pool: BackendPool) {
        self.replica = replica
        self.pool = pool
        loop = pool.loop
        lastUsed = pool.loop.now
        replacements = TokenBucket(capacity: 20, perSecond: 5, at: pool.loop.now)
    }

    // MARK: State

    /// The state that the choice of a replica needs.
    var state: ReplicaChoice.MemberState {
        .init(
            isReady: isReady, isConnecting: isConnecting,
            isEjected: replica.isEjected.load(ordering: .relaxed),
            verdict: replica.verdict.load(ordering: .relaxed))
    }

    var isReady: Bool { entries.contains { $0.isReady } }

    var isConnecting: Bool { entries.contains { $0.connection.state == .connecting } }

    /// Whether it neither connects nor waits to connect.
    var isIdle: Bool { entries.isEmpty && retry == nil && !isRetired }

    /// A connection that accepts another stream. If all are full, the loop opens a further one.
    func connectionWithRoom() -> ClientConnection? {
        if let entry = entries.first(where: { $0.connection.hasRoom }) { return entry.connection }
        if isReady, !isConnecting, let pool,
            entries.count < pool.options.maxConnectionsPerReplica
        {
            connect()
        }
        return nil
    }

    /// Takes a slot for a request; false if the replica has none.
    ///
    /// - Parameter limit: the requests in flight that the replica may have; 0 for no limit.
    func reserve(at now: UInt64, limit: Int) -> Bool {
        let count = replica.inFlight.add(1, ordering: .relaxed).newValue
        guard limit == 0 || count <= limit else {
            replica.inFlight.subtract(1, ordering: .relaxed)
            return false
        }
        lastUsed = now
        figures.started += 1
        figures.inFlight += 1
        return true
    }

    /// Gives a slot back.
    func release() {
        replica.inFlight.subtract(1, ordering: .relaxed)
        figures.inFlight -= 1
    }

    // MARK: Connecting

    /// Connects in the order of the pacer, unless it connects already or must wait. If another loop
    /// has a connection, it connects at once: this loop may be the one that checks the health.
    func connectInTurn() {
        guard isIdle, replica.connections.load(ordering: .relaxed) == 0 else {
            return connectIfPossible()
        }
        guard !isPaced else { return }
        isPaced = true
        loop.pacer.enqueue { [self] in
            isPaced = false
            // A request may have connected already.
            if isIdle { connect() }
        }
    }

    /// Connects, unless it connects already or must wait. If another loop has a connection, it need
    /// not wait.
    func connectIfPossible() {
        if isIdle { return connect() }
        guard retry != nil, replica.connections.load(ordering: .relaxed) > 0,
            backoff.allowsEarlyAttempt(at: loop.now)
        else { return }
        retry?.cancel()
        retry = nil
        connect()
    }

    private func connect() {
        guard !isRetired, let pool else { return }
        backoff.attemptStarted(at: loop.now)
        let connection = ClientConnection.connect(
            to: .address(replica.address), on: loop.connectionLoop,
            pool.connectionOptions(for: replica), owner: self)
        entries.append(Entry(connection: connection))
    }

    func changed(_ connection: ClientConnection) {
        guard let index = entries.firstIndex(where: { $0.connection === connection }) else {
            return
        }
        switch connection.state {
        case .connecting: return
        case .ready:
            entries[index].isReady = true
            replica.connected()
            let count = replica.connections.add(1, ordering: .relaxed).newValue
            if count == 1 { pool?.set.refreshPools() }
        case .draining:
            let wasReady = entries[index].isReady
            notReady(index)
            guard !isReady, !isConnecting, retry == nil else { break }
            if mayReplace(connection, wasReady: wasReady) { connect() } else { connectLater() }
        case .closed:
            ended(connection, at: index)
        }
        pool?.memberChanged(self)
    }

    func roomFreed(on connection: ClientConnection) { pool?.pump() }

    private func notReady(_ index: Int) {
        guard entries[index].isReady else { return }
        entries[index].isReady = false
        replica.connections.subtract(1, ordering: .relaxed)
    }

    private func ended(_ connection: ClientConnection, at index: Int) {
        let wasReady = entries[index].isReady
        notReady(index)
        entries.remove(at: index)
        if connection.wantsFewerPings { keepaliveFactor = min(keepaliveFactor * 2, 1_024) }
        // A connection that drains accepts no new requests.
        guard !isRetired, !isReady, !isConnecting, retry == nil else { return }
        _ = mayReplace(connection, wasReady: wasReady)
        if !wasReady || connection.servedStreams == 0 { replica.connectFailed(connection.failure) }
        connectLater()
    }

    /// Whether the next attempt need not wait: the connection has served, or few others have ended
    /// without. A server can send GOAWAY or close at once, again and again.
    private func mayReplace(_ connection: ClientConnection, wasReady: Bool) -> Bool {
        if connection.servedStreams > 0 || wasReady && replacements.take(1, at: loop.now) {
            backoff = Backoff()
            return true
        }
        backoff.failed(at: loop.now, random: loop.randomShare())
        return false
    }

    private func connectLater() {
        let time = NIODeadline.uptimeNanoseconds(backoff.retryAt)
        retry = loop.eventLoop.scheduleTask(deadline: time) {
            self.retry = nil
            self.connect()
            self.pool?.memberChanged(self)
        }
    }

    // MARK: Maintenance

    /// Closes unused connections, and sends a PING on connections that have received nothing.
    func maintain(_ options: BackendOptions) {
        let now = loop.now
        if options.idleTimeout > .zero, replica.requestsInFlight == 0,
            now - min(now, lastUsed) > options.idleTimeout.nanoseconds
        {
            // Without an entry, the loop does not reconnect.
            let unused = entries.indices.filter { entries[$0].isReady }
            for index in unused { notReady(index) }
            let connections = unused.map { entries[$0].connection }
            entries.removeAll { entry in connections.contains { $0 === entry.connection } }
            for connection in connections { connection.drain() }
            if !connections.isEmpty { pool?.memberChanged(self) }
        }
        guard options.keepaliveInterval > .zero else { return }
        let interval = (options.keepaliveInterval * keepaliveFactor).nanoseconds
        for entry in entries where entry.isReady {
            let connection = entry.connection
            let silence = now - min(now, connection.lastReceived)
            if let pingedAt = connection.pingedAt {
                if now - min(now, pingedAt) > options.keepaliveTimeout.nanoseconds {
                    connection.shutDown("no acknowledgement of a keepalive PING")
                }
            } else if connection.session.openStreams > 0, silence > interval {
                connection.ping()
            }
        }
    }

    /// The replica was removed: running requests finish on the open connections.
    func retire() {
        isRetired = true
        pool = nil
        retry?.cancel()
        retry = nil
        for entry in entries {
            if entry.connection.state == .connecting {
                entry.connection.shutDown("the replica was removed")
            } else {
                entry.connection.drain()
            }
        }
    }
}
