/// A log-linear histogram of durations, like HdrHistogram: each power of two has 32 equal buckets,
/// so a quantile is exact to within 1/32 of its value. Histograms can be added, so each loop has
/// its own.
package struct LatencyHistogram: Sendable, Equatable {
    private static let subBucketBits = 5
    private static let subBuckets = 1 << subBucketBits
    /// Longer durations, over 36 minutes, count as this duration.
    private static let maximumNanoseconds: UInt64 = (1 << 41) - 1

    /// Counts by bucket, up to the bucket of the largest duration.
    private var counts: [UInt64] = []
    package private(set) var count: UInt64 = 0
    /// The sum of all durations in nanoseconds.
    package private(set) var sum: UInt64 = 0
    package private(set) var maximum: UInt64 = 0

    package init() {}

    package mutating func record(nanoseconds: UInt64) {
        let value = min(nanoseconds, Self.maximumNanoseconds)
        let index = Self.bucket(of: value)
        if index >= counts.count {
            counts.append(contentsOf: repeatElement(0, count: index + 1 - counts.count))
        }
        counts[index] += 1
        count += 1
        sum += value
        maximum = max(maximum, value)
    }

    package mutating func add(_ other: LatencyHistogram) {
        var shorter = other.counts
        if shorter.count > counts.count { swap(&shorter, &counts) }
        for index in shorter.indices { counts[index] += shorter[index] }
        count += other.count
        sum += other.sum
        maximum = max(maximum, other.maximum)
    }

    /// The durations recorded since an earlier copy; all of them, if the other histogram is not an
    /// earlier copy. Their maximum is exact to the width of its bucket.
    package func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
        guard earlier.sum <= sum, earlier.counts.count <= counts.count,
            zip(earlier.counts, counts).allSatisfy({ $0 <= $1 })
        else { return self }
        var difference = self
        for index in earlier.counts.indices { difference.counts[index] -= earlier.counts[index] }
        // `count` is the sum of `counts`, so it cannot be less than an earlier one either.
        difference.count -= earlier.count
        difference.sum -= earlier.sum
        let last = difference.counts.lastIndex { $0 > 0 }
        difference.maximum = last.map { min(maximum, Self.upperBound(of: $0)) } ?? 0
        return difference
    }

    /// The nanoseconds that the share `quantile`, 0 to 1, of all durations does not exceed; 0 for
    /// an empty histogram.
    package func quantile(_ quantile: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let rank = max(1, UInt64((quantile * Double(count)).rounded(.up)))
        var seen: UInt64 = 0
        for (index, bucket) in counts.enumerated() {
            seen += bucket
            if seen >= rank { return min(Self.upperBound(of: index), maximum) }
        }
        return maximum
    }

    /// The number of durations up to a bound, exact to the width of one bucket.
    package func count(upTo nanoseconds: UInt64) -> UInt64 {
        let end = Self.bucket(of: min(nanoseconds, Self.maximumNanoseconds))
        return counts.prefix(end + 1).reduce(0, +)
    }

    package var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(subBuckets) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let shift = exponent - subBucketBits
        return (shift + 1) * subBuckets + Int(value >> UInt64(shift)) - subBuckets
    }

    /// The largest value of a bucket.
    static func upperBound(of bucket: Int) -> UInt64 {
        guard bucket >= subBuckets else { return UInt64(bucket) }
        let shift = UInt64(bucket / subBuckets - 1)
        let mantissa = UInt64(bucket % subBuckets + subBuckets)
        return ((mantissa + 1) << shift) - 1
    }
}
