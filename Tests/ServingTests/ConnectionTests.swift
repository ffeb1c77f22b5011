internal import Messages
internal import NIOCore
internal import NIOEmbedded
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

/// Connections on a channel without a socket, and a loop whose clock the test controls.
@Suite struct ConnectionTests {
    private func connect(_ loop: borrowing TestLoop) throws -> EmbeddedChannel {
        let sniffer = ProtocolSniffer(loop.connections, servedPort: TestLoop.port)
        let channel = EmbeddedChannel(handler: sniffer, loop: loop.embedded.eventLoop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func output(_ channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: bytes)
        }
        return text
    }

    private func isPresent<Handler: ChannelHandler>(
        _ type: Handler.Type, _ channel: EmbeddedChannel
    ) -> Bool {
        (try? channel.pipeline.syncOperations.handler(type: type)) != nil
    }

    // MARK: ProtocolSniffer

    @Test(
        "The first bytes decide the protocol",
        arguments: [
            ("GET / HTTP/1.1\r\n", true), ("P", nil), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", nil),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false), ("PRI * HTTP/1", true), ("\r\n", true),
            ("\u{16}\u{3}", false), ("POST", true),
        ] as [(String, Bool?)], [1, 100])
    func sniffs(_ input: (text: String, isHTTP1: Bool?), pieceBytes: Int) throws {
        let loop = TestLoop()
        let channel = try connect(loop)
        var rest = Array(input.text.utf8)[...]
        while !rest.isEmpty {
            try channel.writeInbound(ByteBuffer(bytes: rest.prefix(pieceBytes)))
            rest = rest.dropFirst(pieceBytes)
        }
        #expect(isPresent(HTTP1Connection.self, channel) == (input.isHTTP1 == true))
        #expect(isPresent(HTTP2Connection.self, channel) == (input.isHTTP1 == false))
        #expect(isPresent(ProtocolSniffer.self, channel) == (input.isHTTP1 == nil))
        // Bytes of neither protocol end the connection at once.
        let isInvalid = input.text.utf8.first == 0x16
        #expect(loop.connections.dataConnections == (isInvalid ? 0 : 1))
        _ = try? channel.finish()
    }

    @Test("A client that sends nothing is disconnected, sooner during a drain")
    func timesOut() throws {
        let loop = TestLoop()
        let silent = try connect(loop)
        loop.embedded.advance(by: .seconds(10))
        #expect(silent.isActive)
        loop.embedded.advance(by: .milliseconds(250))
        #expect(!silent.isActive)
        let draining = try connect(loop)
        _ = loop.connections.drain()
        loop.embedded.advance(by: .milliseconds(500))
        #expect(draining.isActive)
        loop.embedded.advance(by: .milliseconds(250))
        #expect(!draining.isActive)
        #expect(loop.connections.dataConnections == 0)
    }

    // MARK: HTTP1Connection

