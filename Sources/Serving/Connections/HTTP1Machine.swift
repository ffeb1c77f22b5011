internal import Transport

/// The phases and timeouts of an HTTP/1 connection, which answers one request after the other.
///
/// ```
///               requestComplete              replied             written
///   receiving -----------------> answering ---------> writing -----------> receiving
///       | refused                                        | written: the connection closes
///       '-----------------------> lingering <------------'
/// ```
///
/// A response can also be written in pieces, while the request is received or answered:
/// `responding` begins it, and `responseEnded` replaces `replied`.
///
/// While a request is answered or its response written, the connection reads nothing. A client that
/// sends many requests and reads no responses then costs one response in memory. A lingering
/// connection discards what arrives, so that the client reads the response before the socket is
/// reset (RFC 9112 section 9.6).
///
/// Pure; times are nanoseconds of any monotonic clock. `requestComplete`, `written` and
/// `endParsing` in another phase are bugs of the shell. A reply in another phase is ignored: the
/// connection was refused or closed while the backend answered.
struct HTTP1Machine: ~Copyable {
    private enum Phase { case receiving, answering, writing, lingering }

    /// What the shell does with received bytes.
    enum Input: Equatable {
        case parse
        case discard
        case close
    }

    /// How parsing continues.
    enum Step: Equatable {
        case parse
        /// Other connections run before the next request of this one.
        case pause
        case stop
    }

    /// What follows a response.
    enum Continuation: Equatable {
        case nextRequest
        case linger
        case close
    }

    /// The longest time for which requests are parsed without a pause. A client may send thousands
    /// at once.
    private static let sliceNanoseconds: UInt64 = 2_000_000
    /// The time for the first request of a client that connected before a drain.
    static let drainGraceNanoseconds: UInt64 = 500_000_000

    private var phase = Phase.receiving
    /// The connection closes after the current response.
    private var closesAfterResponse = false
    private var isParsing = false
    private var isPaused = false
    /// The channel has requested a read, which waits.
    private var isReadRequested = false
    private var discardedBytes = 0
    /// Response bytes that are not written.
    private(set) var unsentBytes = 0
    private var sliceEnd: UInt64 = 0
    /// The last progress of the client or of a response.
    private var activeAt: UInt64
    /// When the first byte of an incomplete head arrived.
    private var headSince: UInt64?
    private var hasBegun = false
    /// Whether the head of a response was written whose body follows in pieces.
    private(set) var isResponding = false
    /// Bytes of the request's body that wait for the backend.
    private var unreadBytes = 0
    private let maxUnreadBytes: Int

    /// - Parameter maxUnreadBytes: the most bytes of a body that wait for the backend; then the
    ///   client waits.
    init(openedAt: UInt64, maxUnreadBytes: Int = .max) {
        activeAt = openedAt
        self.maxUnreadBytes = maxUnreadBytes
    }

    /// Whether the backend must read before the client may send more.
    private var isBlocked: Bool { unreadBytes > maxUnreadBytes }

    /// Whether a request waits for its reply.
    var isAnswering: Bool { phase == .answering }

    // MARK: Input

    /// Bytes have arrived.
    ///
    /// - Parameter limit: the most bytes that are discarded.
    mutating func received(_ bytes: Int, limit: Int) -> Input {
        guard phase == .lingering else { return .parse }
        discardedBytes += bytes
        return discardedBytes > limit ? .close : .discard
    }

    /// The channel requests a read.
    ///
    /// - Returns: whether to read now. Otherwise `endParsing` returns true later.
    mutating func readRequested() -> Bool {
        let readsNow = phase == .receiving && !isPaused && !isBlocked || phase == .lingering
        if !readsNow { isReadRequested = true }
        return readsNow
    }

    /// Begins to parse requests.
    ///
    /// - Returns: false if the shell is already parsing, or pauses.
    mutating func beginParsing(at now: UInt64) -> Bool {
        guard !isParsing, !isPaused else { return false }
        isParsing = true
        sliceEnd = now + Self.sliceNanoseconds
        return true
    }

    /// Decides whether to parse the next part of a request.
    mutating func nextStep(hasInput: Bool) -> Step {
        guard phase == .receiving, !isBlocked else { return .stop }
        guard activeAt >= sliceEnd, hasInput else { return .parse }
        isPaused = true
        return .pause
    }

    /// A pause is over: the shell parses again.
    mutating func pauseEnded() { isPaused = false }

    /// A part of a request was parsed.
    mutating func partReceived(at now: UInt64) { activeAt = now }

    /// The head of a request is complete.
    mutating func headReceived() {
        hasBegun = true
        headSince = nil
    }

