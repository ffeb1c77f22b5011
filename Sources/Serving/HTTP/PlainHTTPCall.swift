internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import TrafficPolicy
internal import Transport
internal import Upstream

/// A plain HTTP request to an endpoint, converted to a call of `weir.v1.Serve/Call`.
///
/// ```
///   HTTPRequest --CallRequest--> ServerCall --> the backend that the policy chooses
///   HTTPReply <--CallResponse---
/// ```
///
/// Confined to its loop.
final class PlainHTTPCall: CallSource {
    let headers: HeaderBlock
    let peer: Peer
    var recordForm: CallRecord.Form { .http }
    let recordPath: String?
    private let router: Router
    private var call: ServerCall?
    private var body: BodyCollector
    /// The backend's response, or why it is invalid.
    private var response: Result<HTTPReply, HTTPRefusal>?
    private var reply: ((HTTPReply) -> Void)?

    /// Begins the call for a request.
    ///
    /// - Parameter reply: called once with the response, possibly before this returns; not after a
    ///   cancellation.
    /// - Returns: the call, for `cancel`; nil if it has ended.
    static func begin(
        _ request: HTTPRequest, on router: Router, at now: UInt64,
        _ reply: @escaping (HTTPReply) -> Void
    ) -> PlainHTTPCall? {
        guard let endpoint = router.endpoint(for: request) else {
            if let routes = RouteTable.reply(to: request, router.snapshot) {
                reply(routes)
                return nil
            }
            router.countUnrouted()
            let error = refusal(of: request)
            router.loop.refused(error, request)
            reply(HTTPReply(error))
            return nil
        }
        guard endpoint.methods.accepts(request.method) else {
            reply(methodRefusal(of: request, endpoint))
            return nil
        }
        let path = router.resolveServe(endpoint)
        if let error = path.refusal(on: router.loop, at: now) {
            router.loop.refused(error, request, at: endpoint.name)
            reply(HTTPReply(error))
            return nil
        }
        let call = PlainHTTPCall(request, endpoint: endpoint.name, router, reply)
        call.start(path, request, at: now)
        return call.call == nil ? nil : call
    }

    private static func refusal(of request: HTTPRequest) -> RPCError {
        if let name = request.first(KnownHeader.endpoint.name),
            ServePath.matches(request.path)
        {
            return .noEndpoint(named: name)
        }
        return RPCError(
            .notFound,
            "no endpoint matches the path \(request.path.quoted) of the plain HTTP request")
    }

    private static func methodRefusal(
        of request: HTTPRequest, _ endpoint: RoutingSnapshot.Endpoint
    ) -> HTTPReply {
        let allowed = endpoint.methods.allowed
        var reply = HTTPReply(
            RPCError(
                .unimplemented,
                "endpoint '\(endpoint.name)' does not accept the method \(request.method.quoted): "
                    + "use \(allowed)"), status: 405)
        reply.headers.append(("allow", allowed))
        return reply
    }

    private init(
        _ request: HTTPRequest, endpoint: String, _ router: Router,
        _ reply: @escaping (HTTPReply) -> Void
    ) {
        self.router = router
        self.reply = reply
        // The limit includes the prefix of the message.
        let (limit, overflow) = router.loop.limits.maxCallResponseBytes.addingReportingOverflow(
            MessagePrefix.byteCount)
        body = BodyCollector(router.loop, limit: overflow ? .max : limit)
        peer = request.peer
        recordPath = request.path
        headers = Self.headers(request, endpoint: endpoint)
    }

    /// The headers of the call: those that Weir reads, and those that name the client and previous
    /// proxies. The message contains the others.
    private static func headers(_ request: HTTPRequest, endpoint: String) -> HeaderBlock {
        var block = HeaderBlock()
        func add(_ header: KnownHeader, _ value: String) {
            block.append(header.name, value, known: header.rawValue)
        }
        add(.method, "POST")
        add(.scheme, "http")
        add(.path, MethodPath.serveCall.description)
        if let host = request.head.host { add(.authority, host.text) }
        add(.te, "trailers")
        add(.contentType, ContentType.grpc)
        add(.endpoint, endpoint)
        if let key = request.shardKey { add(.shardKey, key) }
        for passed in [KnownHeader.forwardedFor, .via] {
            for header in request.head.fields where header.name == passed.name {
                add(passed, header.value)
            }
        }
        for passed in KnownHeader.tracing {
            for header in request.head.fields
            where header.name == passed.name && WebHeaders.isMetadata(header) {
                add(passed, header.value)
            }
        }
        return block
    }

