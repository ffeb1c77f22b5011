internal import GRPCWire
internal import Observability
internal import Testing
internal import Traces

@Suite struct CallRecordTests {
    private static let parent =
        Array("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".utf8)

    static func traced(_ low: UInt64) -> CallRecord {
        var call = CallRecord()
        var generator = SystemRandomNumberGenerator()
        call.trace = TraceID(high: 1, low: low).map {
            TraceContext(traceID: $0, spanID: SpanID(using: &generator), flags: [])
        }
        call.endedAt = low
        return call
    }

    // MARK: OpenRecord

    struct Step: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let steps: @Sendable (inout OpenRecord) -> Void
        let expected: @Sendable (CallRecord) -> Bool

        init(
            _ testDescription: String, _ steps: @escaping @Sendable (inout OpenRecord) -> Void,
            _ expected: @escaping @Sendable (CallRecord) -> Bool
        ) {
            self.testDescription = testDescription
            self.steps = steps
            self.expected = expected
        }
    }

    static func phases(_ call: CallRecord) -> [UInt64] {
        [call.phases.queue, call.phases.upstream, call.phases.response]
    }

    @Test(
        "A record has the phases and the attempts of its call, which starts at 100 and ends at 200",
        arguments: [
            Step("no attempt") { _ in
            } _: {
                phases($0) == [100, 0, 0] && $0.attempts == 0 && $0.replica.isEmpty
            },
            Step("a handler with one reply") {
                $0.attemptBegan(on: "", at: 100)
            } _: {
                phases($0) == [0, 100, 0] && $0.attempts == 1 && $0.replica.isEmpty
            },
            Step("a stream") {
                $0.attemptBegan(on: "a", at: 110)
                $0.responded(at: 150)
                $0.responded(at: 160)
            } _: {
                phases($0) == [10, 40, 50] && $0.attempts == 1 && $0.replica == "a"
            },
            Step("a retry") {
                $0.attemptBegan(on: "a", at: 110)
                $0.attemptFailed(.unavailable, at: 120)
                $0.attemptBegan(on: "b", at: 140)
                $0.responded(at: 150)
            } _: {
                phases($0) == [10, 40, 50] && $0.attempts == 2 && $0.replica == "b"
                    && $0.failedAttempts == [
                        .init(replica: "a", code: .unavailable, nanoseconds: 10)
                    ]
            },
            Step("the end during the pause before a retry") {
                $0.attemptBegan(on: "a", at: 110)
                $0.attemptFailed(nil, at: 120)
            } _: {
                phases($0) == [10, 90, 0] && $0.attempts == 0 && $0.replica == "a"
                    && $0.failedAttempts.map(\.code) == [nil]
            },
            Step("a failure without an attempt") {
                $0.attemptFailed(.unavailable, at: 150)
            } _: {
                phases($0) == [100, 0, 0] && $0.failedAttempts.isEmpty
            },
            Step("a response without an attempt") {
                $0.responded(at: 150)
            } _: {
                phases($0) == [100, 0, 0]
            },
            Step("a clock that stands still") {
                $0.attemptBegan(on: "a", at: 200)
                $0.responded(at: 200)
            } _: {
                phases($0) == [100, 0, 0]
            },
            Step("times outside of the call") {
                $0.attemptBegan(on: "a", at: 90)
                $0.responded(at: .max)
            } _: {
                phases($0) == [0, .max - 90, 0]
            },
        ])
    func open(_ step: Step) {
        var open = OpenRecord(TraceContext(parent: Self.parent.span), at: 100)
        step.steps(&open)
        var call = CallRecord()
        open.complete(&call, at: 200)
        #expect(step.expected(call), "\(call)")
        #expect(call.trace?.traceID.hex == "4bf92f3577b34da6a3ce929d0e0e4736")
    }

    // MARK: Texts

    @Test("A record keeps at most 512 bytes of an external text", arguments: [0, 511, 512, 513])
    func kept(_ count: Int) {
        let text = String(repeating: "a", count: count)
        #expect(CallRecord.kept(text) == (count > 512 ? text.prefix(512) + "…" : text))
        // A cut in a character leaves valid text.
        #expect(CallRecord.kept(String(repeating: "é", count: count)).utf8.count <= 518)
    }

    // MARK: RecentCalls

    @Test("The ring has the latest calls", arguments: [0, 1, 2, 3, 10], [0, 1, 2, 3, 4, 7, 30])
    func ring(_ capacity: Int, _ count: Int) throws {
        var recent = RecentCalls(capacity: capacity)
        for time in 0..<count { recent.append(Self.traced(UInt64(time % 2 + 1))) }
        for low: UInt64 in [1, 2, 3] {
            let id = try #require(TraceID(high: 1, low: low))
            let latest = (0..<count).suffix(capacity).filter { $0 % 2 + 1 == low }.count
            #expect(recent.calls(of: id).count == latest)
        }
        #expect(recent.isEnabled == (capacity > 0))
    }

    @Test("The calls of a trace are in the order in which they ended")
    func order() throws {
        var recent = RecentCalls(capacity: 3)
        for time in 1...5 {
            var call = Self.traced(1)
            call.endedAt = UInt64(time)
            recent.append(call)
        }
        let id = try #require(TraceID(high: 1, low: 1))
        #expect(recent.calls(of: id).map(\.endedAt) == [3, 4, 5])
    }

    // MARK: CallFilter

    struct Filter: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let set: @Sendable (inout CallFilter) -> Void
        let accepts: Bool
    }

    @Test(
        "A filter accepts a call if each of its parts does",
        arguments: [
            Filter(testDescription: "none", set: { _ in }, accepts: true),
            Filter(testDescription: "endpoint", set: { $0.endpoint = "e" }, accepts: true),
            Filter(testDescription: "other endpoint", set: { $0.endpoint = "E" }, accepts: false),
            Filter(testDescription: "backends", set: { $0.backends = ["a", "b"] }, accepts: true),
            Filter(testDescription: "other backend", set: { $0.backends = ["a"] }, accepts: false),
            Filter(testDescription: "codes", set: { $0.codes = [.ok, .unknown] }, accepts: true),
            Filter(testDescription: "other code", set: { $0.codes = [.ok] }, accepts: false),
            Filter(testDescription: "point", set: { $0.shardPoint = 0 }, accepts: true),
            Filter(testDescription: "other point", set: { $0.shardPoint = 1 }, accepts: false),
            Filter(
                testDescription: "all but one",
                set: {
                    $0.endpoint = "e"
                    $0.backends = ["b"]
                    $0.codes = [.unknown]
                    $0.shardPoint = .max
                }, accepts: false),
        ])
    func filter(_ filter: Filter) {
        var call = CallRecord()
        (call.endpoint, call.backend, call.shardPoint) = ("e", "b", 0)
        // A number that gRPC does not define counts as UNKNOWN.
        call.code = StatusCode(rawValue: 77)
        var tested = CallFilter()
        filter.set(&tested)
        #expect(tested.accepts(call) == filter.accepts)
        call.isShadow = true
        #expect(!tested.accepts(call))
        tested.includesShadows = true
        #expect(tested.accepts(call) == filter.accepts)
        call.shardPoint = nil
        #expect(tested.accepts(call) == (filter.accepts && tested.shardPoint == nil))
    }
}
