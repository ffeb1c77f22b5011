internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport
internal import Upstream

/// The shadow copies of one call. Receives the bytes of the request and of the response, and passes
/// them to the copies after the loop's other work.
///
/// ```
///   client --> ServerCall -bytes-> Mirror ==ShadowQueue==> ShadowCopy --> the shadow's backend
///                  |                 |                         |
///                  '----response-----'------- compared --------'
/// ```
///
/// The call never waits for its mirror. All copies share the bytes. Confined to its loop.
final class Mirror: CallObserver {
    let shadows: ShadowLoop
    /// The client.
    let peer: Peer
    /// The request's headers.
    let headers: HeaderBlock
    /// The method name in metrics and comparisons.
    let method: String
    /// The client's deadline in nanoseconds of the loop's clock; nil without one.
    let deadline: UInt64?
    /// The trace of the call; nil if it is not sampled.
    private(set) var trace: CallTrace?
    /// The ended call, until it is exported late because a copy's response differs.
    private var late: LateCall?
    private var copies: [ShadowCopy] = []
    /// Request bytes that were not passed to the copies.
    private var pending: [[UInt8]] = []
    private var isRequestComplete = false
    private var isQueued = false
    /// The response to the client.
    private(set) var response = RecordedResponse()
    /// The client has cancelled the call, so that its response is not complete.
    private(set) var isAbandoned = false

    /// A mirror without copies.
    init(of call: ServerCall, in shadows: ShadowLoop) {
        self.shadows = shadows
        peer = call.peer
        headers = call.requestHeaders
        method = call.target.key.method
        deadline = call.deadline
    }

    var hasCopies: Bool { !copies.isEmpty }

    /// Adds a copy for a shadow that was sampled for the call, if its settings allow it.
    func add(_ shadow: ShadowTarget, primary: Target) {
        shadow.tally.figures.select()
        if shadow.destination.target.key.backend == primary.key.backend, !shadow.shadow.includesOwn
        {
            return shadow.tally.figures.skipOwn()
        }
        if case .none(let error) = shadow.destination.answerer, error.code == .unavailable {
            return shadow.tally.figures.drop(.noReplica)
        }
        copy(to: shadow)
    }

    /// Adds a copy, unless the shadow's limit of copies in flight is reached.
    func copy(to shadow: ShadowTarget) {
        guard shadow.shadow.account.begin(limit: shadow.shadow.limits.maxRequestsInFlight) else {
            return shadow.tally.figures.drop(.inFlight)
        }
        copies.append(ShadowCopy(shadow, of: self))
    }

    // MARK: The call

    /// The client has sent request bytes.
    func received(_ bytes: RawSpan, endStream: Bool) {
        isRequestComplete = isRequestComplete || endStream
        if bytes.byteCount > 0, copies.contains(where: \.isOpen) {
            let piece = RawMessage(serializedBytes: bytes).bytes
            for copy in copies { copy.hold(request: piece.count) }
            pending.append(piece)
        }
        enqueue()
    }

    /// The response headers are sent.
    func responded(encoding: String) { response.encoding = encoding }

    /// Response bytes are sent to the client.
    func wrote(_ bytes: RawSpan) {
        response.append(bytes, limit: shadows.loop.limits.comparedBodyBytes)
        if response.isWhole, !copies.allSatisfy({ $0.hold(response: bytes.byteCount) }) {
            response.dropBody()
        }
        // Copies that waited for the client's response may continue.
        for copy in copies where copy.isAhead { shadows.queue.wake(copy) }
    }

    /// The status is known, or the client has cancelled the call.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64, byClient: Bool) {
        response.end(code, message, nanoseconds: nanoseconds)
        isAbandoned = byClient
        for copy in copies {
            // The rest of the request will not arrive.
            if byClient, !isRequestComplete { copy.abandon() }
            copy.primaryEnded()
        }
    }

    func began(_ trace: CallTrace) { self.trace = trace }

    func ended(untraced call: LateCall) { late = call }

    /// A copy's response differs from that of the call.
    func differed() {
        guard let call = late else { return }
        late = nil
        shadows.loop.tracing?.offer(call, .differed)
    }

    /// Whether the call is exported if a copy differs.
    var isExportedLate: Bool { late != nil }

    // MARK: The copies

    /// Queues the mirror, so that its copies receive what has arrived.
    func enqueue() {
        guard !isQueued else { return }
        isQueued = true
        shadows.queue.add(self)
    }

    /// Passes to the copies what has arrived.
    func pump() {
        isQueued = false
        let pieces = pending
        pending.removeAll()
        for copy in copies { copy.take(pieces, isComplete: isRequestComplete) }
    }

    /// Removes a copy that has ended.
    func remove(_ copy: ShadowCopy) { copies.removeAll { $0 === copy } }
}
