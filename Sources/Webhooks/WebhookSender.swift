internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
package import Transport

/// A request to deliver.
package struct WebhookMessage: Sendable {
    /// Identifies the message over all attempts, so that the receiver can ignore a repetition.
    package let id: String
    /// JSON.
    package let body: [UInt8]

    package init(id: String, body: [UInt8]) {
        self.id = id
        self.body = body
    }
}

/// Sends signed requests with POST over HTTP/1.1, each on a connection of its own. Follows no
/// redirect, and ignores the body of a response.
package struct WebhookSender: Sendable {
    private let secret: WebhookSecret
    private let tls: LoadedTLS
    private let timeout: Duration

    /// Throws if the files of the TLS settings cannot be used.
    ///
    /// - Parameters:
    ///   - tls: for `https`.
    ///   - timeout: of one attempt.
    package init(
        secret: WebhookSecret, tls: ClientTLS = ClientTLS(),
        timeout: Duration = WebhookDelivery.timeout
    ) throws(TLSFailure) {
        self.secret = secret
        self.timeout = timeout
        self.tls = try tls.load(protocols: ["http/1.1"])
    }

    /// Sends a message until it is delivered or fails.
    ///
    /// - Parameters:
    ///   - now: the time, in seconds since 1970.
    ///   - sleep: waits before the next attempt; throws to stop.
    /// - Returns: the reason of a failure; nil if the message was delivered.
    package func deliver(
        _ message: WebhookMessage, to url: WebhookURL, now: () -> Int64,
        sleep: (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
    ) async -> String? {
        var delivery = WebhookDelivery()
        while true {
            let attempt = await attempt(message, to: url, at: now())
            switch delivery.ended(attempt, random: .random(in: 0...1)) {
            case .delivered: return nil
            case .failed(let reason): return reason
            case .retry(let delay):
                do { try await sleep(delay) } catch { return "the server stops" }
            }
        }
    }

    /// Sends a message once.
    ///
    /// - Parameter timestamp: in seconds since 1970.
    package func attempt(
        _ message: WebhookMessage, to url: WebhookURL, at timestamp: Int64
    ) async -> WebhookDelivery.Attempt {
        var head = NIOHTTP1.HTTPRequestHead(version: .http1_1, method: .POST, uri: url.target)
        head.headers = [
            "host": url.host, "content-type": "application/json",
            "content-length": "\(message.body.count)", "connection": "close",
            "user-agent": "weir", "webhook-id": message.id, "webhook-timestamp": "\(timestamp)",
            "webhook-signature": secret.signature(
                id: message.id, timestamp: timestamp, body: message.body),
        ]
        do {
            return .status(try await exchange(head, message.body, with: url))
        } catch {
            return .noResponse("\(url.address): \(systemReason(error))")
        }
    }

    private func exchange(
        _ head: NIOHTTP1.HTTPRequestHead, _ body: [UInt8], with url: WebhookURL
    ) async throws -> Int {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let response = loop.makePromise(of: Int.self)
        let timeout = TimeAmount(timeout)
        let connection = tls.connection(to: url.address.hostName)
        let isTLS = url.isTLS
        let connecting = ClientBootstrap(group: loop)
            .connectTimeout(timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if isTLS {
                        try pipeline.addHandler(connection.handler())
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(WebhookExchange(head, body, response))
                }
            }
            .connect(host: url.address.host, port: url.address.port)
        connecting.whenFailure { response.fail($0) }
        let timer = loop.scheduleTask(in: timeout) {
            response.fail(WebhookExchange.Failure.timeout(self.timeout))
        }
        defer {
            timer.cancel()
            connecting.whenSuccess { $0.close(promise: nil) }
        }
        return try await response.futureResult.get()
    }
}

/// Sends a request when the connection is open, and takes the status of the response.
private final class WebhookExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    enum Failure: Error, CustomStringConvertible {
        case timeout(Duration)
        case closed

        var description: String {
            switch self {
            case .timeout(let duration): "no response within \(duration)"
            case .closed: "the receiver closed the connection without a response"
            }
        }
    }

    private let head: NIOHTTP1.HTTPRequestHead
    private let body: [UInt8]
    private let response: EventLoopPromise<Int>

    init(_ head: NIOHTTP1.HTTPRequestHead, _ body: [UInt8], _ response: EventLoopPromise<Int>) {
        (self.head, self.body, self.response) = (head, body, response)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // A 1xx response precedes the final one.
        guard case .head(let head) = unwrapInboundIn(data), head.status.code >= 200 else { return }
        response.succeed(Int(head.status.code))
    }

    func channelInactive(context: ChannelHandlerContext) {
        response.fail(Failure.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        response.fail(error)
        context.close(promise: nil)
    }
}
