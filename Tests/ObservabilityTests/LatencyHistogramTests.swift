internal import GRPCWire
internal import Testing

@testable internal import Observability

@Suite struct LatencyHistogramTests {
    @Test("Buckets have no gaps and do not overlap")
    func coversAllValues() {
        var last = -1
        for value in UInt64(0)...100_000 {
            let bucket = LatencyHistogram.bucket(of: value)
            #expect(bucket == last || bucket == last + 1)
            #expect(value <= LatencyHistogram.upperBound(of: bucket))
            if bucket > 0 { #expect(value > LatencyHistogram.upperBound(of: bucket - 1)) }
            last = bucket
        }
    }

    @Test("Quantiles are right to within 1/32", arguments: [0.0, 0.5, 0.9, 0.99, 1.0])
    func findsQuantiles(quantile: Double) {
        var histogram = LatencyHistogram()
        for value in 1...10_000 { histogram.record(nanoseconds: UInt64(value) * 1_000) }
        let exact = max(1, (quantile * 10_000).rounded(.up)) * 1_000
        let found = Double(histogram.quantile(quantile))
        #expect(found >= exact && found <= exact * (1 + 1.0 / 32))
    }

    @Test("Histograms can be added, and their difference contains the values in between")
    func addsAndSubtracts() {
        var one = LatencyHistogram()
        var other = LatencyHistogram()
        var both = LatencyHistogram()
        for value in stride(from: UInt64(1), to: 1 << 40, by: 1 << 33) {
            one.record(nanoseconds: value)
            other.record(nanoseconds: value / 1_000)
            both.record(nanoseconds: value)
            both.record(nanoseconds: value / 1_000)
        }
        var sum = one
        sum.add(other)
        #expect(sum == both)
        let difference = sum.since(one)
        #expect(difference.count == other.count)
        #expect(difference.sum == other.sum)
        #expect(difference.quantile(0.5) == other.quantile(0.5))
    }

    @Test("The difference from a histogram that is not an earlier copy is the whole histogram")
    func startsAgain() {
        var before = LatencyHistogram()
        for value in [1, 1_000, 1_000_000] as [UInt64] { before.record(nanoseconds: value) }
        var after = LatencyHistogram()
        #expect(after.since(before) == after)
        after.record(nanoseconds: 2_000_000)
        #expect(after.since(before) == after)
        for _ in 0..<9 { after.record(nanoseconds: 7) }
        #expect(after.since(before) == after)
    }

    @Test("Counts up to a bound never decrease")
    func countsUpTo() {
        var histogram = LatencyHistogram()
        for value in [5, 50, 500, 5_000, 50_000] as [UInt64] {
            histogram.record(nanoseconds: value)
        }
        #expect(histogram.count(upTo: 4) == 0)
        #expect(histogram.count(upTo: 5) == 1)
        #expect(histogram.count(upTo: 600) == 3)
        #expect(histogram.count(upTo: .max) == 5)
    }

    @Test("An empty histogram has quantiles of 0, and the longest durations are kept")
    func acceptsExtremes() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.99) == 0)
        histogram.record(nanoseconds: .max)
        #expect(histogram.quantile(1) == (1 << 41) - 1)
    }
}

@Suite struct CallFiguresTests {
    @Test("Statuses that gRPC does not define are counted as one")
    func limitsStatuses() {
        var figures = CallFigures()
        for number in 0..<1_000 {
            figures.record(StatusCode(rawValue: number), nanoseconds: 1)
        }
        #expect(figures.finished.count == 17)
        #expect(figures.finished.first { $0.code == .unknown }?.latency.count == 984)
    }

    @Test("The difference from an earlier series of the same name is the whole series")
    func startsAgain() {
        var before = CallFigures()
        before.started = 7
        for _ in 0..<7 { before.record(.ok, nanoseconds: 1_000) }
        var after = CallFigures()
        after.started = 1
        after.record(.ok, nanoseconds: 5)
        let difference = after.since(before)
        #expect(difference.started == 1)
        #expect(difference.finished.map(\.latency.count) == [1])
        before.started = 0
        #expect(after.since(before).finished.map(\.latency.count) == [1])
    }
}
