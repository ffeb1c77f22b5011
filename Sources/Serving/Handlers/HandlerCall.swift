internal import GRPCWire
internal import HTTP2Session
internal import Instrumentation
internal import Logging
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport

/// A call that Swift code in this process answers.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the event loop of the
/// connection. Functions that handlers call on other threads use `onLoop`.
final class HandlerCall: ServerCall, @unchecked Sendable {
    private var task: Task<Void, Never>?
    /// Set when the call begins.
    var handler: Handler?
    /// Called when the call has ended; nil for most calls.
    var whenEnded: (@Sendable () -> Void)?

    var initialMetadata = Metadata()
    var trailingMetadata = Metadata()

    private var format = ReplyFormat()
    private var reader: MessageReader
    private var drainWaiter: CheckedContinuation<Void, any Error>?

    override init(_ loop: LoopState, _ origin: Origin, _ target: Target) {
        reader = MessageReader(limit: loop.limits.maxMessageBytes)
        super.init(loop, origin, target)
    }

    override func answer(_ request: RequestHead) {
        guard let handler else { return }
        format.json = request.isJSON ? handler.method.json : nil
        format.isCompressed = request.acceptsGzip && request.encoding == .gzip
        guard let encoding = request.encoding else { return finish(unsupportedEncoding) }
        record?.attemptBegan(on: "", at: startedAt)
        reader.reset(
            limit: handler.maxMessageBytes, encoding: encoding,
            maxMessages: handler.method.isSingle ? 1 : .max)
        if !handler.method.isSingle, case .stream(let start) = handler.method.entry { start(self) }
    }

    private var unsupportedEncoding: RPCError {
        let headers = requestHeaders
        let name =
            headers.all(.encoding).last.map { headers.quoted($0) } ?? ""
        return RPCError(
            .unimplemented, "grpc-encoding \(name) is not supported",
            metadata: ["grpc-accept-encoding": MessageEncoding.accepted])
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
        if endStream, format.json == nil, case .single(let start) = method.entry,
            let payload = reader.onlyPayload(in: bytes)
        {
            return enter(start, payload)
        }
        do throws(RPCError) {
            try accept(bytes)
            if let error = updateHeldBytes() { return finish(error) }
            creditIfRoom()
            if endStream { try endRequest(method) }
        } catch {
            finish(error)
        }
    }

    private func updateHeldBytes() -> RPCError? { hold(reader.bufferedBytes) }

    private func accept(_ bytes: RawSpan) throws(RPCError) {
        do throws(MessageReader.Failure) {
            try reader.receive(bytes)
        } catch {
            throw RPCError(error, limitName: limitName)
        }
    }

    private func endRequest(_ method: MethodHandler) throws(RPCError) {
        do throws(MessageReader.Failure) {
            try reader.checkEnd()
        } catch {
            throw RPCError(error)
        }
        guard case .single(let start) = method.entry else { return reader.end() }
        guard let message = reader.take() else {
            throw RPCError(
                .internalError, "the method has one request message, but the client sent none")
        }
        let payload = try content(of: message)
        enter(start, payload.rawSpan)
    }

    /// The protobuf of a request message: decompressed, and converted from JSON.
    private func content(of message: MessageReader.Message) throws(RPCError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(MessageReader.Failure) {
            let limit = handler?.maxMessageBytes ?? loop.limits.maxMessageBytes
            bytes = try message.content(limit: limit)
        } catch {
            throw RPCError(error, limitName: limitName)
        }
        return try format.json?.request(from: bytes) ?? bytes
    }

    /// Returns flow-control credit to the client, unless many bytes wait for the handler.
    private func creditIfRoom() {
        let credit = reader.takeCredit(limit: loop.limits.streamWindowBytes)
        if credit > 0 { creditRequest(credit) }
    }

    private func enter(
        _ start: (HandlerCall, RawSpan) throws(MessageError) -> Void, _ payload: RawSpan
    ) {
        if let timeLeft, timeLeft <= 0 { return deadlinePassed() }
        do throws(MessageError) {
            try start(self, payload)
        } catch {
            finish(RPCError(.invalidArgument, error.description))
        }
    }

    /// The name of the limit of a message.
    private var limitName: StaticString { handler?.limitName ?? "max-message-bytes" }

    // MARK: The handler

    /// Runs the handler: on the loop, where it starts at once, or on a thread that it may block.
    /// Shadow copies have separate threads, so that a candidate cannot delay the loop.
    ///
    /// `Success` is always `Void`. As a type parameter it gives the closure the form that `Task`
    /// takes, which avoids a second wrapper.
    @inline(__always)
    func start<Success: Sendable>(
        _ operation: sending @escaping @isolated(any) () async -> Success
    ) {
        guard let trace else { return run(operation) }
        var context = InstrumentationContext.topLevel
        context.weirTrace = trace.passed(requestHeaders)
        let current = context
        run { await InstrumentationContext.withValue(current) { await operation() } }
    }

