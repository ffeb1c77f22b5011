internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport
internal import Upstream

/// One call, from its headers to its status: the half towards the client or `CallSource`. A
/// subclass answers it.
///
/// Reused for later calls of the same stream slot when nothing else refers to it.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the connection's loop.
class ServerCall: DeadlineOwner, @unchecked Sendable {
    /// The origin of a call.
    enum Origin {
        /// A client: the call is a stream of its connection.
        case stream(HTTP2Connection, HTTP2Stream)
        case source(any CallSource)
    }

    let loop: LoopState
    /// The connection of the client; nil for a call of a source.
    private let connection: HTTP2Connection?
    private let session: HTTP2Session?
    let source: (any CallSource)?
    /// Whether the call is a shadow copy.
    let isShadow: Bool
    /// Observes the call while it runs.
    private var observer: (any CallObserver)?
    private(set) var target: Target
    private(set) var stream = HTTP2Stream(id: 0, slot: 0)
    var state = ServerCallState()
    /// In nanoseconds of the loop's clock.
    private(set) var startedAt: UInt64 = 0
    /// In nanoseconds of the loop's clock.
    private(set) var deadline: UInt64?
    private var deadlineToken: Deadlines.Token?
    private var isCounted = false
    /// Set for a call that began before the method was known to exist.
    private var provisional: ProvisionalCount?
    /// The point of the shard key; nil without one.
    private(set) var shardPoint: UInt64?
    /// Set while something may want the record of the call.
    var record: OpenRecord?
    /// Nil unless the call is sampled.
    var trace: CallTrace?
    /// Request bytes that are buffered.
    private var heldBytes = 0
    /// Bytes of all messages of the response and of the request, each with its prefix of 5 bytes.
    private(set) var sentBytes: UInt64 = 0
    private(set) var receivedBytes: UInt64 = 0

    init(_ loop: LoopState, _ origin: Origin, _ target: Target) {
        self.loop = loop
        self.target = target
        switch origin {
        case .stream(let connection, _):
            self.connection = connection
            session = connection.session
            source = nil
            isShadow = false
        case .source(let source):
            connection = nil
            session = nil
            self.source = source
            isShadow = source.isShadow
        }
    }

    // MARK: For subclasses

    /// Starts to answer the call.
    func answer(_ request: RequestHead) {}

    /// Body bytes from the client.
    func receive(_ bytes: RawSpan, endStream: Bool) {}

    /// The same bytes for a shadow copy, which shares them with other copies.
    func receive(shared bytes: [UInt8], endStream: Bool) {
        receive(bytes.rawSpan, endStream: endStream)
    }

    /// Fewer response bytes are buffered than the limit of `takesMore`.
    func responseDrained() {}

    /// The status is known or the client has disconnected: cancel the work on the call.
    func release() {}

    /// The response headers of a call that Weir ends.
    var responseHeaders: HeaderBlock { Self.plainHeaders }

    /// Custom trailers of a status that Weir sends.
    var addedTrailers: Metadata { Metadata() }

    static let plainHeaders = HeaderBlock([":status": "200", "content-type": ContentType.grpc])

    // MARK: Beginning

    /// Prepares an ended call for reuse. `ended` has cleared its parts.
    final func begin(
        _ origin: Origin, _ target: Target, at now: UInt64, shardPoint: UInt64?,
        _ traceHeaders: TraceHeaders
    ) {
        if case .stream(_, let stream) = origin { self.stream = stream }
        self.target = target
        begin(at: now, shardPoint, traceHeaders)
    }

    /// Prepares an ended call for another stream of its connection, with the same target.
    final func begin(
        _ stream: HTTP2Stream, at now: UInt64, shardPoint: UInt64?, _ traceHeaders: TraceHeaders
    ) {
        self.stream = stream
        begin(at: now, shardPoint, traceHeaders)
    }

    private func begin(at now: UInt64, _ shardPoint: UInt64?, _ traceHeaders: TraceHeaders) {
        state = ServerCallState()
        startedAt = now
        (sentBytes, receivedBytes) = (0, 0)
        isCounted = true
        if !isShadow { loop.admission.requestBegan() }
        provisional = target.began()
        self.shardPoint = shardPoint
        observe(traceHeaders)
        if let cohorts = target.cohorts {
            cohorts.table.started(
                isCandidate: cohorts.isCandidate, isKeyed: shardPoint != nil, at: now)
        }
    }

