internal import GRPCWire
internal import HTTP2Session
internal import Logging
internal import NIOCore
internal import Observability
internal import TrafficPolicy
internal import Transport
internal import Upstream

/// One HTTP/2 connection of a client. Its streams become calls and plain HTTP requests.
///
/// Invariant of `@unchecked Sendable`: confined to the event loop of its channel.
final class ServerConnection: HTTP2ConnectionOwner, ServedConnection, @unchecked Sendable {
    /// The value of the PING whose acknowledgement shows that the client has received the first
    /// GOAWAY.
    private static let drainPing: UInt64 = 0x7765_6972_6472_6e00

    let connections: ConnectionSet
    let loop: LoopState
    private let router: Router
    let servedPort: ServedPort
    let http2: HTTP2Connection
    let session: HTTP2Session
    private var calls: [ServerCall?] = []
    /// Plain HTTP requests, by their streams.
    private var plainHTTPStreams: [Int32: PlainHTTPStream] = [:]
    private var lastPath: ResolvedPath?
    private var lastGeneration: UInt64 = 0
    /// The last request, and the number of its headers: many clients repeat them.
    private var lastHead = RequestHead(HeaderBlock())
    private var lastNumber: UInt64 = 0
    /// Streams that were reset in the current read.
    var resetsOfRead = 0
    /// Whether the connection is closing because of the client's conduct.
    var isEnding = false
    var conduct: ClientConduct
    var timeouts: ConnectionTimeouts

    /// - Parameter openedAt: when the socket was accepted, in nanoseconds of the loop's clock.
    init(_ connections: ConnectionSet, servedPort: ServedPort, openedAt: UInt64) {
        self.connections = connections
        loop = connections.loop
        router = connections.router
        self.servedPort = servedPort
        conduct = ClientConduct(loop.limits, at: openedAt)
        timeouts = ConnectionTimeouts(at: openedAt)
        var limits = loop.limits.http2
        // A port without calls has few requests at once, whose responses may wait in memory.
        if !servedPort.holdsDrain {
            limits.maxConcurrentStreams = min(4, limits.maxConcurrentStreams)
        }
        http2 = HTTP2Connection(loop.connectionLoop, role: .server, limits: limits)
        session = http2.session
        session.clock = Self.clock(at: openedAt)
    }

    func opened() {
        connections.add(self)
    }

    func closed() {
        for call in calls { call?.streamClosed() }
        calls.removeAll()
        for request in plainHTTPStreams.values { request.streamClosed() }
        plainHTTPStreams.removeAll()
        lastPath = nil
        connections.remove(self)
    }

    /// Releases what the connection keeps for its next request. An idle connection would otherwise
    /// retain deleted backends and an old snapshot as long as the client stays.
    func releaseUnused() {
        if lastGeneration != router.generation { lastPath = nil }
        guard session.openStreams == 0 else { return }
        calls.removeAll()
        session.forgetHeaders()
    }

    func broken(_ error: HTTP2SessionError) {
        connections.logClosing(peer, "\(error)")
    }

    func failed(_ error: any Error) {
        loop.log.debug(
            "connection error",
            metadata: ["peer": "\(peer.text)", "error": "\(systemReason(error))"])
    }

    /// Asks the client to disconnect: sends a first GOAWAY, and when the client has received it, a
    /// second one, after which new streams are refused (RFC 9113 section 6.8).
    func drain() {
        timeouts.drained(at: loop.now)
        session.announceShutdown()
        session.ping(Self.drainPing)
        changed()
    }

    var peer: Peer { http2.peer }
    var readTime: UInt64 { http2.readTime }

    /// Sends the output of commands to the session.
    func changed() { http2.changed() }

    func close() { http2.close() }

    // MARK: Events

    func readEnded() { checkConduct() }