    @inline(__always)
    private func run<Success: Sendable>(
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

    /// Whether the handler runs on the loop.
    var runsOnLoop: Bool {
        if case .loop = place { true } else { false }
    }

    /// The handler has returned the only reply.
    func complete(with reply: some WireMessage) {
        // Not `onLoop`, whose closure would cost an allocation on the loop.
        guard loop.eventLoop.inEventLoop else {
            return loop.eventLoop.execute { self.completeOnLoop(with: reply) }
        }
        completeOnLoop(with: reply)
    }

    private func completeOnLoop(with reply: some WireMessage) {
        handlerEnded()
        self.reply(with: reply)
    }

    /// Sends the only reply and ends the call. Called on the loop.
    func reply(with reply: some WireMessage) {
        guard state.isOpen else { return }
        // A handler without a task ends before the loop can look at deadlines.
        if let timeLeft, timeLeft <= 0 { return deadlinePassed() }
        var frame = loop.scratch
        loop.scratch = []
        defer {
            frame.removeAll(keepingCapacity: frame.capacity <= 64 << 10)
            loop.scratch = frame
        }
        do throws(RPCError) {
            try format.write(reply, to: &frame)
            if isPlain, respondOK(Self.preparedHeaders, frame.rawSpan) { return }
            send(frame: frame)
            finishOK()
        } catch {
            finish(error)
        }
    }

    /// The handler has returned, after it sent its replies.
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
            default:
                call.finish(RPCError(.unknown, "the handler failed"))
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

    /// Sends a message with its prefix, after the headers if none were sent.
    private func send(frame: [UInt8]) {
        switch state.send() {
        case .sendHeadersAndMessage:
            sendHeaders(HeaderParts(responseHeaders), encoding: format.encoding.rawValue)
            sendBody(frame.rawSpan)
        case .sendMessage: sendBody(frame.rawSpan)
        case .drop: break
        }
    }

    /// Whether the response has the usual headers and trailers.
    private var isPlain: Bool {
        format.isPlain && initialMetadata.isEmpty && trailingMetadata.isEmpty
    }

    private static let preparedHeaders = PreparedHeaders(plainHeaders)

    override var responseHeaders: HeaderBlock {
        guard !format.isPlain || !initialMetadata.isEmpty else { return Self.plainHeaders }
        var headers = format.headers
        headers.append(initialMetadata)
        return headers
    }

    override var addedTrailers: Metadata { trailingMetadata }

    private func finishOK() {
        guard !trailingMetadata.isEmpty else {
            return end(.ok, trailers: HeaderParts(target.okTrailers.block))
        }
        var trailers = target.okTrailers.block
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
        reader.cancel()
        if !format.isPlain { format = ReplyFormat() }
        drainWaiter?.resume(throwing: Self.endedError)
        drainWaiter = nil
        if !initialMetadata.isEmpty { initialMetadata = Metadata() }
        if !trailingMetadata.isEmpty { trailingMetadata = Metadata() }
    }

    private static var endedError: RPCError { RPCError(.cancelled, "the call has ended") }

    // MARK: Streaming

    /// The next request message; nil at the end.
    func nextMessage() async throws -> [UInt8]? {
        let message = try await withCheckedThrowingContinuation { continuation in
            onLoop { call in
                call.reader.next(continuation)
                _ = call.updateHeldBytes()
                call.creditIfRoom()
            }
        }
        return try message.map { try content(of: $0) }
    }

    /// Sends the bytes of one reply, and waits while more than the limit is buffered.
    func send(_ message: [UInt8]) async throws {
        try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<Void, any Error>) in
            onLoop { call in call.send(message, continuation) }
        }
    }

    private func send(_ message: [UInt8], _ continuation: CheckedContinuation<Void, any Error>) {
        guard state.isOpen else { return continuation.resume(throwing: Self.endedError) }
        guard drainWaiter == nil else {
            return continuation.resume(
                throwing: RPCError(.internalError, "the handler sent two replies at the same time"))
        }
        do throws(RPCError) {
            send(frame: try format.frame(of: message))
        } catch {
            return continuation.resume(throwing: error)
        }
        // A shadow copy with too long a response is cancelled.
        guard state.isOpen else { return continuation.resume(throwing: Self.endedError) }
        if takesMore(limit: loop.limits.responseBufferBytes) { return continuation.resume() }
        drainWaiter = continuation
    }

    /// Fewer response bytes are buffered than the limit.
    override func responseDrained() {
        guard drainWaiter != nil, takesMore(limit: loop.limits.responseBufferBytes) else { return }
        drainWaiter?.resume()
        drainWaiter = nil
    }
}
