internal import GRPCWire
internal import Logging
internal import NIOCore
internal import Transport

/// A client's HTTP/1 connection: carries out the decisions of an `HTTP1Machine`.
///
/// ```
///   socket --channelRead--> HTTP1Parser --parts--> BodyCollector --HTTPRequest--> ServedPort
///          <--------- write ----------- HTTP1Response <------------- HTTPReply ------'
/// ```
final class HTTP1Connection: ChannelDuplexHandler, ServedConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The pause between two slices of a client's requests.
    private static let pause = TimeAmount.milliseconds(1)

    /// The time for which input is discarded before the socket is closed.
    private static let lingering = TimeAmount.seconds(2)

    private let connections: ConnectionSet
    private let loop: LoopState
    let servedPort: ServedPort
    private var machine: HTTP1Machine
    private var context: ChannelHandlerContext?
    private var peer = Peer()
    private var parser: HTTP1Parser
    /// Received bytes that were not parsed.
    private var input = ByteBuffer()
    /// The request that is received or answered.
    private var request: (head: HTTPRequestHead, persistence: HTTP1Response.Persistence)?
    private var body: BodyCollector
    private var work: HTTPWork?

    /// - Parameter openedAt: when the socket was accepted, in nanoseconds of the loop's clock.
    init(_ connections: ConnectionSet, servedPort: ServedPort, openedAt: UInt64) {
        self.connections = connections
        loop = connections.loop
        self.servedPort = servedPort
        machine = HTTP1Machine(openedAt: openedAt)
        let limits = loop.limits
        body = BodyCollector(loop, limit: limits.maxMessageBytes)
        parser = HTTP1Parser(
            .init(
                headBytes: limits.maxHeaderListBytes, fields: limits.maxHeaderFields,
                bodyBytes: limits.maxMessageBytes))
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
        work?.cancel()
        work = nil
        body.drop()
        flushed()
        connections.remove(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.log.debug("connection error", metadata: ["peer": "\(peer.text)", "error": "\(error)"])
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
            refuse(HTTPReply(error))
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
            collect(bytes, count)
        case .end: answer()
        }
    }

    private func begin(_ received: HTTP1Parser.Head) throws(HTTPRefusal) {
        machine.headReceived()
        let head = try HTTPRequestHead(
            received.method, target: received.target, received.fields,
            .http1(minor: received.minorVersion))
        request = (
            head, HTTP1Response.persistence(of: head.fields, minorVersion: head.minorVersion)
        )
        // A client that has sent some of the body does not wait.
        if head.expectsContinue, received.framing.hasBody, input.readableBytes == 0 {
            context?.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: HTTP1Response.proceed)), promise: nil)
        }
    }

    /// Collects the last bytes of a buffer. The parser has checked the limit of a body.
    private func collect(_ bytes: ByteBuffer, _ count: Int) {
        let span = bytes.readableBytesSpan
        switch body.append(span.extracting((span.byteCount - count)...)) {
        case .overload(let error): refuse(HTTPReply(error))
        case .tooLarge: refuse(HTTPReply(HTTPRefusal.bodyTooLarge(limit: body.limit)))
        case nil: break
        }
    }

    /// Answers a request that is incomplete or invalid.
    private func refuse(_ reply: HTTPReply) {
        guard let context, machine.refused() else { return }
        request = nil
        body.drop()
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

    private func answer() {
        guard let head = request?.head else { return }
        let complete = HTTPRequest(head, body: body.take(), peer: peer)
        machine.requestComplete()
        let work = servedPort.answer(complete, on: connections.router, at: now) {
            [weak self] reply in self?.send(reply)
        }
        if machine.isAnswering { self.work = work }
    }

    private func send(_ reply: HTTPReply) {
        work = nil
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
        // Response bytes count as buffered until they are written.
        _ = loop.hold(bytes.readableBytes - machine.unsentBytes)
        machine.writing(bytes.readableBytes, at: now)
        let written = context.writeAndFlush(wrapOutboundOut(bytes))
        written.assumeIsolated().whenComplete { _ in self.flushed() }
        return written
    }

    private func flushed() {
        _ = loop.hold(-machine.unsentBytes)
        machine.flushed()
    }
}
