internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import Observability
internal import Transport

/// A shadow as the target of one path of one endpoint, on one loop.
struct ShadowTarget {
    let destination: Destination
    let shadow: RunningShadow
    let tally: ShadowTally
}

/// One copy of a call: the source of a `ServerCall`, to which it sends the request. Carries out the
/// decisions of a `ShadowCopyMachine`.
///
/// A copy over a limit of its shadow is dropped. Confined to its loop.
final class ShadowCopy: CallSource {
    let mirror: Mirror
    private let shadow: ShadowTarget
    private var machine = ShadowCopyMachine()
    /// The call while it runs.
    private var call: ServerCall?
    private var response = RecordedResponse()
    /// Response bytes that were not subtracted from the loop's allowance.
    private var unpacedBytes = 0
    /// Whether the copy waits for more of the client's response.
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
    var recordForm: CallRecord.Form { .grpc }
    var primaryTrace: CallTrace? { mirror.trace }

    /// Whether the copy accepts more of the request.
    var isOpen: Bool { machine.isOpen }

    // MARK: The request

    /// Counts request bytes that will be passed to `take`. Drops the copy at a limit.
    func hold(request bytes: Int) {
        guard isOpen else { return }
        guard machine.fits(request: bytes, limit: limits.maxBufferedBytesPerCopy) else {
            return drop(.slow)
        }
        guard account.hold(bytes, limit: limits.maxBufferedBytes) else { return drop(.bytes) }
        machine.held(request: bytes)
    }

    /// Passes what has arrived of the request to the call.
    func take(_ pieces: [[UInt8]], isComplete: Bool) {
        switch machine.requestArrived(isComplete: isComplete) {
        case .start: start()
        case .send: break
        case .ignore: return
        }
        // The start may have dropped the copy.
        guard let call else { return }
        for (index, piece) in pieces.enumerated() {
            let isLast = index == pieces.count - 1
            call.requestArrived(shared: piece, endStream: isComplete && isLast)
        }
        if isComplete, pieces.isEmpty { call.requestArrived(shared: [], endStream: true) }
    }

    private func start() {
        let now = loop.now
        let head = RequestHead(mirror.headers)
        let call = shadow.destination.begin(loop, .source(self), at: now, head.trace)
        self.call = call
        let deadline = min(mirror.deadline ?? .max, now + limits.timeout.nanoseconds)
        machine.started(deadline: deadline)
        call.setDeadline(at: deadline)
        call.start(head)
    }

    /// The backend has read request bytes.
    func credit(_ bytes: Int) {
        account.release(machine.credited(bytes))
    }

    // MARK: The handler

    func workBegan() { machine.workBegan() }

    func workEnded() {
        machine.workEnded()
        endFlight()
    }

    private func endFlight() {
        if machine.takeEndOfFlight() { account.end() }
    }

    // MARK: The response

    func responded(encoding: String, _ headers: HeaderParts) { response.encoding = encoding }

    func wrote(_ bytes: RawSpan) {
        guard isOpen else { return }
        unpacedBytes += bytes.byteCount
        response.append(bytes, limit: loop.limits.comparedBodyBytes)
        if response.isWhole, !hold(response: bytes.byteCount) { response.dropBody() }
        if isTooFarAhead, mirror.response.code != nil { cutOff() }
    }

    /// Counts response bytes as buffered.
    ///
    /// - Returns: false at the limit.
    func hold(response bytes: Int) -> Bool {
        guard machine.holdsBytes else { return true }
        guard account.hold(bytes, limit: limits.maxBufferedBytes) else { return false }
        machine.held(response: bytes)
        return true
    }

    private var isTooFarAhead: Bool {
        response.byteCount - mirror.response.byteCount > limits.maxBufferedBytesPerCopy
    }

    /// Whether the backend may continue to send. It waits while its response is much longer than
    /// the client's, and for its share of the loop's allowance.
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

    /// Continues after a wait.
    func resume() {
        isAhead = false
        call?.responseDrained()
    }

    // MARK: The end

    /// The response to the client is complete.
    func primaryEnded() {
        switch machine.primaryEnded(isTooFarAhead: isTooFarAhead) {
        case .wait: break
        case .cutOff: cutOff()
        case .compare: compare()
        }
    }

    /// The backend's response is complete.
    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        switch machine.responded(code, at: loop.now) {
        case .ignore: return
        case .drop(let reason): return drop(reason)
        case .complete(let released):
            call = nil
            endFlight()
            account.release(released)
        }
        response.end(code, message, nanoseconds: nanoseconds)
        if mirror.response.code != nil { compare() }
    }

    /// Ends a response that is much longer than the client's: the rest is not needed.
    private func cutOff() {
        let limit = limits.maxBufferedBytesPerCopy
        call?.finish(
            RPCError(
                .cancelled,
                "the response of the copy is over \(limit) bytes longer than the client's"))
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

    /// Ends the copy and counts the reason.
    func drop(_ reason: ShadowDrop, _ error: RPCError? = nil) {
        guard isOpen else { return }
        shadow.tally.figures.drop(reason)
        end(with: error ?? RPCError(.cancelled, "the copy was dropped: \(reason.name)"))
    }

    /// The client has cancelled the call before the end of its request.
    func abandon() {
        guard isOpen else { return }
        shadow.tally.figures.countUnpaired()
        end(with: RPCError(.cancelled, "the client has cancelled the call"))
    }

    private func end(with error: RPCError) {
        let last = call
        end()
        endFlight()
        last?.finish(error)
    }

    private func compare() {
        guard machine.isAnswered, let mine = response.code, let primary = mirror.response.code
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
            shadow: response, heldBytes: machine.heldBytes, differed: whenDifferent)
        if mirror.shadows.comparer.submit(comparison) {
            // The comparison releases the bytes.
            _ = machine.handOverBytes()
        } else {
            shadow.tally.figures.countOverload()
        }
        end()
    }

    /// Called on the comparer's thread; nil if the call is not exported in that case. The second
    /// copies to the backend that answers measure noise: their differences are not reported.
    private var whenDifferent: (@Sendable () -> Void)? {
        guard mirror.isExportedLate, !account.key.backend.isEmpty else { return nil }
        let eventLoop = loop.eventLoop
        let mirror = NIOLoopBound(mirror, eventLoop: eventLoop)
        return { eventLoop.execute { mirror.value.differed() } }
    }

    private func end() {
        call = nil
        account.release(machine.ended())
        response = RecordedResponse()
        mirror.remove(self)
    }
}
