internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport
internal import Upstream

/// The copies of one call: takes what the client sends and what it is answered, and hands it to the
/// copies when the loop has nothing more urgent to do.
///
/// ```
///   client --> ServerCall --tap--> Mirror ==ShadowQueue==> ShadowCopy --> the shadow's backend
///                  |                 |                         |
///                  '----response-----'------- compared --------'
/// ```
///
/// The call itself never waits for a mirror. Bytes are held once, by all copies together. Confined
/// to its loop.
final class Mirror: CallTap {
    let shadows: ShadowLoop
    /// The client.
    let peer: Peer
    /// The request's headers.
    let headers: HeaderBlock
    /// The path as it is counted.
    let method: String
    /// When the caller's deadline passes; nil without one.
    let due: UInt64?
    private var copies: [ShadowCopy] = []
    /// Request bytes that the copies have not been given yet.
    private var pending: [[UInt8]] = []
    private var isRequestComplete = false
    private var isQueued = false
    /// What the caller is answered.
    private(set) var response = RecordedResponse()
    /// The caller has hung up: there is no whole answer to compare with.
    private(set) var isAbandoned = false

    /// A mirror without copies.
    init(of call: ServerCall, in shadows: ShadowLoop) {
        self.shadows = shadows
        peer = call.peer
        headers = call.requestHeaders
        method = call.target.key.method
        due = call.due
    }

    var hasCopies: Bool { !copies.isEmpty }

    /// Adds a copy to a shadow that was sampled for the call, if one may be made.
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

    /// Adds a copy, unless the shadow has too many in flight.
    func copy(to shadow: ShadowTarget) {
        guard shadow.shadow.account.begin(limit: shadow.shadow.limits.maxRequestsInFlight) else {
            return shadow.tally.figures.drop(.inFlight)
        }
        copies.append(ShadowCopy(shadow, of: self))
    }

    // MARK: The call

    /// Request bytes from the client.
    func received(_ bytes: RawSpan, endStream: Bool) {
        isRequestComplete = isRequestComplete || endStream
        if bytes.byteCount > 0, copies.contains(where: \.isOpen) {
            let piece = RawMessage(serializedBytes: bytes).bytes
            for copy in copies { copy.hold(request: piece.count) }
            pending.append(piece)
        }
        enqueue()
    }

    /// The response begins.
    func responded(encoding: String) { response.encoding = encoding }

    /// Response bytes to the client.
    func wrote(_ bytes: RawSpan) {
        response.append(bytes, limit: shadows.loop.limits.comparedBodyBytes)
        if response.isWhole, !copies.allSatisfy({ $0.hold(answer: bytes.byteCount) }) {
            response.dropBody()
        }
        // Copies that were ahead may go on.
        for copy in copies where copy.isAhead { shadows.queue.wake(copy) }
    }

    /// The status is known, or the caller has hung up.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64, byClient: Bool) {
        response.end(code, message, nanoseconds: nanoseconds)
        isAbandoned = byClient
        for copy in copies {
            // The rest of the request will never come.
            if byClient, !isRequestComplete { copy.abandon() }
            copy.primaryEnded()
        }
    }

    // MARK: The copies

    /// Has the copies take what has arrived when it is their turn.
    func enqueue() {
        guard !isQueued else { return }
        isQueued = true
        shadows.queue.add(self)
    }

    /// Lets the copies have what has come.
    func pump() {
        isQueued = false
        let pieces = pending
        pending.removeAll()
        for copy in copies { copy.take(pieces, isComplete: isRequestComplete) }
    }

    /// A copy is done with.
    func remove(_ copy: ShadowCopy) { copies.removeAll { $0 === copy } }
}
