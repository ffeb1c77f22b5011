internal import GRPCWire
internal import Observability
internal import TrafficPolicy
internal import Transport

/// The decisions of a pool without connections, clocks and shared counts: which replica, who waits
/// and for how long, who is refused, who may retry, which replica is ejected.
///
/// ```
///            placed: a replica has a free slot
///   request ----------------------------------------> sent
///      |                                                ^ placedFirst
///      | notPlaced: full, connecting                    |
///      |--------------------> waiting line -------------+
///      |                         | firstNotPlaced: unreachable
///      | unreachable,            | expire: waited too long
///      | line full, a copy       v
///      '--------------------> refused
/// ```
///
/// The shell tries to place a request and reports the result; the machine returns the action to
/// carry out. Times are nanoseconds of any monotonic clock. Invalid steps are bugs of the shell:
/// `placedFirst` with an empty line. Events of a retired pool are valid: it has no members, so it
/// refuses every request.
struct PoolMachine<Request>: ~Copyable {
    /// Why a request has no replica yet.
    enum Obstacle: Equatable {
        /// The candidates, or the backend, have no free slot.
        case full
        /// The pool has no candidate now, but may have one soon.
        case connecting
        /// The pool has no candidate and expects none.
        case unreachable
    }

    /// Why a request is refused.
    enum Refusal: Equatable {
        case unreachable
        /// A copy, which does not wait for a connection.
        case notConnected
        /// A copy, which does not wait for a slot.
        case full
        /// So many requests wait already.
        case lineIsFull(Int)
        case waitedForConnection(Duration)
        case waitedForSlot(Duration)

        var code: StatusCode {
            switch self {
            case .unreachable, .notConnected, .waitedForConnection: .unavailable
            case .full, .lineIsFull, .waitedForSlot: .resourceExhausted
            }
        }
    }

    enum Action: Equatable {
        /// The request waits. Call `expire` at `timer`.
        case wait(WaitingTicket)
        case refuse(Refusal)
    }

    /// What to do after a request has ended.
    enum EndAction: Equatable {
        case none
        /// The first request that waits on this loop may have a slot.
        case placeWaiting
        /// A request that waits on another loop may have a slot.
        case notifyOtherLoops
    }

    private(set) var options: BackendOptions
    private(set) var choice = ReplicaChoice()
    private(set) var figures = PoolFigures()
    private var members: [ReplicaChoice.MemberState] = []
    private var ring: HashRing?
    private var isResolving = true
    private var line = WaitingLine<(request: Request, since: UInt64)>()
    private var budget: RetryBudget

    init(_ options: BackendOptions, now: UInt64) {
        self.options = options
        budget = Self.budget(of: options, now: now)
    }

    private static func budget(of options: BackendOptions, now: UInt64) -> RetryBudget {
        RetryBudget(
            share: options.retry.budgetShare, perSecond: options.retry.budgetPerSecond, now: now)
    }

    // MARK: Members

    /// Takes what has changed in the backend. Call `membersChanged` next.
    ///
    /// - Parameters:
    ///   - ring: of the members by index; nil without affinity.
    ///   - isResolving: whether a name among the addresses has no result yet.
    mutating func update(
        _ options: BackendOptions, ring: HashRing?, isResolving: Bool, now: UInt64
    ) {
        if options.retry != self.options.retry { budget = Self.budget(of: options, now: now) }
        self.options = options
        self.ring = ring
        self.isResolving = isResolving
    }

    /// Takes the members' states. Afterwards, try to place the requests that wait.
    mutating func membersChanged(_ members: [ReplicaChoice.MemberState]) {
        self.members = members
        choice.update(members, healthChecks: options.health.isOn, ring: ring)
    }

    /// A member was removed. Its counts stay.
    mutating func memberRetired(_ figures: CallFigures) { self.figures.retired.add(figures) }

    /// Why no member can be chosen; nil if one can.
    var obstacle: Obstacle? {
        guard choice.candidates.isEmpty else { return nil }
        let checks = options.health.isOn
        let mayBeReady =
            isResolving
            || members.contains { member in
                // Ready and not unhealthy, but no candidate: its first check runs, or the loop has
                // not received the result.
                member.isConnecting || checks && member.isReady && member.verdict != .notServing
            }
        return mayBeReady ? .connecting : .unreachable
    }

    /// Whether a backend with so many requests in flight, the new one included, is over its limit.
    func exceedsLimit(inFlight: Int) -> Bool {
        options.maxRequestsInFlight > 0 && inFlight > options.maxRequestsInFlight
    }

    // MARK: Requests

