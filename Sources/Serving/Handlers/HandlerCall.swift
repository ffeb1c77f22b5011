internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport

/// A call that Swift code in this process answers.
///
/// `@unchecked Sendable`: every stored `var` is only touched on the event loop of the connection.
/// What handlers may call from elsewhere goes through `onLoop` or `nextMessage` and `send`, which
/// see to that.
final class HandlerCall: ServerCall, @unchecked Sendable {
    private var task: Task<Void, Never>?
    /// Set when the call begins.
    var handler: Handler?
    /// Called when the call has ended; nil for most calls.
    var whenEnded: (@Sendable () -> Void)?

    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()

    /// What the request body is packed with, and whether the response may be packed too.
    private var requestEncoding = MessageEncoding.identity
    private var acceptsGzip = false
    /// What turns the messages, if they come and are wanted as JSON.
    private var json: MessageJSON?
    private var deframer: Deframer
    private var inbound = InboundMessages()
    private var drainWaiter: CheckedContinuation<Void, any Error>?

    override init(_ loop: LoopState, _ origin: Origin, _ target: Target) {
        deframer = Deframer(limit: loop.limits.maxMessageBytes)
        super.init(loop, origin, target)
    }

    override func answer(_ request: RequestHead) {
        guard let handler else { return }
        deframer.limit = handler.maxMessageBytes
        inbound.reset()
        acceptsGzip = request.acceptsGzip
        json = request.isJSON ? handler.method.json : nil
        requestEncoding = .identity
        if let name = request.encoding {
            guard let known = MessageEncoding(rawValue: name) else {
                return finish(
                    RPCError(
                        .unimplemented, "grpc-encoding \(name.quoted) is not supported",
                        metadata: ["grpc-accept-encoding": MessageEncoding.accepted]))
            }
            requestEncoding = known
        }
        if case .stream(let start) = handler.method.entry { start(self) }
    }

    func makeContext() -> CallContext {
        CallContext(
            call: self, headers: requestHeaders,
            deadline: timeLeft.map { ContinuousClock.now + .nanoseconds($0) })
    }

    // MARK: Requests

    override func receive(_ bytes: RawSpan, endStream: Bool) {
        guard state.isOpen, let method = handler?.method else {
            return creditRequest(bytes.byteCount)
        }
        if endStream, json == nil, case .single(let start) = method.entry, deframer.isIdle,
            inbound.received == 0, let payload = MessagePrefix.onlyPayload(in: bytes),
            payload.byteCount <= deframer.limit
        {
            return enter(start, payload)
        }
        do {
            try deframer.receive(bytes) { try accept($0, $1) }
            inbound.arrived(bytes.byteCount)
            if let error = noteHeld() { return finish(error) }
            creditIfRoom()
            if endStream { try endRequest(method) }
        } catch {
            fail(with: error)
        }
    }

    private func noteHeld() -> RPCError? { hold(deframer.pendingBytes + inbound.byteCount) }

    private func accept(_ isCompressed: Bool, _ payload: RawSpan) throws {
        guard !isCompressed || requestEncoding == .gzip else {
            throw RPCError(
                .internalError, "a message is marked as compressed but grpc-encoding is not set")
        }
        if case .single = handler?.method.entry, inbound.received == 1 {
            throw RPCError(.internalError, "the method takes one request message, more were sent")
        }
        inbound.deliver(
            .init(isCompressed: isCompressed, bytes: RawMessage(serializedBytes: payload).bytes))
    }

    private func endRequest(_ method: MethodHandler) throws {
        try deframer.finish()
        guard case .single(let start) = method.entry else { return inbound.end() }
        guard let message = inbound.take() else {
            throw RPCError(.internalError, "the method takes one request message, none was sent")
        }
        let payload = try unpacked(message)
        enter(start, payload.rawSpan)
    }

    private func unpacked(_ message: InboundMessages.Message) throws(RPCError) -> [UInt8] {
        let bytes = message.isCompressed ? try decompressed(message.bytes) : message.bytes
        return try json?.request(from: bytes) ?? bytes
    }

    private func decompressed(_ bytes: [UInt8]) throws(RPCError) -> [UInt8] {
        let limit = deframer.limit
        do throws(Gzip.Failure) {
            return try Gzip.decompress(bytes.rawSpan, limit: limit)
        } catch {
            throw error == .notGzip
                ? RPCError(.internalError, "a message is marked as gzip but is not valid gzip")
                : RPCError(
                    .resourceExhausted,
                    "a message unpacks to more than the limit of \(limit) bytes (\(limitName))")
        }
    }