    @Test("Requests over HTTP/1 are answered in order, and the connection stays open")
    func answersHTTP1() throws {
        let loop = TestLoop()
        let channel = try connect(loop)
        let request = "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"
        try channel.writeInbound(
            ByteBuffer(string: request + "GET /none HTTP/1.1\r\nHost: x\r\n\r\n" + request))
        let statuses = try output(channel).split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["204", "404", "204"])
        #expect(channel.isActive)
        #expect(loop.router.unrouted == 1)
        #expect(loop.state.bufferedBytes == 0)
        // Then it is idle.
        loop.embedded.advance(by: .seconds(75))
        #expect(channel.isActive)
        loop.embedded.advance(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test("An invalid request over HTTP/1 is refused, and the connection closes later")
    func refusesHTTP1() throws {
        let loop = TestLoop()
        let channel = try connect(loop)
        try channel.writeInbound(ByteBuffer(string: "GET / HTTP/1.1\r\nHost : x\r\n\r\n"))
        let response = try output(channel)
        #expect(response.hasPrefix("HTTP/1.1 400 ") && response.contains("connection: close"))
        loop.embedded.advance(by: .milliseconds(1_999))
        try channel.writeInbound(ByteBuffer(string: "more"))
        #expect(try output(channel).isEmpty)
        loop.embedded.advance(by: .milliseconds(2))
        #expect(!channel.isActive)
    }

    @Test("A drain closes an idle HTTP/1 connection, and one with a request after its response")
    func drainsHTTP1() throws {
        let loop = TestLoop()
        let (idle, busy) = (try connect(loop), try connect(loop))
        let request = "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"
        try idle.writeInbound(ByteBuffer(string: request))
        try busy.writeInbound(ByteBuffer(string: request + request.dropLast()))
        _ = (try output(idle), try output(busy))
        _ = loop.connections.drain()
        loop.embedded.run()
        #expect(!idle.isActive && busy.isActive)
        try busy.writeInbound(ByteBuffer(string: "\r\n"))
        #expect(try output(busy).contains("connection: close"))
        loop.embedded.run()
        #expect(!busy.isActive)
    }

    // MARK: ServerConnection

    @Test(
        "Requests over HTTP/2 without an endpoint are refused as their protocol requires",
        arguments: [
            ("POST", "application/grpc", "/a.S/M", "200", "12"),
            ("POST", "text/plain", "/a.S/M", "404", "5"), ("GET", "", "/a.S/M", "404", "5"),
            ("PUT", "application/grpc", "/a.S/M", "405", nil),
            ("POST", "application/grpc-web", "/a.S/M", "200", "12"),
            ("POST", "application/connect+proto", "/a.S/M", "200", nil),
            ("POST", "application/proto", "/a.S/M", "404", "5"),
            ("POST", "text/plain", "/own.S/M", "404", "5"),
            ("GET", "", "/weir.v1.Serve/Call", "404", "5"), ("OPTIONS", "", "*", "204", nil),
        ] as [(String, String, String, String, String?)])
    func refusesHTTP2(
        method: String, contentType: String, path: String, status: String, grpcStatus: String?
    ) throws {
        let loop = TestLoop()
        let client = try TestClient(loop)
        let response = try client.request([
            ":method": method, ":scheme": "http", ":path": path, ":authority": "x",
            "content-type": contentType,
        ])
        #expect(response[.status] == status)
        #expect(response[.grpcStatus] == grpcStatus)
        #expect(loop.state.bufferedBytes == 0)
    }

    @Test("An idle HTTP/2 client gets GOAWAY, and is disconnected if it stays")
    func endsIdleHTTP2() throws {
        var limits = Limits()
        limits.idleTimeout = .seconds(60)
        limits.keepaliveTimeout = .seconds(20)
        let loop = TestLoop(limits)
        let clients = [try TestClient(loop), try TestClient(loop)]
        for client in clients {
            _ = try client.request([
                ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "x",
            ])
        }
        loop.embedded.advance(by: .seconds(61))
        // The first client acknowledges the PING after GOAWAY, the second one receives nothing.
        try clients[0].exchange()
        #expect(clients[0].goAways > 0)
        #expect(!clients[0].isConnected && clients[1].isConnected)
        loop.embedded.advance(by: .seconds(19))
        #expect(clients[1].isConnected)
        loop.embedded.advance(by: .seconds(4))
        #expect(!clients[1].isConnected)
    }

    private final class Marker: Sendable {}

    @Test("An idle HTTP/2 connection retains neither an old snapshot nor a deleted backend")
    func releasesSnapshot() throws {
        let loop = TestLoop()
        let client = try TestClient(loop)
        weak var snapshot: RoutingSnapshot?
        weak var marker: Marker?
        do {
            let retained = Marker()
            marker = retained
            let service = Service("a.S").unary("M") { (request: RawMessage, _) in
                withExtendedLifetime(retained) { request }
            }
            loop.install(routes: ["/a.S/"], HandlerBackend("b", services: [service]))
            snapshot = loop.router.snapshot
        }
        let response = try client.call("/a.S/M", [1])
        #expect(response[.grpcStatus] == "0" && response.body == [0, 0, 0, 0, 1, 1])
        #expect(snapshot != nil && marker != nil)
        loop.router.install(.empty)
        loop.embedded.advance(by: .milliseconds(250))
        #expect(snapshot == nil && marker == nil)
        #expect(client.isConnected)
    }
}