    /// Counts an attempt that failed, for a rollout, before the call is retried.
    final func attemptFailed(_ code: StatusCode) {
        guard let cohorts = target.cohorts else { return }
        cohorts.table.started(
            isCandidate: cohorts.isCandidate, isKeyed: shardPoint != nil, at: startedAt)
        countEnd(code, in: cohorts, nanoseconds: loop.now &- startedAt)
    }

    private func countEnd(_ code: StatusCode, in cohorts: CohortSide, nanoseconds: UInt64) {
        cohorts.table.ended(
            code, isCandidate: cohorts.isCandidate, key: shardPoint, startedAt: startedAt,
            nanoseconds: nanoseconds)
    }

    func setDeadline(timeout nanoseconds: Int64) {
        let (deadline, overflow) = startedAt.addingReportingOverflow(UInt64(max(0, nanoseconds)))
        if !overflow { setDeadline(at: deadline) }
    }

    func setDeadline(at deadline: UInt64) {
        self.deadline = deadline
        target.cohorts?.table.waits(forRequestStartedAt: startedAt, until: deadline)
        deadlineToken = loop.deadlines.set(self, at: deadline)
    }

    /// Starts the call.
    ///
    /// - Parameter observer: observes the call.
    /// - Returns: whether the call accepts the request's body.
    @discardableResult
    final func start(_ request: RequestHead, observer: (any CallObserver)? = nil) -> Bool {
        self.observer = observer
        if let trace { observer?.began(trace) }
        answer(request)
        return state.isOpen
    }

    /// The backend has answered, so it has the method.
    final func methodAnswered() { provisional?.method.answered() }

    /// Nanoseconds until the deadline; nil without one.
    var timeLeft: Int64? {
        deadline.map { Int64(clamping: $0) - Int64(clamping: loop.now) }
    }

    // MARK: The request

    /// The request's headers.
    final var requestHeaders: HeaderBlock {
        session?.headers(of: stream) ?? source?.headers ?? HeaderBlock()
    }

    /// The client.
    final var peer: Peer {
        connection?.peer ?? source?.peer ?? Peer()
    }

    /// The client has sent request bytes.
    final func requestArrived(_ bytes: RawSpan, endStream: Bool) {
        receivedBytes &+= UInt64(bytes.byteCount)
        observer?.received(bytes, endStream: endStream)
        receive(bytes, endStream: endStream)
    }

    /// The same for bytes that a shadow copy shares with other copies.
    final func requestArrived(shared bytes: [UInt8], endStream: Bool) {
        receivedBytes &+= UInt64(bytes.count)
        receive(shared: bytes, endStream: endStream)
    }

    /// Sets the number of request bytes that are buffered.
    ///
    /// - Returns: the refusal if a limit is exceeded.
    final func hold(_ bytes: Int) -> RPCError? {
        let change = bytes - heldBytes
        guard change != 0 else { return nil }
        heldBytes = bytes
        let limit = loop.limits.maxBufferedBytesPerConnection
        if let connection {
            connection.heldBytes += change
            if change > 0, connection.heldBytes > limit {
                _ = loop.hold(change)
                return loop.admission.refuse(
                    .memory, "\(connection.heldBytes) bytes of this connection are buffered")
            }
        }
        return loop.hold(change)
    }

    /// Allows the client to send this many more bytes.
    final func creditRequest(_ bytes: Int) {
        guard let connection else {
            source?.credit(bytes)
            return
        }
        connection.session.consume(bytes, of: stream)
        connection.changed()
    }

    // MARK: The response

    /// Sends a whole response with one message, and ends the call with OK.
    ///
    /// - Parameters:
    ///   - message: the message with its prefix.
    ///   - headers: without compression.
    /// - Returns: false if the call has sent headers, has ended or is observed. Then nothing
    ///   happens.
    final func respondOK(_ headers: PreparedHeaders, _ message: RawSpan) -> Bool {
        guard let session, observer == nil, state.isIdle else { return false }
        _ = state.finish()
        sentBytes = UInt64(message.byteCount)
        session.respond(
            to: stream, headers: headers, body: message, trailers: target.okTrailers)
        ended(.ok, "")
        return true
    }

