internal import GRPCWire
internal import Messages
internal import Observability
internal import Testing
internal import Traces

@testable internal import OTLP

@Suite struct RecordsTests {
    private let context: TraceContext

    init() throws {
        context = TraceContext(
            traceID: try #require(TraceID(high: 0x0102_0304_0506_0708, low: 0x090a_0b0c_0d0e_0f10)),
            spanID: try #require(SpanID(0xf1f2_f3f4_f5f6_f7f8)), flags: [.sampled])
    }

    @Test("A span has the fields of OTLP")
    func span() {
        let span = TraceSpan(
            context, parent: SpanID(1), parentIsRemote: true, state: "a=b", name: "p.S/M",
            kind: .client, startedAt: 5, endedAt: 7, status: .error("why"),
            attributes: [
                Attribute("s", "t"), Attribute("i", 3), Attribute("b", true),
                Attribute("d", .double(0.5)), Attribute("a", .array([.int(1), .string("x")])),
            ], links: [TraceSpan.Link(context)], events: [TraceSpan.Event("e", at: 6)])
        let message = Otlp_Span(span)
        #expect(message.traceId == Array(1...16))
        #expect(message.spanId == Array(0xf1...0xf8))
        #expect(message.parentSpanId == [0, 0, 0, 0, 0, 0, 0, 1])
        #expect((message.traceState, message.name, message.kind) == ("a=b", "p.S/M", 3))
        #expect((message.startTimeUnixNano, message.endTimeUnixNano) == (5, 7))
        #expect(message.flags == 0x301)
        #expect(message.status == Otlp_Status(message: "why", code: 2))
        #expect(message.attributes.map(\.key) == ["s", "i", "b", "d", "a"])
        #expect(
            message.attributes.map(\.value?.value) == [
                .stringValue("t"), .intValue(3), .boolValue(true), .doubleValue(0.5),
                .arrayValue(.init(values: [.init(value: .intValue(1)), .init(string: "x")])),
            ])
        #expect(
            message.links == [.init(traceId: message.traceId, spanId: message.spanId, flags: 1)])
        #expect(message.events == [.init(timeUnixNano: 6, name: "e")])
    }

    @Test("A root has no parent, and a status that is not set is not sent")
    func root() {
        let span = TraceSpan(
            context, parent: nil, name: "n", kind: .server, startedAt: 1, endedAt: 0)
        let message = Otlp_Span(span)
        #expect(message.parentSpanId.isEmpty)
        #expect(message.status == nil)
        #expect(message.flags == 0x101)
        #expect(message.endTimeUnixNano == 1)
    }

    @Test("A call is a log record with the fields of the access log")
    func call() {
        var call = CallRecord()
        #expect(Otlp_LogRecord(call).traceId.isEmpty)
        #expect(Otlp_LogRecord(call).severityText == "INFO")
        (call.endedAt, call.method, call.code) = (9_000, "/p.S/M", .internalError)
        (call.endpoint, call.revision, call.isShadow) = ("e", 7, true)
        (call.requestBytes, call.shardPoint, call.trace) = (.max, 0xff, context)
        call.phases.queue = 1_500_000
        let message = Otlp_LogRecord(call)
        #expect((message.timeUnixNano, message.observedTimeUnixNano) == (9_000, 9_000))
        #expect((message.severityNumber, message.severityText) == (17, "ERROR"))
        #expect((message.eventName, message.flags) == ("weir.call", 1))
        #expect(message.body == Otlp_AnyValue(string: "/p.S/M INTERNAL"))
        #expect((message.traceId, message.spanId) == (Array(1...16), Array(0xf1...0xf8)))
        let values = Dictionary(
            uniqueKeysWithValues: message.attributes.map { ($0.key, $0.value?.value) })
        #expect(values["weir.endpoint"] == .stringValue("e"))
        #expect(values["weir.queue_ms"] == .doubleValue(1.5))
        #expect(values["weir.request_bytes"] == .intValue(.max))
        #expect(values["weir.shard_point"] == .stringValue("0x00000000000000ff"))
        #expect(values["weir.revision"] == .intValue(7))
        #expect(values["weir.shadow"] == .boolValue(true))
        #expect(values["weir.replica"] == nil)
    }
}