    /// Lets the client send as many bytes as have come, unless enough wait for the handler.
    private func creditIfRoom() {
        let credit = inbound.takeCredit(limit: loop.limits.streamWindowBytes)
        if credit > 0 { creditRequest(credit) }
    }

    private func enter(
        _ start: (HandlerCall, RawSpan) throws(MessageError) -> Void, _ payload: RawSpan
    ) {
        do throws(MessageError) {
            try start(self, payload)
        } catch {
            finish(RPCError(.invalidArgument, error.description))
        }
    }

    /// The limit of a message, in the words of operators.
    private var limitName: StaticString { handler?.limitName ?? "max-message-bytes" }

    private func fail(with error: any Error) {
        switch error {
        case let error as RPCError: finish(error)
        case FramingError.tooLarge(let bytes, let limit):
            finish(
                RPCError(
                    .resourceExhausted,
                    "\(FramingError.tooLarge(bytes: bytes, limit: limit)) (\(limitName))"))
        default: finish(RPCError(.internalError, "\(error)"))
        }
    }

    // MARK: The handler

    /// Runs the handler: on the loop, at once and up to where it first waits, or on a thread that
    /// it may block. Copies run on threads of their own, so that a candidate can't hold up the
    /// loop.
    ///
    /// `Success` is always `Void`; as a type parameter it lets the closure be made in the form that
    /// `Task` takes, which saves wrapping it twice.
    @inline(__always)
    func start<Success: Sendable>(
        _ operation: sending @escaping @isolated(any) () async -> Success
    ) {
        switch place {
        case .loop:
            let started = Task.immediate(executorPreference: loop.executor, operation: operation)
            if state.isOpen { task = started as? Task<Void, Never> }
        case .blockingThread:
            let delay = loop.threads.blocking.delay
            if let error = loop.admission.beginBlocking(delay: delay) { return finish(error) }
            let started = Task(executorPreference: loop.threads.blocking, operation: operation)
            task = started as? Task<Void, Never>
        case .shadowThread:
            source?.workBegan()
            let started = Task(executorPreference: loop.threads.shadows, operation: operation)
            task = started as? Task<Void, Never>
        }
    }

    /// Where a handler runs.
    private enum Place { case loop, blockingThread, shadowThread }

    private var place: Place {
        if isShadow { return .shadowThread }
        return handler?.isBlocking == true ? .blockingThread : .loop
    }

    /// Runs the closure on the loop: now when this is the loop.
    func onLoop(_ body: @escaping @Sendable (HandlerCall) -> Void) {
        if loop.eventLoop.inEventLoop {
            body(self)
        } else {
            loop.eventLoop.execute { body(self) }
        }
    }

