internal import HelloWorld
internal import Traces
internal import Weir

#if canImport(Glibc)
    internal import Glibc
#endif

/// The server for black-box tests and benchmarks: handlers that echo, wait, fail and stream.
///
/// Usage: `FixtureServer [LOOPS [hang | slow | flood]] [traces=RATIO] [LIMIT=VALUE...]`. It prints `DATA ADMIN`,
/// the two addresses, and serves until SIGTERM. With `hang`, it never answers a greeting; with
/// `slow`, after 100 ms; with `flood`, it answers 100 MB.
@main
enum FixtureServer {
    static func main() async throws {
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.loops = arguments.first.flatMap(Int.init) ?? 2
        configuration.limits.drainTimeout = .seconds(5)
        for argument in CommandLine.arguments.dropFirst() where argument.contains("=") {
            let pair = argument.split(separator: "=", maxSplits: 1).map(String.init)
            if pair[0] == "traces" {
                configuration.traces = try traces(ratio: pair[1])
            } else {
                try configuration.limits.set(pair[0], to: pair[1])
            }
        }

        let server = WeirServer(
            configuration, backends: [raw, blocking, stuck, typed, dynamic, json])
        let addresses = try await server.start()
        try await server.createEndpoint("raw", route: "/test.Raw/", backend: "raw")
        try await server.createEndpoint("blocking", route: "/test.Blocking/", backend: "blocking")
        try await server.createEndpoint("typed", route: "/helloworld.Greeter/", backend: "typed")
        try await server.createEndpoint("json", route: "/test.JSON/", backend: "json")
        try await server.createEndpoint("dynamic", route: "/dynamic", backend: "dynamic")
        try await server.run {
            print(addresses.data, addresses.admin)
            fflush(nil)
        }
    }

    /// Spans that no exporter reads, so that their queue is full after a while.
    private static func traces(ratio: String) throws -> TraceSettings {
        TraceSettings(
            SpanQueue(capacity: 2_048),
            sampler: try TraceSampler(name: "parentbased_traceidratio", argument: ratio),
            lateCallsPerSecond: 10)
    }

    /// Answers as `raw` does, after two seconds that cannot be cancelled.
    static let stuck = HandlerBackend(
        "stuck",
        services: [
            Service("test.Raw").unary("Echo") { (request: RawMessage, _) in
                usleep(2_000_000)
                return request
            }
        ])

    /// Returns the request unchanged, modified by the query: `status=`, `type=`, `bytes=`, `wait`,
    /// `fail`, and headers.
    static let dynamic = HandlerBackend(
        "dynamic",
        services: [
            .dynamic { request, context in
                var reply = Weir_V1_CallResponse(
                    payload: try request.serializedBytes(), contentType: "application/x-protobuf")
                for pair in request.query.split(separator: "&") {
                    let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
                    let value = parts.count > 1 ? parts[1] : ""
                    switch parts[0] {
                    case "status": reply.httpStatus = UInt32(value) ?? 0
                    case "type": reply.contentType = value
                    case "bytes": reply.payload = [UInt8](repeating: 0x78, count: Int(value) ?? 0)
                    case "wait": try await Task.sleep(for: .seconds(60))
                    case "fail": throw RPCError(.notFound, "no \(value)")
                    case "key": reply.payload = context.shardKey ?? []
                    default: reply.headers.append(.init(name: parts[0], value: value))
                    }
                }
                return reply
            }
        ])

    static let json = HandlerBackend("json", services: [JSONConverter.service])

    /// A backend without limits.
    private static let arguments = CommandLine.arguments.dropFirst().filter { !$0.contains("=") }
    private static let mode = arguments.dropFirst().first ?? ""

    /// Messages as bytes.
    static let raw = HandlerBackend(
        "raw",
        services: [
            Service("test.Raw")
                .unary("Echo") { (request: RawMessage, context) in
                    context.addTrailingMetadata(context.metadata)
                    return request
                }
                .unary("Wait") { (request: RawMessage, _) in
                    try await Task.sleep(for: .seconds(60))
                    return request
                }
                .unary("Fail") { (_: RawMessage, _) -> RawMessage in
                    throw RPCError(
                        .failedPrecondition, "100 % broken: ü", metadata: ["reason": "asked for"])
                }
                .unary("Crash") { (_: RawMessage, _) -> RawMessage in throw Secret() }
                .unary("Size") { (request: RawMessage, _) in
                    RawMessage(Array("\(request.bytes.count)".utf8))
                }
                .clientStreaming("Upload") { (requests: RequestStream<RawMessage>, _) in
                    var (count, bytes) = (0, 0)
                    for try await request in requests {
                        count += 1
                        bytes += request.bytes.count
                    }
                    return RawMessage(Array("\(count) \(bytes)".utf8))
                }
                .serverStreaming("Download") {
                    (request: RawMessage, replies: ReplyWriter<RawMessage>, _) in
                    let text = String(decoding: request.bytes, as: UTF8.self)
                    let numbers = text.split(separator: " ").compactMap { Int($0) }
                    guard numbers.count == 2 else {
                        throw RPCError(.invalidArgument, "send COUNT BYTES")
                    }
                    let chunk = RawMessage([UInt8](repeating: 0x78, count: numbers[1]))
                    for _ in 0..<numbers[0] { try await replies.send(chunk) }
                }
                .bidirectional("Chat") {
                    (requests: RequestStream<RawMessage>, replies: ReplyWriter<RawMessage>, _) in
                    for try await request in requests { try await replies.send(request) }
                }
        ])

    /// A handler that blocks its thread.
    static let blocking = HandlerBackend(
        "blocking", blocking: true,
        services: [
            Service("test.Blocking").unary("Sleep") { (request: RawMessage, _) in
                usleep(50_000)
                return request
            }
        ])

    /// A backend whose messages use generated code.
    static let typed = HandlerBackend("typed", services: [greeter(mode)])

    private static func greeter(_ mode: String) -> Service {
        let service = Service("helloworld.Greeter")
        func delayed(_ delay: Duration) -> Service {
            service.unary("SayHello") { (request: Helloworld_HelloRequest, _) in
                try await Task.sleep(for: delay)
                return Helloworld_HelloReply(message: request.name)
            }
        }
        switch mode {
        case "hang": return delayed(.seconds(3_600))
        case "slow": return delayed(.milliseconds(100))
        case "flood":
            return service.serverStreaming("SayHello") {
                (_: Helloworld_HelloRequest, replies: ReplyWriter<RawMessage>, _) in
                let part = RawMessage([UInt8](repeating: 0x78, count: 100_000))
                for _ in 0..<1_000 { try await replies.send(part) }
            }
        default:
            return
                service
                .unary("SayHello") { (request: Helloworld_HelloRequest, _) in
                    Helloworld_HelloReply(message: request.name)
                }
                .serverStreaming("SayHelloStreamReply") {
                    (
                        request: Helloworld_HelloRequest,
                        replies: ReplyWriter<Helloworld_HelloReply>, _
                    )
                    in
                    guard let count = Int(request.name) else {
                        throw RPCError(.invalidArgument, "the name must be a number of replies")
                    }
                    let reply = Helloworld_HelloReply(message: String(repeating: "x", count: 64))
                    for _ in 0..<count { try await replies.send(reply) }
                }
                .clientStreaming("SayHelloToAll") {
                    (requests: RequestStream<Helloworld_HelloRequest>, _) in
                    var bytes = 0
                    for try await request in requests { bytes += request.name.utf8.count }
                    return Helloworld_HelloReply(message: "\(bytes)")
                }
        }
    }

    private struct Secret: Error {
        let password = "hunter2"
    }
}