    /// The shell has parsed what has arrived.
    ///
    /// - Parameter isHeadIncomplete: whether a part of a head has arrived.
    /// - Returns: whether to read.
    mutating func endParsing(at now: UInt64, isHeadIncomplete: Bool) -> Bool {
        // Invariant: the shell ends each parsing that it has begun.
        precondition(isParsing, "parsing has not begun")
        isParsing = false
        guard !isPaused, !isBlocked, phase == .receiving else { return false }
        headSince = isHeadIncomplete ? headSince ?? now : nil
        guard isReadRequested else { return false }
        isReadRequested = false
        return true
    }

    // MARK: Bodies

    /// Bytes of a body are passed to the backend.
    mutating func passed(_ bytes: Int) { unreadBytes += bytes }

    /// The backend has read bytes of the body.
    ///
    /// - Returns: whether to parse more of the request.
    mutating func credited(_ bytes: Int) -> Bool {
        let wasBlocked = isBlocked
        unreadBytes = max(0, unreadBytes - bytes)
        return wasBlocked && !isBlocked
    }

    // MARK: Requests and responses

    /// A request is complete: the shell has it answered.
    mutating func requestComplete() {
        // Invariant: the shell parses only while `nextStep` returns `parse`.
        precondition(phase == .receiving, "a request is answered already")
        phase = .answering
    }

    /// A request cannot be answered.
    ///
    /// - Returns: whether to write a refusal; false if the connection refused one before.
    mutating func refused() -> Bool {
        guard phase == .receiving, !isResponding else { return false }
        phase = .lingering
        return true
    }

    /// A response begins whose body follows in pieces.
    ///
    /// - Parameter persistence: what the request asks for.
    /// - Returns: the persistence of the response; nil to ignore it.
    mutating func responding(
        _ persistence: HTTP1Response.Persistence
    ) -> HTTP1Response.Persistence? {
        guard phase == .answering || phase == .receiving, !isResponding else { return nil }
        isResponding = true
        return closesAfterResponse || phase == .receiving ? .close : persistence
    }

    /// The last piece of a response is about to be written. `written` follows, or `linger` if the
    /// request is incomplete.
    ///
    /// - Returns: whether the request is complete; nil to ignore the end.
    mutating func responseEnded() -> Bool? {
        guard isResponding else { return nil }
        isResponding = false
        let isComplete = phase == .answering
        phase = isComplete ? .writing : .lingering
        return isComplete
    }

    /// The reply is known.
    ///
    /// - Parameter persistence: what the request asks for.
    /// - Returns: the persistence of the response to write; nil to ignore the reply.
    mutating func replied(
        _ persistence: HTTP1Response.Persistence
    ) -> HTTP1Response.Persistence? {
        guard phase == .answering, !isResponding else { return nil }
        phase = .writing
        return closesAfterResponse ? .close : persistence
    }

    /// The shell begins to write a response.
    mutating func writing(_ bytes: Int, at now: UInt64) {
        unsentBytes += bytes
        activeAt = now
    }

    /// Response bytes are written or dropped.
    mutating func flushed(_ bytes: Int) { unsentBytes -= bytes }

    /// The response to a request is written.
    ///
    /// - Parameter hasInput: whether bytes after the request have arrived.
    mutating func written(
        _ persistence: HTTP1Response.Persistence, hasInput: Bool, at now: UInt64
    ) -> Continuation {
        // Invariant: the shell writes one response at a time.
        precondition(phase == .writing, "no response is written")
        guard persistence == .keepAlive else {
            guard hasInput else { return .close }
            phase = .lingering
            return .linger
        }
        // The drain began after the response had announced that the connection persists.
        guard !closesAfterResponse || hasInput else { return .close }
        phase = .receiving
        unreadBytes = 0
        activeAt = now
        return .nextRequest
    }

    // MARK: Closing

    /// The server asks the client to disconnect.
    ///
    /// - Parameter isIdle: whether no part of a request has arrived.
    /// - Returns: whether to close now.
    mutating func drain(isIdle: Bool) -> Bool {
        closesAfterResponse = true
        return phase == .receiving && isIdle && hasBegun
    }

    /// - Returns: whether to close the connection, because a timeout has passed.
    func isTimedOut(_ limits: Limits, at now: UInt64) -> Bool {
        func isOver(_ limit: UInt64, since: UInt64) -> Bool { now > since && now - since > limit }
        switch phase {
        case .answering, .writing, .lingering:
            // The shell closes a lingering connection whose response is written.
            return unsentBytes > 0
                && isOver(limits.slowReaderTimeout.nanoseconds, since: activeAt)
        // The backend does not read.
        case .receiving where isBlocked: return false
        case .receiving where !hasBegun:
            let limit =
                closesAfterResponse
                ? Self.drainGraceNanoseconds : limits.firstRequestTimeout.nanoseconds
            return isOver(limit, since: activeAt)
        case .receiving:
            if let headSince, isOver(limits.headersTimeout.nanoseconds, since: headSince) {
                return true
            }
            return isOver(limits.http1IdleTimeout.nanoseconds, since: activeAt)
        }
    }
}
