internal import GRPCWire
internal import Observability

/// The phases of a shadow copy, and the bytes that it buffers.
///
/// ```
///            started            responded           compared
///   queued ---------> running -----------> answered ---------> over
///      |                 |                                      ^
///      '-----------------'----------------- dropped ------------'
/// ```
///
/// Pure. Times are nanoseconds of any monotonic clock. `started` in another phase than `queued` is
/// a bug of the shell. Bytes, credit and responses of a copy that is over are ignored: its call
/// ends after it.
struct ShadowCopyMachine: ~Copyable {
    private enum Phase { case queued, running, answered, over }

    /// What the shell does with request bytes that have arrived.
    enum Taking: Equatable {
        /// Begin the call, then send.
        case start
        case send
        case ignore
    }

    /// What the end of the backend's response causes.
    enum Responding: Equatable {
        case ignore
        /// The response is caused by the deadline.
        case drop(ShadowDrop)
        /// The response is complete. The bytes of the request are released.
        case complete(releasing: Int)
    }

    /// What the end of the client's response causes.
    enum PrimaryEnding: Equatable {
        case wait
        /// The rest of the backend's response is not needed.
        case cutOff
        case compare
    }

    /// A DEADLINE_EXCEEDED at most this long before the deadline counts as caused by it.
    private static let deadlineSlackNanoseconds: UInt64 = 50_000_000

    private var phase = Phase.queued
    private var requestEnded = false
    private var deadline = UInt64.max
    /// Whether the copy counts as in flight.
    private var isInFlight = true
    /// Whether a handler has started and not returned.
    private var isHandlerRunning = false
    /// Request bytes for which the backend has returned no credit.
    private var unreadBytes = 0
    /// All bytes that count as buffered: unread ones, and those of both responses.
    private(set) var heldBytes = 0

    /// Whether the copy accepts more of the request, and the backend's response.
    var isOpen: Bool { phase == .queued || phase == .running }

    var isAnswered: Bool { phase == .answered }

    /// Whether bytes still have to be counted.
    var holdsBytes: Bool { phase != .over }

    // MARK: The request

    /// Whether the limit of unread bytes of one copy allows further bytes.
    func fits(request bytes: Int, limit: Int) -> Bool { unreadBytes + bytes <= limit }

    /// Request bytes count as buffered.
    mutating func held(request bytes: Int) {
        unreadBytes += bytes
        heldBytes += bytes
    }

    /// Response bytes count as buffered.
    mutating func held(response bytes: Int) { heldBytes += bytes }

    /// Request bytes, or the end of the request, can be sent.
    mutating func requestArrived(isComplete: Bool) -> Taking {
        guard isOpen, !requestEnded else { return .ignore }
        requestEnded = isComplete
        return phase == .queued ? .start : .send
    }

    /// The call begins.
    mutating func started(deadline: UInt64) {
        // Invariant: the shell starts a call once, for the action `start`.
        precondition(phase == .queued, "the copy has started")
        phase = .running
        self.deadline = deadline
    }

    /// The backend has read request bytes.
    ///
    /// - Returns: the bytes to release.
    mutating func credited(_ bytes: Int) -> Int {
        guard isOpen else { return 0 }
        unreadBytes -= bytes
        heldBytes -= bytes
        return bytes
    }

    // MARK: The handler

    /// A handler starts. The copy counts as in flight until the handler returns, even if the copy
    /// was dropped before. Otherwise, handlers that hang would hold an unbounded number of threads.
    mutating func workBegan() { isHandlerRunning = true }

    /// The handler has returned.
    mutating func workEnded() { isHandlerRunning = false }

    /// - Returns: whether the copy leaves the flight now.
    mutating func takeEndOfFlight() -> Bool {
        guard isInFlight, !isHandlerRunning, !isOpen else { return false }
        isInFlight = false
        return true
    }

    // MARK: The end

    /// The backend's response is complete.
    mutating func responded(_ code: StatusCode, at now: UInt64) -> Responding {
        guard phase == .running else { return .ignore }
        if code == .deadlineExceeded, now + Self.deadlineSlackNanoseconds >= deadline {
            return .drop(.deadline)
        }
        phase = .answered
        let released = unreadBytes
        heldBytes -= released
        unreadBytes = 0
        return .complete(releasing: released)
    }

    /// The response to the client is complete.
    ///
    /// - Parameter isTooFarAhead: whether the backend's response is much longer.
    func primaryEnded(isTooFarAhead: Bool) -> PrimaryEnding {
        switch phase {
        case .queued, .over: .wait
        case .running: isTooFarAhead ? .cutOff : .wait
        case .answered: .compare
        }
    }

    /// A comparison takes over the buffered bytes.
    ///
    /// - Returns: their number.
    mutating func handOverBytes() -> Int {
        defer { heldBytes = 0 }
        return heldBytes
    }

    /// The copy is dropped, or was compared.
    ///
    /// - Returns: the bytes to release.
    mutating func ended() -> Int {
        phase = .over
        return handOverBytes()
    }
}
