package import GRPCWire
package import HTTP2Session
internal import Logging
internal import NIOCore
internal import Observability
internal import Synchronization
package import Transport

/// A backend of replicas as one loop uses it: carries out the decisions of a `PoolMachine` with
/// connections, timers and the counts that the loops share.
///
/// ```
///   PoolRequest ----submit--> place: a member with a free slot --> Lease --> a stream
///                               |  no slot, no connection yet
///                               v
///                             waiting line --pump, when a slot or a connection is free--> place
/// ```
///
/// Invariant: every stored `var` is used only on the loop.
package final class BackendPool: @unchecked Sendable {
    /// A request's slot on a connection; to be given back once.
    package struct Lease {
        let member: LoopReplica
        package let connection: ClientConnection
        package let startedAt: UInt64

        /// The replica that the request is sent to.
        package var replica: Replica { member.replica }
    }

    private enum Placement {
        case lease(Lease)
        case obstacle(PoolMachine<any PoolRequest>.Obstacle)
    }

    /// The loop of the pool.
    package let loop: LoopContext
    package let set: ReplicaSet
    /// The options of the backend. Stored, so that a request reads one of them without a copy of
    /// all.
    package private(set) var options: BackendOptions
    private var tls: LoadedTLS?
    /// The first pseudo-headers of every request.
    package private(set) var requestPrefix = HeaderBlock()
    /// The last headers of every request.
    package let requestSuffix: HeaderBlock
    private(set) var members: [LoopReplica] = []
    private var machine: PoolMachine<any PoolRequest>
    private var lineTimer: Scheduled<Void>?
    private var isPumping = false
    private var isRetired = false
    private var isClosed = false
    private var monitor: ReplicaMonitor?

    init(_ loop: LoopContext, _ set: ReplicaSet) {
        self.loop = loop
        self.set = set
        requestSuffix = HeaderBlock(["te": "trailers", KnownHeader.via.name: loop.viaMark.value])
        options = set.membership.options
        machine = PoolMachine(options, now: loop.now)
    }

    /// Begins to connect.
    func open() {
        if set.register(self) { monitor = ReplicaMonitor(self) }
        refresh()
        monitor?.start()
    }

    /// Maintains the connections. Call it about once a second.
    func maintain() {
        for member in members { member.maintain(options) }
    }

    /// The backend was removed. Requests that wait may still be sent; then the connections drain.
    func retire() {
        isRetired = true
        closeIfUnused()
    }

    private func closeIfUnused() {
        guard isRetired, !isClosed, !machine.hasWaiting else { return }
        isClosed = true
        set.unregister(self)
        monitor?.stop()
        for member in members { member.retire() }
        members = []
        machine.update(options, ring: nil, isResolving: false, now: loop.now)
        readMembers()
        lineTimer?.cancel()
    }

    // MARK: Members

    /// Takes what has changed in the set.
    func refresh() {
        // The set may have scheduled this before the pool was closed.
        guard !isClosed else { return }
        let membership = set.membership
        let optionsChanged = membership.options != options
        options = membership.options
        machine.update(
            membership.options, ring: membership.ring, isResolving: membership.isResolving,
            now: loop.now)
        tls = membership.tls
        requestPrefix = HeaderBlock([
            ":method": "POST", ":scheme": membership.tls == nil ? "http" : "https",
        ])
        let known = members
        members = membership.replicas.map { replica in
            known.first { $0.replica === replica } ?? LoopReplica(replica, pool: self)
        }
        for member in known where !members.contains(where: { $0 === member }) {
            machine.memberRetired(member.figures)
            member.retire()
        }
        for member in members { member.connectInTurn() }
        monitor?.refresh(optionsChanged: optionsChanged)
        readMembers()
        // The wait timeout may have changed.
        lineTimer?.cancel()
        lineTimer = nil
        scheduleTimer()
        pump()
    }

    /// A connection of a member was opened or closed.
    func memberChanged(_ member: LoopReplica) {
        if member.isReady { monitor?.memberIsReady(member) }
        set.updateUsability()
        readMembers()
        pump()
    }

    /// Asks a connected replica for the backend's descriptors, if this pool monitors the replicas.
    func readSchema() {
        guard let member = members.first(where: \.isReady) else { return }
        monitor?.readSchema(of: member, isNew: false)
    }

    private func readMembers() { machine.membersChanged(members.map(\.state)) }

    /// How to connect to a replica.
    func connectionOptions(for replica: Replica) -> ClientConnection.Options {
        var connection = ClientConnection.Options()
        connection.tls = tls?.connection(to: replica.host)
        connection.connectTimeout = options.connectTimeout
        connection.limits = loop.http2Limits
        return connection
    }

    // MARK: Requests

    /// Sends a request to a replica, now or when there is a free slot.
    ///
    /// - Parameter now: nanoseconds of the loop's clock.
    package func submit(_ request: any PoolRequest, at now: UInt64) {
        switch machine.hasWaiting ? .obstacle(.full) : place(request, at: now) {
        case .lease(let lease):
            machine.placed(isShadow: request.isShadow)
            request.begin(on: lease)
        case .obstacle(let obstacle) where request.isShadow:
            request.refused(error(machine.copyNotPlaced(obstacle)))
        case .obstacle(let obstacle):
            switch machine.notPlaced(request, obstacle, now: now) {
            case .refuse(let refusal): request.refused(error(refusal))
            case .wait(let ticket):
                set.waiting.add(1, ordering: .relaxed)
                request.waits(ticket)
                scheduleTimer()
            }
        }
    }

    /// The error for a request in a forwarding loop; nil for any other request.
    package func forwardingLoopError(_ headers: HeaderBlock) -> RPCError? {
        guard loop.viaMark.isForwardingLoop(headers) else { return nil }
        return RPCError(
            .failedPrecondition,
            "the request to backend '\(set.name)' has passed through this server "
                + "\(ViaMark.maxPasses) times: "
                + "correct the addresses of the backend that sends it back",
            // No server on the way repeats it (gRFC A6).
            metadata: ["grpc-retry-pushback-ms": "-1"])
    }

    /// A request that waits is cancelled.
    package func leave(_ ticket: WaitingTicket) {
        guard machine.leave(ticket) else { return }
        set.waiting.subtract(1, ordering: .relaxed)
        closeIfUnused()
    }

    /// Takes a slot back and counts how the request ended.
    ///
    /// - Parameters:
    ///   - code: nil if the caller cancelled the request.
    ///   - failure: what counts against the replica.
    ///   - now: nanoseconds of the loop's clock.
    package func giveBack(
        _ lease: Lease, _ code: StatusCode?, failure: String?, at now: UInt64
    ) {
        lease.member.release()
        set.inFlight.subtract(1, ordering: .relaxed)
        if let code {
            lease.member.figures.record(code, nanoseconds: now &- lease.startedAt)
            let count = lease.member.replica.finished(failure: failure)
            if let failure, machine.ejects(consecutiveFailures: count) {
                set.eject(
                    lease.member.replica, at: now,
                    because: "\(count) consecutive failures, the last one: \(failure)")
            }
        }
        switch machine.slotFreed(waiting: set.waiting.load(ordering: .relaxed)) {
        case .none: break
        case .placeWaiting: pump()
        case .notifyOtherLoops: set.pumpPools(except: self)
        }
    }

    /// A request is sent again because no replica has processed it.
    package func retriedTransparently() { machine.retriedTransparently() }

    /// Takes a retry from the budget; false if there is none.
    package func takeRetry() -> Bool { machine.takeRetry(now: loop.now) }

    private func error(_ refusal: PoolMachine<any PoolRequest>.Refusal) -> RPCError {
        refusal.error(backend: set.name, problem: set.problem)
    }

    // MARK: Placement

    private func place(_ request: any PoolRequest, at now: UInt64) -> Placement {
        if let obstacle = machine.obstacle {
            for member in members { member.connectIfPossible() }
            // `connectIfPossible` may have started a connection.
            readMembers()
            return .obstacle(machine.obstacle ?? obstacle)
        }
        let count = set.inFlight.add(1, ordering: .relaxed).newValue
        if !machine.exceedsLimit(inFlight: count), let lease = lease(for: request, count, at: now) {
            return .lease(lease)
        }
        set.inFlight.subtract(1, ordering: .relaxed)
        return .obstacle(.full)
    }

    private func lease(
        for request: any PoolRequest, _ inFlight: Int, at now: UInt64
    ) -> Lease? {
        let failed = request.failedReplica.flatMap { failed in
            members.firstIndex { $0.replica === failed }
        }
        let load = { self.members[$0].replica.requestsInFlight }
        let first = machine.choice.first(
            point: request.replicaPoint, avoiding: failed, inFlight: inFlight,
            random: loop.random.next(), load: load)
        if let first, let lease = lease(members[first], at: now) { return lease }
        // Rare: the chosen replica is full.
        for index in machine.choice.alternatives(avoiding: failed, load: load) {
            if let lease = lease(members[index], at: now) { return lease }
        }
        return nil
    }

    private func lease(_ member: LoopReplica, at time: UInt64) -> Lease? {
        guard let connection = member.connectionWithRoom(),
            member.reserve(at: time, limit: options.maxRequestsPerReplica)
        else { return nil }
        return Lease(member: member, connection: connection, startedAt: time)
    }

    // MARK: Waiting

    /// Sends the requests that wait, while there are free slots.
    func pump() {
        guard machine.hasWaiting, !isPumping else { return }
        isPumping = true
        defer {
            isPumping = false
            closeIfUnused()
        }
        while let request = machine.firstWaiting {
            switch place(request, at: loop.now) {
            case .lease(let lease):
                machine.placedFirst()
                set.waiting.subtract(1, ordering: .relaxed)
                request.begin(on: lease)
            case .obstacle(let obstacle):
                guard let refusal = machine.firstNotPlaced(obstacle) else { return }
                set.waiting.subtract(1, ordering: .relaxed)
                request.refused(error(refusal))
            }
        }
    }

    private func scheduleTimer() {
        guard lineTimer == nil, let time = machine.timer else { return }
        lineTimer = loop.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(time)) {
            self.lineTimer = nil
            while let (request, refusal) = self.machine.expire(now: self.loop.now) {
                self.set.waiting.subtract(1, ordering: .relaxed)
                request.refused(self.error(refusal))
            }
            self.scheduleTimer()
            self.closeIfUnused()
        }
    }

    // MARK: Figures

    /// The counts until now, with the replicas by name.
    var figures: PoolFigures {
        var figures = machine.figures
        figures.waiting = machine.waitingCount
        // A worker and its successor have the same name for a while.
        for member in members {
            figures.replicas[member.replica.name, default: CallFigures()].add(member.figures)
        }
        return figures
    }
}