    private func start(_ path: ResolvedPath, _ request: HTTPRequest, at now: UInt64) {
        let head = RequestHead(headers)
        let choice = head.withShardKey(in: headers) {
            path.choose(shardKey: $0, &router.loop.context.random)
        }
        let call = choice.destination.begin(
            router.loop, .source(self), at: now, shardPoint: choice.shardPoint, head.trace)
        self.call = call
        guard call.start(head, observer: path.mirror(call, choice, in: router.shadows)) else {
            return
        }
        var frame = MessagePrefix.room
        message(request).serialize(appendingTo: &frame)
        let length = frame.count - MessagePrefix.byteCount
        // The size of the request was checked.
        MessagePrefix(isCompressed: false, length: length)?.write(to: &frame)
        call.requestArrived(frame.rawSpan, endStream: true)
    }

    private func message(_ request: HTTPRequest) -> Weir_V1_CallRequest {
        Weir_V1_CallRequest(
            payload: request.body, contentType: request.first("content-type") ?? "",
            httpMethod: request.method, path: request.path, query: request.head.target.query,
            headers: HTTPFields.forwarded(request.head.fields).map {
                .init(name: $0.name, value: $0.value)
            })
    }

    /// The client has disconnected.
    func cancel() {
        reply = nil
        call?.streamClosed()
    }

    // MARK: The call

    func credit(_ bytes: Int) {}

    func responded(encoding: String, _ headers: HeaderParts) {}

    func wrote(_ bytes: RawSpan) {
        switch body.append(bytes) {
        case nil: break
        case .overload(let error): call?.finish(error)
        case .tooLarge:
            let refusal = tooLarge(call?.target)
            response = .failure(refusal)
            call?.finish(refusal.error)
        }
    }

    private func tooLarge(_ target: Target?) -> HTTPRefusal {
        .invalidResponse(
            of: target?.key.backend ?? "",
            "its body is over the limit of \(router.loop.limits.maxMessageBytes) bytes "
                + "(max-message-bytes)")
    }

    func takesMore() -> Bool { true }

    func waitForRoom() {}

    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        let target = call?.target
        call = nil
        defer { body.drop() }
        guard let reply else { return }
        self.reply = nil
        var answer =
            switch response {
            case .success(let response) where code == .ok: response
            case .failure(let refusal): HTTPReply(refusal)
            default: HTTPReply(RPCError(code, message))
            }
        if let names = target?.nameTrailers {
            answer.headers += names.pairs
        }
        reply(answer)
    }

    func complete() -> RPCError? {
        do throws(HTTPRefusal) {
            response = .success(try response(of: call?.target))
            return nil
        } catch {
            response = .failure(error)
            return error.error
        }
    }

    /// The response for the client, from the backend's message.
    private func response(of target: Target?) throws(HTTPRefusal) -> HTTPReply {
        let body = body.bytes
        guard let payload = MessagePrefix.onlyPayload(in: body.rawSpan) else {
            throw unusable("it must be one message without compression")
        }
        let message: Weir_V1_CallResponse
        do throws(MessageError) {
            message = try Weir_V1_CallResponse(serializedBytes: payload)
        } catch {
            throw unusable(error.description)
        }
        guard message.payload.count <= router.loop.limits.maxMessageBytes else {
            throw tooLarge(target)
        }
        return try HTTPReply(message, from: target?.key.backend ?? "", router.loop.limits)
    }

    private func unusable(_ reason: String) -> HTTPRefusal {
        HTTPRefusal(502, "the backend's response is not a weir.v1.CallResponse: \(reason)")
    }
}

extension LoopState {
    /// Records and traces a plain HTTP request that is refused before a backend is chosen.
    fileprivate func refused(
        _ error: RPCError, _ request: HTTPRequest, at endpoint: String = ""
    ) {
        refused(
            error, of: request.path, at: endpoint, .http, WebHeaders.traceParent(request.head),
            request.peer)
    }
}

extension RPCError {
    static func noEndpoint(named name: String) -> RPCError {
        RPCError(.notFound, "no endpoint \(name.quoted)")
    }
}
