internal import Testing

@testable internal import Evidence

@Suite("The comparison of latencies")
struct LatencyTests {
    @Test("puts each duration into a bucket that ends after it, within 1/16")
    func buckets() throws {
        var last = 0
        for shift in 0..<64 {
            for offset in [-1, 0, 1] as [Int64] {
                let duration = UInt64(bitPattern: Int64(bitPattern: 1 << UInt64(shift)) &+ offset)
                let bucket = LatencyCounts.bucket(nanoseconds: duration)
                #expect((0..<LatencyCounts.buckets).contains(bucket))
                guard let end = LatencyCounts.end(ofBucket: bucket) else {
                    #expect(duration >= 1 << 36)
                    continue
                }
                #expect(duration < end)
                if duration >= 1 << 10 { #expect(Double(end) <= Double(duration) * 17 / 16 + 1) }
                last = max(last, bucket)
            }
        }
        #expect(last == LatencyCounts.buckets - 2)
        #expect(LatencyCounts.bucket(nanoseconds: .max) == LatencyCounts.buckets - 1)
        #expect(LatencyCounts.end(ofBucket: -1) == nil)
        #expect(LatencyCounts.end(ofBucket: .max) == nil)
        for bucket in 1..<LatencyCounts.buckets - 1 {
            let end = try #require(LatencyCounts.end(ofBucket: bucket))
            #expect(LatencyCounts.bucket(nanoseconds: end) == bucket + 1)
            #expect(LatencyCounts.bucket(nanoseconds: end - 1) == bucket)
        }
    }

    private static func counts(_ durations: [(UInt64, UInt32)]) -> LatencyCounts {
        var counts = LatencyCounts()
        for (duration, count) in durations { counts.record(nanoseconds: duration, count: count) }
        return counts
    }

    @Test("takes the threshold of a tick from the ticks before it")
    func predictable() throws {
        var comparison = try #require(LatencyComparison(quantile: 0.9, tolerance: 0.2))
        let (fast, slow) = (Self.counts([(1_000_000, 100)]), Self.counts([(9_000_000, 100)]))
        #expect(comparison.threshold == nil)
        #expect(comparison.tick(candidate: fast, started: 100, baseline: fast, started: 100) == nil)
        let same = comparison.tick(candidate: fast, started: 100, baseline: fast, started: 100)
        #expect(same == EvidenceTick(share: 0.5, candidateBad: 0, baselineBad: 0))
        let slower = comparison.tick(candidate: slow, started: 100, baseline: fast, started: 100)
        #expect(slower == EvidenceTick(share: 0.5, candidateBad: 100, baselineBad: 0))
        let tolerated = comparison.tick(
            candidate: Self.counts([(1_190_000, 100)]), started: 100, baseline: fast, started: 100)
        #expect(tolerated == EvidenceTick(share: 0.5, candidateBad: 0, baselineBad: 0))
    }

    @Test("counts a request that has not finished as slow")
    func unfinished() throws {
        var comparison = try #require(LatencyComparison(quantile: 0.5, tolerance: 0))
        let fast = Self.counts([(1_000_000, 10)])
        _ = comparison.tick(candidate: fast, started: 10, baseline: fast, started: 10)
        let tick = comparison.tick(candidate: fast, started: 13, baseline: fast, started: 11)
        #expect(
            tick
                == EvidenceTick(
                    candidate: 13, candidateBad: 3, baseline: 11, baselineBad: 1))
        // More finished than started requests: a counter was reset.
        #expect(
            comparison.tick(candidate: fast, started: 1, baseline: fast, started: 1)
                == EvidenceTick(candidate: 1, candidateBad: 0, baseline: 1, baselineBad: 0))
    }

    @Test("forgets the baseline after the window, and follows it")
    func window() throws {
        var comparison = try #require(LatencyComparison(quantile: 0.99, tolerance: 0))
        let (fast, slow) = (Self.counts([(1_000_000, 10)]), Self.counts([(8_000_000, 10)]))
        _ = comparison.tick(candidate: fast, started: 10, baseline: slow, started: 10)
        for _ in 1..<LatencyComparison.window {
            _ = comparison.tick(candidate: fast, started: 10, baseline: fast, started: 10)
        }
        #expect(comparison.threshold?.baseline == LatencyCounts.bucket(nanoseconds: 8_000_000))
        _ = comparison.tick(candidate: fast, started: 10, baseline: fast, started: 10)
        #expect(comparison.threshold?.baseline == LatencyCounts.bucket(nanoseconds: 1_000_000))
        for _ in 0..<LatencyComparison.window {
            let none = LatencyCounts()
            _ = comparison.tick(candidate: none, started: 0, baseline: none, started: 0)
        }
        #expect(comparison.threshold == nil)
    }

    @Test("has no threshold in the last bucket, and one at the largest tolerance")
    func extremes() throws {
        var comparison = try #require(LatencyComparison(quantile: 0.5, tolerance: 99))
        let endless = Self.counts([(.max, .max), (.max, 1)])
        #expect(endless.count(upTo: .max) == UInt64(UInt32.max))
        for _ in 0..<40 {
            let tick = comparison.tick(
                candidate: endless, started: 1, baseline: endless, started: 1)
            #expect(tick == nil)
        }
        var other = try #require(LatencyComparison(quantile: 0.5, tolerance: 99))
        let long = Self.counts([(1 << 35, 1)])
        _ = other.tick(candidate: long, started: 1, baseline: long, started: 1)
        #expect(other.threshold?.candidate == LatencyCounts.buckets - 1)
    }

    @Test(
        "rejects quantiles and tolerances outside their ranges",
        arguments: [.nan, .infinity, -.infinity, -0.1, 1e300] as [Double])
    func rejects(value: Double) {
        #expect(LatencyComparison(quantile: value, tolerance: 0.2) == nil)
        #expect(LatencyComparison(quantile: 0.9, tolerance: value) == nil)
        #expect(LatencyComparison(quantile: 0, tolerance: 0) == nil)
        #expect(LatencyComparison(quantile: 1, tolerance: 0) == nil)
    }
}

