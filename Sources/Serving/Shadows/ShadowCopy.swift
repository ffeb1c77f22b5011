internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import Observability
internal import Transport

/// A shadow as one path of one endpoint reaches it on one loop.
struct ShadowTarget {
    let destination: Destination
    let shadow: RunningShadow
    let tally: ShadowTally
}

/// One copy of a call: in place of a client it gives a `ServerCall` its request and takes the
/// response.
///
/// ```
///            start              status              the caller's status
///   queued --------> running -----------> answered ---------------------> over (compared)
///      |                |
///      '----------------'------ drop, abandon --------------------------> over
/// ```
///
/// What it holds is bounded by the shadow's limits; over them it is dropped. Confined to its loop.
final class ShadowCopy: CallSource {
    private enum State {
        case queued
        case running(ServerCall)
        case answered
        case over
    }

    /// An answer that comes this short before the deadline was made by the deadline.
    private static let deadlineSlackNanoseconds: UInt64 = 50_000_000

    let mirror: Mirror
    private let shadow: ShadowTarget
    private var state = State.queued
    /// Counted as in flight.
    private var hasPlace = true
    /// A handler has begun and not returned.
    private var isWorkedOn = false
    private var due: UInt64 = 0
    private var requestEnded = false
    /// Request bytes that the backend has not read.
    private var unreadBytes = 0
    /// All bytes that are counted as buffered: unread, and of both answers.
    private var heldBytes = 0
    private var response = RecordedResponse()
    /// Response bytes that were not taken off the loop's allowance yet.
    private var unpacedBytes = 0
    /// Waits until the caller's response has caught up.
    private(set) var isAhead = false

    private var loop: LoopState { mirror.shadows.loop }
    private var queue: ShadowQueue { mirror.shadows.queue }
    private var account: ShadowAccount { shadow.shadow.account }
    private var limits: ShadowLimits { shadow.shadow.limits }

    init(_ shadow: ShadowTarget, of mirror: Mirror) {
        self.shadow = shadow
        self.mirror = mirror
    }

    var headers: HeaderBlock { mirror.headers }
    var peer: Peer { mirror.peer }
    var isShadow: Bool { true }

    /// More of the request is of use to it.
    var isOpen: Bool {
        switch state {
        case .queued, .running: true
        case .answered, .over: false
        }
    }

    // MARK: The request

    /// Makes room for request bytes that will be taken later.
    func hold(request bytes: Int) {
        guard isOpen else { return }
        guard unreadBytes + bytes <= limits.maxBufferedBytesPerCopy else { return drop(.slow) }
        guard account.hold(bytes, limit: limits.maxBufferedBytes) else { return drop(.bytes) }
        unreadBytes += bytes
        heldBytes += bytes
    }

    /// Takes what has come of the request.
    func take(_ pieces: [[UInt8]], isComplete: Bool) {
        if case .queued = state { start() }
        guard case .running(let call) = state, !requestEnded else { return }
        requestEnded = isComplete
        for (index, piece) in pieces.enumerated() {
            let isLast = index == pieces.count - 1
            call.receive(shared: piece, endStream: isComplete && isLast)
        }
        if isComplete, pieces.isEmpty { call.receive(shared: [], endStream: true) }
    }

    private func start() {
        let now = NIODeadline.now().uptimeNanoseconds
        let call = shadow.destination.begin(loop, .source(self), at: now)
        state = .running(call)
        due = min(mirror.due ?? .max, now + limits.timeout.nanoseconds)
        call.setDeadline(at: due)
        call.start(RequestHead(mirror.headers))
    }

    /// The backend has read request bytes.
    func credit(_ bytes: Int) {
        guard isOpen else { return }
        unreadBytes -= bytes
        release(bytes)
    }

    // MARK: The handler

    /// Swift code begins to work on the copy. Until it has returned the copy counts as in flight,
    /// even if it was given up before: code that hangs would otherwise hold more and more threads
    /// and memory.
    func workBegan() { isWorkedOn = true }

    func workEnded() {
        isWorkedOn = false
        leavePlace()
    }

    private func leavePlace() {
        guard hasPlace, !isWorkedOn, !isOpen else { return }
        hasPlace = false
        account.end()
    }

    // MARK: The response

    func responded(encoding: String) { response.encoding = encoding }

