internal import HTTP2Session
internal import Messages
internal import Transport

/// A stream of HTTP/2 whose request is not gRPC: collected, answered, done. Confined to its loop.
final class HTTP2Request {
    private unowned let connection: ServerConnection
    private let stream: HTTP2Stream
    private let method: String
    private let head: Result<HTTPRequestHead, HTTPRefusal>
    private var body: [UInt8] = []
    private var isRefused = false
    private var work: HTTPWork?

    private var loop: ServingLoop { connection.loop }

    init(_ stream: HTTP2Stream, _ block: HeaderBlock, on connection: ServerConnection) {
        self.connection = connection
        self.stream = stream
        func text(_ header: KnownHeader) -> String? { block.first(header).map { block.text($0) } }
        let method = text(.method) ?? ""
        self.method = method
        let fields = block.fields.filter { block.bytes[$0.nameStart] != UInt8(ascii: ":") }.map {
            (name: block.name($0), value: HTTPFields.text(of: block.bytes[$0.value]))
        }
        head = Result { () throws(HTTPRefusal) in
            try HTTPRequestHead(
                method, target: text(.path) ?? "", authority: text(.authority), fields, .http2)
        }
    }

    /// An invalid request is refused before its body: its client may wait for that.
    func begin(endStream: Bool) {
        if case .failure(let refusal) = head {
            refuse(refusal)
        } else if endStream {
            received(RawSpan(), endStream: true)
        }
    }

    /// Body bytes have arrived, perhaps the last ones.
    func received(_ bytes: RawSpan, endStream: Bool) {
        // The limit bounds what is kept, so the client may send on.
        connection.session.consume(bytes.byteCount, of: stream)
        connection.changed()
        guard !isRefused, case .success(let head) = head else { return }
        collect(bytes, of: head, endStream: endStream)
    }

    private func collect(_ bytes: RawSpan, of head: HTTPRequestHead, endStream: Bool) {
        let limit = loop.limits.maxMessageBytes
        guard bytes.byteCount <= limit - body.count else {
            return refuse(.bodyTooLarge(limit: limit))
        }
        body.append(bytes)
        if let error = loop.hold(bytes.byteCount) { return refuse(HTTPReply(error)) }
        guard endStream else { return }
        let request = HTTPRequest(head, body: body, peer: connection.peer)
        dropBody()
        work = connection.port.http.answer(request, on: loop, at: connection.readTime) {
            [weak self] reply in self?.send(reply)
        }
    }

    /// Answers a request that may still be arriving.
    func refuse(_ refusal: HTTPRefusal) { refuse(HTTPReply(refusal)) }

    private func refuse(_ reply: HTTPReply) {
        isRefused = true
        dropBody()
        send(reply)
    }

    private func send(_ reply: HTTPReply) {
        var block = HeaderBlock([":status": "\(reply.status)"])
        for field in reply.fields(date: loop.clock.date()) { block.append(field.name, field.value) }
        let hasBody = method != "HEAD" && !reply.content.isEmpty
        connection.session.respond(to: stream, headers: block, endStream: !hasBody)
        if hasBody {
            connection.session.write(reply.content.rawSpan, to: stream)
            connection.session.finish(stream)
        }
        connection.changed()
    }

    private func dropBody() {
        _ = loop.hold(-body.count)
        body = []
    }

    /// The stream has closed: the client has reset it or disconnected, or the response was sent.
    func streamClosed() {
        dropBody()
        work?.cancel()
        work = nil
    }
}
