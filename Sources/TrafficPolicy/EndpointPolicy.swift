/// The routing policy of an endpoint: an immutable value that each loop reads once per request.
@usableFromInline
package struct EndpointPolicy: Sendable {
    /// A shadow and the share of requests to copy to it.
    package struct SampledShadow: Sendable {
        package let backend: String
        package let proportion: Double
        let sampler: Sampler
    }

    package let endpoint: String
    /// The backends that own a part of the space. Selections are indices into this array.
    package let backends: [String]
    package let shadows: [SampledShadow]
    package let seed: UInt64

    @usableFromInline let starts: [UInt64]
    @usableFromInline let owners: [Int]
    @usableFromInline let firstInterval: [Int]

    package init(
        endpoint: String, map: AffinityMap, shadows: [(backend: String, proportion: Double)]
    ) {
        let seed = Self.seed(of: endpoint)
        let intervals = map.intervals
        let backends = Set(intervals.map(\.backend)).sorted()
        self.endpoint = endpoint
        self.backends = backends
        self.seed = seed
        self.shadows = shadows.map {
            let salt = KeyHash.hash($0.backend, seed: 1)
            return SampledShadow(
                backend: $0.backend, proportion: $0.proportion,
                sampler: Sampler(seed: seed ^ salt, proportion: Proportion($0.proportion)))
        }
        let starts = intervals.map(\.start)
        self.starts = starts
        firstInterval = Self.firstIntervals(starts)
        owners = intervals.map { interval in
            backends.firstIndex(of: interval.backend) ?? 0
        }
    }

    /// The hash seed of an endpoint: `XXH64(name, 0)`, so that one user's key is not in the canary
    /// at every endpoint.
    package static func seed(of endpoint: String) -> UInt64 {
        KeyHash.hash(endpoint, seed: 0)
    }

    /// The number of runs of points with one owner.
    package var intervalCount: Int { starts.count }

    /// The point of a shard key.
    package func point(of key: RawSpan) -> UInt64 {
        KeyHash.hash(key, seed: seed)
    }

    /// The index, in `backends`, of the owner of a point.
    ///
    /// The point's first byte selects a few candidate intervals; a binary search finds the one.
    @inlinable
    package func choose(_ point: UInt64) -> Int {
        let bucket = Int(truncatingIfNeeded: point >> 56)
        var base = firstInterval[bucket]
        var count = firstInterval[bucket + 1] - base + 1
        while count > 1 {
            let half = count / 2
            base = starts[base + half] <= point ? base + half : base
            count -= half
        }
        return owners[base]
    }

    /// For each value of a point's first byte, and one past: the interval of the first such point.
    private static func firstIntervals(_ starts: [UInt64]) -> [Int] {
        var interval = 0
        var table: [Int] = []
        for byte in UInt64(0)...255 {
            while interval + 1 < starts.count, starts[interval + 1] <= byte << 56 { interval += 1 }
            table.append(interval)
        }
        return table + [starts.count - 1]
    }

    /// Whether a request with this key is copied to a shadow. The result is the same for every
    /// request of a session.
    package func isShadowed(_ shadow: Int, key: RawSpan) -> Bool {
        let sampler = shadows[shadow].sampler
        return sampler.proportion.takes(KeyHash.hash(key, seed: sampler.seed))
    }

    /// Whether a request without a key is copied to a shadow, by a separate random draw.
    package func isShadowed(_ shadow: Int, using random: inout LoopRandom) -> Bool {
        shadows[shadow].sampler.proportion.takesNext(of: &random)
    }
}

/// Selects a proportion of uniform points.
struct Sampler: Sendable {
    let seed: UInt64
    let proportion: Proportion
}
