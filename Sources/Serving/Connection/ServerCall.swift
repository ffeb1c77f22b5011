internal import GRPCWire
internal import HTTP2Session
internal import NIOCore

/// One call, from its headers to its status: the half that faces the client. What answers it is a
/// subclass, `HandlerCall` or `ForwardedCall`.
///
/// Reused for later calls of the same stream slot once nothing refers to it any more.
///
/// `@unchecked Sendable`: every stored `var` is only touched on the event loop of the connection.
class ServerCall: @unchecked Sendable {
    let connection: ServerConnection
    private(set) var target: Target
    private(set) var stream = HTTP2Stream(id: 0, slot: 0)
    var state = ServerCallState()
    private var startedAt: UInt64 = 0
    /// When the deadline passes, in nanoseconds of the loop's clock.
    private(set) var due: UInt64?
    private var deadline: DeadlineWheel<ServerCall>.Token?
    private var isCounted = false

    var loop: ServingLoop { connection.loop }

    init(_ connection: ServerConnection, target: Target) {
        self.connection = connection
        self.target = target
    }

    // MARK: For subclasses

    /// The call begins.
    func start(_ request: RequestHead) {}

    /// Body bytes from the client.
    func receive(_ bytes: RawSpan, endStream: Bool) {}

    /// Fewer bytes than asked for are waiting for the client.
    func responseDrained() {}

    /// The status is known or the client has gone: let go of whoever still works on the call.
    func release() {}

    /// What begins the response to a call that Weir ends itself.
    var responseHeaders: HeaderBlock { Self.plainHeaders }

    /// Custom trailers of a status that Weir sends itself.
    var addedTrailers: Metadata { Metadata() }

    static let plainHeaders = HeaderBlock([":status": "200", "content-type": ContentType.grpc])

    // MARK: Beginning

    /// Makes a used call new. Its parts were cleared when it ended.
    func begin(_ stream: HTTP2Stream, target: Target, at now: UInt64) {
        self.stream = stream
        self.target = target
        state = ServerCallState()
        startedAt = now
        isCounted = true
        loop.requestsInFlight += 1
        target.metrics.figures.started += 1
        target.metrics.figures.inFlight += 1
    }

    func setDeadline(timeout nanoseconds: Int64) {
        let (due, overflow) = startedAt.addingReportingOverflow(UInt64(max(0, nanoseconds)))
        guard !overflow else { return }
        self.due = due
        deadline = loop.setDeadline(self, at: due)
    }

    /// Nanoseconds until the deadline; nil without one.
    var timeLeft: Int64? {
        due.map { Int64(clamping: $0) - Int64(clamping: NIODeadline.now().uptimeNanoseconds) }
    }

    // MARK: Ending

    /// Ends the call with trailers that tell its status, headers first if none have gone out.
    func end(_ code: StatusCode, trailers: HeaderParts) {
        switch state.finish() {
        case .sendTrailers: connection.session.finish(stream, trailers: trailers)
        case .sendTrailersOnly:
            connection.session.respond(
                to: stream, headers: trailers.following(responseHeaders), endStream: true)
        case .drop: return
        }
        ended(code)
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
        end(error.code, trailers: HeaderParts(trailers))
    }

    func deadlinePassed() {
        deadline = nil
        finish(RPCError(.deadlineExceeded, "the deadline has passed"))
    }

    /// The stream is gone: the client has reset it or hung up, or all has been said.
    func streamClosed() {
        if case .cancelHandler = state.closed() { ended(.cancelled) }
    }

    /// The status is known: what is counted is counted, and nobody waits any more.
    private func ended(_ code: StatusCode) {
        if let deadline { loop.clearDeadline(deadline) }
        deadline = nil
        due = nil
        if isCounted {
            isCounted = false
            loop.requestsInFlight -= 1
            let now = NIODeadline.now().uptimeNanoseconds
            target.metrics.figures.inFlight -= 1
            target.metrics.figures.record(code, nanoseconds: now &- startedAt)
        }
        release()
        connection.changed()
    }
}
