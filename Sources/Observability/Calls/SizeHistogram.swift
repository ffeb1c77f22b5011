/// A histogram of bytes with the buckets of gRFC A66, "Size". Recording is two additions.
package struct SizeHistogram: Sendable {
    /// The upper bounds of all buckets but the last, which has none.
    package static let bounds: [UInt64] =
        [0] + [10, 11, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32].map { 1 << UInt64($0) }

    /// Counts by bucket.
    private var counts = InlineArray<15, UInt64>(repeating: 0)
    /// The sum of all sizes in bytes.
    package private(set) var sum: UInt64 = 0

    package init() {}

    package mutating func record(bytes: UInt64) {
        counts[Self.bucket(of: bytes)] += 1
        sum &+= bytes
    }

    package mutating func add(_ other: SizeHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        sum &+= other.sum
    }

    package var count: UInt64 { count(upTo: counts.count - 1) }

    /// The number of sizes in the buckets up to one.
    package func count(upTo bucket: Int) -> UInt64 {
        (0...bucket).reduce(0) { $0 + counts[$1] }
    }

    /// The first bucket whose bound is not below a size. The bounds are powers of two, so a number
    /// of bits determines the bucket.
    static func bucket(of bytes: UInt64) -> Int {
        guard bytes > 0 else { return 0 }
        let bits = 64 - (bytes - 1).leadingZeroBitCount
        if bits <= 12 { return max(1, bits - 9) }
        return min(14, 4 + (bits - 13) / 2)
    }
}
