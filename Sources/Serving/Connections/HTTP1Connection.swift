internal import GRPCWire
internal import Logging
internal import NIOCore
internal import Transport

/// A connection of a client that speaks HTTP/1: one request after the other.
///
/// ```
///                end of request             reply                   all bytes written
///   receiving ------------------> answering ------> writing ---------------------------> receiving
///       |                                              '-- closes --> leaving
///       '-- refused: response, then leaving
/// ```
///
/// While a request is answered or its response written, the connection reads nothing, so that a
/// client that sends many requests without reading holds one response in memory.
final class HTTP1Connection: ChannelDuplexHandler, ServedConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase { case receiving, answering, writing, leaving }

    /// How long the requests of one client are answered without a pause, in nanoseconds. A client
    /// may send thousands at once; the loop has other clients.
    private static let slice: UInt64 = 2_000_000
    private static let pause = TimeAmount.milliseconds(1)

    /// How long a client may go on sending after a refusal, so that it reads why.
    private static let lingering = TimeAmount.seconds(2)

    private let connections: ConnectionSet
    private let loop: LoopState
    let servedPort: ServedPort
    private var context: ChannelHandlerContext?
    private var peer = Peer()
    private var parser: HTTP1Parser
    /// Received bytes that were not read.
    private var input = ByteBuffer()
    private var phase = Phase.receiving
    /// The request that is received or answered.
    private var request: (head: HTTPRequestHead, persistence: HTTP1Response.Persistence)?
    private var body: BodyCollector
    private var work: HTTPWork?
    /// The connection closes after the current response.
    private var closesNext = false
    private var isReading = false
    private var isPausing = false
    /// The channel asks for bytes.
    private var isReadWanted = false
    /// Bytes that arrived after a refusal.
    private var discardedBytes = 0
    /// Response bytes that wait for the client.
    private var unsentBytes = 0

    /// When the connection was accepted, or last made progress, in nanoseconds of the loop's clock.
    private var activeAt: UInt64
    /// When the first byte of an incomplete head arrived.
    private var headSince: UInt64?
    private var hasBegun = false

    /// - Parameter openedAt: when the socket was accepted, in nanoseconds of the loop's clock.
    init(_ connections: ConnectionSet, servedPort: ServedPort, openedAt: UInt64) {
        self.connections = connections
        loop = connections.loop
        self.servedPort = servedPort
        activeAt = openedAt
        let limits = loop.limits
        body = BodyCollector(loop, limit: limits.maxMessageBytes)
        parser = HTTP1Parser(
            .init(
                headBytes: limits.maxHeaderListBytes, fields: limits.maxHeaderFields,
                bodyBytes: limits.maxMessageBytes))
    }

    // MARK: ServedConnection

    func checkTimeouts(at now: UInt64) {
        func isOver(_ limit: UInt64, since: UInt64) -> Bool { now > since && now - since > limit }
        let limits = loop.limits
        switch phase {
        case .answering: return
        case .writing, .leaving:
            // After a refusal was written, a timer closes the connection.
            if unsentBytes > 0, isOver(limits.slowReaderTimeout.nanoseconds, since: activeAt) {
                close()
            }
        case .receiving where !hasBegun:
            let limit =
                closesNext ? ProtocolSniffer.drainGrace : limits.firstRequestTimeout.nanoseconds
            if isOver(limit, since: activeAt) { close() }
        case .receiving:
            if let headSince, isOver(limits.headersTimeout.nanoseconds, since: headSince) {
                close()
            } else if isOver(limits.http1IdleTimeout.nanoseconds, since: activeAt) {
                close()
            }
        }
    }

    private func noteActivity() { activeAt = NIODeadline.now().uptimeNanoseconds }

    func drain() {
        closesNext = true
        if phase == .receiving, parser.isBetweenRequests, input.readableBytes == 0, hasBegun {
            close()
        }
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
        noteUnsent(0)
        connections.remove(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.log.debug("connection error", metadata: ["peer": "\(peer.text)", "error": "\(error)"])
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard phase != .leaving else {
            discardedBytes += bytes.readableBytes
            if discardedBytes > loop.limits.maxMessageBytes { close() }
            return
        }
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        readRequests()
    }

    func read(context: ChannelHandlerContext) {
        switch phase {
        case .receiving where isPausing: isReadWanted = true
        case .receiving, .leaving: context.read()
        case .answering, .writing: isReadWanted = true
        }
    }

    // MARK: Receiving

    /// Reads what has arrived, as far as the next request that is not answered at once. A loop,
    /// because requests may arrive by the thousand in one read, and each may be answered within it.
    private func readRequests() {
        guard !isReading, !isPausing, context != nil else { return }
        isReading = true
        defer { isReading = false }
        let end = now + Self.slice
        do throws(HTTPRefusal) {
            while phase == .receiving {
                guard activeAt < end || input.readableBytes == 0 else {
                    pauseReading()
                    break
                }
                let (consumed, part) = try parser.next(in: input.readableBytesView)
                let bytes = input.readSlice(length: consumed)
                guard let part else { break }
                try handle(part, bytes)
            }
        } catch {
            refuse(HTTPReply(error))
        }
        // Memory of a read is not kept for a connection that waits.
        if input.readableBytes == 0 { input = ByteBuffer() }
        guard !isPausing else { return }
        let waitsForHead = phase == .receiving && parser.isInHead && input.readableBytes > 0
        headSince = waitsForHead || hasPartialHead ? headSince ?? now : nil
        if isReadWanted, phase == .receiving {
            isReadWanted = false
            context?.read()
        }
    }

    private func pauseReading() {
        isPausing = true
        loop.eventLoop.assumeIsolated().scheduleTask(in: Self.pause) {
            self.isPausing = false
            self.readRequests()
        }
    }

    private var now: UInt64 { NIODeadline.now().uptimeNanoseconds }

    /// The request line was read, and not the whole head.
    private var hasPartialHead: Bool { parser.isInHead && !parser.isBetweenRequests }

    private func handle(_ part: HTTP1Parser.Part, _ bytes: ByteBuffer?) throws(HTTPRefusal) {
        noteActivity()
        switch part {
        case .head(let head): try begin(head)
        case .body(let count):
            guard let bytes else { return }
            collect(bytes, count)
        case .end: answer()
        }
    }

    private func begin(_ received: HTTP1Parser.Head) throws(HTTPRefusal) {
        hasBegun = true
        headSince = nil
        let head = try HTTPRequestHead(
            received.method, target: received.target, received.fields,
            .http1(minor: received.minorVersion))
        request = (
            head, HTTP1Response.persistence(of: head.fields, minorVersion: head.minorVersion)
        )
        // A client that has begun to send does not wait.
        if head.expectsContinue, received.framing.hasBody, input.readableBytes == 0 {
            context?.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: HTTP1Response.proceed)), promise: nil)
        }
    }

    /// Takes the last bytes of a buffer. The parser has checked the limit of a body.
    private func collect(_ bytes: ByteBuffer, _ count: Int) {
        let span = bytes.readableBytesSpan
        switch body.append(span.extracting((span.byteCount - count)...)) {
        case .overload(let error): refuse(HTTPReply(error))
        case .tooLarge: refuse(HTTPReply(HTTPRefusal.bodyTooLarge(limit: body.limit)))
        case nil: break
        }
    }

    /// Answers a request that is still arriving, or that can't be read.
    private func refuse(_ reply: HTTPReply) {
        guard let context, phase == .receiving else { return }
        request = nil
        body.drop()
        phase = .leaving
        let written = write(
            reply, to: parser.method, minorVersion: parser.minorVersion, .close, context)
        written.assumeIsolated().whenComplete { _ in self.leave() }
    }

    /// Closes the connection in the direction to the client, and a little later altogether. Closing
    /// it at once would reset it while the client sends, and the client would not see the response
    /// (RFC 9112 section 9.6).
    private func leave() {
        guard let context else { return }
        phase = .leaving
        input = ByteBuffer()
        let channel = context.channel
        channel.close(mode: .output, promise: nil)
        loop.eventLoop.scheduleTask(in: Self.lingering) { channel.close(promise: nil) }
        // What arrives is read and discarded.
        context.read()
    }

    // MARK: Answering

    private func answer() {
        guard let head = request?.head else { return }
        let complete = HTTPRequest(head, body: body.take(), peer: peer)
        phase = .answering
        let work = servedPort.answer(complete, on: connections.router, at: now) {
            [weak self] reply in
            self?.send(reply)
        }
        if phase == .answering { self.work = work }
    }

    private func send(_ reply: HTTPReply) {
        work = nil
        guard let context, let request, phase == .answering else { return }
        self.request = nil
        phase = .writing
        let persistence = closesNext ? .close : request.persistence
        let written = write(
            reply, to: request.head.method, minorVersion: request.head.minorVersion, persistence,
            context)
        written.assumeIsolated().whenComplete { _ in
            guard persistence != .close else {
                return self.input.readableBytes > 0 ? self.leave() : self.close()
            }
            self.phase = .receiving
            self.noteActivity()
            self.readRequests()
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
        noteUnsent(bytes.readableBytes)
        noteActivity()
        let written = context.writeAndFlush(wrapOutboundOut(bytes))
        written.assumeIsolated().whenComplete { _ in self.noteUnsent(0) }
        return written
    }

    /// Response bytes that wait for the client count as buffered.
    private func noteUnsent(_ bytes: Int) {
        _ = loop.hold(bytes - unsentBytes)
        unsentBytes = bytes
    }
}
