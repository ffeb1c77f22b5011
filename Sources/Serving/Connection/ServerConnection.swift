internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import TrafficPolicy

/// One HTTP/2 connection of a client: joins the socket, the session and the calls.
///
/// ```
///   socket --channelRead--> HTTP2Session --events--> calls --> handlers
///          <----flush------              <-commands--
/// ```
///
/// Everything that one read causes goes out in one write. While the socket takes no more, nothing
/// is produced, so a client that doesn't read costs no more than its streams' buffers.
///
/// `@unchecked Sendable`: confined to the event loop of its channel.
final class ServerConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Bytes produced per write while there is more to say.
    private static let writeBytes = 64 << 10
    /// The value of the PING that finds out whether the client has seen the first GOAWAY.
    private static let drainPing: UInt64 = 0x7765_6972_6472_6e00

    let loop: ServingLoop
    let port: SystemServices
    let session: HTTP2Session
    private(set) var peer = ""
    private var calls: [ServerCall?] = []
    private var lastPath: ResolvedPath?
    private var lastSnapshot: RoutingSnapshot?
    private var context: ChannelHandlerContext?
    private var isReading = false
    /// When the read began whose events are handled.
    private var readTime: UInt64 = 0
    private var isDirty = false

    init(loop: ServingLoop, port: SystemServices) {
        self.loop = loop
        self.port = port
        session = HTTP2Session(
            role: .server, limits: loop.limits.http2, allocator: loop.allocator,
            knownNames: KnownHeader.names)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        peer = context.remoteAddress.map { "\($0)" } ?? "unknown"
        guard loop.add(self) else { return context.close(promise: nil) }
        changed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        for call in calls { call?.streamClosed() }
        calls.removeAll()
        lastPath = nil
        loop.remove(self)
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        isReading = true
        readTime = NIODeadline.now().uptimeNanoseconds
        defer { isReading = false }
        let bytes = buffer.readableBytesSpan
        do throws(HTTP2SessionError) {
            try session.receive(bytes)
        } catch {
            drainEvents(bytes)
            // nghttp2 has queued a GOAWAY that says why.
            if case .fatal = error { flush() }
            return broken(error)
        }
        drainEvents(bytes)
        session.consumeConnection(receivedBytes)
        receivedBytes = 0
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        loop.log.debug("connection error", metadata: ["peer": "\(peer)", "error": "\(error)"])
        context.close(promise: nil)
    }

    /// The peer does not speak HTTP/2, or broke its rules.
    private func broken(_ error: HTTP2SessionError) {
        loop.log.notice(
            "closing connection", metadata: ["peer": "\(peer)", "reason": "\(error)"])
        close()
    }

    // MARK: Output

    /// Something is to be sent: with the read that caused it, or at the end of this turn.
    func changed() {
        guard !isReading, !isDirty, context != nil else { return }
        isDirty = true
        loop.flushSoon(self)
    }

    /// Writes what the session has to say, as far as the socket takes it.
    func flush() {
        isDirty = false
        guard let context else { return }
        do throws(HTTP2SessionError) {
            var hasMore = true
            while hasMore, context.channel.isWritable {
                // The buffer is the loop's: an idle connection holds none. While the socket still
                // has the last bytes, clearing makes a new one.
                loop.output.clear()
                hasMore = try session.send(into: &loop.output, room: Self.writeBytes)
                if loop.output.readableBytes > 0 {
                    context.writeAndFlush(wrapOutboundOut(loop.output), promise: nil)
                }
                drainEvents(RawSpan())
            }
        } catch {
            return broken(error)
        }
        if !session.isActive { close() }
    }

    /// Closes the socket; running calls are cancelled.
    func close() {
        context?.close(promise: nil)
    }

    /// Asks the client to go: a first GOAWAY, and when it must have seen that, a second one after
    /// which new streams are refused (RFC 9113 section 6.8).
    func drain() {
        session.announceShutdown()
        session.ping(Self.drainPing)
        changed()
    }

    // MARK: Events

    /// Body bytes of this read, on all streams.
    private var receivedBytes = 0

    private func drainEvents(_ input: RawSpan) {
        while let event = session.nextEvent() {
            switch event {
            case .headers(let stream, let endStream): begin(stream, endStream: endStream)
            // Trailers of a request mean nothing in gRPC; only their end does.
            case .trailers(let stream): call(of: stream)?.receive(RawSpan(), endStream: true)
            case .headersTooLarge(let stream):
                let limit = loop.limits.maxHeaderListBytes
                refuse(
                    stream, .resourceExhausted, "the headers are over the limit of \(limit) bytes")
            case .data(let stream, let range, let endStream):
                receivedBytes += range.count
                call(of: stream)?.receive(input.extracting(range), endStream: endStream)
            case .drained(let stream): call(of: stream)?.drained()
            case .closed(let stream, _): call(of: stream)?.streamClosed()
            case .pingAcknowledged(Self.drainPing):
                session.refuseNewStreams()
                changed()
            case .goAway, .settings, .pingAcknowledged: break
            }
        }
    }

    private func call(of stream: HTTP2Stream) -> ServerCall? {
        guard stream.slot < calls.count, let call = calls[stream.slot], call.stream == stream
        else { return nil }
        return call
    }

    /// A request's headers: checked, routed, and its call begun.
    private func begin(_ stream: HTTP2Stream, endStream: Bool) {
        let headers = session.headers(of: stream)
        let request = RequestHead(headers)
        guard request.isPost else {
            return refuseForeign(stream, [":status": "405", "allow": "POST"])
        }
        guard request.isGRPC else {
            return refuseForeign(stream, [":status": "415", "accept-post": ContentType.grpc])
        }
        guard let path = request.path else {
            return refuse(stream, .internalError, "the request has no :path")
        }
        guard let resolved = resolve(path, headers) else {
            loop.unrouted += port.servesEndpoints ? 1 : 0
            return refuse(stream, .unimplemented, "no endpoint takes \(headers.text(path))")
        }
        guard loop.requestsInFlight < loop.limits.maxRequestsInFlightPerLoop else {
            return refuse(
                stream, .resourceExhausted, "\(loop.requestsInFlight) requests are in flight")
        }
        let keyRange = request.shardKey?.value ?? 0..<0
        let key = headers.bytes.span.extracting(keyRange).asBytes
        let target = resolved.choose(shardKey: key, &loop.random)
        let call = newCall(stream, target)
        if let error = request.configure(call, headers) { return call.finish(error) }
        guard target.isAvailable else {
            return call.finish(
                RPCError(.unavailable, "backend '\(target.key.backend)' is not running here"))
        }
        guard let method = target.method else {
            return call.finish(
                RPCError(
                    .unimplemented,
                    "backend '\(target.key.backend)' has no method \(headers.text(path))"))
        }
        if case .stream(let start) = method.entry { start(call) }
        if endStream { call.receive(RawSpan(), endStream: true) }
    }

    private func resolve(_ path: HeaderBlock.Field, _ headers: HeaderBlock) -> ResolvedPath? {
        if lastSnapshot === loop.snapshot, let lastPath,
            headers.value(of: path, equals: lastPath.path)
        {
            return lastPath
        }
        guard let resolved = loop.resolve(headers.bytes[path.value], on: port) else { return nil }
        lastPath = resolved
        lastSnapshot = loop.snapshot
        return resolved
    }

    private func newCall(_ stream: HTTP2Stream, _ target: Target) -> ServerCall {
        while calls.count <= stream.slot { calls.append(nil) }
        if !isKnownUniquelyReferenced(&calls[stream.slot]) {
            calls[stream.slot] = ServerCall(self, target: target)
        }
        guard let call = calls[stream.slot] else { preconditionFailure("set in the line above") }
        call.begin(stream, target: target, at: readTime)
        return call
    }

    /// Answers a request that becomes no call.
    private func refuse(_ stream: HTTP2Stream, _ code: StatusCode, _ message: String) {
        session.respond(
            to: stream,
            headers: HeaderBlock([
                ":status": "200", "content-type": ContentType.grpc,
                "grpc-status": "\(code.rawValue)", "grpc-message": StatusMessage.encode(message),
            ]), endStream: true)
        changed()
    }

    /// Answers what is not gRPC, as the protocol demands.
    private func refuseForeign(
        _ stream: HTTP2Stream, _ headers: KeyValuePairs<String, String>
    ) {
        session.respond(to: stream, headers: HeaderBlock(headers), endStream: true)
        changed()
    }
}

