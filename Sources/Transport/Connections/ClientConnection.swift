package import HTTP2Session
package import NIOCore
internal import NIOPosix
package import NIOSSL

/// Handles the events of one stream to a server. All calls are on the connection's loop. None
/// follows the end of the response, a failure, or `ClientConnection.cancel`.
package protocol ClientStreamOwner: AnyObject {
    /// The response headers; with `endStream` they are the whole response (trailers-only).
    func received(headers: HeaderBlock, endStream: Bool)
    /// Body bytes. A gRPC response with `endStream` here has no status, and is invalid.
    func received(body: RawSpan, endStream: Bool)
    /// The trailers, which end the response and contain the status.
    func received(trailers: HeaderBlock)
    /// Fewer request bytes are unsent than the bound of `notifyWhenDrained`.
    func requestDrained()
    /// The stream ended before the response did.
    func failed(_ failure: StreamFailure)
}

/// Why a stream ended before its response.
package enum StreamFailure: Equatable, Sendable {
    /// The server has not processed the request: REFUSED_STREAM, a GOAWAY with a lower stream id
    /// (RFC 9113 section 8.7), or the request was not sent.
    case unprocessed(String)
    /// The server reset the stream.
    case reset(HTTP2ErrorCode)
    /// The connection is closed.
    case lost(String)
    /// The response headers or trailers exceed a limit; the session has reset the stream.
    case headersTooLarge(HeaderLimit, isTrailers: Bool)
    /// The request headers cannot be sent.
    case unsendable(UnsendableHeaders)

    /// The reason, for errors.
    package var description: String {
        switch self {
        case .unprocessed(let why): why
        case .reset(let code): "the stream was reset: \(code)"
        case .lost(let why): why
        case .headersTooLarge(let limit, let isTrailers):
            "the response \(isTrailers ? "trailers" : "headers") are over the limit of \(limit)"
        case .unsendable(let reason): "\(reason)"
        }
    }
}

/// Handles the changes of a connection. All calls are on the connection's loop.
package protocol ClientConnectionOwner: AnyObject {
    /// The state has changed.
    func changed(_ connection: ClientConnection)
    /// A stream has closed, or the server has changed the limit of streams.
    func roomFreed(on connection: ClientConnection)
}

