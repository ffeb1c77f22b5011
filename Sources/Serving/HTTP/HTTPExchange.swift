internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Transcoding
internal import Transport

/// The connection's side of an exchange: a request of HTTP/1, or a stream of HTTP/2.
protocol HTTPClient: WebClient {
    var peer: Peer { get }
}

/// A request that is not gRPC, and its response: a call of a web protocol, or a plain HTTP request.
///
/// ```
///   connection --head, body--> HTTPExchange --pieces--> WebCall        calls of web protocols
///              <--head, body--      |        --whole---> ServedPort    plain HTTP
///                                   |        (calls by google.api.http are web calls)
///                                   '------- refusals
/// ```
///
/// Confined to its loop.
final class HTTPExchange: WebClient {
    private enum Work {
        case web(WebCall)
        case collecting(BodyCollector)
        /// A request whose route may become known.
        case waiting(BodyCollector)
        case plain(HTTPWork)
        case over
    }

    private var head: HTTPRequestHead
    private let port: ServedPort
    private let router: Router
    /// Nil after the end of the response, or of the client.
    private var client: (any HTTPClient)?
    private var work = Work.over
    /// The fields for scripts of other origins, which each response has; nil without a policy.
    private var corsFields: [HTTPFields.Field]?
    /// Whether the message of the call is in the query.
    private var ignoresBody = false

    /// Begins an exchange. The client may get a response before this returns.
    init(
        _ head: HTTPRequestHead, _ port: ServedPort, _ router: Router, client: any HTTPClient,
        at now: UInt64
    ) {
        self.head = head
        self.port = port
        self.router = router
        self.client = client
        begin(port.route(head, router), at: now)
    }

    /// Whether the body of the request is collected, up to this many bytes.
    var bodyLimit: Int? { if case .collecting(let body) = work { body.limit } else { nil } }

    /// Whether the response is complete, or the client has disconnected.
    var isOver: Bool { client == nil }

    // MARK: The request

    private func begin(_ route: HTTPRoute, at now: UInt64) {
        corsFields = route.cors?.fields(for: head)
        if let key = route.shardKey {
            do throws(HTTPRefusal) {
                head = try head.adding(.shardKey, key)
            } catch {
                return reply(HTTPReply(error))
            }
        }
        switch route.kind {
        case .plain:
            work = .collecting(
                BodyCollector(router.loop, limit: router.loop.limits.maxMessageBytes))
        case .reply(let answer): reply(answer)
        case .web(let request, let path): begin(request, path, at: now)
        case .transcoded(let transcoded, let path): begin(transcoded, path, at: now)
        }
    }

    private func begin(_ request: WebRequest, _ path: ResolvedPath?, at now: UInt64) {
        let limits = router.loop.limits
        let isData = port.servesEndpoints
        let options = request.options(head)
        var form = request.form(
            head, options, limit: isData ? limits.maxMessageBytes : limits.maxAdminMessageBytes,
            limitName: isData ? "max-message-bytes" : "max-admin-message-bytes")
        guard let path else {
            if isData { router.countUnrouted() }
            let error = RPCError(
                .unimplemented,
                (isData ? "no endpoint matches" : "this port has no method with")
                    + " the path \(head.target.path.quoted)")
            if isData {
                router.loop.refused(
                    error, of: head.target.path, form.recordForm, WebHeaders.traceParent(head),
                    client?.peer ?? Peer())
            }
            return WebCall.refuse(.refusal(error, httpStatus: 404), &form, self)
        }
        let passesMessages = request.contentType.codec == .proto
        let (headers, invalid) = WebHeaders.request(
            head, path: path.path, encoding: passesMessages ? options.encoding : .identity,
            acceptsGzip: passesMessages && options.acceptsGzip)
        let call = WebCall.begin(
            .init(
                form: form, headers: headers, peer: client?.peer ?? Peer(),
                timeout: options.timeout, error: options.error ?? invalid), path, on: router,
            client: self, at: now)
        guard let call else { return }
        work = .web(call)
        ignoresBody = request.get != nil
        if case .success(let get) = request.get {
            call.received(get.message.rawSpan, isLast: true)
        }
    }

