package import HTTP2Session
package import NIOCore

/// Handles the events of an HTTP/2 connection. All calls are on the connection's loop.
package protocol HTTP2ConnectionOwner: AnyObject {
    /// The socket is connected.
    func opened()
    /// Handles one event. Data events refer to ranges of the input.
    func handle(_ event: HTTP2Event, _ input: RawSpan)
    /// All events of one read have been handled.
    func readEnded()
    /// The peer violated the protocol. The connection closes the socket next.
    func broken(_ error: HTTP2SessionError)
    /// The socket has failed. The connection closes it next.
    func failed(_ error: any Error)
    /// The socket is closed. No more calls follow.
    func closed()
}

/// Connects a socket to an HTTP/2 session, as client or server.
///
/// ```
///   socket --channelRead--> HTTP2Session --events--> handle(_:_:) of the owner
///          <----flush------              <-commands, then changed()
/// ```
///
/// The output of one read is sent in one write. While the socket is not writable, the session
/// produces no output, so that a peer that does not read costs at most the buffers of its streams.
///
/// Invariant of `@unchecked Sendable`: confined to the event loop of its channel.
package final class HTTP2Connection: ChannelInboundHandler, @unchecked Sendable {
    /// Bytes from the socket.
    package typealias InboundIn = ByteBuffer
    /// Bytes to the socket.
    package typealias OutboundOut = ByteBuffer

    /// The delay of `closeSoon`.
    private static let closeDelay = TimeAmount.seconds(1)
    /// Bytes of one write while the session has more output.
    private static let writeBytes = 64 << 10

    /// The state of the connection's loop.
    package let shared: ConnectionLoop
    /// The session. Call `changed` after its commands.
    package let session: HTTP2Session
    /// The peer, once the socket is connected.
    package private(set) var peer = Peer()
    /// The start of the current read, in nanoseconds of the loop's clock.
    package private(set) var readTime: UInt64 = 0
    /// Released when the socket is closed.
    private var owner: (any HTTP2ConnectionOwner)?
    /// Buffered request bytes of all streams.
    package var heldBytes = 0
    private var context: ChannelHandlerContext?
    private var isReading = false
    private var isDirty = false
    private var isHandlingEvents = false
    private var isPaused = false
    /// Whether reads are ignored.
    private var isClosingSoon = false
    /// Body bytes of this read, on all streams.
    private var receivedBytes = 0
    private var hasRead = false
    /// Whether the peer began with an alert of TLS (RFC 8446 section 6): it requires TLS.
    package private(set) var beganWithAlert = false

    /// A connection without a socket.
    package init(_ shared: ConnectionLoop, role: HTTP2Session.Role, limits: HTTP2Limits) {
        self.shared = shared
        session = HTTP2Session(
            role: role, limits: limits, allocator: shared.allocator,
            knownNames: KnownHeader.names)
    }

    /// Adds the connection to the pipeline of a socket. Retains the owner until the socket is
    /// closed.
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

    /// Begins on a connected socket.
    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { begin(context) }
    }

    /// Begins when the socket is connected.
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

    /// Ends the connection and releases its owner.
    package func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let owner = owner
        self.owner = nil
        owner?.closed()
        // Later, because this may be inside a call of the session.
        context.eventLoop.assumeIsolated().execute { self.session.close() }
        context.fireChannelInactive()
    }

    /// Releases the owner.
    package func handlerRemoved(context: ChannelHandlerContext) { owner = nil }

    /// Passes bytes to the session, and its events to the owner.
    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isClosingSoon else { return }
        let buffer = unwrapInboundIn(data)
        isReading = true
        readTime = shared.now
        defer { isReading = false }
        let bytes = buffer.readableBytesSpan
        if !hasRead {
            hasRead = true
            beganWithAlert = Self.isAlert(buffer)
        }
        do throws(HTTP2SessionError) {
            try session.receive(bytes)
        } catch {
            handleEvents(bytes)
            guard case .fatal = error, session.role == .server else { return end(error) }
            owner?.broken(error)
            return closeSoon()
        }
        handleEvents(bytes)
        session.consumeConnection(receivedBytes)
        receivedBytes = 0
        owner?.readEnded()
    }

    /// Whether bytes begin with a TLS record of the type alert. In HTTP/2 they would be a frame of
    /// over 1 MiB.
    static func isAlert(_ bytes: ByteBuffer) -> Bool {
        bytes.readableBytesView.starts(with: [0x15, 0x03])
    }

    /// Sends the output of the reads.
    package func channelReadComplete(context: ChannelHandlerContext) {
        flush()
        context.fireChannelReadComplete()
    }

    /// Sends output that waited for the socket.
    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { flush() }
        context.fireChannelWritabilityChanged()
    }

    /// Closes the socket.
    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        owner?.failed(error)
        context.close(promise: nil)
    }

    private func handleEvents(_ input: RawSpan) {
        // An event can cause a flush, which calls this again. The outer call handles the further
        // events, with the input that they refer to.
        guard !isHandlingEvents, let owner else { return }
        isHandlingEvents = true
        defer { isHandlingEvents = false }
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

    /// Schedules the session's output: after the current read, or at the end of this turn.
    package func changed() {
        guard !isReading, !isDirty, context != nil else { return }
        isDirty = true
        shared.flushSoon(self)
    }

    /// Writes the session's output while the socket is writable.
    package func flush() {
        isDirty = false
        guard let context else { return }
        do throws(HTTP2SessionError) {
            var hasMore = true
            while hasMore, context.channel.isWritable {
                // If the socket still uses the storage, this allocates a new one.
                shared.output.clear()
                hasMore = try session.send(into: &shared.output, room: Self.writeBytes)
                if shared.output.readableBytes > 0 {
                    context.writeAndFlush(wrapOutboundOut(shared.output), promise: nil)
                }
                handleEvents(RawSpan())
            }
        } catch {
            return end(error)
        }
        if !session.isActive, !isClosingSoon { close() }
    }

    /// Pauses reading for a time. The kernel buffers the input, and then slows the peer.
    package func pauseReading(for time: TimeAmount) {
        guard let context, !isPaused else { return }
        isPaused = true
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenComplete { _ in }
        context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            self.isPaused = false
            guard !self.isClosingSoon else { return }
            channel.setOption(.autoRead, value: true).whenComplete { _ in }
        }
    }

    /// Sends the session's output, ignores further input, and closes the socket a second later.
    /// Closing it at once would reset it before the peer reads the reason. The delay also slows a
    /// peer that reconnects to repeat its violation.
    package func closeSoon() {
        guard let context, !isClosingSoon else { return }
        isClosingSoon = true
        let channel = context.channel
        channel.setOption(.autoRead, value: false).whenComplete { _ in }
        // Later, because events of the current read may follow.
        context.eventLoop.assumeIsolated().execute { self.flush() }
        context.eventLoop.scheduleTask(in: Self.closeDelay) { channel.close(promise: nil) }
    }

    /// Closes the socket.
    package func close() {
        context?.close(promise: nil)
    }
}