    /// Sends the response headers.
    final func sendHeaders(_ headers: HeaderParts, encoding: @autoclosure () -> String) {
        observer?.responded(encoding: encoding())
        if record?.measuresPhases == true { record?.responded(at: loop.now) }
        guard let connection else {
            source?.responded(encoding: encoding(), headers)
            return
        }
        connection.session.respond(to: stream, headers: headers)
        connection.changed()
    }

    /// Appends bytes to the response.
    final func sendBody(_ bytes: RawSpan) {
        sentBytes &+= UInt64(bytes.byteCount)
        observer?.wrote(bytes)
        guard let connection else {
            source?.wrote(bytes)
            return
        }
        connection.session.write(bytes, to: stream)
        connection.changed()
    }

    /// Whether at most `limit` response bytes are buffered. If not, `responseDrained` is called
    /// when they are.
    final func takesMore(limit: Int) -> Bool {
        if let connection {
            if connection.session.unsentBytes(of: stream) <= limit { return true }
            connection.session.notifyWhenDrained(stream, below: limit)
        } else if let source {
            if source.takesMore() { return true }
            source.waitForRoom()
        }
        return false
    }

    // MARK: Ending

    /// Ends the call with trailers that contain the status, after headers if none were sent.
    ///
    /// - Parameters:
    ///   - message: the message of the status.
    ///   - now: nanoseconds of the loop's clock; nil to read it.
    final func end(
        _ code: StatusCode, message: @autoclosure () -> String = "", trailers: HeaderParts,
        at now: UInt64? = nil
    ) {
        let action = state.finish()
        guard action != .drop else { return }
        if let connection {
            if action == .sendTrailers {
                connection.session.finish(stream, trailers: trailers)
            } else {
                connection.session.respond(
                    to: stream, headers: trailers.following(responseHeaders), endStream: true)
            }
        } else {
            source?.ending(
                trailers, headers: action == .sendTrailersOnly ? responseHeaders : nil)
        }
        ended(code, message(), at: now)
    }

    /// Ends the call with a status other than OK.
    final func finish(_ error: RPCError) {
        var trailers = HeaderBlock(["grpc-status": "\(error.code.rawValue)"])
        if !error.message.isEmpty {
            trailers.append("grpc-message", StatusMessage.encode(error.message))
        }
        trailers.append(target.nameTrailers)
        trailers.append(addedTrailers)
        trailers.append(error.metadata)
        end(error.code, message: error.message, trailers: HeaderParts(trailers))
    }

    func deadlinePassed() {
        deadlineToken = nil
        finish(RPCError(.deadlineExceeded, "the deadline has passed"))
    }

    /// The stream is closed: the client has reset it or disconnected, or the response is complete.
    func streamClosed() {
        if case .cancelHandler = state.closed() { ended(.cancelled, "", byClient: true) }
    }

    /// The status is known: records the call and releases its resources.
    private func ended(
        _ code: StatusCode, _ message: @autoclosure () -> String, at now: UInt64? = nil,
        byClient: Bool = false
    ) {
        if code == .ok, isCounted, let failure = source?.complete() {
            return ended(failure.code, failure.message, at: now)
        }
        if let deadlineToken { loop.deadlines.clear(deadlineToken) }
        deadlineToken = nil
        deadline = nil
        if isCounted {
            isCounted = false
            if !isShadow { loop.admission.requestEnded() }
            let nanoseconds = (now ?? loop.now) &- startedAt
            target.ended(
                provisional, code, nanoseconds: nanoseconds, sent: sentBytes,
                received: receivedBytes)
            if let trace {
                target.ended(
                    provisional, code,
                    trace.exemplar(nanoseconds, endedAt: startedAt &+ nanoseconds))
            }
            provisional = nil
            if let cohorts = target.cohorts {
                // A client's cancellation is not evidence about the backend.
                countEnd(byClient ? .ok : code, in: cohorts, nanoseconds: nanoseconds)
            }
            if let open = record.take() {
                report(
                    open, code, message, at: startedAt &+ nanoseconds, observer: observer,
                    byClient: byClient)
            }
            observer?.ended(code, message(), nanoseconds: nanoseconds, byClient: byClient)
            observer = nil
            source?.ended(code, message(), nanoseconds: nanoseconds)
        }
        if heldBytes > 0 { _ = hold(0) }
        release()
        // The release has ended the last attempt.
        trace = nil
        connection?.changed()
    }
}
