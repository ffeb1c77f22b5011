internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import NIOCore
internal import Observability
internal import Transport
internal import Upstream

/// The client's side of a web call. Confined to the loop of the call.
protocol WebClient: AnyObject {
    /// Sends a whole response.
    func reply(_ reply: HTTPReply)
    /// Sends the head of a response whose body follows in pieces.
    func begin(_ reply: HTTPReply)
    func write(_ bytes: RawSpan)
    /// The response is complete.
    func finish()
    /// The response cannot be completed.
    func abort()
    /// The call has handled this many bytes of the request's body.
    func credit(_ bytes: Int)
    /// Whether few bytes of the response wait for the client.
    func takesMore() -> Bool
    /// Requests a call of `WebCall.drained` when that is so.
    func waitForRoom()
}

/// A call of a web protocol, converted to a gRPC call: it is routed, counted, limited, copied to
/// shadows and answered as any other.
///
/// ```
///   WebClient --body--> WebForm --frames--> ServerCall --> the backend that the policy chooses
///             <--body--         <--frames--
/// ```
///
/// Confined to its loop.
final class WebCall: CallSource {
    /// A call as its form describes it.
    struct Request {
        var form: any WebForm
        var headers: HeaderBlock
        var peer: Peer
        /// In nanoseconds.
        var timeout: Int64?
        /// Why the request is invalid.
        var error: RPCError?
    }

    let headers: HeaderBlock
    let peer: Peer
    var recordForm: CallRecord.Form { form.recordForm }
    private let router: Router
    private let path: ResolvedPath
    private let requestHead: RequestHead
    private var form: any WebForm
    /// Nil after the end of the response, or of the client.
    private var client: (any WebClient)?
    /// Nil after its end.
    private var call: ServerCall?
    private let choice: ResolvedPath.Choice
    private var isStarted = false
    private var schema: MethodSchema?
    /// Waits for the schema; what has arrived meanwhile is `pending`.
    private var loading: Task<Void, Never>?
    private var pending: [UInt8] = []
    private var isPendingLast = false
    /// Bytes that count as buffered on the loop.
    private var heldBytes = 0
    /// Bytes of the request for which the client has no credit yet.
    private var owed = 0
    /// Bytes that the backend has not read.
    private var unread = 0
    /// The end of the response, in parts.
    private var end = WebEnd()

    private var loop: LoopState { router.loop }

    /// Begins a call.
    ///
    /// - Parameter path: the method, resolved on the client's port.
    /// - Returns: the call, for the request's body; nil if the client has got a response.
    static func begin(
        _ request: Request, _ path: ResolvedPath, on router: Router, client: any WebClient,
        at now: UInt64
    ) -> WebCall? {
        if let error = path.refusal(on: router.loop, at: now) {
            var form = request.form
            router.loop.refused(
                error, of: path.text, at: path.endpoint, target: path.destinations.first?.target,
                form.recordForm, request.headers, request.peer)
            refuse(.refusal(error), &form, client)
            return nil
        }
        let call = WebCall(request, path, router, client)
        call.begin(request, at: now)
        return call.client == nil ? nil : call
    }

    /// Sends a refusal in the form of the protocol.
    static func refuse(_ end: WebEnd, _ form: inout any WebForm, _ client: any WebClient) {
        send(form.end(end, nil), to: client)
    }

    private init(
        _ request: Request, _ path: ResolvedPath, _ router: Router, _ client: any WebClient
    ) {
        headers = request.headers
        peer = request.peer
        form = request.form
        self.path = path
        self.router = router
        self.client = client
        let head = RequestHead(request.headers)
        requestHead = head
        choice = head.withShardKey(in: request.headers) {
            path.choose(shardKey: $0, &router.loop.context.random)
        }
    }

    private func begin(_ request: Request, at now: UInt64) {
        let call = choice.destination.begin(
            loop, .source(self), at: now, shardPoint: choice.shardPoint, requestHead.trace)
        self.call = call
        if let error = request.error ?? requestHead.metadataError(in: headers) {
            return call.finish(error)
        }
        if let timeout = request.timeout {
            // The backend must not begin work that no client waits for.
            guard timeout > 0 else { return call.deadlinePassed() }
            call.setDeadline(timeout: timeout)
        }
        if form.needsSchema {
            loadSchema()
        } else if form.isStreamed {
            start()
        }
    }

    /// Starts the call, unless it has started.
    private func start() {
        guard let call, !isStarted else { return }
        isStarted = true
        call.start(requestHead, observer: path.mirror(call, choice, in: router.shadows))
    }

    // MARK: The schema

    private var messages: Destination.MethodMessages {
        let text = String(decoding: path.path, as: UTF8.self)
        guard let method = MethodPath(text) else {
            return .unknown(RPCError(.unimplemented, "\(text.quoted) is not a path of a method"))
        }
        return choice.destination.messages(of: method)
    }

    private func loadSchema() {
        switch messages {
        case .known(let json): schemaLoaded(json)
        case .unknown(let error): call?.finish(error)
        case .loading(let set):
            let call = NIOLoopBound(self, eventLoop: loop.eventLoop)
            let eventLoop = loop.eventLoop
            loading = Task {
                await set.loadSchema()
                set.schemas.parse()
                eventLoop.execute { call.value.schemaRead() }
            }
        }
    }

