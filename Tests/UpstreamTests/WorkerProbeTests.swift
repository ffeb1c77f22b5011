internal import NIOCore
internal import NIOPosix
internal import TestSupport
internal import Testing

@testable internal import Upstream

/// Programs that listen on a Unix socket.
@Suite(.timeLimit(.minutes(1))) struct WorkerProbeTests {
    /// What a program does with a connection.
    enum Behaviour: Sendable { case silent, closes, sends([UInt8]) }

    private final class Handler: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer
        private let behaviour: Behaviour

        init(_ behaviour: Behaviour) { self.behaviour = behaviour }

        func channelActive(context: ChannelHandlerContext) {
            switch behaviour {
            case .silent: break
            case .closes: context.close(promise: nil)
            case .sends(let bytes):
                context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
            }
        }
    }

    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/1.sock" }

    private func listen(_ behaviour: Behaviour) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.pipeline.addHandler(Handler(behaviour))
            }
            .bind(unixDomainSocketPath: path).get()
    }

    private func probe() async throws -> WorkerProbe.Result {
        try await WorkerProbe.run(SocketAddress(unixDomainSocketPath: path))
    }

    private static let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]

    @Test(
        "A program is ready when it has sent the SETTINGS of HTTP/2, not when it accepts",
        arguments: [
            (.sends(settings), nil), (.silent, "sent no HTTP/2 SETTINGS within 1"),
            (.closes, ""), (.sends(Array("HTTP/1.1 200 OK\r\n\r\n".utf8)), ""),
        ] as [(Behaviour, String?)])
    func probes(behaviour: Behaviour, failure: String?) async throws {
        let server = try await listen(behaviour)
        let result = try await probe()
        switch (result, failure) {
        case (.ready, nil): break
        case (.failed(let reason), let part?) where reason.contains(part) || part.isEmpty:
            #expect(!reason.isEmpty)
        default: Issue.record("the result is \(result)")
        }
        try await server.close()
    }

    @Test("A program that does not listen yet has no failure")
    func waits() async throws {
        #expect(try await probe() == .notListening)
    }
}
