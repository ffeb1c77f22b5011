package import Traces

/// A traced call as an example of its latency.
package struct Exemplar: Sendable, Equatable {
    /// The trace, and the span of the call.
    package let trace: TraceContext
    package let nanoseconds: UInt64
    /// When the call ended, in nanoseconds since 1970.
    package let time: UInt64

    package init(_ trace: TraceContext, nanoseconds: UInt64, time: UInt64) {
        self.trace = trace
        self.nanoseconds = nanoseconds
        self.time = time
    }
}

/// The latest traced call of each bucket of the latency metrics.
package struct Exemplars: Sendable, Equatable {
    /// Upper bounds of the buckets, in seconds. Source: gRFC A66, "Latency".
    package static let bounds: [Double] = [
        0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006,
        0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2,
        0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
    ]

    /// One for each bound, and one for longer calls; empty until a traced call ends.
    private var latest: [Exemplar?] = []

    package init() {}

    package mutating func add(_ exemplar: Exemplar) {
        if latest.isEmpty { latest = Array(repeating: nil, count: Self.bounds.count + 1) }
        let bucket =
            Self.bounds.firstIndex { exemplar.nanoseconds <= UInt64($0 * 1e9) }
            ?? Self.bounds.count
        if let known = latest[bucket], known.time > exemplar.time { return }
        latest[bucket] = exemplar
    }

    package mutating func add(_ other: Exemplars) {
        for exemplar in other.latest { if let exemplar { add(exemplar) } }
    }

    /// - Parameter bucket: the index of its bound; that of the bucket without one is the count of
    ///   the bounds.
    package subscript(bucket: Int) -> Exemplar? {
        latest.indices.contains(bucket) ? latest[bucket] : nil
    }
}
