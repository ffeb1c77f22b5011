/// The latencies of the requests that started in one tick at one side, in buckets of a width of at
/// most 1/16 of their value, from about 1 µs to 68 s.
package struct LatencyCounts: Equatable, Sendable {
    /// Finished requests of one bucket.
    package struct Entry: Equatable, Sendable {
        package let bucket: Int
        package fileprivate(set) var count: UInt32
    }

    private static let subBucketBits = 4
    private static let subBuckets = 1 << subBucketBits
    /// Shorter durations, in nanoseconds, are in the first bucket.
    private static let shortestBits = 10
    private static let longestBits = 36
    /// The number of buckets. The last one contains all longer durations.
    package static let buckets = (longestBits - shortestBits) * subBuckets + 2

    /// The buckets with finished requests, in no order.
    package private(set) var entries: [Entry] = []

    package init() {}

    /// The bucket of a duration.
    package static func bucket(nanoseconds: UInt64) -> Int {
        let exponent = 63 - (nanoseconds | 1).leadingZeroBitCount
        guard exponent >= shortestBits else { return 0 }
        guard exponent < longestBits else { return buckets - 1 }
        let part = Int(nanoseconds >> UInt64(exponent - subBucketBits)) - subBuckets
        return 1 + (exponent - shortestBits) * subBuckets + part
    }

    /// The duration, in nanoseconds, that the durations of a bucket do not reach; nil for the last
    /// bucket.
    package static func end(ofBucket bucket: Int) -> UInt64? {
        guard (0..<buckets - 1).contains(bucket) else { return nil }
        guard bucket > 0 else { return 1 << shortestBits }
        let (octave, part) = (bucket - 1).quotientAndRemainder(dividingBy: subBuckets)
        return UInt64(part + 1 + subBuckets) << UInt64(octave + shortestBits - subBucketBits)
    }

    package mutating func record(nanoseconds: UInt64, count: UInt32 = 1) {
        add(count, toBucket: Self.bucket(nanoseconds: nanoseconds))
    }

    /// - Parameter bucket: ignored unless it exists.
    package mutating func add(_ count: UInt32, toBucket bucket: Int) {
        guard count > 0, (0..<Self.buckets).contains(bucket) else { return }
        guard let index = entries.firstIndex(where: { $0.bucket == bucket }) else {
            return entries.append(Entry(bucket: bucket, count: count))
        }
        let (sum, overflow) = entries[index].count.addingReportingOverflow(count)
        entries[index].count = overflow ? .max : sum
    }

    package mutating func add(_ other: LatencyCounts) {
        for entry in other.entries { add(entry.count, toBucket: entry.bucket) }
    }

    /// The number of finished requests up to the end of a bucket.
    package func count(upTo bucket: Int) -> UInt64 {
        var sum: UInt64 = 0
        for entry in entries where entry.bucket <= bucket { sum += UInt64(entry.count) }
        return sum
    }
}