    /// The handler has returned the only reply.
    func complete(with reply: some WireMessage) {
        // Said twice, because a closure would cost an allocation where none is needed.
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { self.completeOnLoop(with: reply) }
        }
        completeOnLoop(with: reply)
    }

    private func completeOnLoop(with reply: some WireMessage) {
        handlerEnded()
        do throws(RPCError) {
            try sendReply(reply)
            finishOK()
        } catch {
            finish(error)
        }
    }

    /// The handler has returned and sent its replies itself.
    func complete() {
        onLoop { call in
            call.handlerEnded()
            call.finishOK()
        }
    }

    /// The handler has thrown.
    func complete(throwing error: any Error) {
        onLoop { call in
            call.handlerEnded()
            switch error {
            case let error as RPCError: call.finish(error)
            case is CancellationError: call.finish(RPCError(.cancelled, "the call was cancelled"))
            default: call.finish(RPCError(.unknown, "the handler failed"))
            }
            if !(error is RPCError), !(error is CancellationError) {
                call.loop.log.error(
                    "a handler failed",
                    metadata: [
                        "method": "\(call.target.key.method)",
                        "backend": "\(call.target.key.backend)",
                        "shadow": "\(call.target.key.isShadow)", "error": "\(error)",
                    ])
            }
        }
    }

    private func handlerEnded() {
        switch place {
        case .loop: break
        case .blockingThread: loop.admission.endBlocking()
        case .shadowThread: source?.workEnded()
        }
        task = nil
    }

    // MARK: The response

    private func sendReply(_ reply: some WireMessage) throws(RPCError) {
        guard state.isOpen else { return }
        var frame = loop.scratch
        loop.scratch = []
        defer {
            frame.removeAll(keepingCapacity: frame.capacity <= 64 << 10)
            loop.scratch = frame
        }
        frame += MessagePrefix.room
        do throws(MessageError) {
            try reply.serialize(appendingTo: &frame)
        } catch {
            throw RPCError(.internalError, "the reply cannot be encoded: \(error)")
        }
        if let json {
            let payload = try json.json(of: Array(frame[MessagePrefix.byteCount...]))
            frame = MessagePrefix.room + payload
        }
        if packsReplies {
            let payload = Gzip.compress(frame.rawSpan.extracting(MessagePrefix.byteCount...))
            frame = MessagePrefix.room + payload
        }
        try put(frame: &frame)
    }

    /// Sends a serialized reply whose first five bytes are left for the prefix.
    private func put(frame: inout [UInt8]) throws(RPCError) {
        let length = frame.count - MessagePrefix.byteCount
        guard let prefix = MessagePrefix(isCompressed: packsReplies, length: length) else {
            throw RPCError(.internalError, "the reply has \(length) bytes; gRPC allows 4 GiB")
        }
        prefix.write(to: &frame)
        switch state.send() {
        case .sendHeadersAndMessage:
            let encoding = packsReplies ? MessageEncoding.gzip : .identity
            sendHeaders(HeaderParts(responseHeaders), encoding: encoding.rawValue)
            sendBody(frame.rawSpan)
        case .sendMessage: sendBody(frame.rawSpan)
        case .drop: break
        }
    }

    /// A client that packs its requests gets packed replies, if it says that it takes them.
    private var packsReplies: Bool { requestEncoding == .gzip && acceptsGzip }

    override var responseHeaders: HeaderBlock {
        let first = json == nil ? Self.plainHeaders : Self.jsonHeaders
        guard packsReplies || !initialMetadata.isEmpty else { return first }
        var headers = first
        if packsReplies { headers.append("grpc-encoding", MessageEncoding.gzip.rawValue) }
        headers.append(initialMetadata)
        return headers
    }

    private static let jsonHeaders = HeaderBlock([
        ":status": "200", "content-type": ContentType.json,
    ])

    override var addedTrailers: Metadata { trailingMetadata }

    private func finishOK() {
        guard !trailingMetadata.isEmpty else {
            return end(.ok, trailers: HeaderParts(target.okTrailers))
        }
        var trailers = target.okTrailers
        trailers.append(trailingMetadata)
        end(.ok, trailers: HeaderParts(trailers))
    }

    override func release() {
        task?.cancel()
        task = nil
        if let whenEnded {
            self.whenEnded = nil
            whenEnded()
        }
        inbound.cancel()
        drainWaiter?.resume(throwing: Self.gone)
        drainWaiter = nil
        if !initialMetadata.isEmpty { initialMetadata = Metadata() }
        if !trailingMetadata.isEmpty { trailingMetadata = Metadata() }
        deframer.reset()
    }

    private static var gone: RPCError { RPCError(.cancelled, "the call is gone") }

    // MARK: Streaming

    /// The next request message; nil at the end.
    func nextMessage() async throws -> [UInt8]? {
        let message = try await withCheckedThrowingContinuation { continuation in
            onLoop { call in
                call.inbound.next(continuation)
                _ = call.noteHeld()
                call.creditIfRoom()
            }
        }
        return try message.map { try unpacked($0) }
    }

    /// Sends one reply, given as its bytes, and waits while the client is behind.
    func send(_ message: [UInt8]) async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            onLoop { call in call.send(message, continuation) }
        }
    }

    private func send(_ message: [UInt8], _ continuation: CheckedContinuation<Void, any Error>) {
        guard state.isOpen else { return continuation.resume(throwing: Self.gone) }
        guard drainWaiter == nil else {
            return continuation.resume(
                throwing: RPCError(.internalError, "two replies were sent at the same time"))
        }
        do throws(RPCError) {
            let payload = try json?.json(of: message) ?? message
            var frame = MessagePrefix.room
            frame += packsReplies ? Gzip.compress(payload.rawSpan) : payload
            try put(frame: &frame)
        } catch {
            return continuation.resume(throwing: error)
        }
        // A copy may have been given up for its length.
        guard state.isOpen else { return continuation.resume(throwing: Self.gone) }
        if takesMore(limit: loop.limits.responseBufferBytes) { return continuation.resume() }
        drainWaiter = continuation
    }

    /// Fewer bytes than the limit are waiting for the client.
    override func responseDrained() {
        guard drainWaiter != nil, takesMore(limit: loop.limits.responseBufferBytes) else { return }
        drainWaiter?.resume()
        drainWaiter = nil
    }
}
