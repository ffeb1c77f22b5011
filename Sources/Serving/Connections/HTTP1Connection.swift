internal import GRPCWire
internal import Logging
internal import NIOCore
internal import Observability
internal import Transport

/// A client's HTTP/1 connection: carries out the decisions of an `HTTP1Machine`.
///
/// ```
///   socket --channelRead--> HTTP1Parser --parts--> HTTPExchange
///          <--------- write ----------- HTTP1Response <--'
/// ```
final class HTTP1Connection: ChannelDuplexHandler, ServedConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The pause between two slices of a client's requests.
    private static let pause = TimeAmount.milliseconds(1)

    /// A body up to this size is read to its end before the request is refused, so that the
    /// connection stays open.
    private static let shortBodyBytes = 64 << 10

    /// The time for which input is discarded before the socket is closed.
    private static let lingering = TimeAmount.seconds(2)

    private let connections: ConnectionSet
    private let loop: LoopState
    let servedPort: ServedPort
    private var machine: HTTP1Machine
    private var context: ChannelHandlerContext?
    private(set) var peer = Peer()
    private var parser: HTTP1Parser
    /// Received bytes that were not parsed.
    private var input = ByteBuffer()
    /// The request that is received or answered.
    private var request: Request?
    /// Nil before its beginning, and after the response.
    private var exchange: HTTPExchange?
    /// Waits for the end of a short body.
    private var delayedReply: HTTPReply?
    /// Whether the exchange waits until few bytes of the response are unsent.
    private var awaitsRoom = false

    private struct Request {
        let head: HTTPRequestHead
        let framing: HTTP1Framing
        var persistence: HTTP1Response.Persistence
        /// Whether the client may send the body without `100 Continue`.
        var isBodyExpected: Bool

        /// Whether the body is short and on its way.
        var hasShortBody: Bool {
            guard isBodyExpected, case .length(let length) = framing else { return false }
            return length <= HTTP1Connection.shortBodyBytes
        }
    }

    /// - Parameter openedAt: when the socket was accepted, in nanoseconds of the loop's clock.
    init(_ connections: ConnectionSet, servedPort: ServedPort, openedAt: UInt64) {
        self.connections = connections
        loop = connections.loop
        self.servedPort = servedPort
        let limits = loop.limits
        machine = HTTP1Machine(openedAt: openedAt, maxUnreadBytes: limits.streamWindowBytes)
        // The exchange has the limit of the body.
        parser = HTTP1Parser(
            .init(
                headBytes: limits.maxHeaderListBytes, fields: limits.maxHeaderFields,
                bodyBytes: .max))
    }

    // MARK: ServedConnection

    func checkTimeouts(at now: UInt64) {
        if machine.isTimedOut(loop.limits, at: now) { close() }
    }

    func drain() {
        if machine.drain(isIdle: parser.isBetweenRequests && input.readableBytes == 0) { close() }
    }

    func close() { context?.close(promise: nil) }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = Peer(context)
        connections.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        endExchange()
        flushed(machine.unsentBytes)
        connections.remove(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.log.debug(
            "connection error",
            metadata: ["peer": "\(peer.text)", "error": "\(systemReason(error))"])
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        switch machine.received(bytes.readableBytes, limit: loop.limits.maxMessageBytes) {
        case .parse:
            if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
            readRequests()
        case .discard: break
        case .close: close()
        }
    }

    func read(context: ChannelHandlerContext) {
        if machine.readRequested() { context.read() }
    }

    // MARK: Receiving

    /// Parses what has arrived, up to the next request that is not answered at once. A loop,
    /// because one read can contain thousands of requests, and each can be answered within it.
    private func readRequests() {
        guard context != nil, machine.beginParsing(at: now) else { return }
        do throws(HTTPRefusal) {
            parts: while true {
                switch machine.nextStep(hasInput: input.readableBytes > 0) {
                case .parse: break
                case .pause:
                    pauseReading()
                    break parts
                case .stop: break parts
                }
                let (consumed, part) = try parser.next(in: input.readableBytesView)
                let bytes = input.readSlice(length: consumed)
                guard let part else { break parts }
                try handle(part, bytes)
            }
        } catch {
            let limit = loop.limits.maxMessageBytes
            if error.isHeaderLimit, servedPort.servesEndpoints { loop.admission.count(.headers) }
            refuse(HTTPReply(error.status == 413 ? .bodyTooLarge(limit: limit) : error))
        }
        // Releases the memory of a read while the connection waits.
        if input.readableBytes == 0 { input = ByteBuffer() }
        if machine.endParsing(at: now, isHeadIncomplete: isHeadIncomplete) { context?.read() }
    }

    /// Whether the request line or some of its bytes have arrived, and not the whole head.
    private var isHeadIncomplete: Bool {
        parser.isInHead && (!parser.isBetweenRequests || input.readableBytes > 0)
    }

    private func pauseReading() {
        loop.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.machine.pauseEnded()
            self.readRequests()
        }
    }

    private var now: UInt64 { loop.now }

    private func handle(_ part: HTTP1Parser.Part, _ bytes: ByteBuffer?) throws(HTTPRefusal) {
        machine.partReceived(at: now)
        switch part {
        case .head(let head): try begin(head)
        case .body(let count):
            guard let bytes else { return }
            pass(bytes, count)
        case .end: requestEnded()
        }
    }

    private func begin(_ received: HTTP1Parser.Head) throws(HTTPRefusal) {
        machine.headReceived()
        let head = try HTTPRequestHead(
            received.method, target: received.target, received.fields,
            .http1(minor: received.minorVersion))
        // A client that has sent some of the body does not wait.
        let waits = head.expectsContinue && input.readableBytes == 0
        request = Request(
            head: head, framing: received.framing,
            persistence: HTTP1Response.persistence(
                of: head.fields, minorVersion: head.minorVersion), isBodyExpected: !waits)
        // Without a body, the exchange begins at the end of the request.
        guard received.framing.hasBody else { return }
        beginExchange(head)
        guard let exchange else { return }
        let limit = exchange.bodyLimit ?? .max
        if case .length(let length) = received.framing, length > limit {
            throw .bodyTooLarge(limit: limit)
        }
        parser.limitBody(to: limit)
        guard waits else { return }
        request?.isBodyExpected = true
        context?.writeAndFlush(
            wrapOutboundOut(ByteBuffer(bytes: HTTP1Response.proceed)), promise: nil)
    }

    private func beginExchange(_ head: HTTPRequestHead) {
        let exchange = HTTPExchange(
            head, servedPort, connections.router, client: self, at: now)
        if !exchange.isOver { self.exchange = exchange }
    }

    private func endExchange() {
        exchange?.cancel()
        exchange = nil
        delayedReply = nil
        awaitsRoom = false
    }

    /// Passes on the last bytes of a buffer.
    private func pass(_ bytes: ByteBuffer, _ count: Int) {
        guard let exchange else { return }
        machine.passed(count)
        let span = bytes.readableBytesSpan
        exchange.received(
            span.extracting((span.byteCount - count)...), isLast: false, at: now)
    }

    private func requestEnded() {
        guard let request else { return }
        machine.requestComplete()
        if let delayedReply {
            self.delayedReply = nil
            return send(delayedReply)
        }
        if !request.framing.hasBody { beginExchange(request.head) }
        // The exchange may end within the call.
        let exchange = exchange
        exchange?.received(RawSpan(), isLast: true, at: now)
    }

    /// Answers a request that is incomplete or invalid.
    private func refuse(_ reply: HTTPReply) {
        let isResponding = machine.isResponding
        guard let context, machine.refused() else {
            if isResponding { close() }
            return
        }
        endExchange()
        request = nil
        let written = write(
            reply, to: parser.method, minorVersion: parser.minorVersion, .close, context)
        written.assumeIsolated().whenComplete { _ in self.linger() }
    }

    /// Closes the direction to the client, discards further input, and closes the socket later.
    private func linger() {
        guard let context else { return }
        input = ByteBuffer()
        let channel = context.channel
        channel.close(mode: .output, promise: nil)
        loop.eventLoop.scheduleTask(in: Self.lingering) { channel.close(promise: nil) }
        context.read()
    }

    // MARK: Answering

    private func send(_ reply: HTTPReply) {
        guard let context, let request, let persistence = machine.replied(request.persistence)
        else { return }
        self.request = nil
        let written = write(
            reply, to: request.head.method, minorVersion: request.head.minorVersion, persistence,
            context)
        written.assumeIsolated().whenComplete { _ in self.written(persistence) }
    }

    private func written(_ persistence: HTTP1Response.Persistence) {
        switch machine.written(persistence, hasInput: input.readableBytes > 0, at: now) {
        case .nextRequest: readRequests()
        case .linger: linger()
        case .close: close()
        }
    }

    private func write(
        _ reply: HTTPReply, to method: String, minorVersion: Int,
        _ persistence: HTTP1Response.Persistence, _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        let head = HTTP1Response.head(
            reply, minorVersion: minorVersion, persistence, date: loop.clock.date())
        var bytes = ByteBuffer(bytes: head)
        if method != "HEAD" { bytes.writeBytes(reply.content) }
        return write(bytes, context)
    }

    private func write(
        _ bytes: ByteBuffer, _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        // Response bytes count as buffered until they are written.
        let count = bytes.readableBytes
        _ = loop.hold(count)
        machine.writing(count, at: now)
        let written = context.writeAndFlush(wrapOutboundOut(bytes))
        written.assumeIsolated().whenComplete { result in
            // The backend must not continue to send to a closed connection.
            if case .failure = result { self.endExchange() }
            self.flushed(count)
        }
        return written
    }

    private func flushed(_ bytes: Int) {
        // The bytes of a closed connection were subtracted before.
        let bytes = min(bytes, machine.unsentBytes)
        _ = loop.hold(-bytes)
        machine.flushed(bytes)
        guard awaitsRoom, takesMore() else { return }
        awaitsRoom = false
        exchange?.drained()
    }
}

