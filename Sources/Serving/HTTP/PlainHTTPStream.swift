internal import HTTP2Session
internal import Messages
internal import Transport

/// An HTTP/2 stream with a plain HTTP request. Confined to its loop.
final class PlainHTTPStream {
    private let http2: HTTP2Connection
    private let router: Router
    private let servedPort: ServedPort
    private let stream: HTTP2Stream
    private let method: String
    private let head: Result<HTTPRequestHead, HTTPRefusal>
    private var body: BodyCollector
    private var isRefused = false
    private var work: HTTPWork?

    init(
        _ stream: HTTP2Stream, _ block: HeaderBlock, on http2: HTTP2Connection, _ router: Router,
        _ servedPort: ServedPort
    ) {
        self.http2 = http2
        self.router = router
        self.servedPort = servedPort
        body = BodyCollector(router.loop, limit: router.loop.limits.maxMessageBytes)
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

    /// Refuses an invalid request before its body arrives, because the client may wait for that.
    func begin(endStream: Bool) {
        if case .failure(let refusal) = head {
            refuse(refusal)
        } else if endStream {
            received(RawSpan(), endStream: true)
        }
    }

    /// Body bytes have arrived.
    func received(_ bytes: RawSpan, endStream: Bool) {
        // `BodyCollector` has a limit, so the client always gets credit.
        http2.session.consume(bytes.byteCount, of: stream)
        http2.changed()
        guard !isRefused, case .success(let head) = head else { return }
        collect(bytes, of: head, endStream: endStream)
    }

    private func collect(_ bytes: RawSpan, of head: HTTPRequestHead, endStream: Bool) {
        switch body.append(bytes) {
        case .tooLarge: return refuse(.bodyTooLarge(limit: body.limit))
        case .overload(let error): return refuse(HTTPReply(error))
        case nil: break
        }
        guard endStream else { return }
        let request = HTTPRequest(head, body: body.take(), peer: http2.peer)
        work = servedPort.answer(request, on: router, at: http2.readTime) {
            [weak self] reply in self?.send(reply)
        }
    }

    /// Answers a request that may be incomplete.
    func refuse(_ refusal: HTTPRefusal) { refuse(HTTPReply(refusal)) }

    private func refuse(_ reply: HTTPReply) {
        guard !isRefused else { return }
        isRefused = true
        body.drop()
        send(reply)
    }

    private func send(_ reply: HTTPReply) {
        var block = HeaderBlock([":status": "\(reply.status)"])
        for field in reply.fields(date: router.loop.clock.date()) {
            block.append(field.name, field.value)
        }
        let hasBody = method != "HEAD" && !reply.content.isEmpty
        http2.session.respond(to: stream, headers: block, endStream: !hasBody)
        if hasBody {
            http2.session.write(reply.content.rawSpan, to: stream)
            http2.session.finish(stream)
        }
        http2.changed()
    }

    /// The stream has closed: the client has reset it or disconnected, or the response was sent.
    func streamClosed() {
        body.drop()
        work?.cancel()
        work = nil
    }
}