    private func schemaRead() {
        loading = nil
        guard call != nil else { return }
        switch messages {
        case .known(let json): schemaLoaded(json)
        case .unknown(let error): call?.finish(error)
        case .loading(let set):
            call?.finish(
                RPCError(
                    set.isUsable ? .unimplemented : .unavailable,
                    "the schema of backend '\(choice.destination.target.key.backend)' is unknown "
                        + "(\(set.schemas.failure ?? "it has not answered")): send protobuf, or "
                        + "give the backend a descriptor set or reflection"))
        }
    }

    private func schemaLoaded(_ json: MessageJSON) {
        let schema = MethodSchema(json: json, ignoresUnknown: path.policy != nil)
        self.schema = schema
        do throws(RPCError) {
            try form.check(schema)
        } catch {
            return finish(error)
        }
        if form.isStreamed { start() }
        let bytes = pending
        pending = []
        if !bytes.isEmpty || isPendingLast { convert(bytes.rawSpan, isLast: isPendingLast) }
    }

    // MARK: The request

    /// The client has sent bytes of the body.
    func received(_ bytes: RawSpan, isLast: Bool) {
        guard call != nil else {
            client?.credit(bytes.byteCount)
            return
        }
        owed += bytes.byteCount
        guard loading == nil else {
            pending += [UInt8](copying: bytes)
            isPendingLast = isPendingLast || isLast
            return updateHeldBytes()
        }
        convert(bytes, isLast: isLast)
    }

    private func convert(_ bytes: RawSpan, isLast: Bool) {
        do throws(RPCError) {
            switch try form.request(bytes, isLast: isLast, schema) {
            case .same: pass(bytes, isLast: isLast)
            case .bytes(let frames): pass(frames.rawSpan, isLast: isLast)
            case .output: break
            }
        } catch {
            return finish(error)
        }
        updateHeldBytes()
        payCredit()
    }

    private func pass(_ frames: RawSpan, isLast: Bool) {
        guard frames.byteCount > 0 || isLast else { return }
        start()
        unread += frames.byteCount
        call?.requestArrived(frames, endStream: isLast)
    }

    func credit(_ bytes: Int) {
        unread -= bytes
        payCredit()
    }

    /// Returns credit to the client, unless many bytes wait for the backend.
    private func payCredit() {
        guard owed > 0, unread <= loop.limits.forwardBufferBytes else { return }
        client?.credit(owed)
        owed = 0
    }

    private func updateHeldBytes() {
        let bytes = pending.count + form.heldBytes
        let change = bytes - heldBytes
        guard change != 0, call != nil else { return }
        heldBytes = bytes
        if let error = loop.hold(change) { finish(error) }
    }

    /// The client has disconnected.
    func cancel() {
        client = nil
        loading?.cancel()
        call?.streamClosed()
    }

    private func finish(_ error: RPCError) { call?.finish(error) }

    // MARK: The response

    func responded(encoding: String, _ headers: HeaderParts) {
        do throws(RPCError) {
            let head = WebHead(
                fields: WebHeaders.metadata(headers.joined),
                encoding: WebHeaders.encoding(encoding),
                backend: call.map { WebHeaders.metadata($0.target.nameTrailers) } ?? [])
            send(try form.began(head))
        } catch {
            finish(error)
        }
    }

    func wrote(_ bytes: RawSpan) {
        do throws(RPCError) {
            switch try form.response(bytes, schema) {
            case .same: client?.write(bytes)
            case .bytes(let bytes): if !bytes.isEmpty { client?.write(bytes.rawSpan) }
            case .output(let output): send(output)
            }
        } catch {
            return finish(error)
        }
        updateHeldBytes()
    }

    func takesMore() -> Bool { client?.takesMore() ?? true }

    func waitForRoom() { client?.waitForRoom() }

    /// The client has room for more of the response.
    func drained() { call?.responseDrained() }

    func ending(_ trailers: HeaderParts, headers: HeaderBlock?) {
        end.trailers = WebHeaders.metadata(trailers.joined)
        end.headers = headers.map(WebHeaders.metadata) ?? []
    }

    func complete() -> RPCError? {
        do throws(RPCError) {
            try form.complete(schema)
            return nil
        } catch {
            return error
        }
    }

    func ended(_ code: StatusCode, _ message: String, nanoseconds: UInt64) {
        call = nil
        loading?.cancel()
        pending = []
        _ = loop.hold(-heldBytes)
        heldBytes = 0
        guard let client else { return }
        if owed > 0 { client.credit(owed) }
        owed = 0
        if code != .ok { end.error = RPCError(code, message) }
        send(form.end(end, schema))
        self.client = nil
    }

    private func send(_ output: WebOutput) {
        guard let client else { return }
        Self.send(output, to: client)
    }

    private static func send(_ output: WebOutput, to client: any WebClient) {
        if let head = output.head {
            let reply = HTTPReply(
                status: head.status, contentType: head.contentType, headers: head.fields,
                body: output.isLast ? output.body : [])
            guard !output.isLast else { return client.reply(reply) }
            client.begin(reply)
        }
        if !output.body.isEmpty { client.write(output.body.rawSpan) }
        if output.isBroken { return client.abort() }
        if output.isLast { client.finish() }
    }
}
