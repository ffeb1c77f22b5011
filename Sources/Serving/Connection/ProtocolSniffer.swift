internal import HTTP2Session
internal import NIOCore
internal import NIOHTTP1

/// A plain HTTP/1.1 request to the operators' port.
package struct PlainHTTPRequest: Sendable {
    package let method: String
    /// Path without the query.
    package let path: String
}

/// Its answer.
package struct PlainHTTPResponse: Sendable {
    package let status: Int
    package let contentType: String
    package let body: String

    package init(status: Int, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

/// Looks at the first bytes of a connection: the HTTP/2 preface (RFC 9113 section 3.4) means gRPC,
/// anything else HTTP/1.1.
final class ProtocolSniffer: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let loop: ServingLoop
    private let services: SystemServices
    private let http: @Sendable (PlainHTTPRequest) async -> PlainHTTPResponse
    private var seen = ByteBuffer()

    init(
        loop: ServingLoop, services: SystemServices,
        http: @escaping @Sendable (PlainHTTPRequest) async -> PlainHTTPResponse
    ) {
        self.loop = loop
        self.services = services
        self.http = http
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        seen.writeBuffer(&buffer)
        let known = min(seen.readableBytes, Self.preface.count)
        let isHTTP2 = seen.readableBytesView.prefix(known).elementsEqual(Self.preface.prefix(known))
        guard !isHTTP2 || known == Self.preface.count else { return }
        do {
            let pipeline = context.pipeline.syncOperations
            if isHTTP2 {
                try pipeline.addHandler(ServerConnection(loop: loop, port: services))
            } else {
                try pipeline.configureHTTPServerPipeline(withErrorHandling: true)
                try pipeline.addHandler(PlainHTTPHandler(http))
            }
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(wrapInboundOut(seen))
        context.fireChannelReadComplete()
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

/// Answers HTTP/1.1 requests by a function, one after the other.
private final class PlainHTTPHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let answer: @Sendable (PlainHTTPRequest) async -> PlainHTTPResponse
    private var head: HTTPRequestHead?

    init(_ answer: @escaping @Sendable (PlainHTTPRequest) async -> PlainHTTPResponse) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body: break
        case .end:
            guard let head else { return }
            respond(to: head, context)
        }
    }

    private func respond(to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "/"
        let request = PlainHTTPRequest(method: head.method.rawValue, path: path)
        let channel = context.channel
        let answer = answer
        Task {
            let response = await answer(request)
            var headers = HTTPHeaders([
                ("content-type", response.contentType),
                ("content-length", "\(response.body.utf8.count)"),
            ])
            if !head.isKeepAlive { headers.add(name: "connection", value: "close") }
            let responseHead = HTTPResponseHead(
                version: head.version, status: HTTPResponseStatus(statusCode: response.status),
                headers: headers)
            channel.write(HTTPServerResponsePart.head(responseHead), promise: nil)
            if request.method != "HEAD" {
                let body = ByteBuffer(string: response.body)
                channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
            }
            try? await channel.writeAndFlush(HTTPServerResponsePart.end(nil)).get()
            if !head.isKeepAlive { try? await channel.close().get() }
        }
    }
}