/// One HTTP/2 connection to a server: opens streams and passes their events to the owners.
///
/// ```
///   connecting --SETTINGS--> ready --GOAWAY--> draining --last stream ends--> closed
///       |                      |                   |                           ^
///       '-- refused, timeout --'-- lost -----------'---------------------------'
/// ```
///
/// A connection is ready when the server's SETTINGS have arrived. They confirm HTTP/2, and contain
/// the limit of streams.
///
/// Invariant of `@unchecked Sendable`: confined to the event loop of its channel.
package final class ClientConnection: HTTP2ConnectionOwner, @unchecked Sendable {
    /// See the diagram.
    package enum State { case connecting, ready, draining, closed }

    /// The settings of a connection.
    package struct Options: Sendable {
        /// Nil for plaintext.
        package var tls: TLS?
        /// The time until the server's SETTINGS arrive.
        package var connectTimeout = Duration.seconds(20)
        /// The limits of the session.
        package var limits = HTTP2Limits()

        /// The defaults.
        package init() {}
    }

    /// TLS to a server.
    package struct TLS: Sendable {
        /// The context of NIOSSL.
        package let context: NIOSSLContext
        /// The name for SNI and for the check of the certificate; nil if the server has only an IP
        /// address.
        package let serverName: String?

        /// The settings of one connection.
        package init(context: NIOSSLContext, serverName: String?) {
            self.context = context
            self.serverName = serverName
        }
    }

    /// The address to connect to.
    package enum Destination: Sendable {
        case host(String, port: Int)
        case address(SocketAddress)
    }

    /// The session. Call `changed` after its commands.
    package let session: HTTP2Session
    private let http2: HTTP2Connection
    /// The current state.
    package private(set) var state = State.connecting
    /// Why the connection is draining or closed.
    package private(set) var failure = "the connection was closed"
    /// Handles changes of the connection. Kept until it is closed: a weak reference would make each
    /// retain and release of the owner three times as slow.
    private var owner: (any ClientConnectionOwner)?
    private var owners: [(any ClientStreamOwner)?] = []
    /// Streams with an owner.
    private var ownedStreams = 0
    private var timer: Scheduled<Void>?
    /// When bytes last arrived, in nanoseconds of the loop's clock.
    package private(set) var lastReceived: UInt64
    /// Whether the socket was connected.
    package private(set) var hasConnected = false
    /// The number of complete responses.
    package private(set) var servedStreams = 0
    /// When the PING that is not acknowledged was sent.
    package private(set) var pingedAt: UInt64?
    /// Whether the server has refused PINGs as too frequent (GOAWAY ENHANCE_YOUR_CALM).
    package private(set) var wantsFewerPings = false

    private let usesTLS: Bool

    private init(_ shared: ConnectionLoop, _ options: Options) {
        http2 = HTTP2Connection(shared, role: .client, limits: options.limits)
        usesTLS = options.tls != nil
        session = http2.session
        lastReceived = shared.now
    }

    /// Begins to connect. Call it on the loop.
    package static func connect(
        to destination: Destination, on shared: ConnectionLoop, _ options: Options,
        owner: any ClientConnectionOwner
    ) -> ClientConnection {
        let connection = ClientConnection(shared, options)
        connection.owner = owner
        let timeout = TimeAmount(options.connectTimeout)
        let bootstrap = ClientBootstrap(group: shared.eventLoop)
            .connectTimeout(timeout)
            .channelOption(.maxMessagesPerRead, value: 4)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 2_048, initial: 16_384, maximum: 65_536)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls = options.tls {
                        try pipeline.addHandler(tls.handler())
                    }
                    try connection.http2.join(pipeline, owner: connection)
                }
            }
        // NIO's bootstrap sets TCP_NODELAY on TCP sockets.
        let channel =
            switch destination {
            case .host(let host, let port): bootstrap.connect(host: host, port: port)
            case .address(let address): bootstrap.connect(to: address)
            }
        channel.whenFailure { connection.end(systemReason($0)) }
        connection.timer = shared.eventLoop.scheduleTask(in: timeout) {
            connection.end("the server sent no HTTP/2 SETTINGS within \(options.connectTimeout)")
            connection.http2.close()
        }
        return connection
    }

    /// The state of the connection's loop.
    package var shared: ConnectionLoop { http2.shared }

    /// Sends the output of commands to the session.
    package func changed() { http2.changed() }

    // MARK: Streams

    /// Whether a stream can be opened now.
    package var hasRoom: Bool { state == .ready && session.openStreams < maxStreams }

    /// The server's limit of concurrent streams.
    private var maxStreams = 0

    /// Opens a stream; nil if the connection cannot open more.
    package func open(
        _ headers: HeaderParts, endStream: Bool = false, owner: any ClientStreamOwner
    ) -> HTTP2Stream? {
        guard state == .ready, let stream = session.request(headers: headers, endStream: endStream)
        else { return nil }
        while owners.count <= stream.slot { owners.append(nil) }
        owners[stream.slot] = owner
        ownedStreams += 1
        changed()
        return stream
    }

    /// Appends request bytes.
    package func write(_ bytes: RawSpan, to stream: HTTP2Stream) {
        session.write(bytes, to: stream)
        changed()
    }

    /// Appends request bytes that are shared with others.
    package func write(shared bytes: [UInt8], to stream: HTTP2Stream) {
        session.write(shared: bytes, to: stream)
        changed()
    }

    /// Ends the request.
    package func finish(_ stream: HTTP2Stream) {
        session.finish(stream)
        changed()
    }

    /// Resets a stream. Its owner gets no more calls.
    package func cancel(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode = .cancel) {
        guard release(stream) != nil else { return }
        session.reset(stream, code)
        changed()
    }

    // MARK: The connection

    /// Sends the server a PING.
    package func ping() {
        let now = shared.now
        pingedAt = now
        session.ping(now)
        changed()
    }

    /// Closes the connection. Open streams fail as lost.
    package func shutDown(_ reason: String) {
        guard state != .closed else { return }
        let wasConnected = state != .connecting
        end(reason)
        if wasConnected {
            session.terminate(.noError)
            http2.flush()
        }
        http2.close()
    }

    /// Opens no more streams, and closes after the last one.
    package func drain() {
        guard state == .ready else { return }
        set(.draining)
        closeWhenDrained()
    }

    private func closeWhenDrained() {
        // Both, because the session may have events that were not handled.
        guard state == .draining, session.openStreams == 0, ownedStreams == 0 else { return }
        shutDown("drained")
    }

    private func set(_ new: State) {
        guard state != new, state != .closed else { return }
        state = new
        owner?.changed(self)
        if new == .closed { owner = nil }
    }

    private func end(_ reason: String) {
        guard state != .closed else { return }
        failure = reason
        timer?.cancel()
        timer = nil
        set(.closed)
        let open = owners
        owners = []
        ownedStreams = 0
        for (slot, owner) in open.enumerated() {
            guard let owner else { continue }
            owner.failed(
                session.wasSent(slot: slot) ? .lost(reason) : .unprocessed(reason))
        }
    }

    // MARK: Events

    /// The socket is connected.
    package func opened() {
        hasConnected = true
        // Closed while it was connecting.
        if state == .closed { http2.close() }
    }

    /// The socket is closed.
    package func closed() {
        if let error = session.sentError { return broken(error) }
        end(state == .draining ? failure : Self.closed + earlyEnd)
    }

    /// The server violated the protocol.
    package func broken(_ error: HTTP2SessionError) { end("\(error)" + earlyEnd) }

    private static let closed = "the server closed the connection"

    /// What the end of a connection without SETTINGS means.
    private var earlyEnd: String {
        guard state == .connecting, !usesTLS else { return "" }
        return http2.beganWithAlert
            ? ": it requires TLS" : " before HTTP/2 began; it may require TLS"
    }

    /// The socket has failed.
    package func failed(_ error: any Error) {
        end(usesTLS ? handshakeReason(error) : systemReason(error))
    }

    /// All events of one read have been handled.
    package func readEnded() {}

    /// Passes an event to the owner of its stream.
    package func handle(_ event: HTTP2Event, _ input: RawSpan) {
        // Events without input do not show that the server is alive.
        if input.byteCount > 0 { lastReceived = http2.readTime }
        switch event {
        case .headers(let stream, let endStream):
            let owner = endStream ? responseEnded(stream) : owner(of: stream)
            owner?.received(headers: session.headers(of: stream), endStream: endStream)
        case .trailers(let stream):
            responseEnded(stream)?.received(trailers: session.trailers(of: stream))
        case .headersTooLarge(let stream, let limit, let isTrailers):
            release(stream)?.failed(.headersTooLarge(limit, isTrailers: isTrailers))
        case .unsendable(let stream, let reason):
            release(stream)?.failed(.unsendable(reason))
        case .data(let stream, let range, let endStream):
            let owner = endStream ? responseEnded(stream) : owner(of: stream)
            owner?.received(body: input.extracting(range), endStream: endStream)
        case .drained(let stream): owner(of: stream)?.requestDrained()
        case .closed(let stream, let code):
            release(stream)?.failed(
                code == .refusedStream
                    ? .unprocessed("the server refused the stream") : .reset(code))
            closeWhenDrained()
            owner?.roomFreed(on: self)
        case .goAway(_, let code):
            // The session closes streams above the last id as REFUSED_STREAM.
            if code == .enhanceYourCalm { wantsFewerPings = true }
            failure = "the server sent GOAWAY \(code)"
            set(.draining)
            closeWhenDrained()
        case .settings:
            timer?.cancel()
            timer = nil
            maxStreams = Int(clamping: session.peerMaxConcurrentStreams)
            if state == .connecting { set(.ready) } else { owner?.roomFreed(on: self) }
        case .pinged: break
        case .pingAcknowledged(let value):
            if value == pingedAt { pingedAt = nil }
        }
    }

    private func owner(of stream: HTTP2Stream) -> (any ClientStreamOwner)? {
        stream.slot < owners.count ? owners[stream.slot] : nil
    }

    /// The response is complete. Cancels the rest of the request, which the server does not need.
    private func responseEnded(_ stream: HTTP2Stream) -> (any ClientStreamOwner)? {
        servedStreams += 1
        if session.isSending(stream) { session.reset(stream, .cancel) }
        return release(stream)
    }

    private func release(_ stream: HTTP2Stream) -> (any ClientStreamOwner)? {
        guard stream.slot < owners.count, let owner = owners[stream.slot] else { return nil }
        owners[stream.slot] = nil
        ownedStreams -= 1
        return owner
    }
}
