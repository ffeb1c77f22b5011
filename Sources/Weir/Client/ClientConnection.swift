internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// One HTTP/2 connection to a server: joins the socket, the session and the calls.
///
/// `@unchecked Sendable`: confined to the event loop of its channel, but for `isOpen`.
final class ClientConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private static let writeBytes = 64 << 10

    let eventLoop: any EventLoop
    let session: HTTP2Session
    let maxMessageBytes: Int
    private var calls: [Int: ClientCall] = [:]
    private var context: ChannelHandlerContext?
    private var isReading = false
    private var isDirty = false
    private let open = Mutex(true)

    /// False after the connection was lost or the server asked the client to go.
    var isOpen: Bool { open.withLock { $0 } }

    private init(_ eventLoop: any EventLoop, maxMessageBytes: Int) {
        self.eventLoop = eventLoop
        self.maxMessageBytes = maxMessageBytes
        session = HTTP2Session(
            role: .client, limits: HTTP2Limits(), allocator: FreeListAllocator(),
            knownNames: KnownNames([]))
    }

    static func connect(
        to address: Address, maxMessageBytes: Int
    ) async throws -> ClientConnection {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(10))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ClientConnection(channel.eventLoop, maxMessageBytes: maxMessageBytes))
                }
            }
            .connect(host: address.host, port: address.port).get()
        return try await channel.pipeline.handler(type: ClientConnection.self).get()
    }

    func open(_ headers: HeaderBlock, timeout: Duration?) async throws -> ClientCall {
        try await eventLoop.submit {
            guard self.context != nil, let stream = self.session.request(headers: headers) else {
                throw RPCError(.unavailable, "the connection was lost")
            }
            let call = ClientCall(self, stream, timeout: timeout)
            self.calls[stream.slot] = call
            self.changed()
            return call
        }.get()
    }

    func close() async {
        try? await eventLoop.submit {
            self.session.terminate(.noError)
            self.flush()
            self.context?.close(promise: nil)
        }.get()
    }

    // MARK: Commands, on the loop

    func write(_ bytes: RawSpan, to stream: HTTP2Stream) {
        session.write(bytes, to: stream)
        changed()
    }

    func finish(_ stream: HTTP2Stream) {
        session.finish(stream)
        changed()
    }

    func reset(_ stream: HTTP2Stream) {
        session.reset(stream, .cancel)
        changed()
    }

    func changed() {
        guard !isReading, !isDirty, context != nil else { return }
        isDirty = true
        eventLoop.execute { self.flush() }
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        changed()
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        lost()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func lost() {
        context = nil
        open.withLock { $0 = false }
        let open = calls.values.map(\.self)
        calls.removeAll()
        for call in open { call.connectionLost() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let buffer = unwrapInboundIn(data)
        isReading = true
        defer { isReading = false }
        let bytes = buffer.readableBytesSpan
        do throws(HTTP2SessionError) {
            try session.receive(bytes)
            drainEvents(bytes)
        } catch {
            drainEvents(bytes)
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    private func flush() {
        isDirty = false
        guard let context else { return }
        do throws(HTTP2SessionError) {
            var hasMore = true
            while hasMore, context.channel.isWritable {
                var output = context.channel.allocator.buffer(capacity: 1_024)
                hasMore = try session.send(into: &output, room: Self.writeBytes)
                if output.readableBytes > 0 {
                    context.writeAndFlush(wrapOutboundOut(output), promise: nil)
                }
                drainEvents(RawSpan())
            }
        } catch {
            return context.close(promise: nil)
        }
        if !session.isActive { context.close(promise: nil) }
    }

    private func drainEvents(_ input: RawSpan) {
        while let event = session.nextEvent() {
            switch event {
            case .headers(let stream, let endStream):
                call(stream)?.received(session.headers(of: stream), endStream: endStream)
            case .trailers(let stream):
                call(stream)?.received(trailers: session.trailers(of: stream))
            case .headersTooLarge(let stream):
                call(stream)?.closed(.internalError)
                session.reset(stream, .cancel)
            case .data(let stream, let range, _):
                session.consumeConnection(range.count)
                call(stream)?.received(input.extracting(range))
            case .drained(let stream): call(stream)?.drained()
            case .closed(let stream, let code):
                call(stream)?.closed(code)
                calls[stream.slot] = nil
            case .goAway: open.withLock { $0 = false }
            case .settings, .pingAcknowledged: break
            }
        }
    }

    private func call(_ stream: HTTP2Stream) -> ClientCall? {
        calls[stream.slot].flatMap { $0.stream == stream ? $0 : nil }
    }
}
