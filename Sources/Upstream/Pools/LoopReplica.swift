internal import HTTP2Session
internal import NIOCore
internal import Observability
internal import Synchronization
internal import Transport

/// One replica as one loop reaches it: its connections, and when to try again.
///
/// ```
///            connect                    SETTINGS
///   idle --------------> connecting ----------------> ready
///    ^                        |  ^                      |
///    |                 failed |  | after the backoff    | GOAWAY: a new one at once
///    | unused for long        v  |                      | lost: at once if it had served
///    '--------------------- waiting <-------------------'
/// ```
///
/// `@unchecked Sendable`: every stored `var` is only touched on the loop of its pool.
final class LoopReplica: ClientConnectionOwner, @unchecked Sendable {
    private struct Entry {
        let connection: ClientConnection
        /// It is counted in `replica.connections`.
        var isReady = false
    }

    let replica: Replica
    var figures = CallFigures()
    /// When a request was last sent, in nanoseconds of the loop's clock.
    private var lastUsed: UInt64
    private unowned let pool: BackendPool
    private var entries: [Entry] = []
    private var backoff = Backoff()
    /// Connections that may be replaced at once though they have served nothing. One request that
    /// makes the replica close its connection must not make it unusable for others; a replica that
    /// always closes them must not be dialled without end.
    private var replacements: TokenBucket
    private var retry: Scheduled<Void>?
    /// Grows when the server complains about too many pings (gRFC A8).
    private var keepaliveFactor = 1
    private(set) var isRetired = false
    /// It waits for its turn to connect.
    private var isInLine = false

    init(_ replica: Replica, pool: BackendPool) {
        self.replica = replica
        self.pool = pool
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

    /// Nothing is tried, because nothing was asked for.
    var isIdle: Bool { entries.isEmpty && retry == nil && !isRetired }

    /// A connection that takes another stream. When all are full, a further one is begun.
    func connectionWithRoom() -> ClientConnection? {
        if let entry = entries.first(where: { $0.connection.hasRoom }) { return entry.connection }
        if isReady, !isConnecting, entries.count < pool.options.maxConnectionsPerReplica {
            connect()
        }
        return nil
    }

    /// Takes a slot for a request; false if the replica has none.
    func reserve(at now: UInt64) -> Bool {
        let limit = pool.options.maxRequestsPerReplica
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

    /// Connects when it is its turn, unless that is going on or has to wait. What another loop has
    /// reached, perhaps for a request, is needed here too: the loop that asks for its health may be
    /// this.
    func connectInTurn() {
        guard isIdle, replica.connections.load(ordering: .relaxed) == 0 else {
            return connectIfPossible()
        }
        guard !isInLine else { return }
        isInLine = true
        pool.loop.pacer.enqueue { [self] in
            isInLine = false
            // A request may have been here first.
            if isIdle { connect() }
        }
    }

    /// Connects, unless that is going on or has to wait. Once another loop has reached the replica,
    /// there is nothing to wait for.
    func connectIfPossible() {
        if isIdle { return connect() }
        guard retry != nil, replica.connections.load(ordering: .relaxed) > 0,
            backoff.allowsEarlyAttempt(at: pool.loop.now)
        else { return }
        retry?.cancel()
        retry = nil
        connect()
    }

    private func connect() {
        guard !isRetired else { return }
        backoff.attemptStarted(at: pool.loop.now)
        let connection = ClientConnection.connect(
            to: .address(replica.address), on: pool.loop.connections,
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
            if count == 1 { pool.set.refreshPools() }
        case .draining:
            notReady(index)
            if !isReady, !isConnecting { connect() }
        case .closed:
            ended(connection, at: index)
        }
        pool.memberChanged(self)
    }

    func roomFreed(on connection: ClientConnection) { pool.pump() }

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
        // One that drains is of no use to new requests.
        guard !isRetired, !isReady, !isConnecting, retry == nil else { return }
        if connection.servedStreams > 0 || wasReady && replacements.take(1, at: pool.loop.now) {
            backoff = Backoff()
        } else {
            backoff.failed(at: pool.loop.now, random: pool.loop.randomShare())
        }
        if !wasReady || connection.servedStreams == 0 { replica.connectFailed(connection.failure) }
        connectLater()
    }

    private func connectLater() {
        let time = NIODeadline.uptimeNanoseconds(backoff.retryAt)
        retry = pool.loop.eventLoop.scheduleTask(deadline: time) {
            self.retry = nil
            self.connect()
            self.pool.memberChanged(self)
        }
    }

    // MARK: Upkeep

    /// Closes what is not used, and sends a PING where nothing has arrived for long.
    func maintain(_ options: BackendOptions) {
        let now = pool.loop.now
        if options.idleTimeout > .zero, replica.requestsInFlight == 0,
            now - min(now, lastUsed) > options.idleTimeout.nanoseconds
        {
            // No entry, no reconnecting: they go for good.
            let unused = entries.indices.filter { entries[$0].isReady }
            for index in unused { notReady(index) }
            let connections = unused.map { entries[$0].connection }
            entries.removeAll { entry in connections.contains { $0 === entry.connection } }
            for connection in connections { connection.drain() }
            if !connections.isEmpty { pool.memberChanged(self) }
        }
        guard options.keepaliveInterval > .zero else { return }
        let interval = (options.keepaliveInterval * keepaliveFactor).nanoseconds
        for entry in entries where entry.isReady {
            let connection = entry.connection
            let silence = now - min(now, connection.lastReceived)
            if let pingedAt = connection.pingedAt {
                if now - min(now, pingedAt) > options.keepaliveTimeout.nanoseconds {
                    connection.shutDown("no answer to a keepalive ping")
                }
            } else if connection.session.openStreams > 0, silence > interval {
                connection.ping()
            }
        }
    }

    /// The replica has left: running requests finish on what is open.
    func retire() {
        isRetired = true
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
