internal import HelloWorld
internal import Logging
internal import Messages
internal import Synchronization
internal import TestSupport
internal import Testing
internal import Traces
internal import Tracing
internal import Weir
internal import WeirTracing

/// Traces of calls that a server forwards to another one.
@Suite(.timeLimit(.minutes(1))) struct TracingTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let sampled = "00-\(trace)-b7ad6b7169203331-01"
    private static let unsampled = "00-\(trace)-b7ad6b7169203331-00"
    private static let method = "/helloworld.Greeter/SayHello"

    /// The metadata of the requests that a backend has received.
    private final class Received: Sendable {
        private let all = Mutex<[Metadata]>([])

        func add(_ metadata: Metadata) { all.withLock { $0.append(metadata) } }

        var count: Int { all.withLock(\.count) }

        func values(_ name: String) -> [String] {
            all.withLock { $0.flatMap { $0.fields.filter { $0.name == name }.map(\.value) } }
        }

        /// The span ids of the `traceparent` headers.
        var parents: [String] { values("traceparent").map { String($0.dropFirst(36).prefix(16)) } }
    }

    private func server(
        _ backends: [HandlerBackend], _ queue: SpanQueue? = nil, late: Int = 0
    ) async throws -> (WeirServer, WeirServer.Addresses) {
        var configuration = WeirServer.Configuration()
        configuration.data = Address(host: "127.0.0.1", port: 0)
        configuration.admin = Address(host: "127.0.0.1", port: 0)
        configuration.loops = 1
        configuration.log.logLevel = .critical
        configuration.traces = queue.map { TraceSettings($0, lateCallsPerSecond: late) }
        let server = WeirServer(configuration, backends: backends)
        return (server, try await server.start())
    }

    /// A backend that records requests, and fails one of them as UNAVAILABLE.
    private func backend(
        _ name: String, _ received: Received, failing: Int = 0, answer: String = "hello"
    ) -> HandlerBackend {
        let service = Service(Greeters.service).unary("SayHello") {
            (request: Helloworld_HelloRequest, context: CallContext) in
            received.add(context.metadata)
            guard received.count != failing else { throw RPCError(.unavailable, "not yet") }
            return Helloworld_HelloReply(message: answer)
        }
        return HandlerBackend(name, services: [service])
    }

    /// Runs a body against a server whose backends `a` and `b` are two other servers.
    private func withForwarding(
        _ a: HandlerBackend, _ b: HandlerBackend, late: Int = 0,
        _ body: (WeirServer, WeirClient, SpanQueue) async throws -> Void
    ) async throws {
        let queue = SpanQueue(capacity: 1_000)
        let (first, firstAddresses) = try await server([a])
        let (second, secondAddresses) = try await server([b])
        let (outer, addresses) = try await server([], queue, late: late)
        let client = WeirClient(addresses.data)
        do {
            for inner in [(first, a.name), (second, b.name)] {
                try await inner.0.createEndpoint(
                    "greeter", route: "/helloworld.Greeter/", backend: inner.1)
            }
            let admin = WeirClient(addresses.admin)
            _ = try await Weir_Admin_V1_AdminStub(admin).createBackend(
                .init(
                    backend: .init(
                        name: "a",
                        kind: .upstream(.init(addresses: ["\(firstAddresses.data)"])),
                        options: .init(retry: .init(codes: ["UNAVAILABLE"])))))
            await admin.close()
            try await outer.createBackend("b", upstream: ["\(secondAddresses.data)"])
            try await outer.createEndpoint("greeter", route: "/helloworld.Greeter/", backend: "a")
            try await body(outer, client, queue)
        } catch {
            Issue.record(error)
        }
        await client.close()
        for one in [outer, first, second] { try await one.shutDown() }
    }

    private func call(_ client: WeirClient, _ metadata: Metadata) async throws {
        _ = try await client.unary(
            Self.method, Helloworld_HelloRequest(name: "Ada"), as: Helloworld_HelloReply.self,
            .init(metadata: metadata))
    }

    private func attribute(_ span: TraceSpan, _ name: String) -> Attribute.Value? {
        span.attributes.first { $0.name == name }?.value
    }

    @Test("Each attempt has a span, whose id the replica receives; the shadow links to the call")
    func traces() async throws {
        let (primary, shadow) = (Received(), Received())
        try await withForwarding(
            backend("a", primary, failing: 2), backend("b", shadow)
        ) { server, client, queue in
            // Spans name a method after a backend has answered it.
            try await call(client, Metadata())
            try await server.shadowTraffic("greeter", backend: "b", proportion: 1)
            try await call(
                client,
                [
                    "traceparent": Self.sampled, "tracestate": "x=1,y=2", "baggage": "user=7",
                ])
            #expect(await eventually { queue.count == 5 })
            let spans = queue.take(upTo: 10)
            let call = try #require(spans.first { $0.kind == .server })
            let attempts = spans.filter { $0.parent == call.context.spanID }
            let copy = try #require(spans.first { $0.kind == .internal })
            let copyAttempts = spans.filter { $0.parent == copy.context.spanID }
            #expect(call.parent?.hex == "b7ad6b7169203331" && call.parentIsRemote)
            #expect(spans.allSatisfy { $0.context.traceID.hex == Self.trace })
            #expect(Set(spans.map(\.context.spanID)).count == 5)
            #expect(attempts.count == 2 && copyAttempts.count == 1)
            #expect((attempts + copyAttempts).allSatisfy { $0.kind == .client })
            #expect(primary.parents == attempts.map(\.context.spanID.hex))
            #expect(shadow.parents == copyAttempts.map(\.context.spanID.hex))
            #expect(attempts.map { attribute($0, "previous-rpc-attempts") } == [.int(0), .int(1)])
            #expect(
                attempts.map { attribute($0, "rpc.status_code") }
                    == [.string("UNAVAILABLE"), .string("OK")])
            #expect(attempts[0].status != .unset && attempts[1].status == .unset)
            #expect(call.status == .unset && attribute(call, "weir.attempts") == .int(2))
            #expect(copy.parent == nil && copy.links.map(\.context) == [call.context])
            for span in [copy] + copyAttempts {
                #expect(attribute(span, "weir.shadow") == .bool(true))
            }
            #expect(attribute(call, "weir.shadow") == nil)
            for span in spans {
                #expect(span.name == "helloworld.Greeter/SayHello" && span.state == "x=1,y=2")
            }
            for received in [primary, shadow] {
                #expect(Set(received.values("tracestate")) == ["x=1,y=2"])
                #expect(Set(received.values("baggage")) == ["user=7"])
            }
        }
    }

    @Test("The headers of an unsampled or invalid context pass unchanged")
    func passes() async throws {
        let received = Received()
        try await withForwarding(backend("a", received), backend("b", Received())) {
            _, client, queue in
            let values = [Self.unsampled, "bad", "00-\(Self.trace)-0000000000000000-01", "ff"]
            for value in values {
                try await call(client, ["traceparent": value, "tracestate": "x=1"])
            }
            try await call(
                client,
                ["traceparent": Self.sampled, "tracestate": "x", "traceparent": Self.sampled])
            try await call(client, ["tracestate": "alone", "baggage": "user=7"])
            #expect(received.values("traceparent") == values + [Self.sampled, Self.sampled])
            #expect(received.values("tracestate").count == 6)
            #expect(queue.count == 0)
        }
    }

    @Test("A call whose shadow differs is exported late, once")
    func exportsDifferences() async throws {
        try await withForwarding(
            backend("a", Received()), backend("b", Received(), answer: "other"), late: 10
        ) { server, client, queue in
            try await server.shadowTraffic("greeter", backend: "b", proportion: 1)
            try await call(client, ["traceparent": Self.unsampled])
            #expect(await eventually { queue.count == 1 })
            let span = try #require(queue.take(upTo: 10).first)
            #expect(span.context.traceID.hex == Self.trace && !span.context.isSampled)
            #expect(attribute(span, "sampled") == .string("late"))
            #expect(attribute(span, "weir.late") == .string("differed"))
            #expect(attribute(span, "weir.replica") != nil)
        }
    }

    @Test("A handler sees the span of its call; its own spans and calls are below it")
    func tracesHandlers() async throws {
        let queue = SpanQueue(capacity: 100)
        let tracer = WeirTracer(queue)
        let received = Received()
        let (inner, innerAddresses) = try await server([backend("inner", received)])
        let client = WeirClient(innerAddresses.data)
        let service = Service(Greeters.service).unary("SayHello") {
            (request: Helloworld_HelloRequest, _) in
            try await tracer.withSpan("work", ofKind: .internal) { span in
                span.attributes["count"] = 3
                span.addEvent("begun")
                return try await client.unary(
                    Self.method, request, as: Helloworld_HelloReply.self)
            }
        }
        let (outer, addresses) = try await server(
            [HandlerBackend("outer", services: [service])], queue)
        let caller = WeirClient(addresses.data)
        do {
            try await inner.createEndpoint("e", route: "/helloworld.Greeter/", backend: "inner")
            try await outer.createEndpoint("e", route: "/helloworld.Greeter/", backend: "outer")
            try await call(caller, ["traceparent": Self.sampled, "baggage": "user=7"])
            #expect(await eventually { queue.count == 2 })
            let spans = queue.take(upTo: 10)
            let work = try #require(spans.first { $0.name == "work" })
            let call = try #require(spans.first { $0.kind == .server })
            #expect(work.parent == call.context.spanID && !work.parentIsRemote)
            #expect(work.attributes == [Attribute("count", 3)])
            #expect(work.events.map(\.name) == ["begun"])
            #expect(received.parents == [work.context.spanID.hex])
            #expect(received.values("baggage") == ["user=7"])
            try await self.call(caller, ["traceparent": Self.unsampled])
            #expect(received.parents.count == 1 && queue.count == 0)
        } catch {
            Issue.record(error)
        }
        await client.close()
        await caller.close()
        try await outer.shutDown()
        try await inner.shutDown()
    }

    @Test("Any number of unknown methods has one name in spans")
    func boundsNames() async throws {
        try await withForwarding(backend("a", Received()), backend("b", Received())) {
            _, client, queue in
            for number in 0..<200 {
                let error = await #expect(throws: RPCError.self) {
                    _ = try await client.unary(
                        "/helloworld.Greeter/Unknown\(number)", Helloworld_HelloRequest(),
                        as: Helloworld_HelloReply.self,
                        .init(metadata: ["traceparent": Self.sampled]))
                }
                #expect(error?.code == .unimplemented)
            }
            let spans = queue.take(upTo: 1_000)
            #expect(spans.count == 400)
            #expect(Set(spans.map(\.name)) == ["_OTHER"])
        }
    }
}
