internal import Logging
internal import NIOCore
internal import Transport

/// A client's connection with any protocol. Confined to its loop.
protocol ServedConnection: AnyObject {
    var servedPort: ServedPort { get }

    /// Enforces timeouts. Called several times a second.
    func checkTimeouts(at now: UInt64)
    /// Asks the client to disconnect, and closes the connection after the last request.
    func drain()
    func close()
}

/// The connections of clients on one loop.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the loop.
final class ConnectionSet: @unchecked Sendable {
    /// The precision of the timeouts of connections.
    private static let checkInterval = TimeAmount.milliseconds(250)

    let router: Router
    let loop: LoopState
    private var connections: [ObjectIdentifier: any ServedConnection] = [:]
    /// The connections of ports that hold a drain.
    private var holdingDrain = 0
    /// Nil without connections.
    private var checks: RepeatedTask?
    private var logged: TokenBucket
    private var unloggedClosings = 0
    private var isDraining = false
    private var isClosed = false
    private var whenEmpty: EventLoopPromise<Void>?

    init(_ router: Router) {
        self.router = router
        loop = router.loop
        logged = TokenBucket(
            capacity: 10, perSecond: 5, at: router.loop.now)
    }

    /// Connections to the data port.
    var dataConnections: Int { connections.values.count { $0.servedPort.servesEndpoints } }

    /// Adds a connection. If the server is draining, the connection is asked to disconnect, and may
    /// send requests until then.
    func add(_ connection: any ServedConnection) {
        if checks == nil { startChecks() }
        connections[ObjectIdentifier(connection)] = connection
        if connection.servedPort.holdsDrain { holdingDrain += 1 }
        if isClosed {
            connection.close()
        } else if isDraining {
            connection.drain()
        }
    }

    func remove(_ connection: any ServedConnection) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        if connection.servedPort.holdsDrain { holdingDrain -= 1 }
        if holdingDrain == 0, let promise = whenEmpty {
            whenEmpty = nil
            promise.succeed()
        }
    }

    /// Logs why the server closes a connection. Clients can cause this on purpose, so that above a
    /// few lines a second only their number is logged.
    func logClosing(_ peer: Peer, _ reason: String) {
        guard logged.take(1, at: loop.now) else {
            unloggedClosings += 1
            return
        }
        var metadata: Logger.Metadata = ["peer": "\(peer.text)", "reason": "\(reason)"]
        if unloggedClosings > 0 { metadata["before"] = "\(unloggedClosings) more" }
        unloggedClosings = 0
        loop.log.notice("closing connection", metadata: metadata)
    }

    private func startChecks() {
        let interval = Self.checkInterval
        checks = loop.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            task in
            guard !self.connections.isEmpty else {
                self.checks = nil
                return task.cancel()
            }
            let now = self.loop.now
            for connection in self.connections.values { connection.checkTimeouts(at: now) }
        }
    }

    // MARK: Closing

    /// Asks all clients to disconnect; succeeds when the last connection that holds the drain has
    /// closed.
    func drain() -> EventLoopFuture<Void> {
        isDraining = true
        for connection in connections.values { connection.drain() }
        guard holdingDrain > 0 else { return loop.eventLoop.makeSucceededVoidFuture() }
        let promise = whenEmpty ?? loop.eventLoop.makePromise(of: Void.self)
        whenEmpty = promise
        return promise.futureResult
    }

    /// Closes all connections. Running requests end as CANCELLED.
    func closeAll() {
        isClosed = true
        for connection in connections.values { connection.close() }
    }
}
