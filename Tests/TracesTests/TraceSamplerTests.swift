internal import Testing

@testable internal import Traces

@Suite struct TraceSamplerTests {
    private func context(low: UInt64, sampled: Bool) throws -> TraceContext {
        TraceContext(
            traceID: try #require(TraceID(high: 1, low: low)), spanID: try #require(SpanID(1)),
            flags: sampled ? .sampled : [])
    }

    @Test(
        "The names and arguments of OTEL_TRACES_SAMPLER",
        arguments: [
            ("always_on", nil, 1, false), ("always_off", nil, 0, false),
            ("traceidratio", "0.25", 0.25, false), ("parentbased_always_on", nil, 1, true),
            ("parentbased_always_off", "x", 0, true), ("parentbased_traceidratio", "0", 0, true),
            ("traceidratio", nil, 1, false), ("traceidratio", "", 1, false),
            ("traceidratio", "1", 1, false), ("traceidratio", "1e-3", 0.001, false),
            ("traceidratio", "1.0000001", nil, false), ("traceidratio", "-0.1", nil, false),
            ("traceidratio", "nan", nil, false), ("traceidratio", "inf", nil, false),
            ("traceidratio", "0x1", nil, false), ("traceidratio", " 1", nil, false),
            ("traceidratio", "1e300", nil, false), ("traceidratio", "1e999", nil, false),
            ("traceidratio", "one", nil, false), ("", nil, nil, false),
            ("Always_On", nil, nil, false),
            ("jaeger_remote", nil, nil, false),
        ] as [(String, String?, Double?, Bool)])
    func names(_ name: String, _ argument: String?, _ ratio: Double?, _ isParentBased: Bool) {
        let sampler = try? TraceSampler(name: name, argument: argument)
        #expect(
            sampler == ratio.map { TraceSampler(ratio: $0, isParentBased: isParentBased) })
    }

    @Test("Ratios outside 0...1 count as its ends")
    func clamps() {
        #expect(TraceSampler(ratio: .nan) == TraceSampler(ratio: 0))
        #expect(TraceSampler(ratio: -1) == TraceSampler(ratio: 0))
        #expect(TraceSampler(ratio: .infinity) == TraceSampler(ratio: 1))
        #expect(TraceSampler(ratio: (1.0).nextDown) != TraceSampler(ratio: 1))
    }

    @Test("The caller decides in a parent-based sampler, the trace id in another one")
    func decides() throws {
        let half = UInt64(1) << 63
        let new = try #require(TraceID(high: 0, low: half - 1))
        let other = try #require(TraceID(high: 0, low: half))
        let parentBased = TraceSampler(ratio: 0.5)
        #expect(try parentBased.samples(context(low: .max, sampled: true), newTrace: other))
        #expect(try !parentBased.samples(context(low: 1, sampled: false), newTrace: new))
        #expect(parentBased.samples(nil, newTrace: new))
        #expect(!parentBased.samples(nil, newTrace: other))
        #expect(!parentBased.samplesOnlyByParent && TraceSampler().samplesOnlyByParent)
        let byID = TraceSampler(ratio: 0.5, isParentBased: false)
        #expect(try byID.samples(context(low: half - 1, sampled: false), newTrace: other))
        #expect(try !byID.samples(context(low: half, sampled: true), newTrace: new))
        let none = TraceSampler(ratio: 0, isParentBased: false)
        #expect(try !none.samples(context(low: 1, sampled: true), newTrace: new))
        let all = TraceSampler(ratio: 1, isParentBased: false)
        #expect(try all.samples(context(low: .max, sampled: false), newTrace: other))
    }
}
