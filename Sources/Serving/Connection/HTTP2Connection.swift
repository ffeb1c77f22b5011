package import HTTP2Session
package import NIOCore

/// Joins a socket and an HTTP/2 session; what clients and servers have in common.
///
/// ```
///   socket --channelRead--> HTTP2Session --events--> handle(_:_:) of the subclass
///          <----flush------              <-commands, then changed()
/// ```
///
/// Everything that one read causes goes out in one write. While the socket takes no more, nothing
/// is produced, so a peer that doesn't read costs no more than its streams' buffers.
///
/// `@unchecked Sendable`: confined to the event loop of its channel.
package class HTTP2Connection: ChannelInboundHandler, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private static let leaveTime = TimeAmount.seconds(1)
    /// Bytes produced per write while there is more to say.
    private static let writeBytes = 64 << 10

    package let shared: ConnectionLoop
    package let session: HTTP2Session
    package private(set) var peer = Peer()
    /// When the read began whose events are handled: nanoseconds of the loop's clock.
    private(set) var readTime: UInt64 = 0
    private var context: ChannelHandlerContext?
    private var isReading = false
    private var isDirty = false
    private var isDraining = false
    private var isPaused = false
    /// Nothing is read any more.
    private var isLeaving = false
    /// Body bytes of this read, on all streams.
    private var receivedBytes = 0

    init(_ shared: ConnectionLoop, role: HTTP2Session.Role, limits: HTTP2Limits) {
        self.shared = shared
        session = HTTP2Session(
            role: role, limits: limits, allocator: shared.allocator,
            knownNames: KnownHeader.names)
    }

    // MARK: For subclasses

    /// The socket is connected.
    func opened() {}

    /// Something happened; data events name ranges of the input.
    func handle(_ event: HTTP2Event, _ input: RawSpan) {}

    /// All that one read brought has been handled.
    func readEnded() {}

    /// The peer does not speak HTTP/2, or broke its rules; the socket is closed next.
    func broken(_ error: HTTP2SessionError) {}

    /// The socket reports an error; it is closed next.
    func failed(_ error: any Error) {}

    /// The socket is closed: nothing more happens.
    func closed() {}

    // MARK: The channel

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    package func channelActive(context: ChannelHandlerContext) {
        begin(context)
        context.fireChannelActive()
    }

    private func begin(_ context: ChannelHandlerContext) {
        guard self.context == nil else { return }
        self.context = context
        peer = Peer(context)
        opened()
        changed()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        closed()
        context.fireChannelInactive()
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isLeaving else { return }
        let buffer = unwrapInboundIn(data)
        isReading = true
        readTime = NIODeadline.now().uptimeNanoseconds
        defer { isReading = false }
        let bytes = buffer.readableBytesSpan
        do throws(HTTP2SessionError) {
            try session.receive(bytes)
        } catch {
            drainEvents(bytes)
            guard case .fatal = error, session.role == .server else { return end(error) }
            broken(error)
            return closeSoon()
        }
        drainEvents(bytes)
        session.consumeConnection(receivedBytes)
        receivedBytes = 0
        readEnded()
    }

    package func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failed(error)
        context.close(promise: nil)
    }

    private func drainEvents(_ input: RawSpan) {
        // Handling an event may flush, which comes here again: the loop outside sees to what
        // follows, with the input that its events are about.
        guard !isDraining else { return }
        isDraining = true
        defer { isDraining = false }
        while let event = session.nextEvent() {
            if case .data(_, let range, _) = event { receivedBytes += range.count }
            handle(event, input)
        }
    }

    private func end(_ error: HTTP2SessionError) {
        broken(error)
        close()
    }

    // MARK: Output

    /// Something is to be sent: with the read that caused it, or at the end of this turn.
    package func changed() {
        guard !isReading, !isDirty, context != nil else { return }
        isDirty = true
        shared.flushSoon(self)
    }

    /// Writes what the session has to say, as far as the socket takes it.
    func flush() {
        isDirty = false
        guard let context else { return }
        do throws(HTTP2SessionError) {
            var hasMore = true
            while hasMore, context.channel.isWritable {
                // While the socket still has the last bytes, clearing makes a new buffer.
                shared.output.clear()
                hasMore = try session.send(into: &shared.output, room: Self.writeBytes)
                if shared.output.readableBytes > 0 {
                    context.writeAndFlush(wrapOutboundOut(shared.output), promise: nil)
                }
                drainEvents(RawSpan())
            }
        } catch {
            return end(error)
        }
        if !session.isActive, !isLeaving { close() }
    }

    /// Reads nothing for so long; what comes waits in the kernel, and then holds back the peer.
    func pauseReading(for time: TimeAmount) {
        guard let context, !isPaused else { return }
        isPaused = true
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenComplete { _ in }
        context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.isPaused = false
            guard !self.isLeaving else { return }
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }

    /// Says what the session has to say, reads nothing more, and closes the socket a second later:
    /// closed at once it would be reset, and the peer would not read why; and who comes back to do
    /// the same has to wait.
    func closeSoon() {
        guard let context, !isLeaving else { return }
        isLeaving = true
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenComplete { _ in }
        // The events of a read may still be handled.
        context.eventLoop.assumeIsolated().execute { self.flush() }
        context.eventLoop.scheduleTask(in: Self.leaveTime) { channel.close(promise: nil) }
    }

    /// Closes the socket.
    package func close() {
        context?.close(promise: nil)
    }
}
