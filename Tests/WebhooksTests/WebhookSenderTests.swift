internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import Testing
internal import Transport

@testable internal import Webhooks

/// The sender with real sockets, and receivers that answer with fixed bytes.
@Suite(.timeLimit(.minutes(1))) struct WebhookSenderTests {
    private static let message = WebhookMessage(id: "m1", body: Array(#"{"a":1}"#.utf8))

    private func sender(timeout: Duration = .seconds(10)) throws -> WebhookSender {
        try WebhookSender(
            secret: WebhookSecret("whsec_" + String(repeating: "A", count: 32)), timeout: timeout)
    }

    @Test("A request is signed JSON, and its status is the result")
    func sends() async throws {
        let receiver = try await Receiver("HTTP/1.1 204 No Content\r\n\r\n")
        let attempt = try await sender().attempt(
            Self.message, to: WebhookURL("http://\(receiver.address)/hook?x=1"), at: 7)
        #expect(attempt == .status(204))
        let request = receiver.received
        let signature = try WebhookSecret("whsec_" + String(repeating: "A", count: 32))
            .signature(id: "m1", timestamp: 7, body: Self.message.body)
        #expect(request.hasPrefix("POST /hook?x=1 HTTP/1.1\r\n"))
        for field in [
            "host: \(receiver.address)", "content-type: application/json", "content-length: 7",
            "webhook-id: m1", "webhook-timestamp: 7", "webhook-signature: \(signature)",
        ] {
            #expect(request.contains("\r\n\(field)\r\n"))
        }
        #expect(request.hasSuffix("\r\n\r\n{\"a\":1}"))
        try await receiver.stop()
    }

    @Test(
        "The final status counts, whatever follows it",
        arguments: [
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
            ("HTTP/1.0 503 no\r\n\r\n", 503),
            ("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n", 302),
            ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\nx", 200),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 200),
        ])
    func takesStatus(response: String, status: Int) async throws {
        let receiver = try await Receiver(response)
        let attempt = try await sender().attempt(
            Self.message, to: WebhookURL("http://\(receiver.address)/"), at: 0)
        #expect(attempt == .status(status))
        try await receiver.stop()
    }

    @Test(
        "A receiver that does not answer with HTTP gives a reason",
        arguments: [
            "", "hello\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n",
            "HTTP/1.1 99999 x\r\n\r\n", "\u{16}\u{3}\u{1}\0\0",
            "HTTP/1.1 200 OK\r\n" + String(repeating: "a: b\r\n", count: 40_000) + "\r\n",
        ])
    func reportsOthers(response: String) async throws {
        let receiver = try await Receiver(response)
        let attempt = try await sender().attempt(
            Self.message, to: WebhookURL("http://\(receiver.address)/"), at: 0)
        guard case .noResponse(let reason) = attempt else {
            Issue.record("the result is \(attempt)")
            return
        }
        #expect(reason.hasPrefix("\(receiver.address): "))
        try await receiver.stop()
    }

    @Test("A receiver that never answers ends an attempt after the timeout")
    func timesOut() async throws {
        let receiver = try await Receiver(nil)
        let attempt = try await sender(timeout: .milliseconds(50)).attempt(
            Self.message, to: WebhookURL("http://\(receiver.address)/"), at: 0)
        #expect(attempt == .noResponse("\(receiver.address): no response within 0.05 seconds"))
        try await receiver.stop()
    }

    @Test("TLS to a receiver in plaintext fails with a reason")
    func failsTLS() async throws {
        let receiver = try await Receiver("HTTP/1.1 200 OK\r\n\r\n")
        let attempt = try await sender().attempt(
            Self.message, to: WebhookURL("https://\(receiver.address)/"), at: 0)
        guard case .noResponse = attempt else {
            Issue.record("the result is \(attempt)")
            return
        }
        try await receiver.stop()
    }

    @Test("A message is sent again with the same id until it is delivered")
    func repeats() async throws {
        let receiver = try await Receiver("HTTP/1.1 500 x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n")
        let times = Mutex<Int64>(0)
        let slept = Mutex<[Duration]>([])
        let failure = try await sender().deliver(
            Self.message, to: WebhookURL("http://\(receiver.address)/"),
            now: {
                times.withLock {
                    $0 += 1; return $0
                }
            },
            sleep: { delay in slept.withLock { $0.append(delay) } })
        #expect(failure == nil)
        #expect(slept.withLock { $0.count } == 1)
        let request = receiver.received
        #expect(request.contains("webhook-timestamp: 1\r\n"))
        #expect(request.contains("webhook-timestamp: 2\r\n"))
        #expect(request.components(of: "webhook-id: m1\r\n") == 2)
        try await receiver.stop()
    }

    @Test("Nothing listens: four attempts, then the reason")
    func givesUp() async throws {
        let receiver = try await Receiver("")
        let url = try WebhookURL("http://\(receiver.address)/")
        try await receiver.stop()
        let failure = try await sender().deliver(Self.message, to: url, now: { 0 }, sleep: { _ in })
        #expect(failure?.contains("refused") == true)
        #expect(failure?.hasSuffix("(4 attempts)") == true)
    }

    @Test("A server that stops does not wait for the next attempt")
    func stops() async throws {
        let receiver = try await Receiver("HTTP/1.1 500 x\r\n\r\n")
        let failure = try await sender().deliver(
            Self.message, to: WebhookURL("http://\(receiver.address)/"), now: { 0 },
            sleep: { _ in throw CancellationError() })
        #expect(failure == "the server stops")
        try await receiver.stop()
    }
}

extension String {
    /// How often a text occurs.
    fileprivate func components(of text: String) -> Int { ranges(of: text).count }
}

/// Answers each connection, in order, with one response, and closes it; never with nil.
private final class Receiver: Sendable {
    private let channel: any Channel
    private let shared: Shared
    let address: Address

    init(_ responses: String?...) async throws {
        let received = Shared()
        let number = Shared()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                let index = number.bytes.withLock { bytes in
                    bytes.append(0)
                    return min(bytes.count, responses.count) - 1
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Answer(responses[index], received))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        shared = received
        address = Address(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    /// What all connections received.
    var received: String { shared.bytes.withLock { String(decoding: $0, as: UTF8.self) } }

    func stop() async throws { try await channel.close() }

    fileprivate final class Shared: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private final class Answer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let response: String?
        private let shared: Shared

        init(_ response: String?, _ shared: Shared) {
            (self.response, self.shared) = (response, shared)
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = unwrapInboundIn(data).readableBytesView
            let isComplete = shared.bytes.withLock { received in
                received += bytes
                return received.last == UInt8(ascii: "}")
            }
            // A TLS handshake ends with any byte.
            guard let response, isComplete || bytes.first != UInt8(ascii: "P") else { return }
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(string: response)), promise: nil)
            context.close(promise: nil)
        }
    }
}
