internal import Logging
internal import Messages
internal import NIOCore
internal import NIOPosix
internal import Observability
internal import Synchronization
internal import TestSupport
internal import Testing
internal import TrafficPolicy
internal import Transport

@testable internal import Serving

@Suite(.timeLimit(.minutes(1))) struct DataPlaneTests {
    private static let port = ServedPort(
        services: HandlerBackend("weir", services: []), plainHTTP: .endpoints)

    private func dataPlane(_ limits: Limits = Limits()) -> DataPlane {
        DataPlane(loops: 2, limits: limits, namesBackends: true, log: .silent)
    }

    /// An endpoint for `/app` whose backend answers, or waits until its call is cancelled.
    private func snapshot(waits: Bool = false) -> RoutingSnapshot {
        let service = Service.dynamic { _, _ in
            if waits { try await waitForCancellation() }
            return Weir_V1_CallResponse(payload: Array("hello".utf8))
        }
        let endpoint = RoutingSnapshot.Endpoint(
            name: "e", route: .path("/app"), revision: 1,
            policy: EndpointPolicy(endpoint: "e", map: AffinityMap(owner: "b"), shadows: []),
            shadows: .none)
        return RoutingSnapshot(
            revision: 1, endpoints: [endpoint],
            backends: .init(["b": .handler(HandlerBackend("b", services: [service]))]))
    }

    private func listen(_ dataPlane: DataPlane) async throws -> SocketAddress {
        try await dataPlane.listen(
            ListeningPort(host: "127.0.0.1", port: 0, isShared: false), serving: Self.port)
    }

    @Test("A snapshot is on every loop when it is published")
    func publishes() async throws {
        let dataPlane = dataPlane()
        try await dataPlane.publish(snapshot())
        let address = try await listen(dataPlane)
        // The kernel spreads the connections over the loops.
        for _ in 0..<8 {
            let client = try await SocketClient(address)
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            let response = await client.closed()
            #expect(response.hasPrefix("HTTP/1.1 200 ") && response.hasSuffix("hello"))
        }
        let calls = try await dataPlane.figures().calls.values
        #expect(calls.reduce(0) { $0 + $1.started } == 8)
        try await dataPlane.shutDown()
    }

    @Test("A connection over the limit is closed at once and counted; others are served")
    func limitsConnections() async throws {
        var limits = Limits()
        limits.maxConnections = 1
        let dataPlane = dataPlane(limits)
        let address = try await listen(dataPlane)
        let first = try await SocketClient(address)
        try await first.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await eventually { first.received.hasPrefix("HTTP/1.1 204 ") })
        let second = try await SocketClient(address)
        #expect(await second.closed().isEmpty)
        #expect(try await dataPlane.figures().refusedConnections == 1)
        #expect(try await dataPlane.figures().connections == 1)
        try await dataPlane.shutDown()
        #expect(await first.closed().hasPrefix("HTTP/1.1 204 "))
    }

    @Test("Operators have a limit of connections of their own")
    func limitsOperators() async throws {
        var limits = Limits()
        limits.maxAdminConnections = 1
        let dataPlane = dataPlane(limits)
        let port = ServedPort(
            services: HandlerBackend("weir", services: []),
            plainHTTP: .function { HTTPReply(status: 200, body: "page \($0.path)") })
        let address = try await dataPlane.listenForOperators(
            ListeningPort(host: "127.0.0.1", port: 0, isShared: false), serving: port)
        let first = try await SocketClient(address)
        try await first.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(await eventually { first.received.hasSuffix("page /metrics") })
        let second = try await SocketClient(address)
        #expect(await second.closed().isEmpty)
        let figures = try await dataPlane.figures()
        #expect(figures.refusedOperators == 1 && figures.refusedConnections == 0)
        #expect(figures.connections == 0, "connections of operators are not counted")
        try await dataPlane.shutDown()
    }

    @Test("A drain ends with the last request, or at its timeout", arguments: [false, true])
    func drains(hasRequest: Bool) async throws {
        var limits = Limits()
        limits.drainTimeout = hasRequest ? .milliseconds(50) : .seconds(60)
        let dataPlane = dataPlane(limits)
        try await dataPlane.publish(snapshot(waits: true))
        let address = try await listen(dataPlane)
        let client = try await SocketClient(address)
        if hasRequest {
            try await client.send("GET /app HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(
                try await eventually {
                    try await dataPlane.figures().calls.values.contains { $0.inFlight == 1 }
                })
        } else {
            try await client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(await eventually { !client.received.isEmpty })
        }
        #expect(try await dataPlane.drain() == !hasRequest)
        _ = await client.closed()
        // The port may be that of another test by now.
        _ = try? await SocketClient(address)
        #expect(try await dataPlane.figures().connections == 0, "it no longer listens")
        try await dataPlane.shutDown()
    }

    @Test("After the shutdown, publishing and reading counts fail instead of waiting")
    func failsAfterShutDown() async throws {
        let dataPlane = dataPlane()
        try await dataPlane.shutDown()
        await #expect(throws: EventLoopError.shutdown) {
            try await dataPlane.publish(RoutingSnapshot.empty)
        }
        await #expect(throws: EventLoopError.shutdown) { try await dataPlane.figures() }
    }
}

/// A TCP connection that sends and collects text.
private final class SocketClient: Sendable {
    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let text = Mutex("")

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let piece = String(buffer: unwrapInboundIn(data))
            text.withLock { $0 += piece }
        }
    }

    private let channel: any Channel
    private let collector = Collector()

    init(_ address: SocketAddress) async throws {
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { [collector] channel in channel.pipeline.addHandler(collector) }
            .connect(to: address).get()
    }

    var received: String { collector.text.withLock { $0 } }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    /// Waits until the server closes the connection.
    ///
    /// - Returns: all that has arrived.
    func closed() async -> String {
        try? await channel.closeFuture.get()
        return received
    }
}