    func handle(_ event: HTTP2Event, _ input: RawSpan) {
        switch event {
        case .headers(let stream, let endStream):
            timeouts.hasBegun = true
            begin(stream, endStream: endStream)
        // gRPC has no request trailers: they only end the request.
        case .trailers(let stream): arrived(RawSpan(), on: stream, endStream: true)
        case .headersTooLarge(let stream, let limit, let isTrailers):
            let part = isTrailers ? "trailers" : "headers"
            refuse(
                stream, "the \(part) are over the limit of \(limit.text(.requests))",
                isTrailers: isTrailers)
        case .unsendable(_, let reason):
            loop.log.warning(
                "a response cannot be sent",
                metadata: ["peer": "\(peer.text)", "reason": "\(reason)"])
        case .data(let stream, let range, let endStream):
            arrived(input.extracting(range), on: stream, endStream: endStream)
        case .drained(let stream): drained(stream)
        case .closed(let stream, let code):
            closed(stream)
            timeouts.streamClosed(at: readTime)
            if code != .noError {
                resetsOfRead += 1
                penalize(conduct.reset(at: readTime))
            }
        case .pinged:
            penalize(conduct.pinged(at: readTime, sinceContent: session.takeHasSentContent()))
        case .pingAcknowledged(Self.drainPing):
            session.refuseNewStreams()
            changed()
        case .goAway, .settings, .pingAcknowledged: break
        }
    }

    private func arrived(_ bytes: RawSpan, on stream: HTTP2Stream, endStream: Bool) {
        if let call = call(of: stream) {
            call.requestArrived(bytes, endStream: endStream)
        } else {
            plainHTTPStreams[stream.id]?.received(bytes, endStream: endStream)
        }
    }

    private func drained(_ stream: HTTP2Stream) {
        if let call = call(of: stream) {
            call.responseDrained()
        } else {
            plainHTTPStreams[stream.id]?.drained()
        }
    }

    private func closed(_ stream: HTTP2Stream) {
        if let call = call(of: stream) {
            call.streamClosed()
        } else {
            plainHTTPStreams.removeValue(forKey: stream.id)?.streamClosed()
        }
    }

    private func call(of stream: HTTP2Stream) -> ServerCall? {
        guard stream.slot < calls.count, let call = calls[stream.slot], call.stream.id == stream.id
        else { return nil }
        return call
    }

    /// Checks and routes a request, and begins its call.
    private func begin(_ stream: HTTP2Stream, endStream: Bool) {
        let headers = session.headers(of: stream)
        let request = requestHead(of: stream, headers)
        guard request.isPost, request.isGRPC else {
            return beginPlainHTTP(stream, request, headers, endStream: endStream)
        }
        guard let path = request.path else {
            return refuse(stream, RPCError(.internalError, "the request has no :path"))
        }
        guard let resolved = resolve(path, headers, endpoint: request.endpoint) else {
            let error = unrouted(request, path, headers)
            if servedPort.servesEndpoints {
                router.countUnrouted()
                loop.refused(error, of: headers.text(path), .grpc, headers, peer)
            }
            return refuse(stream, error)
        }
        if let error = resolved.refusal(on: loop, at: readTime) {
            loop.refused(
                error, of: resolved.text, at: resolved.endpoint,
                target: resolved.destinations.first?.target, .grpc, headers, peer)
            return refuse(stream, error)
        }
        let choice = request.withShardKey(in: headers) {
            resolved.choose(shardKey: $0, &loop.context.random)
        }
        let call = begin(stream, choice.destination, choice.shardPoint, request.trace)
        if let error = request.metadataError(in: headers) { return call.finish(error) }
        if let timeout = request.timeout {
            guard let nanoseconds = Timeout.parse(headers.value(of: timeout)) else {
                let text = headers.quoted(timeout)
                return call.finish(
                    RPCError(
                        .internalError,
                        "invalid grpc-timeout \(text): it has 1 to 8 digits and a unit of HMSmun"))
            }
            call.setDeadline(timeout: nanoseconds)
        }
        let mirror = resolved.mirror(call, choice, in: router.shadows)
        guard call.start(request, observer: mirror) else { return }
        if endStream { call.requestArrived(RawSpan(), endStream: true) }
    }

    private func requestHead(of stream: HTTP2Stream, _ headers: HeaderBlock) -> RequestHead {
        let number = session.headersNumber(of: stream)
        if number != lastNumber {
            lastHead = RequestHead(headers)
            lastNumber = number
        }
        return lastHead
    }

    /// - Parameter endpoint: the name of the endpoint in the metadata.
    private func resolve(
        _ path: HeaderBlock.Field, _ headers: HeaderBlock, endpoint: HeaderBlock.Field?
    ) -> ResolvedPath? {
        if let endpoint, isServeCall(path, headers) {
            return router.snapshot.endpoint(named: headers.text(endpoint)).map {
                router.resolveServe($0)
            }
        }
        if lastGeneration == router.generation, let lastPath,
            headers.value(of: path, equals: lastPath.path)
        {
            return lastPath
        }
        guard let resolved = router.resolve(headers.array(path), on: servedPort) else {
            return nil
        }
        lastPath = resolved
        lastGeneration = router.generation
        return resolved
    }

