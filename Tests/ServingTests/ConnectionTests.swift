internal import HTTP2Session
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

    /// The responses and GOAWAY frames that a client receives.
    private struct Received {
        var statuses: [String?] = []
        var grpcStatuses: [String?] = []
        var goAways = 0
    }

    private func transfer(_ client: HTTP2Session, _ channel: EmbeddedChannel) throws -> Received {
        var result = Received()
        for _ in 0..<4 {
            var bytes = ByteBuffer()
            _ = try client.send(into: &bytes, room: 64 << 10)
            if bytes.readableBytes > 0, channel.isActive { try channel.writeInbound(bytes) }
            channel.embeddedEventLoop.run()
            while let received = try channel.readOutbound(as: ByteBuffer.self) {
                try client.receive(received.readableBytesSpan)
                while let event = client.nextEvent() {
                    switch event {
                    case .headers(let stream, _):
                        let headers = client.headers(of: stream)
                        result.statuses.append(headers.first(.status).map { headers.text($0) })
                        result.grpcStatuses.append(
                            headers.first(.grpcStatus).map { headers.text($0) })
                    case .goAway: result.goAways += 1
                    default: break
                    }
                }
            }
        }
        return result
    }

    private func client() -> HTTP2Session {
        HTTP2Session(
            role: .client, limits: HTTP2Limits(), allocator: FreeListAllocator(),
            knownNames: KnownHeader.names)
    }

    @Test(
        "Requests over HTTP/2 without an endpoint are refused as their protocol requires",
        arguments: [
            ("POST", "application/grpc", "/a.S/M", "200", "12"),
            ("POST", "text/plain", "/a.S/M", "415", nil), ("GET", "", "/a.S/M", "405", nil),
            ("GET", "", "/weir.v1.Serve/Call", "404", "5"), ("OPTIONS", "", "*", "204", nil),
        ] as [(String, String, String, String, String?)])
    func refusesHTTP2(
        method: String, contentType: String, path: String, status: String, grpcStatus: String?
    ) throws {
        let loop = TestLoop()
        let channel = try connect(loop)
        let client = client()
        let headers = HeaderBlock([
            ":method": method, ":scheme": "http", ":path": path, ":authority": "x",
            "content-type": contentType,
        ])
        _ = try #require(client.request(headers: HeaderParts(headers), endStream: true))
        let received = try transfer(client, channel)
        #expect(received.statuses == [status])
        #expect(received.grpcStatuses == [grpcStatus])
        #expect(loop.state.bufferedBytes == 0)
        _ = try? channel.finish()
    }

    @Test("An idle HTTP/2 client gets GOAWAY, and is disconnected if it stays")
    func endsIdleHTTP2() throws {
        var limits = Limits()
        limits.idleTimeout = .seconds(60)
        limits.keepaliveTimeout = .seconds(20)
        let loop = TestLoop(limits)
        let channels = [try connect(loop), try connect(loop)]
        let clients = [client(), client()]
        let headers = HeaderBlock([
            ":method": "GET", ":scheme": "http", ":path": "/", ":authority": "x",
        ])
        for (client, channel) in zip(clients, channels) {
            _ = client.request(headers: HeaderParts(headers), endStream: true)
            _ = try transfer(client, channel)
        }
        loop.embedded.advance(by: .seconds(61))
        // The first client acknowledges the PING after GOAWAY, the second one receives nothing.
        #expect(try transfer(clients[0], channels[0]).goAways > 0)
        #expect(!channels[0].isActive && channels[1].isActive)
        loop.embedded.advance(by: .seconds(19))
        #expect(channels[1].isActive)
        loop.embedded.advance(by: .seconds(4))
        #expect(!channels[1].isActive)
    }
}
