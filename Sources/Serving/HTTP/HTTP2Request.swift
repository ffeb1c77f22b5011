internal import HTTP2Session
internal import Messages

/// A stream of HTTP/2 whose request is not gRPC: collected, answered, done. Confined to its loop.
final class HTTP2Request {
    private unowned let connection: ServerConnection
    private let stream: HTTP2Stream
    private let method: String
    private let target: String
    private let headers: [(name: String, value: String)]
    private var body: [UInt8] = []
    private var isRefused = false
    private var work: HTTPWork?

    private var loop: ServingLoop { connection.loop }

    init(_ stream: HTTP2Stream, _ block: HeaderBlock, on connection: ServerConnection) {
        self.connection = connection
        self.stream = stream
        func text(_ header: KnownHeader) -> String? { block.first(header).map { block.text($0) } }
        method = text(.method) ?? ""
        target = text(.path) ?? ""
        var headers: [(name: String, value: String)] = []
        if let authority = text(.authority) { headers.append((KnownHeader.host.name, authority)) }
        for field in block.fields where block.bytes[field.nameStart] != UInt8(ascii: ":") {
            headers.append((block.name(field), block.text(field)))
        }
        self.headers = headers
    }

    func received(_ bytes: RawSpan, endStream: Bool) {
        // Whatever comes is taken: the limit bounds it.
        connection.session.consume(bytes.byteCount, of: stream)
        connection.changed()
        guard !isRefused else { return }
        let limit = loop.limits.maxMessageBytes
        guard body.count + bytes.byteCount <= limit else {
            isRefused = true
            return send(.tooLong(limit: limit))
        }
        body.append(bytes)
        if let error = loop.hold(bytes.byteCount) {
            isRefused = true
            return send(HTTPReply(error))
        }
        if endStream { answer() }
    }

    private func answer() {
        let request = HTTPRequest(
            method, target: target, headers: headers, body: body, peer: connection.peer)
        dropBody()
        work = connection.port.http.answer(request, on: loop, at: connection.readTime) {
            [weak self] reply in self?.send(reply)
        }
    }

    private func send(_ reply: HTTPReply) {
        var block = HeaderBlock([":status": "\(reply.status)"])
        for header in reply.headers { block.append(header.name, header.value) }
        let hasBody = reply.allowsBody && !reply.body.isEmpty && method != "HEAD"
        if reply.allowsBody { block.append("content-length", "\(reply.body.count)") }
        connection.session.respond(to: stream, headers: block, endStream: !hasBody)
        if hasBody {
            connection.session.write(reply.body.rawSpan, to: stream)
            connection.session.finish(stream)
        }
        connection.changed()
    }

    private func dropBody() {
        _ = loop.hold(-body.count)
        body = []
    }

    /// The stream is gone: the client has reset it or hung up, or all has been said.
    func streamClosed() {
        dropBody()
        work?.cancel()
        work = nil
    }
}