// MARK: - HTTPClient

extension HTTP1Connection: HTTPClient {
    func reply(_ reply: HTTPReply) {
        exchange = nil
        if machine.isAnswering {
            send(reply)
        } else if let request, request.hasShortBody {
            delayedReply = reply
        } else {
            refuse(reply)
        }
    }

    func begin(_ reply: HTTPReply) {
        guard let context, let request, let persistence = machine.responding(request.persistence)
        else { return }
        let minorVersion = request.head.minorVersion
        let isLast = persistence == .close || minorVersion == 0
        self.request?.persistence = isLast ? .close : .keepAlive
        let head = HTTP1Response.head(
            reply, minorVersion: minorVersion, isLast ? .close : .keepAlive,
            date: loop.clock.date(), isStreamed: true)
        _ = write(ByteBuffer(bytes: head), context)
    }

    func write(_ bytes: RawSpan) {
        guard let context, let request, machine.isResponding, bytes.byteCount > 0,
            request.head.method != "HEAD"
        else { return }
        let isChunked = request.head.minorVersion > 0
        var buffer = ByteBuffer()
        if isChunked { buffer.writeBytes(HTTP1Response.chunkHead(bytes.byteCount)) }
        buffer.writeBytes([UInt8](copying: bytes))
        if isChunked { buffer.writeBytes(HTTP1Response.chunkEnd) }
        _ = write(buffer, context)
    }

    func finish() {
        exchange = nil
        guard let context, let request, let isComplete = machine.responseEnded() else { return }
        self.request = nil
        let isChunked = request.head.minorVersion > 0 && request.head.method != "HEAD"
        let written = write(
            ByteBuffer(bytes: isChunked ? HTTP1Response.lastChunk : []), context)
        written.assumeIsolated().whenComplete { _ in
            if isComplete { self.written(request.persistence) } else { self.linger() }
        }
    }

    func abort() {
        exchange = nil
        close()
    }

    func credit(_ bytes: Int) { if machine.credited(bytes) { readRequests() } }

    func takesMore() -> Bool { machine.unsentBytes <= loop.limits.responseBufferBytes }

    func waitForRoom() { awaitsRoom = true }
}
