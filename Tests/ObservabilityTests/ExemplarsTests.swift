internal import Testing
internal import Traces

@testable internal import Observability

@Suite struct ExemplarsTests {
    private func exemplar(_ nanoseconds: UInt64, time: UInt64) throws -> Exemplar {
        Exemplar(
            TraceContext(
                traceID: try #require(TraceID(high: 1, low: 2)), spanID: try #require(SpanID(3)),
                flags: .sampled), nanoseconds: nanoseconds, time: time)
    }

    @Test(
        "A call is an example of the bucket that contains its latency",
        arguments: [
            (0, 0), (10_000, 0), (10_001, 1), (1_000_000_000, 33), (1_000_000_001, 34),
            (100_000_000_000, 39), (100_000_000_001, 40), (.max, 40),
        ] as [(UInt64, Int)])
    func buckets(_ nanoseconds: UInt64, bucket: Int) throws {
        var exemplars = Exemplars()
        #expect(exemplars[0] == nil && exemplars[-1] == nil && exemplars[41] == nil)
        exemplars.add(try exemplar(nanoseconds, time: 1))
        for index in -1...42 { #expect((exemplars[index] != nil) == (index == bucket)) }
    }

    @Test("The latest call of a bucket is kept, also when loops are added")
    func keepsLatest() throws {
        var first = Exemplars()
        var second = Exemplars()
        first.add(try exemplar(1, time: 5))
        first.add(try exemplar(2, time: 4))
        second.add(try exemplar(3, time: 6))
        second.add(try exemplar(.max, time: 1))
        first.add(second)
        #expect(first[0]?.nanoseconds == 3 && first[40]?.time == 1)
        second.add(Exemplars())
        #expect(second[0]?.time == 6)
    }
}
