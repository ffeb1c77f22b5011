internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import TrafficPolicy

/// A request that is not gRPC as a call of `weir.v1.Serve/Call`, which backends answer like any other.
///
/// ```
///   HTTPRequest --CallRequest--> ServerCall --> the backend that the policy chooses
///   HTTPReply <--CallResponse---
/// ```
///
/// Confined to its loop.
final class DynamicCall: Caller {
    /// Where the dynamic calls of all endpoints go.
    static let path = Array(MethodPath.dynamicCall.description.utf8)

    static func isPath(_ text: String) -> Bool { text.utf8.elementsEqual(path) }

    /// Said elsewhere, or about one connection only.
    private static let notTold = Set(KnownHeader.hopByHop.map(\.name))
        .union([KnownHeader.contentType.name]).subtracting([KnownHeader.host.name])

    let headers: HeaderBlock
    let peer: Peer
    private let loop: ServingLoop
    private var call: ServerCall?
    private var body: [UInt8] = []
    private var reply: ((HTTPReply) -> Void)?

    /// Begins the call of a request.
    ///
    /// - Parameter reply: is told the answer once, perhaps before this returns; never when the call was
    ///   cancelled.
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
                    "\(path) is gRPC: call it over HTTP/2 with content-type \(ContentType.grpc)"),
                status: 415)
        }
        return HTTPReply(
            RPCError(.notFound, "no endpoint takes \(request.path) over plain HTTP"))
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

    /// The headers of the call: what Weir decides by, and what is about the way here.
    private static func headers(_ request: HTTPRequest, endpoint: String) -> HeaderBlock {
        var block = HeaderBlock()
        func add(_ header: KnownHeader, _ value: String) {
            block.append(header.name, value, known: header.rawValue)
        }
        add(.method, "POST")
        add(.scheme, "http")
        add(.path, MethodPath.dynamicCall.description)
        if let host = request.first("host") { add(.authority, host) }
        add(.te, "trailers")
        add(.contentType, ContentType.grpc)
        add(.endpoint, endpoint)
        if let key = request.first(KnownHeader.shardKey.name) { add(.shardKey, key) }
        for header in request.headers where header.name == KnownHeader.forwardedFor.name {
            add(.forwardedFor, header.value)
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
        MessagePrefix(isCompressed: false, length: length).write(to: &frame)
        call.requestArrived(frame.rawSpan, endStream: true)
    }

    private func message(_ request: HTTPRequest) -> Weir_V1_CallRequest {
        Weir_V1_CallRequest(
            payload: request.body, contentType: request.first("content-type") ?? "",
            httpMethod: request.method, path: request.path, query: request.query,
            headers: request.headers.filter { !Self.notTold.contains($0.name) }.map {
                .init(name: $0.name, value: $0.value)
            })
    }

    /// The client has gone.
    func cancel() {
        reply = nil
        call?.streamClosed()
    }

    // MARK: Caller

    func credit(_ bytes: Int) {}

    func responded(encoding: String) {}

    func wrote(_ bytes: RawSpan) {
        let limit = loop.limits.maxMessageBytes
        guard body.count + bytes.byteCount <= limit + MessagePrefix.byteCount else {
            call?.finish(
                RPCError(.resourceExhausted, "the answer is over the limit of \(limit) bytes"))
            return
        }
        body.append(bytes)
    }

    func takesMore() -> Bool { true }

    func waitForRoom() {}

    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        let target = call?.target
        call = nil
        guard let reply else { return }
        self.reply = nil
        var answer = code == .ok ? answer() : HTTPReply(RPCError(code, message))
        if let names = target?.nameTrailers {
            answer.headers += names.fields.map { (names.name($0), names.text($0)) }
        }
        reply(answer)
    }

    /// What the backend has answered.
    private func answer() -> HTTPReply {
        let body = body
        guard let payload = MessagePrefix.onlyPayload(in: body.rawSpan) else {
            return unusable("not one message, or a compressed one")
        }
        do throws(MessageError) {
            let message = try Weir_V1_CallResponse(serializedBytes: payload)
            let status = message.httpStatus == 0 ? 200 : Int(message.httpStatus)
            guard (200...599).contains(status) else {
                return unusable("HTTP status \(status)")
            }
            return HTTPReply(
                status: status,
                contentType: message.contentType.isEmpty ? "application/json" : message.contentType,
                headers: Self.sendable(message.headers), body: message.payload)
        } catch {
            return unusable(error.description)
        }
    }

    private func unusable(_ what: String) -> HTTPReply {
        HTTPReply(
            RPCError(.internalError, "the backend's answer is no weir.v1.CallResponse: \(what)"),
            status: 502)
    }

    /// The headers that may be sent: none that frame the response, say who answered, or would break it.
    private static func sendable(_ headers: [Weir_V1_Header]) -> [(name: String, value: String)] {
        var metadata = Metadata()
        for header in headers { metadata.add(header.name.lowercased(), header.value) }
        let own = Set((KnownHeader.hopByHop + [.contentType, .backend]).map(\.name))
        return metadata.fields.filter {
            Metadata.isValid($0) && !own.contains($0.name) && !$0.name.hasPrefix("grpc-")
        }.map { ($0.name, $0.value) }
    }
}

extension RPCError {
    static func noEndpoint(named name: String) -> RPCError {
        RPCError(.notFound, "no endpoint '\(name)'")
    }
}
