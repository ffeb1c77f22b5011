internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport

/// One call, from its headers to its status: the half that faces the client, or the `CallSource` in
/// its place. A subclass answers it.
///
/// Reused for later calls of the same stream slot once nothing refers to it any more.
///
/// `@unchecked Sendable`: every stored `var` is only touched on the event loop of the connection.
class ServerCall: DeadlineOwner, @unchecked Sendable {
    /// Who makes a call.
    enum Origin {
        /// A client: the call is a stream of its connection.
        case stream(HTTP2Connection, HTTP2Stream)
        case source(any CallSource)
    }

    let loop: LoopState
    /// The connection of the client; nil when a source is in its place.
    private let connection: HTTP2Connection?
    let source: (any CallSource)?
    /// Whether it is a copy for a shadow.
    let isShadow: Bool
    /// Observes this call, while it runs.
    private var tap: (any CallTap)?
    private(set) var target: Target
    private(set) var stream = HTTP2Stream(id: 0, slot: 0)
    var state = ServerCallState()
    private var startedAt: UInt64 = 0
    /// When the deadline passes, in nanoseconds of the loop's clock.
    private(set) var due: UInt64?
    private var deadline: Deadlines.Token?
    private var isCounted = false
    /// Set for a call that began before its method was known to exist.
    private var provisional: ProvisionalCount?
    /// Request bytes that wait in memory.
    private var heldBytes = 0

    init(_ loop: LoopState, _ origin: Origin, _ target: Target) {
        self.loop = loop
        self.target = target
        switch origin {
        case .stream(let connection, _):
            self.connection = connection
            source = nil
            isShadow = false
        case .source(let source):
            connection = nil
            self.source = source
            isShadow = source.isShadow
        }
    }

    // MARK: For subclasses

    /// Begins to answer.
    func answer(_ request: RequestHead) {}

    /// Body bytes from the client.
    func receive(_ bytes: RawSpan, endStream: Bool) {}

    /// The same bytes for a copy, which holds them together with others.
    func receive(shared bytes: [UInt8], endStream: Bool) {
        receive(bytes.rawSpan, endStream: endStream)
    }

    /// Fewer bytes than asked for are waiting for the client.
    func responseDrained() {}

    /// The status is known or the client has disconnected: cancel what still works on the call.
    func release() {}

    /// What begins the response to a call that Weir ends itself.
    var responseHeaders: HeaderBlock { Self.plainHeaders }

    /// Custom trailers of a status that Weir sends itself.
    var addedTrailers: Metadata { Metadata() }

    static let plainHeaders = HeaderBlock([":status": "200", "content-type": ContentType.grpc])

    // MARK: Beginning

    /// Makes a used call new. Its parts were cleared when it ended.
    final func begin(_ origin: Origin, _ target: Target, at now: UInt64) {
        if case .stream(_, let stream) = origin { self.stream = stream }
        self.target = target
        state = ServerCallState()
        startedAt = now
        isCounted = true
        if !isShadow { loop.admission.requestBegan() }
        provisional = target.began(loop.metrics)
    }

    func setDeadline(timeout nanoseconds: Int64) {
        let (due, overflow) = startedAt.addingReportingOverflow(UInt64(max(0, nanoseconds)))
        if !overflow { setDeadline(at: due) }
    }

    func setDeadline(at due: UInt64) {
        self.due = due
        deadline = loop.deadlines.set(self, at: due)
    }

    /// Starts the call.
    ///
    /// - Parameter tap: observes it from now on.
    /// - Returns: whether the call takes the request's body.
    @discardableResult
    final func start(_ request: RequestHead, tap: (any CallTap)? = nil) -> Bool {
        self.tap = tap
        answer(request)
        return state.isOpen
    }

    /// The backend has answered, so it has the method.
    final func methodAnswered() { provisional?.method.answered() }

    /// Nanoseconds until the deadline; nil without one.
    var timeLeft: Int64? {
        due.map { Int64(clamping: $0) - Int64(clamping: NIODeadline.now().uptimeNanoseconds) }
    }

    // MARK: The request

    /// The request's headers.
    final var requestHeaders: HeaderBlock {
        connection?.session.headers(of: stream) ?? source?.headers ?? HeaderBlock()
    }

    /// The client.
    final var peer: Peer {
        connection?.peer ?? source?.peer ?? Peer()
    }

    /// Request bytes have come from the client.
    final func requestArrived(_ bytes: RawSpan, endStream: Bool) {
        tap?.received(bytes, endStream: endStream)
        receive(bytes, endStream: endStream)
    }

    /// Tells how many request bytes wait in memory.
    ///
    /// - Returns: why that is too much.
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
                    .memory, "\(connection.heldBytes) bytes of this connection wait in memory")
            }
        }
        return loop.hold(change)
    }

    /// Lets the client send as many bytes more.
    final func creditRequest(_ bytes: Int) {
        guard let connection else {
            source?.credit(bytes)
            return
        }
        connection.session.consume(bytes, of: stream)
        connection.changed()
    }

    // MARK: The response

    /// Begins the response.
    final func sendHeaders(_ headers: HeaderParts, encoding: @autoclosure () -> String) {
        tap?.responded(encoding: encoding())
        guard let connection else {
            source?.responded(encoding: encoding())
            return
        }
        connection.session.respond(to: stream, headers: headers)
        connection.changed()
    }

    /// Appends bytes to the response.
    final func sendBody(_ bytes: RawSpan) {
        tap?.wrote(bytes)
        guard let connection else {
            source?.wrote(bytes)
            return
        }
        connection.session.write(bytes, to: stream)
        connection.changed()
    }

    /// Whether no more than `limit` response bytes wait for the client; if not, `responseDrained`
    /// is called when that has changed.
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

    /// Ends the call with trailers that contain its status, after headers if none were sent.
    ///
    /// - Parameter message: the status's message.
    func end(
        _ code: StatusCode, message: @autoclosure () -> String = "", trailers: HeaderParts
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
        }
        ended(code, message())
    }

    /// Ends the call with a status other than OK.
    func finish(_ error: RPCError) {
        var trailers = HeaderBlock(["grpc-status": "\(error.code.rawValue)"])
        if !error.message.isEmpty {
            trailers.append("grpc-message", StatusMessage.encode(error.message))
        }
        target.appendName(to: &trailers)
        trailers.append(addedTrailers)
        trailers.append(error.metadata)
        end(error.code, message: error.message, trailers: HeaderParts(trailers))
    }

    func deadlinePassed() {
        deadline = nil
        finish(RPCError(.deadlineExceeded, "the deadline has passed"))
    }

    /// The stream is closed: the client has reset it or disconnected, or the response is complete.
    func streamClosed() {
        if case .cancelHandler = state.closed() { ended(.cancelled, "", byClient: true) }
    }

    /// The status is known: what is counted is counted, and nobody waits any more.
    private func ended(
        _ code: StatusCode, _ message: @autoclosure () -> String, byClient: Bool = false
    ) {
        if let deadline { loop.deadlines.clear(deadline) }
        deadline = nil
        due = nil
        if isCounted {
            isCounted = false
            if !isShadow { loop.admission.requestEnded() }
            let nanoseconds = NIODeadline.now().uptimeNanoseconds &- startedAt
            target.ended(provisional, code, nanoseconds: nanoseconds, loop.metrics)
            provisional = nil
            tap?.ended(code, message(), nanoseconds: nanoseconds, byClient: byClient)
            tap = nil
            source?.ended(code, message(), nanoseconds: nanoseconds)
        }
        if heldBytes > 0 { _ = hold(0) }
        release()
        connection?.changed()
    }
}
