internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import NIOEmbedded
internal import TestSupport
internal import Transport

@testable internal import Serving

/// An HTTP/2 client on a channel without a socket.
final class TestClient {
    /// What has arrived for one request.
    struct Response {
        var headers: [(name: String, value: String)] = []
        var body: [UInt8] = []
        /// Whether the response is complete.
        var isComplete = false
        /// Whether the server has reset the stream.
        var wasReset = false

        /// The first value of a field of the headers or trailers.
        subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

        subscript(header: KnownHeader) -> String? { self[header.name] }

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    private let channel: EmbeddedChannel
    private(set) var goAways = 0
    private let session = HTTP2Session(
        role: .client, limits: HTTP2Limits(), allocator: FreeListAllocator(),
        knownNames: KnownHeader.names)
    private var responses: [Int32: Response] = [:]

    init(_ loop: borrowing TestLoop, port: ServedPort = TestLoop.port) throws {
        let sniffer = ProtocolSniffer(loop.connections, servedPort: port)
        channel = EmbeddedChannel(handler: sniffer, loop: loop.embedded.eventLoop)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    var isConnected: Bool { channel.isActive }

    deinit { _ = try? channel.finish() }

    /// Sends a whole request.
    func request(
        _ headers: KeyValuePairs<String, String>, body: [UInt8] = []
    ) throws -> Response {
        let stream = try open(headers, endStream: body.isEmpty)
        if !body.isEmpty { try send(body, on: stream, endStream: true) }
        return response(on: stream)
    }

    /// Sends the only message of a gRPC request.
    func call(
        _ path: String, _ message: [UInt8], _ metadata: [(String, String)] = []
    ) throws -> Response {
        var headers = HeaderBlock([
            ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x",
            "content-type": ContentType.grpc,
        ])
        for (name, value) in metadata { headers.append(name, value) }
        let stream = try open(headers)
        let prefix = MessagePrefix(isCompressed: false, length: message.count)?.bytes ?? []
        try send(prefix + message, on: stream, endStream: true)
        return response(on: stream)
    }

    /// Sends the headers of a request.
    func open(
        _ headers: KeyValuePairs<String, String>, endStream: Bool = false
    ) throws -> HTTP2Stream {
        try open(HeaderBlock(headers), endStream: endStream)
    }

    private func open(_ headers: HeaderBlock, endStream: Bool = false) throws -> HTTP2Stream {
        guard let stream = session.request(headers: HeaderParts(headers), endStream: endStream)
        else {
            throw ChannelError.ioOnClosedChannel
        }
        try exchange()
        return stream
    }

    func send(_ bytes: [UInt8], on stream: HTTP2Stream, endStream: Bool = false) throws {
        session.write(bytes.span.asBytes, to: stream)
        if endStream { session.finish(stream) }
        try exchange()
    }

    func reset(_ stream: HTTP2Stream) throws {
        session.reset(stream, .cancel)
        try exchange()
    }

    func response(on stream: HTTP2Stream) -> Response { responses[stream.id] ?? Response() }

    /// Exchanges bytes until neither side has any.
    func exchange() throws {
        var isDone = false
        while !isDone {
            isDone = true
            var bytes = ByteBuffer()
            _ = try session.send(into: &bytes, room: 64 << 10)
            if bytes.readableBytes > 0, channel.isActive {
                isDone = false
                try channel.writeInbound(bytes)
            }
            channel.embeddedEventLoop.run()
            while let received = try channel.readOutbound(as: ByteBuffer.self) {
                isDone = false
                let input = received.readableBytesSpan
                try session.receive(input)
                while let event = session.nextEvent() { handle(event, input) }
            }
        }
    }

    private func handle(_ event: HTTP2Event, _ input: RawSpan) {
        switch event {
        case .headers(let stream, let endStream):
            add(session.headers(of: stream), to: stream)
            responses[stream.id]?.isComplete = endStream
        case .trailers(let stream):
            add(session.trailers(of: stream), to: stream)
            responses[stream.id]?.isComplete = true
        case .data(let stream, let range, let endStream):
            responses[stream.id]?.body += Array(copying: input.extracting(range))
            responses[stream.id]?.isComplete = endStream
            session.consume(range.count, of: stream)
        case .closed(let stream, let code):
            if code != .noError { responses[stream.id, default: Response()].wasReset = true }
        case .goAway: goAways += 1
        default: break
        }
    }

    private func add(_ block: HeaderBlock, to stream: HTTP2Stream) {
        responses[stream.id, default: Response()].headers += block.pairs.map { ($0.name, $0.value) }
    }
}
