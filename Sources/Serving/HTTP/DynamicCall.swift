internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import TrafficPolicy
internal import Transport

/// A request that is not gRPC as a call of `weir.v1.Serve/Call`, which backends answer like any
/// other.
///
/// ```
///   HTTPRequest --CallRequest--> ServerCall --> the backend that the policy chooses
///   HTTPReply <--CallResponse---
/// ```
///
/// Confined to its loop.
final class DynamicCall: Caller {
    /// The method of the dynamic calls of all endpoints.
    static let path = Array(MethodPath.dynamicCall.description.utf8)

    static func isPath(_ text: String) -> Bool { text.utf8.elementsEqual(path) }

    let headers: HeaderBlock
    let peer: Peer
    private let loop: ServingLoop
    private var call: ServerCall?
    private var body: [UInt8] = []
    /// Why the backend's response can't be returned, found before its end.
    private var refusal: HTTPRefusal?
    private var reply: ((HTTPReply) -> Void)?

    /// Begins the call of a request.
    ///
    /// - Parameter reply: called once with the response, perhaps before this returns; never after a
    ///   cancellation.
    /// - Returns: the call, to be cancelled; nil when it has ended.
    static func begin(
        _ request: HTTPRequest, on loop: ServingLoop, at now: UInt64,
        _ reply: @escaping (HTTPReply) -> Void
    ) -> DynamicCall? {
        guard let endpoint = loop.endpoint(for: request) else {
            loop.unrouted += 1
            reply(refusal(of: request, loop.snapshot))
            return nil
        }
        let path = loop.resolveDynamic(endpoint)
        if let error = path.refusal(on: loop, at: now) {
            reply(HTTPReply(error))
            return nil
        }
        let call = DynamicCall(request, endpoint: endpoint.name, loop, reply)
        call.start(path, request, at: now)
        return call.call == nil ? nil : call
    }

    private static func refusal(of request: HTTPRequest, _ snapshot: RoutingSnapshot) -> HTTPReply {
        if let name = request.first(KnownHeader.endpoint.name),
            isPath(request.path)
        {
            return HTTPReply(.noEndpoint(named: name))
        }
        if let path = MethodPath(request.path), snapshot.endpoint(for: path) != nil {
            return HTTPReply(
                RPCError(
                    .unimplemented,
                    "\(request.path.quoted) is gRPC: call it over HTTP/2 with content-type "
                        + ContentType.grpc), status: 415)
        }
        return HTTPReply(
            RPCError(.notFound, "no endpoint takes the path \(request.path.quoted) over plain HTTP")
        )
    }

    private init(
        _ request: HTTPRequest, endpoint: String, _ loop: ServingLoop,
        _ reply: @escaping (HTTPReply) -> Void
    ) {
        self.loop = loop
        self.reply = reply
        peer = request.peer
        headers = Self.headers(request, endpoint: endpoint)
    }

    /// The headers of the call: those that Weir decides by, and those that name the client and the
    /// proxies before. The backend gets the others in the message.
    private static func headers(_ request: HTTPRequest, endpoint: String) -> HeaderBlock {
        var block = HeaderBlock()
        func add(_ header: KnownHeader, _ value: String) {
            block.append(header.name, value, known: header.rawValue)
        }
        add(.method, "POST")
        add(.scheme, "http")
        add(.path, MethodPath.dynamicCall.description)
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
        return block
    }

    private func start(_ path: ResolvedPath, _ request: HTTPRequest, at now: UInt64) {
        let head = RequestHead(headers)
        let choice = path.choose(shardKey: head.shardKeyBytes, &loop.random)
        let call = choice.target.call(loop, .caller(self))
        self.call = call
        call.begin(HTTP2Stream(id: 0, slot: 0), target: choice.target, at: now)
        guard call.start(head, path, choice) else { return }
        var frame = MessagePrefix.room
        message(request).serialize(appendingTo: &frame)
        let length = frame.count - MessagePrefix.byteCount
        // The limit of requests has been checked.
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

    // MARK: Caller

    func credit(_ bytes: Int) {}

    func responded(encoding: String) {}

    func wrote(_ bytes: RawSpan) {
        let (limit, overflow) = loop.limits.maxCallResponseBytes.addingReportingOverflow(
            MessagePrefix.byteCount)
        guard bytes.byteCount <= (overflow ? .max : limit) - body.count else {
            let refusal = tooLarge(call?.target)
            self.refusal = refusal
            call?.finish(refusal.error)
            return
        }
        body.append(bytes)
        if let error = loop.hold(bytes.byteCount) { call?.finish(error) }
    }

    private func tooLarge(_ target: Target?) -> HTTPRefusal {
        .invalidResponse(
            of: target?.key.backend ?? "",
            "its body is over the limit of \(loop.limits.maxMessageBytes) bytes (max-message-bytes)"
        )
    }

    func takesMore() -> Bool { true }

    func waitForRoom() {}

    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        let target = call?.target
        call = nil
        defer {
            _ = loop.hold(-body.count)
            body = []
        }
        guard let reply else { return }
        self.reply = nil
        var response =
            if let refusal {
                HTTPReply(refusal)
            } else if code == .ok {
                response(of: target)
            } else {
                HTTPReply(RPCError(code, message))
            }
        if let names = target?.nameTrailers {
            response.headers += names.fields.map { (names.name($0), names.text($0)) }
        }
        reply(response)
    }

    /// The response that the backend has returned.
    private func response(of target: Target?) -> HTTPReply {
        let body = body
        guard let payload = MessagePrefix.onlyPayload(in: body.rawSpan) else {
            return unusable("not one message, or a compressed one")
        }
        let message: Weir_V1_CallResponse
        do throws(MessageError) {
            message = try Weir_V1_CallResponse(serializedBytes: payload)
        } catch {
            return unusable(error.description)
        }
        guard message.payload.count <= loop.limits.maxMessageBytes else {
            return HTTPReply(tooLarge(target))
        }
        do throws(HTTPRefusal) {
            return try HTTPReply(message, from: target?.key.backend ?? "", loop.limits)
        } catch {
            return HTTPReply(error)
        }
    }

    private func unusable(_ reason: String) -> HTTPReply {
        HTTPReply(
            HTTPRefusal(502, "the backend's response is not a weir.v1.CallResponse: \(reason)"))
    }
}

extension RPCError {
    static func noEndpoint(named name: String) -> RPCError {
        RPCError(.notFound, "no endpoint \(name.quoted)")
    }
}