    /// Whether requests wait. A new one must wait behind them.
    var hasWaiting: Bool { !line.isEmpty }

    var waitingCount: Int { line.count }

    /// A request was sent.
    ///
    /// - Parameter isShadow: whether it is for a shadow. A copy is never retried, so it earns no
    ///   retries.
    mutating func placed(isShadow: Bool) {
        if !isShadow { budget.requestBegan() }
        figures.isCircuitOpen = false
    }

    /// A new request has no replica.
    mutating func notPlaced(_ request: Request, _ obstacle: Obstacle, now: UInt64) -> Action {
        if obstacle == .unreachable { return .refuse(refused(.unreachable)) }
        guard line.count < options.maxWaitingRequests else {
            return .refuse(refused(.lineIsFull(line.count)))
        }
        return .wait(line.append((request, now)))
    }

    /// A copy for a shadow has no replica: it does not wait, and does not count as refused.
    func copyNotPlaced(_ obstacle: Obstacle) -> Refusal {
        if obstacle == .unreachable { return .unreachable }
        return choice.candidates.isEmpty ? .notConnected : .full
    }

    /// A request that waits is cancelled.
    ///
    /// - Returns: whether it was still in the line.
    mutating func leave(_ ticket: WaitingTicket) -> Bool {
        let before = line.count
        line.remove(ticket)
        return line.count < before
    }

    // MARK: The waiting line

    /// The first request that waits.
    var firstWaiting: Request? { line.first?.request }

    /// When `expire` must be called; nil while no request waits. All requests have the same
    /// timeout, so the first in the line is the first to expire.
    var timer: UInt64? { line.first.map { $0.since + options.waitTimeout.nanoseconds } }

    /// The first request that waited was sent; it leaves the line.
    mutating func placedFirst() {
        // Invariant: the shell calls it for `firstWaiting`.
        precondition(!line.isEmpty)
        line.removeFirst()
        placed(isShadow: false)
    }

    /// The first request that waits has no replica.
    ///
    /// - Returns: why it is refused, and leaves the line; nil if it waits on.
    mutating func firstNotPlaced(_ obstacle: Obstacle) -> Refusal? {
        guard obstacle == .unreachable else { return nil }
        line.removeFirst()
        return refused(.unreachable)
    }

    /// Takes the first request out of the line if it has waited too long.
    mutating func expire(now: UInt64) -> (request: Request, refusal: Refusal)? {
        guard let first = line.first, let timer, timer <= now else { return nil }
        line.removeFirst()
        let timeout = options.waitTimeout
        let refusal: Refusal =
            choice.candidates.isEmpty ? .waitedForConnection(timeout) : .waitedForSlot(timeout)
        return (first.request, refused(refusal))
    }

    private mutating func refused(_ refusal: Refusal) -> Refusal {
        if !figures.isCircuitOpen {
            figures.isCircuitOpen = true
            figures.circuitOpenings += 1
        }
        figures.refused[refusal.code, default: 0] += 1
        return refusal
    }

    // MARK: Ends and retries

    /// A request has ended; its slot is free.
    ///
    /// - Parameter waiting: the requests that wait on all loops.
    func slotFreed(waiting: Int) -> EndAction {
        guard waiting > 0 else { return .none }
        return line.isEmpty ? .notifyOtherLoops : .placeWaiting
    }

    /// Whether consecutive failures eject a replica.
    func ejects(consecutiveFailures: Int) -> Bool {
        let limit = options.outliers.consecutiveFailures
        return limit > 0 && consecutiveFailures >= limit
    }

    /// A request is sent again because no replica has processed it.
    mutating func retriedTransparently() { figures.transparentRetries += 1 }

    /// Takes a retry from the budget; false if there is none.
    mutating func takeRetry(now: UInt64) -> Bool {
        guard budget.take(at: now) else {
            figures.retriesDenied += 1
            return false
        }
        figures.retries += 1
        return true
    }
}

extension PoolMachine.Refusal {
    /// The error of a refused request.
    ///
    /// - Parameter problem: why no replica is usable.
    func error(backend: String, problem: @autoclosure () -> String) -> RPCError {
        let text =
            switch self {
            case .unreachable: "has no usable replica: \(problem())"
            case .notConnected: "is not connected yet"
            case .full: "is full"
            case .lineIsFull(let count): "is full: \(count) requests already wait"
            case .waitedForConnection(let timeout):
                "had no connection within \(timeout): \(problem())"
            case .waitedForSlot(let timeout): "had no free slot within \(timeout)"
            }
        return RPCError(code, "backend '\(backend)' \(text)")
    }
}