    func wrote(_ bytes: RawSpan) {
        guard isOpen else { return }
        unpacedBytes += bytes.byteCount
        response.append(bytes, limit: loop.limits.comparedBodyBytes)
        if response.isWhole, !hold(answer: bytes.byteCount) { response.dropBody() }
        if isTooFarAhead, mirror.response.code != nil { cutOff() }
    }

    /// Keeps bytes of an answer; false when there is no room for them.
    func hold(answer bytes: Int) -> Bool {
        if case .over = state { return true }
        guard account.hold(bytes, limit: limits.maxBufferedBytes) else { return false }
        heldBytes += bytes
        return true
    }

    private var isTooFarAhead: Bool {
        response.byteCount - mirror.response.byteCount > limits.maxBufferedBytesPerCopy
    }

    /// Whether the backend may go on sending. It waits while its response is far longer than what
    /// the caller has got until now, and for its share of the loop's time.
    func takesMore() -> Bool {
        guard !isTooFarAhead else { return false }
        guard queue.takeAllowance(unpacedBytes) else { return false }
        unpacedBytes = 0
        return true
    }

    /// Notifies the call when the backend may continue.
    func waitForRoom() {
        guard isOpen else { return }
        if isTooFarAhead { isAhead = true } else { queue.waitForAllowance(self) }
    }

    /// There may be room again.
    func goOn() {
        isAhead = false
        if case .running(let call) = state { call.responseDrained() }
    }

    // MARK: The end

    /// The caller's answer is complete.
    func primaryEnded() {
        switch state {
        case .queued, .over: break
        case .running: if isTooFarAhead { cutOff() }
        case .answered: compare()
        }
    }

    /// The backend's answer is complete.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        guard case .running = state else { return }
        let now = NIODeadline.now().uptimeNanoseconds
        if code == .deadlineExceeded, now + Self.deadlineSlackNanoseconds >= due {
            return drop(.deadline)
        }
        state = .answered
        leavePlace()
        release(unreadBytes)
        unreadBytes = 0
        response.end(code, message, nanoseconds: nanoseconds)
        if mirror.response.code != nil { compare() }
    }

    /// The answer is so much longer than the caller's that the rest is not needed.
    private func cutOff() {
        guard case .running(let call) = state else { return }
        let limit = limits.maxBufferedBytesPerCopy
        call.finish(
            RPCError(.cancelled, "cut off: over \(limit) bytes longer than the caller's answer"))
    }

    /// The pool has no replica for the copy.
    func dropped(_ error: RPCError) {
        let reason: ShadowDrop =
            switch error.code {
            case .resourceExhausted: .inFlight
            case .failedPrecondition: .loop
            default: .noReplica
            }
        drop(reason, error)
    }

    /// Gives the copy up, and counts why.
    func drop(_ reason: ShadowDrop, _ error: RPCError? = nil) {
        guard isOpen else { return }
        shadow.tally.figures.drop(reason)
        giveUp(error ?? RPCError(.cancelled, "the copy was dropped: \(reason.name)"))
    }

    /// The caller has hung up in the middle of its request.
    func abandon() {
        guard isOpen else { return }
        shadow.tally.figures.countUnpaired()
        giveUp(RPCError(.cancelled, "the caller has hung up"))
    }

    private func giveUp(_ error: RPCError) {
        let last = state
        end()
        leavePlace()
        if case .running(let call) = last { call.finish(error) }
    }

    private func compare() {
        guard case .answered = state, let mine = response.code, let primary = mirror.response.code
        else { return }
        guard !mirror.isAbandoned else {
            shadow.tally.figures.countUnpaired()
            return end()
        }
        let isEqual =
            mine == primary && response.message == mirror.response.message
            && response.hasSameBody(as: mirror.response)
        shadow.tally.figures.pair(
            .init(primary: primary.counted, shadow: mine.counted),
            primary: mirror.response.nanoseconds,
            shadow: response.nanoseconds, isEqual: isEqual)
        guard !isEqual else { return end() }
        let comparison = ResponsePair(
            account: account, epoch: account.epoch, method: mirror.method,
            metadata: { [headers] in Metadata(headers) }, primary: mirror.response,
            shadow: response, heldBytes: heldBytes)
        if mirror.shadows.comparer.submit(comparison) {
            // The bytes are the comparison's now.
            heldBytes = 0
        } else {
            shadow.tally.figures.countOverload()
        }
        end()
    }

    private func end() {
        state = .over
        release(heldBytes)
        response = RecordedResponse()
        mirror.remove(self)
    }

    private func release(_ bytes: Int) {
        heldBytes -= bytes
        account.release(bytes)
    }
}