/// The request headers that decide about a call.
private struct RequestHead {
    private static let post = Array("POST".utf8)
    private static let grpc = Array(ContentType.grpc.utf8)

    private(set) var isPost = false
    private(set) var path: HeaderBlock.Field?
    private(set) var isGRPC = false
    private(set) var shardKey: HeaderBlock.Field?
    private var timeout: HeaderBlock.Field?
    private var encoding: HeaderBlock.Field?
    private var acceptEncoding: HeaderBlock.Field?

    init(_ headers: HeaderBlock) {
        for field in headers.fields {
            switch KnownHeader(rawValue: field.known) {
            case .method: isPost = headers.value(of: field, equals: Self.post)
            case .path: path = field
            case .contentType:
                isGRPC =
                    headers.value(of: field, equals: Self.grpc)
                    || ContentType.isGRPC(headers.bytes[field.value])
            case .shardKey where !field.value.isEmpty && shardKey == nil: shardKey = field
            case .timeout: timeout = field
            case .encoding: encoding = field
            case .acceptEncoding: acceptEncoding = field
            default: break
            }
        }
    }

    /// Sets deadline and encodings of a call.
    ///
    /// - Returns: why the call can't go on.
    func configure(_ call: ServerCall, _ headers: HeaderBlock) -> RPCError? {
        if let timeout {
            guard let nanoseconds = Timeout.parse(headers.bytes[timeout.value]) else {
                return RPCError(
                    .internalError,
                    "grpc-timeout '\(headers.text(timeout))' is not 1 to 8 digits and a unit of HMSmun"
                )
            }
            call.setDeadline(timeout: nanoseconds)
        }
        if let acceptEncoding {
            call.acceptsGzip = MessageEncoding.acceptsGzip(headers.text(acceptEncoding))
        }
        guard let encoding else { return nil }
        let name = headers.text(encoding)
        guard let known = MessageEncoding(rawValue: name) else {
            return RPCError(
                .unimplemented, "grpc-encoding '\(name)' is not supported",
                metadata: ["grpc-accept-encoding": MessageEncoding.accepted])
        }
        call.requestEncoding = known
        return nil
    }
}
