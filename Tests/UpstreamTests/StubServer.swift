internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import NIOPosix
internal import Synchronization
internal import TestSupport
internal import Transport

@testable internal import Upstream

/// An HTTP/2 server on a loopback port that answers every request in the same way.
final class StubServer: Sendable {
    /// The answer to a request.
    enum Answer: Sendable {
        /// A response; trailers-only without a body.
        case response(KeyValuePairs<String, String>, [UInt8]?, KeyValuePairs<String, String>)
        case reset
        case silence

        /// A whole gRPC response.
        static func message(_ payload: [UInt8]) -> Answer {
            let prefix = MessagePrefix(isCompressed: false, length: payload.count)?.bytes ?? []
            return .response(
                [":status": "200", "content-type": ContentType.grpc], prefix + payload,
                ["grpc-status": "0"])
        }

        static func status(_ code: StatusCode, _ message: String = "") -> Answer {
            .response(
                [
                    ":status": "200", "content-type": ContentType.grpc,
                    "grpc-status": "\(code.rawValue)", "grpc-message": message,
                ], nil, [:])
        }
    }

    /// The response of a health check.
    static func health(_ status: UInt8) -> Answer { .message([8, status]) }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let server: StubServer
        private let session = HTTP2Session(
            role: .server, limits: HTTP2Limits(), allocator: FreeListAllocator(),
            knownNames: KnownHeader.names)

        init(_ server: StubServer) { self.server = server }

        func channelActive(context: ChannelHandlerContext) { send(context) }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let buffer = unwrapInboundIn(data)
            try? session.receive(buffer.readableBytesSpan)
            while let event = session.nextEvent() {
                switch event {
                case .headers(let stream, let endStream):
                    let headers = session.headers(of: stream)
                    server.requests.withLock {
                        $0.append(headers.pairs)
                    }
                    if endStream { answer(stream) }
                case .data(let stream, let range, let endStream):
                    session.consume(range.count, of: stream)
                    if endStream { answer(stream) }
                default: break
                }
            }
            send(context)
        }

        private func answer(_ stream: HTTP2Stream) {
            switch server.answer.withLock({ $0 }) {
            case .silence: break
            case .reset: session.reset(stream, .internalError)
            case .response(let headers, nil, _):
                session.respond(to: stream, headers: HeaderBlock(headers), endStream: true)
            case .response(let headers, let body?, let trailers):
                session.respond(to: stream, headers: HeaderBlock(headers), endStream: false)
                session.write(body.span.asBytes, to: stream)
                if trailers.isEmpty {
                    session.finish(stream)
                } else {
                    session.finish(stream, trailers: HeaderParts(HeaderBlock(trailers)))
                }
            }
        }

        private func send(_ context: ChannelHandlerContext) {
            var output = ByteBuffer()
            _ = try? session.send(into: &output, room: 64 << 10)
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        }
    }

    private let channel = Mutex<(any Channel)?>(nil)
    private let connections = Mutex<[any Channel]>([])
    private let answer: Mutex<Answer>
    let requests = Mutex<[[(name: String, value: String)]]>([])

    init(_ answer: Answer) { self.answer = Mutex(answer) }

    func set(_ answer: Answer) { self.answer.withLock { $0 = answer } }

    /// - Returns: the address.
    func start(port: Int = 0) async throws -> SocketAddress {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                self.connections.withLock { $0.append(channel) }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(self))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        self.channel.withLock { $0 = channel }
        guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
        return address
    }

    /// Stops listening and closes all connections.
    func stop() async throws {
        try await channel.withLock { $0 }?.close().get()
        for connection in connections.withLock({ $0 }) { try? await connection.close().get() }
    }
}
