internal import GRPCWire
internal import Logging
internal import NIOCore
internal import NIOHTTP1

/// A connection of a client that speaks HTTP/1.1: one request after the other.
///
/// ```
///   head, body ... --> collected --end--> answered by the port --reply--> head, body, end
/// ```
///
/// NIO's pipelining handler in front holds back the next request until the answer has gone out.
final class HTTP1Connection: ChannelInboundHandler, ServedConnection {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let loop: ServingLoop
    let port: SystemServices
    private var context: ChannelHandlerContext?
    private var peer = Peer()
    private var head: HTTPRequestHead?
    private var body: [UInt8] = []
    /// A request is being answered.
    private var isBusy = false
    private var work: HTTPWork?
    private var closesNext = false
    /// Bytes of a refused body that were thrown away.
    private var discardedBytes = 0

    /// How long a client may go on sending what is not wanted, so that it comes to read why.
    private static let lingering = TimeAmount.seconds(2)

    /// When the connection was made, or last did something, in nanoseconds of the loop's clock.
    private var activeAt: UInt64
    private var hasBegun = false
    /// A response is on its way.
    private var isWriting = false

    /// - Parameter openedAt: when the socket was accepted, in nanoseconds of the loop's clock.
    init(loop: ServingLoop, port: SystemServices, openedAt: UInt64) {
        self.loop = loop
        self.port = port
        activeAt = openedAt
    }

    // MARK: ServedConnection

    func tend(at now: UInt64) {
        guard !isBusy, now > activeAt else { return }
        if closesNext, !hasBegun, now - activeAt > ProtocolSniffer.drainGrace { return close() }
        let limits = loop.limits
        let limit =
            isWriting
            ? limits.slowReaderTimeout
            : hasBegun ? limits.http1IdleTimeout : limits.firstRequestTimeout
        if now - activeAt > limit.nanoseconds { close() }
    }

    private func noteActivity() { activeAt = NIODeadline.now().uptimeNanoseconds }

    func drain() {
        closesNext = true
        if !isBusy, head == nil, hasBegun { close() }
    }

    func close() { context?.close(promise: nil) }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = Peer(context)
        loop.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        work?.cancel()
        work = nil
        setBody([])
        loop.remove(self)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.log.debug("connection error", metadata: ["error": "\(error)"])
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        noteActivity()
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context)
        case .body(let bytes): collect(bytes)
        case .end: answer(context)
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        hasBegun = true
        self.head = head
        setBody([])
        // Counted as RFC 9113 section 6.5.2 does.
        let size = head.headers.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 }
        guard size <= loop.limits.maxHeaderListBytes else {
            return refuse(.headersTooLarge(limit: loop.limits.maxHeaderListBytes))
        }
        let announced = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard announced <= loop.limits.maxMessageBytes else {
            return refuse(.tooLong(limit: loop.limits.maxMessageBytes))
        }
        // RFC 9110 section 10.1.1.
        if head.headers["expect"].contains(where: { $0.lowercased() == "100-continue" }) {
            let go = HTTPResponseHead(version: head.version, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
        }
    }

    private func collect(_ bytes: ByteBuffer) {
        let limit = loop.limits.maxMessageBytes
        guard head != nil else {
            discardedBytes += bytes.readableBytes
            if discardedBytes > limit { close() }
            return
        }
        guard body.count + bytes.readableBytes <= limit else {
            return refuse(.tooLong(limit: limit))
        }
        body.append(contentsOf: bytes.readableBytesView)
        if let error = loop.hold(bytes.readableBytes) { refuse(HTTPReply(error)) }
    }

    /// What is kept of a body is counted.
    private func setBody(_ bytes: [UInt8]) {
        _ = loop.hold(bytes.count - body.count)
        body = bytes
    }

    /// Answers a request that is still coming. Closing the socket now would reset it, and the client would
    /// not see the answer (RFC 9112 section 9.6).
    private func refuse(_ reply: HTTPReply) {
        guard let head, let context else { return }
        self.head = nil
        setBody([])
        isBusy = true
        write(reply, to: head, closes: true, context)
        context.close(mode: .output, promise: nil)
        let channel = context.channel
        loop.eventLoop.scheduleTask(in: Self.lingering) { channel.close(promise: nil) }
    }

    private func answer(_ context: ChannelHandlerContext) {
        guard let head else { return }
        self.head = nil
        let request = HTTPRequest(
            head.method.rawValue, target: head.uri,
            headers: head.headers.map { ($0.name.lowercased(), $0.value) }, body: body,
            peer: peer)
        setBody([])
        isBusy = true
        work = port.http.answer(request, on: loop, at: NIODeadline.now().uptimeNanoseconds) {
            [weak self] reply in self?.send(reply, to: head)
        }
        if !isBusy { work = nil }
    }

    private func send(_ reply: HTTPReply, to head: HTTPRequestHead) {
        isBusy = false
        work = nil
        guard let context else { return }
        let closes = closesNext || !head.isKeepAlive
        let end = write(reply, to: head, closes: closes, context)
        guard closes else { return }
        let channel = context.channel
        end.whenComplete { _ in channel.close(promise: nil) }
    }

    @discardableResult
    private func write(
        _ reply: HTTPReply, to head: HTTPRequestHead, closes: Bool, _ context: ChannelHandlerContext
    ) -> EventLoopFuture<Void> {
        var headers = HTTPHeaders(reply.headers.map { ($0.name, $0.value) })
        if reply.allowsBody { headers.add(name: "content-length", value: "\(reply.body.count)") }
        if closes { headers.add(name: "connection", value: "close") }
        let status = HTTPResponseStatus(statusCode: reply.status)
        let answer = HTTPResponseHead(version: head.version, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        if reply.allowsBody, head.method != .HEAD {
            context.write(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: reply.body)))), promise: nil)
        }
        isWriting = true
        noteActivity()
        let end = context.writeAndFlush(wrapOutboundOut(.end(nil)))
        end.assumeIsolated().whenComplete { _ in
            self.isWriting = false
            self.noteActivity()
        }
        return end
    }
}

extension HTTPReply {
    static func headersTooLarge(limit: Int) -> HTTPReply {
        HTTPReply(
            .init(.resourceExhausted, "the headers are over the limit of \(limit) bytes"),
            status: 431)
    }

    /// A body is longer than a message may be.
    static func tooLong(limit: Int) -> HTTPReply {
        HTTPReply(
            .init(.resourceExhausted, "the body is over the limit of \(limit) bytes"), status: 413)
    }
}
