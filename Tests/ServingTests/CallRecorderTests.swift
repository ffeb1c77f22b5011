internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Observability
internal import TestSupport
internal import Testing
internal import Traces

@testable internal import Serving

/// What the records of a loop reach: logs, taps and the ring of traced calls.
@Suite(.timeLimit(.minutes(1))) struct CallRecorderTests {
    private static let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    private static let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"

    private let queue = CallQueue(capacity: 1_000)

    private func loop(
        share: Double? = nil, limits: Limits = Limits(), tracing: TraceSettings? = nil
    ) -> TestLoop {
        var listeners = CallListeners()
        if let share { (listeners.logs, listeners.share) = ([queue], share) }
        let loop = TestLoop(limits, listeners: listeners, tracing: tracing)
        let service = Service("a.S")
            .unary("M") { (request: Weir_V1_CallRequest, _) in
                switch request.path {
                case "": return Weir_V1_CallResponse()
                case "fault": throw RPCError(.internalError, "broken")
                default: throw RPCError(.notFound, "missing")
                }
            }
        loop.install(routes: ["/a.S/"], HandlerBackend("b", services: [service]))
        return loop
    }

    private static func request(_ path: String) -> [UInt8] {
        var bytes: [UInt8] = []
        Weir_V1_CallRequest(path: path).serialize(appendingTo: &bytes)
        return bytes
    }

    private func records() -> [CallRecord] { queue.take(upTo: .max) }

    @Test(
        "A log receives its share of the calls, and all failures of the server",
        arguments: [0, -1, .nan, 1e-300, 1, 2, .infinity])
    func share(_ share: Double) throws {
        let client = try TestClient(loop(share: share))
        for _ in 0..<10 {
            for path in ["", "fault", "missing"] {
                _ = try client.call("/a.S/M", Self.request(path), [])
            }
        }
        let codes = records().map(\.code)
        let expected = share >= 1 ? 10 : 0
        #expect(codes.count { $0 == .internalError } == 10)
        #expect(codes.count { $0 == .ok } == expected)
        #expect(codes.count { $0 == .notFound } == expected)
    }

    @Test("A share of a half logs about half of the calls")
    func half() throws {
        let client = try TestClient(loop(share: 0.5))
        for _ in 0..<400 { _ = try client.call("/a.S/M", [], []) }
        // 400 draws: 8 standard deviations are 80.
        #expect((120...280).contains(records().count))
    }

    @Test("A record has what is known of its call")
    func content() throws {
        let client = try TestClient(loop(share: 1))
        _ = try client.call(
            "/a.S/M", Self.request("missing"),
            [("traceparent", Self.parent), ("x-serve-shard-key", "k")])
        let call = try #require(records().first)
        #expect(call.endpoint == "/a.S/" && call.backend == "b" && call.method == "/a.S/M")
        #expect(call.code == .notFound && call.message == "missing" && call.form == .grpc)
        #expect(call.attempts == 1 && call.replica.isEmpty && !call.isShadow)
        #expect(call.requestBytes == UInt64(Self.request("missing").count) + 5)
        #expect(call.trace?.traceID.hex == "0af7651916cd43dd8448eb211c80319c")
        #expect(call.shardPoint != nil && call.endedAt > 1_600_000_000_000_000_000)
    }

    @Test("A request that no endpoint matches has a record")
    func unrouted() throws {
        let client = try TestClient(loop(share: 0))
        _ = try client.call("/no.S/M", [], [("traceparent", Self.parent)])
        let call = try #require(records().first)
        #expect(call.endpoint.isEmpty && call.method == "/no.S/M" && call.code == .unimplemented)
        #expect(call.attempts == 0 && call.trace != nil)
    }

    @Test("Without a listener, sampled calls and those that failed have records, in the ring")
    func ring() throws {
        var limits = Limits()
        limits.maxTracedCalls = 2
        let loop = loop(limits: limits)
        let recorder = loop.state.recorder
        let client = try TestClient(loop)
        for _ in 0..<3 { _ = try client.call("/a.S/M", [], [("traceparent", Self.sampled)]) }
        _ = try client.call("/a.S/M", [], [])
        for parent in ["x", Self.parent] {
            _ = try client.call("/a.S/M", [], [("traceparent", parent)])
        }
        let id = try #require(
            TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c))
        #expect(recorder.recent.calls(of: id).map(\.trace?.isSampled) == [true, true])
        #expect(recorder.begin(TraceHeaders(), { nil }, mayBeLate: false, at: 0) == nil)
        _ = try client.call("/a.S/M", Self.request("missing"), [("traceparent", Self.parent)])
        #expect(recorder.recent.calls(of: id).map(\.code) == [.ok, .ok])
        _ = try client.call("/a.S/M", Self.request("fault"), [("traceparent", Self.parent)])
        #expect(recorder.recent.calls(of: id).map(\.code) == [.ok, .internalError])
    }

    @Test("Without a ring, no call has a record")
    func off() throws {
        var limits = Limits()
        limits.maxTracedCalls = 0
        let loop = loop(limits: limits)
        let recorder = loop.state.recorder
        let client = try TestClient(loop)
        for path in ["", "fault"] {
            _ = try client.call(
                "/a.S/M", Self.request(path), [("traceparent", Self.sampled)])
        }
        let id = try #require(
            TraceID(high: 0x0af7_6519_16cd_43dd, low: 0x8448_eb21_1c80_319c))
        #expect(recorder.recent.calls(of: id).isEmpty)
    }

    @Test("A call that Weir traces itself has the id of its span")
    func ownTrace() throws {
        let spans = SpanQueue(capacity: 10)
        let client = try TestClient(
            loop(
                share: 1,
                tracing: TraceSettings(
                    spans, sampler: TraceSampler(ratio: 1), lateCallsPerSecond: 0)))
        _ = try client.call("/a.S/M", [], [])
        let span = try #require(spans.take(upTo: 10).first)
        #expect(records().first?.trace?.spanID == span.context.spanID)
    }

    // MARK: Taps

    private static func tap(
        _ callsPerSecond: Int = 10_000, all: Int = 10_000
    ) throws -> CallTapStream {
        var limits = Limits()
        limits.maxTapCallsPerSecond = all
        var options = CallTapStream.Options()
        options.callsPerSecond = callsPerSecond
        return try #require(OpenTaps(limits, at: 0).open(options, at: 0))
    }

    @Test(
        "A tap drops calls over its rate, over that of all taps, and over its buffer",
        arguments: [
            (10, 10_000, 10), (10_000, 10, 10), (10_000, 10_000, Limits.maxWaitingTapCalls),
        ])
    func drops(_ rate: Int, _ all: Int, _ kept: Int) async throws {
        let tap = try Self.tap(rate, all: all)
        for _ in 0..<2_000 { tap.ended(CallRecord(), at: 0) }
        #expect(tap.takeDropped() == UInt64(2_000 - kept))
        #expect(tap.takeDropped() == 0)
        tap.finish()
        var count = 0
        for await _ in tap.calls { count += 1 }
        #expect(count == kept)
    }

    @Test("The rate of a tap is per second")
    func refills() throws {
        let tap = try Self.tap(10)
        for _ in 0..<20 { tap.ended(CallRecord(), at: 0) }
        for _ in 0..<20 { tap.ended(CallRecord(), at: 500_000_000) }
        #expect(tap.takeDropped() == 25)
    }

    @Test("At most as many taps are open as the limit allows", arguments: [0, 1, 3])
    func limit(_ limit: Int) throws {
        var limits = Limits()
        limits.maxTaps = limit
        let taps = OpenTaps(limits, at: 0)
        let open = (0..<limit + 2).compactMap { _ in taps.open(.init(), at: 0) }
        #expect(open.count == limit && taps.figures.open == limit)
        guard let first = open.first else { return }
        taps.close(first)
        #expect(taps.open(.init(), at: 0) != nil)
        #expect(taps.open(.init(), at: 0) == nil)
    }

    @Test("A tap of a loop receives calls until it is closed")
    func loopTap() throws {
        let loop = loop()
        let recorder = loop.state.recorder
        let client = try TestClient(loop)
        let tap = try Self.tap(1)
        recorder.add(tap)
        for _ in 0..<3 { _ = try client.call("/a.S/M", [], []) }
        #expect(tap.takeDropped() == 2)
        recorder.remove(tap)
        _ = try client.call("/a.S/M", [], [])
        #expect(tap.takeDropped() == 0)
    }
}
