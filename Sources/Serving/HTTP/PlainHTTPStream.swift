internal import HTTP2Session
internal import Messages
internal import Transport

/// An HTTP/2 stream with a request that is not gRPC. Confined to its loop.
final class PlainHTTPStream: HTTPClient {
    private let http2: HTTP2Connection
    private let router: Router
    private let servedPort: ServedPort
    private let stream: HTTP2Stream
    private let method: String
    private let head: Result<HTTPRequestHead, HTTPRefusal>
    /// Nil before the beginning.
    private var exchange: HTTPExchange?
    /// Whether the head of the response was sent.
    private var hasBegun = false

    init(
        _ stream: HTTP2Stream, _ block: HeaderBlock, on http2: HTTP2Connection, _ router: Router,
        _ servedPort: ServedPort
    ) {
        self.http2 = http2
        self.router = router
        self.servedPort = servedPort
        self.stream = stream
        func text(_ header: KnownHeader) -> String? { block.first(header).map { block.text($0) } }
        let method = text(.method) ?? ""
        self.method = method
        let fields = block.fields.indices.map { block.fields[$0] }.map {
            (name: block.name($0), value: HTTPFields.text(of: block.array($0)))
        }.filter { !$0.name.hasPrefix(":") }
        head = Result { () throws(HTTPRefusal) in
            try HTTPRequestHead(
                method, target: text(.path) ?? "", authority: text(.authority), fields, .http2)
        }
    }

    /// Begins the exchange. Refuses an invalid request before its body arrives, because the client
    /// may wait for that.
    func begin(endStream: Bool) {
        switch head {
        case .failure(let refusal): refuse(refusal)
        case .success(let head):
            let exchange = HTTPExchange(
                head, servedPort, router, client: self, at: http2.readTime)
            self.exchange = exchange
            if endStream { exchange.received(RawSpan(), isLast: true, at: http2.readTime) }
        }
    }

    /// Body bytes have arrived.
    func received(_ bytes: RawSpan, endStream: Bool) {
        guard let exchange, !exchange.isOver else { return credit(bytes.byteCount) }
        exchange.received(bytes, isLast: endStream, at: http2.readTime)
    }

    /// Answers a request that may be incomplete.
    func refuse(_ refusal: HTTPRefusal) {
        guard exchange?.isOver != true else { return }
        exchange?.cancel()
        guard !hasBegun else {
            http2.session.reset(stream, .internalError)
            return http2.changed()
        }
        reply(HTTPReply(refusal))
    }

    /// The stream has closed: the client has reset it or disconnected, or the response was sent.
    func streamClosed() {
        exchange?.cancel()
        exchange = nil
    }

    /// Fewer bytes of the response are buffered than the limit.
    func drained() { exchange?.drained() }

    // MARK: HTTPClient

    var peer: Peer { http2.peer }

    func reply(_ reply: HTTPReply) {
        let hasBody = method != "HEAD" && !reply.content.isEmpty
        respond(reply, isStreamed: false, endStream: !hasBody)
        if hasBody {
            http2.session.write(reply.content.rawSpan, to: stream)
            http2.session.finish(stream)
        }
        http2.changed()
    }

    func begin(_ reply: HTTPReply) {
        respond(reply, isStreamed: true, endStream: false)
        http2.changed()
    }

    private func respond(_ reply: HTTPReply, isStreamed: Bool, endStream: Bool) {
        hasBegun = true
        var block = HeaderBlock([":status": "\(reply.status)"])
        for field in reply.fields(date: router.loop.clock.date(), isStreamed: isStreamed) {
            block.append(field.name, field.value)
        }
        http2.session.respond(to: stream, headers: block, endStream: endStream)
    }

    func write(_ bytes: RawSpan) {
        guard method != "HEAD" else { return }
        http2.session.write(bytes, to: stream)
        http2.changed()
    }

    func finish() {
        http2.session.finish(stream)
        http2.changed()
    }

    func abort() {
        http2.session.reset(stream, .internalError)
        http2.changed()
    }

    func credit(_ bytes: Int) {
        http2.session.consume(bytes, of: stream)
        http2.changed()
    }

    private var limit: Int { router.loop.limits.responseBufferBytes }

    func takesMore() -> Bool { http2.session.unsentBytes(of: stream) <= limit }

    func waitForRoom() { http2.session.notifyWhenDrained(stream, below: limit) }
}