    /// Begins a call by `google.api.http`.
    private func begin(_ request: TranscodedRequest, _ path: ResolvedPath, at now: UInt64) {
        let codings = HTTPFields.list("content-encoding", in: head.fields)
        if let coding = codings.first(where: { $0.lowercased() != "identity" }) {
            let error = RPCError(
                .invalidArgument,
                "the content-encoding \(coding.quoted) is not supported: send the body without it")
            var refusal = HTTPReply(error, status: 415)
            refusal.headers.append(("accept-encoding", "identity"))
            return reply(refusal)
        }
        let (headers, invalid) = WebHeaders.request(
            head, path: path.path, encoding: .identity, acceptsGzip: false)
        let form = TranscodedForm(
            head, request, limit: router.loop.limits.maxMessageBytes)
        let (timeout, invalidTimeout) = form.timeout
        let call = WebCall.begin(
            .init(
                form: form, headers: headers, peer: client?.peer ?? Peer(), timeout: timeout,
                error: invalidTimeout ?? invalid), path, on: router, client: self, at: now)
        if let call { work = .web(call) }
    }

    /// Bytes of the body have arrived.
    func received(_ bytes: RawSpan, isLast: Bool, at now: UInt64) {
        switch work {
        case .web(let call):
            if !ignoresBody {
                call.received(bytes, isLast: isLast)
            } else {
                client?.credit(bytes.byteCount)
            }
        case .collecting(var body):
            client?.credit(bytes.byteCount)
            work = .over
            switch body.append(bytes) {
            case .tooLarge:
                body.drop()
                return reply(HTTPReply(HTTPRefusal.bodyTooLarge(limit: body.limit)))
            case .overload(let error):
                body.drop()
                return reply(HTTPReply(error))
            case nil: work = .collecting(body)
            }
            guard isLast else { return }
            if port.lacksRoute(head, router) { awaitRoute(body) } else { answer(body, at: now) }
        case .waiting, .plain, .over: client?.credit(bytes.byteCount)
        }
    }

    private func answer(_ collected: BodyCollector, at now: UInt64) {
        var body = collected
        work = .over
        let request = HTTPRequest(head, body: body.take(), peer: client?.peer ?? Peer())
        let begun = port.answer(request, on: router, at: now) { [weak self] reply in
            self?.reply(reply)
        }
        if client != nil, let begun { work = .plain(begun) }
    }

    private func awaitRoute(_ body: BodyCollector) {
        work = .waiting(body)
        router.loadRoutes(port.loadRoutes) { [weak self] in self?.routesLoaded() }
    }

    private func routesLoaded() {
        guard case .waiting(var body) = work else { return }
        work = .over
        let now = router.loop.now
        begin(port.route(head, router), at: now)
        switch work {
        case .web(let call) where !ignoresBody:
            call.received(body.take().rawSpan, isLast: true)
        case .collecting: answer(body, at: now)
        case .web, .waiting, .plain, .over: body.drop()
        }
    }

    /// The client has room for more of the response.
    func drained() { if case .web(let call) = work { call.drained() } }

    /// The client has disconnected.
    func cancel() {
        client = nil
        switch work {
        case .web(let call): call.cancel()
        case .collecting(var body), .waiting(var body): body.drop()
        case .plain(let plain): plain.cancel()
        case .over: break
        }
        work = .over
    }

    // MARK: The response

    func reply(_ reply: HTTPReply) {
        guard let client else { return }
        self.client = nil
        work = .over
        client.reply(completed(reply))
    }

    func begin(_ reply: HTTPReply) { client?.begin(completed(reply)) }

    func write(_ bytes: RawSpan) { client?.write(bytes) }

    func finish() {
        let client = client
        self.client = nil
        work = .over
        client?.finish()
    }

    func abort() {
        let client = client
        self.client = nil
        work = .over
        client?.abort()
    }

    func credit(_ bytes: Int) { client?.credit(bytes) }

    func takesMore() -> Bool { client?.takesMore() ?? true }

    func waitForRoom() { client?.waitForRoom() }

    private func completed(_ reply: HTTPReply) -> HTTPReply {
        guard let corsFields else { return reply }
        var reply = reply
        reply.headers.removeAll { CORSPolicy.replaces($0.name) }
        reply.headers += corsFields
        return reply
    }
}