@Suite("The keys that have failed")
struct FirstFailuresTests {
    @Test("count once each")
    func once() {
        var failures = FirstFailures()
        #expect(failures.insert(5) == true)
        #expect(failures.insert(5) == false)
        #expect(failures.insert(0) == true)
        #expect(failures.insert(.max) == true)
        #expect(failures.count == 3)
    }

    @Test("are bounded, by a sample of keys that stays the same")
    func bounded() {
        var failures = FirstFailures(capacity: 1_000)
        var counted: Set<UInt64> = []
        for point in 0..<100_000 as Range<UInt64> {
            if failures.insert(point) { counted.insert(point) }
            #expect(failures.count <= 1_000)
        }
        #expect(failures.zeros >= 6 && failures.zeros <= 9)
        #expect(failures.count > 200)
        // None counts twice, whether or not it is still in the sample.
        for point in 0..<100_000 as Range<UInt64> where failures.insert(point) {
            Issue.record("\(point) counts twice: \(counted.contains(point))")
        }
    }

    @Test("are stored as a sample of keys, and do not count again")
    func stores() {
        var failures = FirstFailures()
        for point in 0..<10_000 as Range<UInt64> { _ = failures.insert(point) }
        let stored = failures.stored(limit: 1_000)
        #expect((400...1_000).contains(stored.points.count) && stored.zeros >= 4)
        var restored = FirstFailures()
        _ = restored.insert(20_000)
        restored.restore(stored.points, zeros: stored.zeros)
        for point in 0..<10_000 as Range<UInt64> {
            #expect(restored.insert(point) == false)
        }
        #expect(restored.zeros == stored.zeros)
        let all = failures.stored(limit: 10_000)
        #expect(all.points == Array(0..<10_000) && all.zeros == 0)
        restored.restore([1], zeros: .max)
        #expect(restored.zeros == 64)
        restored.restore([1], zeros: .min)
        #expect(restored.zeros == 64)
    }
}
