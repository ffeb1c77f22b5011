internal import Messages
internal import Serving
internal import Synchronization

/// The sessions of the programs that serve backends, as this server knows them. It is not stored:
/// after a restart, programs hold their leases again.
///
/// ```
///   hold ----> held --stream ends--> lost --grace time--> gone
///                ^                     |                   |
///                '-------- hold -------'------ hold -------'
///   release: held or lost ----> gone
/// ```
///
/// A session that never had a stream here is lost, and gone after the grace time. In a fleet, it is
/// not gone as long as its backend has a usable replica: another server may have its lease. Without
/// a fleet, a server at the address of such a replica is another program, which got its port.
final class LeaseBoard: Sendable {
    /// One stream of a session.
    struct Hold: Sendable {
        fileprivate let number: Int
        fileprivate let session: String
        /// Ends when the server ends the stream.
        let end: AsyncStream<Void>
    }

    struct Verdict: Sendable, Equatable {
        let state: Weir_Admin_V1_LeaseState
        /// Whether this server had the lease, or is the only one, and therefore knows that the
        /// program is gone.
        let isCertain: Bool
    }

    /// The grace time of a program that does not choose one, and of an unknown session.
    static let defaultGracePeriod = Duration.seconds(5)

    /// The most sessions at the same time.
    static let maxSessions = 4_096

    private struct Session {
        /// Open streams, by number.
        var streams: [Int: AsyncStream<Void>.Continuation] = [:]
        var gracePeriod = LeaseBoard.defaultGracePeriod
        /// When the last stream ended, or when the session was first seen without one.
        var lostAt: ContinuousClock.Instant
        var isReleased = false
        /// Whether the session ever had a stream here.
        var isKnown = false
    }

    private struct State {
        var sessions: [String: Session] = [:]
        var next = 0
        /// Whether other servers use the same state.
        var isFleet = true
    }

    private let state = Mutex(State())
    private let now: @Sendable () -> ContinuousClock.Instant
    /// Called on any thread when a session may have another state.
    private let onChange: @Sendable (_ review: Duration) -> Void

    /// - Parameters:
    ///   - now: the clock.
    ///   - onChange: gets the time after which to review the leases.
    init(
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now },
        onChange: @escaping @Sendable (Duration) -> Void
    ) {
        self.now = now
        self.onChange = onChange
    }

    /// Holds the leases of a session until `end` is called with the result; nil if there are too
    /// many sessions.
    func hold(_ name: String, gracePeriod: Duration) -> Hold? {
        let (end, stream) = AsyncStream<Void>.makeStream()
        let number = state.withLock { state -> Int? in
            guard state.sessions[name] != nil || state.sessions.count < Self.maxSessions else {
                return nil
            }
            state.next += 1
            var session = state.sessions[name] ?? Session(lostAt: now())
            session.streams[state.next] = stream
            session.gracePeriod = gracePeriod
            session.isReleased = false
            session.isKnown = true
            state.sessions[name] = session
            return state.next
        }
        guard let number else { return nil }
        onChange(.zero)
        return Hold(number: number, session: name, end: end)
    }

    /// A stream has ended.
    func end(_ hold: Hold) {
        let review = state.withLock { state -> Duration? in
            guard var session = state.sessions[hold.session],
                session.streams.removeValue(forKey: hold.number) != nil
            else { return nil }
            session.lostAt = now()
            state.sessions[hold.session] = session
            return session.gracePeriod
        }
        if let review { onChange(review) }
    }

    /// No other server uses the state, so that no other server has leases.
    func isOnly() { state.withLock { $0.isFleet = false } }

    /// Ends the leases of a session without a grace time.
    func release(_ name: String) {
        state.withLock { $0.sessions[name]?.isReleased = true }
    }

    /// Ends all streams, which would prevent a drain from finishing.
    func endAll() {
        let streams = state.withLock { $0.sessions.values.flatMap { $0.streams.values } }
        for stream in streams { stream.finish() }
    }

    /// The state of a lease. A session that is new here is lost from now on.
    ///
    /// - Parameter isUsable: whether a replica of the backend probably serves.
    func verdict(on lease: Lease, isUsable: Bool) -> Verdict {
        let now = now()
        let (verdict, isNew) = state.withLock { state -> (Verdict, Bool) in
            guard let session = state.sessions[lease.session] else {
                state.sessions[lease.session] = Session(lostAt: now)
                return (Verdict(state: .lost, isCertain: false), true)
            }
            if session.isReleased { return (Verdict(state: .gone, isCertain: true), false) }
            if !session.streams.isEmpty { return (Verdict(state: .held, isCertain: true), false) }
            let isCertain = session.isKnown || !state.isFleet
            let isGone = now >= session.lostAt + session.gracePeriod && (isCertain || !isUsable)
            return (Verdict(state: isGone ? .gone : .lost, isCertain: isCertain), false)
        }
        if isNew { onChange(Self.defaultGracePeriod) }
        return verdict
    }

    /// The time until the first session without a stream is gone; nil if none is lost.
    var nextExpiry: Duration? {
        let now = now()
        let times = state.withLock { state in
            state.sessions.values.filter { $0.streams.isEmpty && !$0.isReleased }
                .map { $0.lostAt + $0.gracePeriod - now }
        }
        return times.filter { $0 > .zero }.min()
    }

    /// Forgets sessions without streams that no backend names.
    func removeAll(except named: Set<String>) {
        let now = now()
        state.withLock { state in
            state.sessions = state.sessions.filter { name, session in
                // A program holds its lease before it adds a backend.
                named.contains(name) || !session.streams.isEmpty
                    || now < session.lostAt + session.gracePeriod
            }
        }
    }
}
