package import GRPCWire
package import HTTP2Session
internal import Logging
internal import NIOCore
internal import Observability
internal import Synchronization
internal import TrafficPolicy
package import Transport

/// A backend of replicas as one loop uses it: the choice of a replica, the requests that wait, and
/// the budget for retries.
///
/// ```
///   PoolRequest ----submit--> place: limits, choice --> Lease --> a stream
///                               |  no slot, no connection yet
///                               v
///                             waiting line --pump, when a slot or a connection is there--> place
///                               |  too long, too many
///                               v
///                             RESOURCE_EXHAUSTED or UNAVAILABLE
/// ```
///
/// `@unchecked Sendable`: every stored `var` is only touched on the loop.
package final class BackendPool: @unchecked Sendable {
    /// A place in the waiting line.
    package typealias Ticket = WaitingLine<any PoolRequest>.Ticket

    /// A request's place on a connection; to be given back once.
    package struct Lease {
        let member: LoopReplica
        package let connection: ClientConnection
        let startedAt: UInt64

        package var replica: Replica { member.replica }
    }

    private enum Placement {
        case lease(Lease)
        /// A slot or a connection may come.
        case wait
        case refuse(RPCError)
    }

    let loop: LoopContext
    let set: ReplicaSet
    package private(set) var options: BackendOptions
    private var tls: LoadedTLS?
    /// The first pseudo-headers of every request.
    package private(set) var requestPrefix = HeaderBlock()
    /// The last headers of every request.
    package let requestSuffix: HeaderBlock
    private(set) var figures = PoolFigures()
    private var budget: RetryBudget
    private(set) var ring: HashRing?
    private var isResolving = true
    private(set) var members: [LoopReplica] = []
    /// The members that requests may go to, by index.
    private(set) var candidates: [Int] = []
    private(set) var isCandidate: [Bool] = []
    private var line = WaitingLine<any PoolRequest>()
    private var lineTimer: Scheduled<Void>?
    private var isPumping = false
    private var monitor: ReplicaMonitor?

    init(_ loop: LoopContext, _ set: ReplicaSet) {
        self.loop = loop
        self.set = set
        requestSuffix = HeaderBlock(["te": "trailers", KnownHeader.via.name: loop.viaMark.value])
        options = set.membership.options
        budget = RetryBudget(
            share: options.retry.budgetShare, perSecond: options.retry.budgetPerSecond,
            now: NIODeadline.now().uptimeNanoseconds)
    }

    /// Begins to connect.
    func open() {
        if set.register(self) { monitor = ReplicaMonitor(self) }
        refresh()
        monitor?.start()
    }

    /// Call it about once a second.
    func maintain() {
        for member in members { member.maintain(options) }
    }

    /// The backend was removed: waiting requests are refused, running ones finish.
    func retire() {
        set.unregister(self)
        monitor?.stop()
        for member in members { member.retire() }
        members = []
        isResolving = false
        chooseCandidates()
        pump()
        lineTimer?.cancel()
    }

    var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    /// A random number from 0 to 1.
    package func randomShare() -> Double { Double.random(in: 0..<1, using: &loop.random) }

    // MARK: Members

    /// Takes over what has changed in the set.
    func refresh() {
        let membership = set.membership
        if membership.options.retry != options.retry {
            budget = RetryBudget(
                share: membership.options.retry.budgetShare,
                perSecond: membership.options.retry.budgetPerSecond, now: now)
        }
        let optionsChanged = membership.options != options
        options = membership.options
        ring = membership.ring
        isResolving = membership.isResolving
        tls = membership.tls
        requestPrefix = HeaderBlock([
            ":method": "POST", ":scheme": membership.tls == nil ? "http" : "https",
        ])
        let known = members
        members = membership.replicas.map { replica in
            known.first { $0.replica === replica } ?? LoopReplica(replica, pool: self)
        }
        for member in known where !members.contains(where: { $0 === member }) {
            figures.retired.add(member.figures)
            member.retire()
        }
        for member in members { member.connectInTurn() }
        monitor?.refresh(optionsChanged: optionsChanged)
        chooseCandidates()
        pump()
    }

    /// A connection of a member has come or gone.
    func memberChanged(_ member: LoopReplica) {
        if member.isReady { monitor?.memberIsReady(member) }
        set.reconsider()
        chooseCandidates()
        pump()
    }

    /// Ready and healthy members that are not ejected; in panic, when all are ejected, the ejected
    /// too.
    private func chooseCandidates() {
        let checks = options.health.isOn
        let ready = members.indices.filter { index in
            members[index].isReady
                && (!checks
                    || members[index].replica.verdict.load(ordering: .relaxed) == .serving)
        }
        let admitted = ready.filter { !members[$0].replica.isEjected.load(ordering: .relaxed) }
        candidates = admitted.isEmpty ? ready : admitted
        isCandidate = members.indices.map { candidates.contains($0) }
    }

    /// How to connect to a replica.
    func connectionOptions(for replica: Replica) -> ClientConnection.Options {
        var connection = ClientConnection.Options()
        connection.tls = tls?.connection(to: replica.host)
        connection.connectTimeout = options.connectTimeout
        connection.limits = loop.http2Limits
        return connection
    }

    // MARK: Requests

    /// Sends a request on, now or when there is room; the call hears of it.
    package func submit(_ request: any PoolRequest) {
        if request.isShadow { return submitCopy(request) }
        guard line.isEmpty else { return wait(request) }
        switch place(request) {
        case .lease(let lease): request.begin(on: lease)
        case .wait: wait(request)
        case .refuse(let error): refuse(request, error)
        }
    }

    /// Sends a copy on now or not at all: it neither waits nor takes a place from those who do.
    private func submitCopy(_ request: any PoolRequest) {
        switch line.isEmpty ? place(request) : .wait {
        case .lease(let lease): request.begin(on: lease)
        case .refuse(let error): request.refused(error)
        case .wait:
            request.refused(
                candidates.isEmpty
                    ? RPCError(.unavailable, "backend '\(set.name)' is not connected yet")
                    : RPCError(.resourceExhausted, "backend '\(set.name)' is full"))
        }
    }

    /// Why a request with these headers is a loop; nil when it is not.
    package func loopError(_ headers: HeaderBlock) -> RPCError? {
        guard loop.viaMark.isLoop(headers) else { return nil }
        return RPCError(
            .failedPrecondition,
            "the request to backend '\(set.name)' has passed through this server "
                + "\(ViaMark.maxPasses) times: "
                + "correct the addresses of the backend that sends it back",
            // No server on the way repeats it (gRFC A6).
            metadata: ["grpc-retry-pushback-ms": "-1"])
    }

    /// A request that waits is given up.
    package func leave(_ ticket: Ticket) {
        let before = line.count
        line.remove(ticket)
        if line.count < before { set.waiting.subtract(1, ordering: .relaxed) }
    }

    /// Gives a place back and keeps what came of it.
    ///
    /// - Parameters:
    ///   - code: nil when the caller gave up.
    ///   - failure: what counts against the replica.
    package func giveBack(_ lease: Lease, _ code: StatusCode?, failure: String?) {
        lease.member.release()
        set.inFlight.subtract(1, ordering: .relaxed)
        lease.member.figures.inFlight -= 1
        if let code {
            let time = now
            lease.member.figures.record(code, nanoseconds: time &- lease.startedAt)
            let row = lease.member.replica.finished(failure: failure)
            let limit = options.outliers.consecutiveFailures
            if limit > 0, row >= limit, let failure {
                set.eject(
                    lease.member.replica, at: time,
                    because: "\(row) failures in a row, the last one: \(failure)")
            }
        }
        guard set.waiting.load(ordering: .relaxed) > 0 else { return }
        if line.isEmpty { set.tellWaiting(except: self) } else { pump() }
    }

    /// A request goes to another replica because none has seen it.
    package func noteTransparentRetry() { figures.transparentRetries += 1 }

    /// Whether the budget has a retry left; takes it.
    package func takeRetry() -> Bool {
        guard budget.take(at: now) else {
            figures.retriesDenied += 1
            return false
        }
        figures.retries += 1
        return true
    }

    private func place(_ request: any PoolRequest) -> Placement {
        guard !candidates.isEmpty else { return waitForConnection() }
        let limit = options.maxRequestsInFlight
        let count = set.inFlight.add(1, ordering: .relaxed).newValue
        if limit == 0 || count <= limit, let lease = choose(request) {
            // Copies are never retried, so they earn no retries either.
            if !request.isShadow { budget.requestBegan() }
            figures.isCircuitOpen = false
            return .lease(lease)
        }
        set.inFlight.subtract(1, ordering: .relaxed)
        return .wait
    }

    /// Nobody can be asked now: whether that may change by itself soon.
    private func waitForConnection() -> Placement {
        for member in members { member.connectIfPossible() }
        let checks = options.health.isOn
        let mayCome =
            isResolving
            || members.contains { member in
                // Ready and not unhealthy, but no candidate: a first check is under way, or its
                // good result is on its way to this loop.
                member.isConnecting
                    || checks && member.isReady
                        && member.replica.verdict.load(ordering: .relaxed) != .notServing
            }
        if mayCome { return .wait }
        return .refuse(
            RPCError(
                .unavailable, "backend '\(set.name)' has no usable replica: \(set.problem)"))
    }

    // MARK: Waiting

    private func wait(_ request: any PoolRequest) {
        guard line.count < options.maxWaitingRequests else {
            return refuse(
                request,
                RPCError(
                    .resourceExhausted,
                    "backend '\(set.name)' is full: \(line.count) requests wait already"))
        }
        set.waiting.add(1, ordering: .relaxed)
        request.waits(line.append(request), until: now + options.waitTimeout.nanoseconds)
        scheduleTimeout()
    }

    private func refuse(_ request: any PoolRequest, _ error: RPCError) {
        if !figures.isCircuitOpen {
            figures.isCircuitOpen = true
            figures.circuitOpenings += 1
        }
        figures.refused[error.code, default: 0] += 1
        request.refused(error)
    }

    /// Lets requests that wait go on, as far as there is room for them.
    func pump() {
        guard !line.isEmpty, !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while let request = line.first {
            switch place(request) {
            case .wait: return
            case .lease(let lease):
                takeFirst()
                request.begin(on: lease)
            case .refuse(let error):
                takeFirst()
                refuse(request, error)
            }
        }
    }

    private func takeFirst() {
        line.removeFirst()
        set.waiting.subtract(1, ordering: .relaxed)
    }

    /// All wait equally long, so the first in the line is the first whose time is over.
    private func scheduleTimeout() {
        guard lineTimer == nil, let first = line.first else { return }
        lineTimer = loop.eventLoop.scheduleTask(deadline: .uptimeNanoseconds(first.waitsUntil)) {
            self.lineTimer = nil
            self.refuseOverdue()
            self.scheduleTimeout()
        }
    }

    private func refuseOverdue() {
        let time = now
        while let request = line.first, request.waitsUntil <= time {
            takeFirst()
            let text = "a request to backend '\(set.name)' waited \(options.waitTimeout)"
            refuse(
                request,
                candidates.isEmpty
                    ? RPCError(.unavailable, "\(text) for a connection: \(set.problem)")
                    : RPCError(.resourceExhausted, "\(text) for a slot"))
        }
    }

    // MARK: Figures

    /// What was counted until now, with the replicas by name.
    var allFigures: PoolFigures {
        var all = figures
        all.waiting = line.count
        // A worker and its successor have one name for a while.
        for member in members {
            all.replicas[member.replica.name, default: CallFigures()].add(member.figures)
        }
        return all
    }
}
