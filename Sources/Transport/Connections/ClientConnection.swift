package import HTTP2Session
package import NIOCore
internal import NIOPosix
package import NIOSSL

/// Who hears of one stream towards a server. All calls come on the loop of the connection; nothing
/// follows the end of the response, a failure, or `ClientConnection.cancel`.
package protocol ClientStreamOwner: AnyObject {
    /// The response headers; with `endStream` they are the whole response (trailers-only).
    func received(headers: HeaderBlock, endStream: Bool)
    /// Body bytes. `endStream` without trailers is not a valid end of a gRPC response.
    func received(body: RawSpan, endStream: Bool)
    /// The trailers, which end the response and contain the status.
    func received(trailers: HeaderBlock)
    /// Fewer unsent request bytes are left than asked for with `notifyWhenDrained`.
    func requestDrained()
    /// The stream ended before the response did.
    func failed(_ failure: StreamFailure)
}

/// Why a stream ended before its time.
package enum StreamFailure: Equatable, Sendable {
    /// The server has certainly not begun to process the request: REFUSED_STREAM, a GOAWAY that
    /// leaves it out (RFC 9113 section 8.7), or it was never sent.
    case unprocessed(String)
    /// The server reset the stream.
    case reset(HTTP2ErrorCode)
    /// The connection is closed.
    case lost(String)
    /// The response headers or trailers exceed a limit; the session has reset the stream.
    case headersTooLarge(HeaderLimit, isTrailers: Bool)
    /// The request headers cannot be sent.
    case unsendable(UnsendableHeaders)

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

/// Who hears of a connection's states.
package protocol ClientConnectionOwner: AnyObject {
    func changed(_ connection: ClientConnection)
    /// A stream has closed, or the server takes another number of them.
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
/// It counts as ready when the server's SETTINGS have come, which show that it speaks HTTP/2 and
/// how many streams it takes.
///
/// `@unchecked Sendable`: confined to the event loop of its channel.
package final class ClientConnection: HTTP2ConnectionOwner, @unchecked Sendable {
    package enum State { case connecting, ready, draining, closed }

    /// How to connect.
    package struct Options: Sendable {
        package var tls: TLS?
        /// Until the server's SETTINGS have come.
        package var connectTimeout = Duration.seconds(20)
        package var limits = HTTP2Limits()

        package init() {}
    }

    /// TLS towards a server.
    package struct TLS: Sendable {
        package let context: NIOSSLContext
        /// For SNI and the check of the certificate; nil when the server is named by an IP address
        /// alone.
        package let serverName: String?

        package init(context: NIOSSLContext, serverName: String?) {
            self.context = context
            self.serverName = serverName
        }
    }

    package enum Destination: Sendable {
        case host(String, port: Int)
        case address(SocketAddress)
    }

    package let session: HTTP2Session
    private let http2: HTTP2Connection
    package private(set) var state = State.connecting
    /// Why it ended, once it has.
    package private(set) var failure = "the connection was closed"
    package weak var owner: (any ClientConnectionOwner)?
    private var owners: [(any ClientStreamOwner)?] = []
    /// Streams whose owners have not heard of their end.
    private var ownedStreams = 0
    private var timer: Scheduled<Void>?
    /// When bytes last came, in nanoseconds of the loop's clock.
    package private(set) var lastReceived = NIODeadline.now().uptimeNanoseconds
    /// Responses that came to their end.
    package private(set) var servedStreams = 0
    /// When the unanswered keepalive ping was sent.
    package private(set) var pingedAt: UInt64?
    /// The server has complained about too many pings (GOAWAY ENHANCE_YOUR_CALM).
    package private(set) var wantsFewerPings = false

    private init(_ shared: ConnectionLoop, _ limits: HTTP2Limits) {
        http2 = HTTP2Connection(shared, role: .client, limits: limits)
        session = http2.session
    }

    /// Begins to connect; call it on the loop.
    package static func connect(
        to destination: Destination, on shared: ConnectionLoop, _ options: Options,
        owner: any ClientConnectionOwner
    ) -> ClientConnection {
        let connection = ClientConnection(shared, options.limits)
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
                        try pipeline.addHandler(
                            NIOSSLClientHandler(
                                context: tls.context, serverHostname: tls.serverName))
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
            connection.end("no HTTP/2 SETTINGS came within \(options.connectTimeout)")
            connection.http2.close()
        }
        return connection
    }

    package var shared: ConnectionLoop { http2.shared }

    /// Sends what commands to the session have produced.
    package func changed() { http2.changed() }

    // MARK: Streams

    /// Whether a stream can be opened now.
    package var hasRoom: Bool { state == .ready && session.openStreams < maxStreams }

    /// The streams that the server takes at once.
    private var maxStreams = 0

    /// Opens a stream; nil when the connection takes no more.
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

    /// Appends request bytes that others hold too.
    package func write(shared bytes: [UInt8], to stream: HTTP2Stream) {
        session.write(shared: bytes, to: stream)
        changed()
    }

    /// The request is complete.
    package func finish(_ stream: HTTP2Stream) {
        session.finish(stream)
        changed()
    }

    /// Gives the stream up; its owner hears no more of it.
    package func cancel(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode = .cancel) {
        guard release(stream) != nil else { return }
        session.reset(stream, code)
        changed()
    }

    // MARK: The connection

    /// Sends the server a PING.
    package func ping() {
        let now = NIODeadline.now().uptimeNanoseconds
        pingedAt = now
        session.ping(now)
        changed()
    }

    /// Ends the connection: open streams fail as lost.
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

    /// Opens no more streams, and closes when the last one has ended.
    package func drain() {
        guard state == .ready else { return }
        set(.draining)
        closeWhenDrained()
    }

    private func closeWhenDrained() {
        // The session may know more than the owners have heard: events wait to be handled.
        guard state == .draining, session.openStreams == 0, ownedStreams == 0 else { return }
        shutDown("drained")
    }

    private func set(_ new: State) {
        guard state != new, state != .closed else { return }
        state = new
        owner?.changed(self)
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

    package func opened() {
        // Given up while it was connecting.
        if state == .closed { http2.close() }
    }

    package func closed() {
        if let error = session.sentError { return broken(error) }
        end(state == .draining ? failure : "the server closed the connection")
    }

    package func broken(_ error: HTTP2SessionError) { end("\(error)") }

    package func failed(_ error: any Error) { end(systemReason(error)) }

    package func readEnded() {}

    package func handle(_ event: HTTP2Event, _ input: RawSpan) {
        // Events of output carry no news of the server.
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
            // Streams above the last id are closed by the session as REFUSED_STREAM.
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

    /// The server has said everything; what is left of the request is of no use to it.
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
