package import HTTP2Session
package import NIOCore

/// Handles what an HTTP/2 connection reports. All calls are on the connection's loop.
package protocol HTTP2ConnectionOwner: AnyObject {
    /// The socket is connected.
    func opened()
    /// Handles one event; data events name ranges of the input.
    func handle(_ event: HTTP2Event, _ input: RawSpan)
    /// All events of one read have been handled.
    func readEnded()
    /// The peer does not speak HTTP/2, or broke its rules; the socket is closed next.
    func broken(_ error: HTTP2SessionError)
    /// The socket reports an error; it is closed next.
    func failed(_ error: any Error)
    /// The socket is closed: no more calls follow.
    func closed()
}

/// Joins a socket and an HTTP/2 session, in both roles.
///
/// ```
///   socket --channelRead--> HTTP2Session --events--> handle(_:_:) of the owner
///          <----flush------              <-commands, then changed()
/// ```
///
/// Everything that one read causes goes out in one write. While the socket takes no more, nothing
/// is produced, so a peer that doesn't read costs no more than its streams' buffers.
///
/// `@unchecked Sendable`: confined to the event loop of its channel.
package final class HTTP2Connection: ChannelInboundHandler, @unchecked Sendable {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    private static let leaveTime = TimeAmount.seconds(1)
    /// Bytes produced per write while there is more to say.
    private static let writeBytes = 64 << 10

    package let shared: ConnectionLoop
    package let session: HTTP2Session
    package private(set) var peer = Peer()
    /// When the read began whose events are handled: nanoseconds of the loop's clock.
    package private(set) var readTime: UInt64 = 0
    /// Released when the socket is closed.
    private var owner: (any HTTP2ConnectionOwner)?
    /// Request bytes in memory, of all streams.
    package var heldBytes = 0
    private var context: ChannelHandlerContext?
    private var isReading = false
    private var isDirty = false
    private var isDraining = false
    private var isPaused = false
    /// Nothing is read any more.
    private var isLeaving = false
    /// Body bytes of this read, on all streams.
    private var receivedBytes = 0

    package init(_ shared: ConnectionLoop, role: HTTP2Session.Role, limits: HTTP2Limits) {
        self.shared = shared
        session = HTTP2Session(
            role: role, limits: limits, allocator: shared.allocator,
            knownNames: KnownHeader.names)
    }

    /// Joins the pipeline of a socket. The owner is retained until the socket is closed.
    package func join(
        _ pipeline: ChannelPipeline.SynchronousOperations, owner: any HTTP2ConnectionOwner
    ) throws {
        self.owner = owner
        do {
            try pipeline.addHandler(self)
        } catch {
            self.owner = nil
            throw error
        }
    }

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
        owner?.opened()
        changed()
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let owner = owner
        self.owner = nil
        owner?.closed()
        context.fireChannelInactive()
    }

    package func handlerRemoved(context: ChannelHandlerContext) { owner = nil }

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
            owner?.broken(error)
            return closeSoon()
        }
        drainEvents(bytes)
        session.consumeConnection(receivedBytes)
        receivedBytes = 0
        owner?.readEnded()
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
        owner?.failed(error)
        context.close(promise: nil)
    }

    private func drainEvents(_ input: RawSpan) {
        // Handling an event may flush, which comes here again: the loop outside sees to what
        // follows, with the input that its events are about.
        guard !isDraining, let owner else { return }
        isDraining = true
        defer { isDraining = false }
        while let event = session.nextEvent() {
            if case .data(_, let range, _) = event { receivedBytes += range.count }
            owner.handle(event, input)
        }
    }

    private func end(_ error: HTTP2SessionError) {
        owner?.broken(error)
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
    package func flush() {
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
    package func pauseReading(for time: TimeAmount) {
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
    package func closeSoon() {
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
