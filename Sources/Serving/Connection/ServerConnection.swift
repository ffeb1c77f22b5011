internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import TrafficPolicy

/// One HTTP/2 connection of a client: what it sends becomes calls.
///
/// `@unchecked Sendable`: confined to the event loop of its channel.
final class ServerConnection: HTTP2Connection, @unchecked Sendable {
    /// The value of the PING that finds out whether the client has seen the first GOAWAY.
    private static let drainPing: UInt64 = 0x7765_6972_6472_6e00

    let loop: ServingLoop
    let port: SystemServices
    private var calls: [ServerCall?] = []
    private var lastPath: ResolvedPath?
    private var lastSnapshot: RoutingSnapshot?

    init(loop: ServingLoop, port: SystemServices) {
        self.loop = loop
        self.port = port
        super.init(loop.shared, role: .server, limits: loop.limits.http2)
    }

    override func opened() {
        if !loop.add(self) { close() }
    }

    override func closed() {
        for call in calls { call?.streamClosed() }
        calls.removeAll()
        lastPath = nil
        loop.remove(self)
    }

    override func broken(_ error: HTTP2SessionError) {
        loop.log.notice(
            "closing connection", metadata: ["peer": "\(peer)", "reason": "\(error)"])
    }

    override func failed(_ error: any Error) {
        loop.log.debug("connection error", metadata: ["peer": "\(peer)", "error": "\(error)"])
    }

    /// Asks the client to go: a first GOAWAY, and when it must have seen that, a second one after
    /// which new streams are refused (RFC 9113 section 6.8).
    func drain() {
        session.announceShutdown()
        session.ping(Self.drainPing)
        changed()
    }

    // MARK: Events

    override func handle(_ event: HTTP2Event, _ input: RawSpan) {
        switch event {
        case .headers(let stream, let endStream): begin(stream, endStream: endStream)
        // Trailers of a request mean nothing in gRPC; only their end does.
        case .trailers(let stream): call(of: stream)?.requestArrived(RawSpan(), endStream: true)
        case .headersTooLarge(let stream):
            let limit = loop.limits.maxHeaderListBytes
            refuse(stream, .resourceExhausted, "the headers are over the limit of \(limit) bytes")
        case .data(let stream, let range, let endStream):
            call(of: stream)?.requestArrived(input.extracting(range), endStream: endStream)
        case .drained(let stream): call(of: stream)?.responseDrained()
        case .closed(let stream, _): call(of: stream)?.streamClosed()
        case .pingAcknowledged(Self.drainPing):
            session.refuseNewStreams()
            changed()
        case .goAway, .settings, .pingAcknowledged: break
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
        let choice = resolved.choose(shardKey: request.shardKeyBytes, &loop.random)
        let call = newCall(stream, choice.target)
        if let timeout = request.timeout {
            guard let nanoseconds = Timeout.parse(headers.bytes[timeout.value]) else {
                let text = headers.text(timeout)
                return call.finish(
                    RPCError(
                        .internalError,
                        "grpc-timeout '\(text)' is not 1 to 8 digits and a unit of HMSmun"))
            }
            call.setDeadline(timeout: nanoseconds)
        }
        if choice.isCopied, let mirror = Mirror(call, resolved, choice) {
            call.copied(by: mirror)
        }
        if case .nobody(let error) = choice.target.answerer { return call.finish(error) }
        call.start(request)
        if endStream { call.requestArrived(RawSpan(), endStream: true) }
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
        let isFree = isKnownUniquelyReferenced(&calls[stream.slot])
        let call = target.call(isFree ? calls[stream.slot] : nil, self)
        calls[stream.slot] = call
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
