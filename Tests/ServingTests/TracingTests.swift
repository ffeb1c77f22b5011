internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Observability
internal import TestSupport
internal import Testing
internal import Traces
internal import Transport

@testable internal import Serving

/// The spans of calls that handlers answer, on a loop whose clock the test controls.
@Suite struct TracingTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"
    private static let sampled = "00-\(trace)-\(span)-01"
    private static let unsampled = "00-\(trace)-\(span)-00"
    private static let binary = "AAAK92UZFs1D3YRI6yEcgDGcAbeta3FpIDMxAgE"

    private let queue = SpanQueue(capacity: 100)

    private func loop(
        _ limits: Limits = Limits(), ratio: Double = 0, late: Int = 0
    ) -> TestLoop {
        let loop = TestLoop(
            limits,
            tracing: TraceSettings(
                queue, sampler: TraceSampler(ratio: ratio), lateCallsPerSecond: late))
        let service = Service("a.S")
            .unary("M") { (request: Weir_V1_CallRequest, _) in
                guard request.path.isEmpty else { throw RPCError(.internalError, "broken") }
                return Weir_V1_CallResponse()
            }
        let serve = Service.dynamic { _, _ in Weir_V1_CallResponse() }
        loop.install(
            routes: ["/a.S/", "/app/"], HandlerBackend("b", services: [service, serve]))
        return loop
    }

    private func spans() -> [TraceSpan] { queue.take(upTo: 100) }

    private func attribute(_ span: TraceSpan, _ name: String) -> Attribute.Value? {
        span.attributes.first { $0.name == name }?.value
    }

    @Test("A call whose caller has sampled it has a span below the caller's")
    func continues() throws {
        let client = try TestClient(loop())
        let response = try client.call(
            "/a.S/M", [],
            [("traceparent", Self.sampled), ("tracestate", "a=1"), ("tracestate", "b=2")])
        #expect(response[.grpcStatus] == "0")
        let span = try #require(spans().first)
        #expect(span.context.traceID.hex == Self.trace && span.context.isSampled)
        #expect(span.parent?.hex == Self.span && span.parentIsRemote)
        #expect(span.context.spanID != span.parent)
        #expect(span.kind == .server && span.name == "a.S/M" && span.status == .unset)
        #expect(span.state == "a=1,b=2")
        #expect(attribute(span, "rpc.system.name") == .string("grpc"))
        #expect(attribute(span, "rpc.status_code") == .string("OK"))
        #expect(attribute(span, "weir.endpoint") == .string("/a.S/"))
        #expect(attribute(span, "weir.backend") == .string("b"))
        #expect(attribute(span, "error.type") == nil && attribute(span, "weir.shadow") == nil)
        #expect(span.endedAt >= span.startedAt && span.startedAt > 1_600_000_000_000_000_000)
    }

    @Test("An error of the server is an error of the span")
    func fails() throws {
        let client = try TestClient(loop())
        let request = Weir_V1_CallRequest(path: "/x")
        var bytes: [UInt8] = []
        request.serialize(appendingTo: &bytes)
        let response = try client.call("/a.S/M", bytes, [("traceparent", Self.sampled)])
        #expect(response[.grpcStatus] == "13")
        let span = try #require(spans().first)
        #expect(span.status == .error("broken"))
        #expect(attribute(span, "error.type") == .string("INTERNAL"))
    }

    @Test(
        "Which headers sample a call",
        arguments: [
            ([("traceparent", sampled)], true), ([("traceparent", unsampled)], false), ([], false),
            ([("traceparent", sampled), ("traceparent", sampled)], false),
            ([("traceparent", sampled), ("traceparent", unsampled)], false),
            ([("traceparent", "00-\(trace)-\(span)-0g")], false),
            ([("traceparent", "ff-\(trace)-\(span)-01")], false),
            ([("traceparent", "00-\(trace)-0000000000000000-01")], false),
            ([("grpc-trace-bin", binary)], true),
            ([("grpc-trace-bin", binary), ("grpc-trace-bin", binary)], false),
            ([("grpc-trace-bin", "%%%")], false), ([("grpc-trace-bin", "")], false),
            ([("grpc-trace-bin", String(repeating: "A", count: 4_000))], false),
            ([("traceparent", unsampled), ("grpc-trace-bin", binary)], false),
            ([("traceparent", "x"), ("grpc-trace-bin", binary)], true),
            ([("tracestate", "a=1")], false),
        ] as [([(String, String)], Bool)])
    func samples(_ headers: [(String, String)], isSampled: Bool) throws {
        let client = try TestClient(loop())
        #expect(try client.call("/a.S/M", [], headers)[.grpcStatus] == "0")
        let spans = spans()
        #expect(spans.count == (isSampled ? 1 : 0))
        if isSampled { #expect(spans.first?.parent?.hex == Self.span) }
    }

    @Test("A request without an endpoint has a span if its caller has sampled it")
    func refuses() throws {
        let client = try TestClient(loop(ratio: 1))
        for (header, isSampled) in [(Self.sampled, true), (Self.unsampled, false), ("x", false)] {
            #expect(try client.call("/z.S/M", [], [("traceparent", header)])[.grpcStatus] == "12")
            let spans = spans()
            #expect(spans.count == (isSampled ? 1 : 0))
            guard let span = spans.first else { continue }
            #expect(span.parent?.hex == Self.span && span.name == "_OTHER")
            #expect(span.status != .unset && attribute(span, "weir.endpoint") == nil)
        }
    }

    @Test("A request over a limit has a span with its endpoint")
    func refusesOverload() throws {
        var limits = Limits()
        limits.maxRequestsInFlightPerLoop = 0
        let loop = loop(limits)
        for type in [ContentType.grpc, "application/proto"] {
            let client = try TestClient(loop)
            _ = try client.request(
                [
                    ":method": "POST", ":scheme": "http", ":path": "/a.S/M", ":authority": "x",
                    "content-type": type, "traceparent": Self.sampled,
                ])
            let span = try #require(spans().first)
            #expect(attribute(span, "rpc.status_code") == .string("RESOURCE_EXHAUSTED"))
            #expect(attribute(span, "weir.endpoint") == .string("/a.S/"))
            #expect(
                attribute(span, "rpc.system.name")
                    == .string(type == ContentType.grpc ? "grpc" : "connectrpc"))
        }
    }

    @Test("Without a valid context, the ratio decides; the trace is a new one")
    func roots() throws {
        for headers in [[], [("traceparent", "bad"), ("tracestate", "a=1")]] {
            let client = try TestClient(loop(ratio: 1))
            _ = try client.call("/a.S/M", [], headers)
            let span = try #require(spans().first)
            #expect(span.parent == nil && !span.parentIsRemote && span.state.isEmpty)
            #expect(span.context.flags == [.sampled, .random])
        }
        let client = try TestClient(loop(ratio: 1))
        _ = try client.call("/a.S/M", [], [("traceparent", Self.unsampled)])
        #expect(spans().isEmpty)
    }

    @Test("Weir's own services have spans only if the caller has sampled the call")
    func ownServices() throws {
        let client = try TestClient(loop(ratio: 1))
        _ = try client.call("/own.S/M", [])
        #expect(spans().isEmpty)
    }

    @Test(
        "Calls of other protocols have spans too",
        arguments: [
            ("/a.S/M", "application/proto", "connectrpc", "a.S/M"),
            ("/a.S/M", "application/grpc-web+proto", "grpc", "a.S/M"),
            ("/app/x", "text/plain", "grpc", "weir.v1.Serve/Call"),
        ])
    func protocols(_ path: String, type: String, system: String, name: String) throws {
        let client = try TestClient(loop())
        let response = try client.request(
            [
                ":method": "POST", ":scheme": "http", ":path": path, ":authority": "x:80",
                "content-type": type, "connect-protocol-version": "1",
                "traceparent": Self.sampled,
            ], body: type.contains("grpc-web") ? [0, 0, 0, 0, 0] : [])
        #expect(response[.status] == "200")
        let span = try #require(spans().first)
        #expect(span.parent?.hex == Self.span && span.name == name)
        #expect(attribute(span, "rpc.system.name") == .string(system))
        #expect(attribute(span, "server.address") == .string("x"))
        #expect(attribute(span, "server.port") == .int(80))
    }

    @Test("Unsampled calls that fail are exported late, at most at the rate")
    func late() throws {
        let loop = loop(late: 5)
        let client = try TestClient(loop)
        let request = Weir_V1_CallRequest(path: "/x")
        var bytes: [UInt8] = []
        request.serialize(appendingTo: &bytes)
        _ = try client.call("/a.S/M", [], [("traceparent", Self.unsampled)])
        #expect(spans().isEmpty)
        _ = try client.call("/a.S/M", bytes, [("traceparent", Self.unsampled)])
        let span = try #require(spans().first)
        #expect(span.context.traceID.hex == Self.trace && span.parent?.hex == Self.span)
        #expect(!span.context.isSampled && span.status == .error("broken"))
        #expect(attribute(span, "sampled") == .string("late"))
        #expect(attribute(span, "weir.late") == .string("failed"))
        loop.embedded.advance(by: .seconds(2))
        for _ in 0..<50 { _ = try client.call("/a.S/M", bytes) }
        #expect(spans().count <= 6)
        loop.embedded.advance(by: .seconds(1))
        #expect((4...6).contains(spans().count))
        loop.embedded.advance(by: .seconds(60))
        #expect((30...50).contains(spans().count))
        #expect(loop.state.tracing?.droppedLate == 0)
        for _ in 0..<Limits.maxWaitingLateCalls + 100 { _ = try client.call("/a.S/M", bytes) }
        #expect((loop.state.tracing?.droppedLate ?? 0) > 0)
    }

    @Test("A call over the 99th percentile of its endpoint is slow")
    func slow() {
        let loop = TestLoop()
        let metrics = loop.state.metrics
        let slow = SlowCalls("e", metrics)
        let second: UInt64 = 1_000_000_000
        #expect(!slow.include(nanoseconds: .max - 1, at: second), "nothing is known yet")
        let key = CallKey(endpoint: "e", backend: "b", method: "/p.S/M", isShadow: false)
        let copies = CallKey(endpoint: "e", backend: "b", method: "/p.S/M", isShadow: true)
        for number in 1...200 as ClosedRange<UInt64> {
            metrics.series(of: key).figures.record(.ok, nanoseconds: number * 1_000)
            metrics.series(of: copies).figures.record(.ok, nanoseconds: second)
        }
        #expect(!slow.include(nanoseconds: .max - 1, at: 2 * second), "not yet computed")
        #expect(!slow.include(nanoseconds: 190_000, at: 12 * second))
        #expect(slow.include(nanoseconds: 210_000, at: 12 * second))
        // Fewer than a hundred new calls do not change the threshold.
        for _ in 0..<99 { metrics.series(of: key).figures.record(.ok, nanoseconds: second) }
        #expect(slow.include(nanoseconds: 210_000, at: 30 * second))
        metrics.series(of: key).figures.record(.ok, nanoseconds: second)
        #expect(!slow.include(nanoseconds: 210_000, at: 50 * second))
    }

    @Test("A hundred thousand unknown methods have one name, and one series")
    func boundsNames() throws {
        let loop = loop(late: 1_000)
        var names: Set<String> = []
        for number in 0..<100_000 {
            let path = "/a.S/M\(number)"
            let source = TestSource()
            source.headers.append(":path", path, known: KnownHeader.path.rawValue)
            if number % 2 == 0 {
                let name = KnownHeader.traceParent
                source.headers.append(name.name, Self.sampled, known: name.rawValue)
            }
            let resolved = loop.router.resolve(Array(path.utf8), on: TestLoop.port)
            let call = resolved?.destinations[0].begin(
                loop.state, .source(source), at: 0, RequestHead(source.headers).trace)
            call?.start(RequestHead(source.headers))
            if source.status?.code != .unimplemented { Issue.record("\(path) is answered") }
            if number % 100 == 99 {
                let spans = spans()
                #expect(spans.count >= 50)
                for span in spans { names.insert(span.name) }
            }
        }
        #expect(names == ["_OTHER"])
        #expect(loop.servingLoop.figures.calls.keys.map(\.method) == ["other"])
    }

    @Test("A full queue of spans costs no call")
    func dropsSpans() throws {
        let client = try TestClient(loop())
        for _ in 0..<150 {
            let response = try client.call("/a.S/M", [], [("traceparent", Self.sampled)])
            #expect(response[.grpcStatus] == "0")
        }
        #expect(queue.count == 100 && queue.dropped == 50)
    }
}