    /// Whether the request is a call of `weir.v1.Serve/Call`, which names its endpoint.
    private func isServeCall(_ path: HeaderBlock.Field, _ headers: HeaderBlock) -> Bool {
        servedPort.servesEndpoints && headers.value(of: path, equals: ServePath.bytes)
    }

    private func unrouted(
        _ request: RequestHead, _ path: HeaderBlock.Field, _ headers: HeaderBlock
    ) -> RPCError {
        guard isServeCall(path, headers) else {
            return RPCError(.unimplemented, "no endpoint matches the path \(headers.quoted(path))")
        }
        guard let name = request.endpoint else {
            return RPCError(
                .invalidArgument,
                "the metadata \(KnownHeader.endpoint.name) must name the endpoint")
        }
        return .noEndpoint(named: headers.text(name))
    }

    /// Begins a request that is not a gRPC call.
    private func beginPlainHTTP(
        _ stream: HTTP2Stream, _ request: RequestHead, _ headers: HeaderBlock, endStream: Bool
    ) {
        guard !request.isGRPC else { return refuseMethod(stream) }
        addPlainHTTP(stream, headers).begin(endStream: endStream)
    }

    /// Refuses headers or trailers over a limit. The session has only those headers that are within
    /// the limit.
    private func refuse(_ stream: HTTP2Stream, _ reason: String, isTrailers: Bool) {
        let error = RPCError(.resourceExhausted, reason)
        if servedPort.servesEndpoints { loop.admission.count(.headers) }
        if isTrailers {
            call(of: stream)?.finish(error)
            plainHTTPStreams[stream.id]?.refuse(HTTPRefusal(431, reason))
            return
        }
        let headers = session.headers(of: stream)
        let request = RequestHead(headers)
        // The method and the content type may be missing.
        let hasOtherType = headers.first(.contentType) != nil && !request.isGRPC
        guard hasOtherType || headers.count > 0 && !request.isPost else {
            if servedPort.servesEndpoints {
                let path = headers.first(.path).map { headers.text($0) } ?? ""
                loop.refused(error, of: path, .grpc, headers, peer)
            }
            return refuse(stream, error)
        }
        addPlainHTTP(stream, headers).refuse(HTTPRefusal(431, reason))
    }

    private func addPlainHTTP(
        _ stream: HTTP2Stream, _ headers: HeaderBlock
    ) -> PlainHTTPStream {
        let request = PlainHTTPStream(stream, headers, on: http2, router, servedPort)
        plainHTTPStreams[stream.id] = request
        return request
    }

    private func begin(
        _ stream: HTTP2Stream, _ destination: Destination, _ shardPoint: UInt64?,
        _ traceHeaders: TraceHeaders
    ) -> ServerCall {
        while calls.count <= stream.slot { calls.append(nil) }
        let isFree = isKnownUniquelyReferenced(&calls[stream.slot])
        if isFree, let used = calls[stream.slot], used.target === destination.target {
            destination.begin(
                used, stream, at: readTime, shardPoint: shardPoint, traceHeaders)
            return used
        }
        let call = destination.begin(
            loop, .stream(http2, stream), at: readTime, shardPoint: shardPoint, traceHeaders,
            reusing: isFree ? calls[stream.slot] : nil)
        calls[stream.slot] = call
        return call
    }

    /// Answers a gRPC request without a call.
    private func refuse(_ stream: HTTP2Stream, _ error: RPCError) {
        var headers = HeaderBlock([
            ":status": "200", "content-type": ContentType.grpc,
            "grpc-status": "\(error.code.rawValue)",
            "grpc-message": StatusMessage.encode(error.message),
        ])
        headers.append(error.metadata)
        session.respond(to: stream, headers: headers, endStream: true)
        changed()
    }

    /// Refuses a gRPC request with a method other than POST, as gRPC's specification requires.
    private func refuseMethod(_ stream: HTTP2Stream) {
        var block = HeaderBlock([":status": "405", "allow": "POST"])
        block.append("date", loop.clock.date())
        session.respond(to: stream, headers: block, endStream: true)
        changed()
    }
}
