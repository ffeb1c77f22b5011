internal import GRPCWire
internal import Messages
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct CallContextTests {
    /// What a handler has read from its context.
    private struct Read: Sendable {
        var path = ""
        var shardKey: [UInt8]?
        var endpoint = ""
        var backend = ""
        var isShadow = false
        var hasDeadline = false
        var metadata = Metadata()
    }

    private final class Reads: Sendable {
        private let last = Mutex(Read())
        var value: Read { last.withLock { $0 } }

        var service: Service {
            Service("p.S").unary("M") { (request: RawMessage, context) in
                let read = Read(
                    path: context.path, shardKey: context.shardKey, endpoint: context.endpoint,
                    backend: context.backend, isShadow: context.isShadow,
                    hasDeadline: context.deadline != nil, metadata: context.metadata)
                self.last.withLock { $0 = read }
                return request
            }
        }
    }

    private static func answerer(_ service: Service) throws -> Answerer {
        let method = try #require(service.methods["M"])
        return .handler(Handler(method: method, isBlocking: false, maxMessageBytes: 100))
    }

    private func run(
        _ loop: borrowing TestLoop, _ source: TestSource, _ service: Service
    ) throws {
        let call = loop.begin(source, try Self.answerer(service))
        call.start(RequestHead(source.headers))
        call.requestArrived([UInt8](repeating: 0, count: 5).span.asBytes, endStream: true)
    }

    @Test("A handler reads the path, the metadata, the endpoint and the backend of its call")
    func reads() throws {
        let reads = Reads()
        let loop = TestLoop()
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [reads.service]))
        let client = try TestClient(loop)
        let response = try client.call(
            "/p.S/M", [1], [("x-a", "b"), ("grpc-timeout", "1S")])
        #expect(response[.grpcStatus] == "0")
        let read = reads.value
        #expect(read.path == "/p.S/M" && read.endpoint == "/p.S/" && read.backend == "b")
        #expect(read.metadata["x-a"] == "b" && read.hasDeadline)
        #expect(read.metadata["te"] == nil && read.metadata["content-type"] == nil)
        #expect(read.metadata["x-serve-shadow"] == nil && !read.isShadow)
        _ = try client.call("/p.S/M", [1])
        #expect(!reads.value.hasDeadline)
    }

    @Test(
        "The shard key is the first value that is not empty",
        arguments: [
            ([], nil), ([("x-serve-shard-key", "")], nil), ([("x-serve-shard-key", "a")], "a"),
            ([("x-serve-shard-key", ""), ("x-serve-shard-key", "b")], "b"),
            ([("x-serve-shard-key", "c"), ("x-serve-shard-key", "d")], "c"),
        ] as [([(String, String)], String?)])
    func readsShardKey(fields: [(String, String)], key: String?) throws {
        let reads = Reads()
        let loop = TestLoop()
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [reads.service]))
        _ = try TestClient(loop).call("/p.S/M", [1], fields)
        #expect(reads.value.shardKey == key.map { Array($0.utf8) })
        #expect(reads.value.metadata["x-serve-shard-key"] == fields.first?.1)
    }

    @Test("The metadata that a handler adds is sent in the headers and trailers")
    func addsMetadata() throws {
        let loop = TestLoop()
        let service = Service("p.S").unary("M") { (request: RawMessage, context) in
            context.addInitialMetadata(["x-first": "1"])
            context.addTrailingMetadata(["x-last": "2"])
            return request
        }
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [service]))
        let response = try TestClient(loop).call("/p.S/M", [1])
        let names = response.headers.map(\.name)
        let first = try #require(names.firstIndex(of: "x-first"))
        let last = try #require(names.firstIndex(of: "x-last"))
        let status = try #require(names.firstIndex(of: "grpc-status"))
        #expect(first < status && first < last)
        #expect(response["x-first"] == "1" && response["x-last"] == "2")
        #expect(response[.grpcStatus] == "0" && response["x-serve-backend"] == "b")
    }

    @Test("A call that its context ends has that status, whatever the handler returns")
    func ends() throws {
        let loop = TestLoop()
        let service = Service("p.S").unary("M") { (request: RawMessage, context) in
            context.end(RPCError(.permissionDenied, "no"))
            return request
        }
        let source = TestSource()
        try run(loop, source, service)
        #expect(source.status?.code == .permissionDenied && source.status?.message == "no")
        #expect(source.body.isEmpty)
    }

    @Test("A body is accepted at the limit of a message, and refused one byte over it")
    func checksBody() throws {
        var limits = Limits()
        limits.maxMessageBytes = 10
        for (bytes, code) in [(10, StatusCode.ok), (11, .resourceExhausted)] {
            let loop = TestLoop(limits)
            let service = Service("p.S").unary("M") { (request: RawMessage, context) in
                try context.checkBody([UInt8](repeating: 0, count: bytes))
                return request
            }
            let source = TestSource()
            try run(loop, source, service)
            #expect(source.status?.code == code)
        }
    }

    @Test("Metadata that a handler adds after the end of its call reaches no later call")
    func ignoresLateMetadata() throws {
        let kept = Mutex<CallContext?>(nil)
        let service = Service("p.S").unary("M") { (request: RawMessage, context) in
            kept.withLock { $0 = context }
            return request
        }
        let loop = TestLoop()
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [service]))
        let client = try TestClient(loop)
        _ = try client.call("/p.S/M", [1])
        kept.withLock { context in
            context?.addInitialMetadata(["x-secret": "of the first caller"])
            context?.addTrailingMetadata(["x-secret": "of the first caller"])
            context = nil
        }
        for _ in 0..<2 {
            let response = try client.call("/p.S/M", [1])
            #expect(response[.grpcStatus] == "0" && response["x-secret"] == nil)
        }
    }

    @Test("A call with an invalid timeout does not have the format of the call before it")
    func resetsFormat() throws {
        let service = Service("p.S").unary("M") { (request: RawMessage, _) in request }
        let loop = TestLoop()
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [service]))
        let client = try TestClient(loop)
        let compressed = try client.call(
            "/p.S/M", [1], [("grpc-encoding", "gzip"), ("grpc-accept-encoding", "gzip")])
        #expect(compressed["grpc-encoding"] == "gzip")
        let invalid = try client.call("/p.S/M", [1], [("grpc-timeout", "soon")])
        #expect(invalid[.grpcStatus] == "13" && invalid["grpc-encoding"] == nil)
    }

    @Test("A handler does not run after the deadline")
    func enforcesDeadline() throws {
        let calls = Mutex(0)
        let loop = TestLoop()
        let service = Service("p.S").unary("M") { (request: RawMessage, _) in
            calls.withLock { $0 += 1 }
            return request
        }
        loop.install(routes: ["/p.S/"], HandlerBackend("b", services: [service]))
        let client = try TestClient(loop)
        let expired = try client.call("/p.S/M", [1], [("grpc-timeout", "0n")])
        #expect(expired[.grpcStatus] == "4" && calls.withLock { $0 } == 0)
        let inTime = try client.call("/p.S/M", [1], [("grpc-timeout", "1S")])
        #expect(inTime[.grpcStatus] == "0" && calls.withLock { $0 } == 1)
    }
}
