internal import Testing

@testable internal import Observability

@Suite struct SizeHistogramTests {
    @Test("A size at a bound is in the bound's bucket, one byte more in the next one")
    func hasExactBounds() {
        #expect(SizeHistogram.bounds.count == 14)
        for (index, bound) in SizeHistogram.bounds.enumerated() {
            #expect(SizeHistogram.bucket(of: bound) == index)
            #expect(SizeHistogram.bucket(of: bound + 1) == index + 1)
        }
        #expect(SizeHistogram.bucket(of: .max) == 14)
    }

    @Test("Counts are cumulative, and sums of histograms are those of their sizes")
    func countsAndAdds() {
        let sizes: [UInt64] = [0, 1, 1_024, 1_025, 5_000, 1 << 20, 1 << 40]
        var (all, first, second) = (SizeHistogram(), SizeHistogram(), SizeHistogram())
        for (index, size) in sizes.enumerated() {
            all.record(bytes: size)
            if index < 3 { first.record(bytes: size) } else { second.record(bytes: size) }
        }
        first.add(second)
        for histogram in [all, first] {
            #expect(histogram.count == 7 && histogram.sum == sizes.reduce(0, +))
            for (index, bound) in SizeHistogram.bounds.enumerated() {
                let expected = sizes.count { $0 <= bound }
                #expect(histogram.count(upTo: index) == UInt64(expected))
            }
        }
    }

    @Test("The largest sizes do not trap")
    func boundsSums() {
        var histogram = SizeHistogram()
        for _ in 0..<3 { histogram.record(bytes: .max) }
        histogram.add(histogram)
        #expect(histogram.count == 6)
    }
}
