internal import Evidence
internal import Messages
internal import Rollouts

/// What one server of a fleet has counted for a rollout, for the leader.
struct PublishedCounts: Sendable, Equatable {
    /// The counts of one second of the server's clock.
    struct Second: Sendable, Equatable {
        let second: UInt64
        var counts: TickCounts
    }

    /// The seconds that each publication repeats, so that a lost one costs nothing.
    static let maxSeconds = 5

    let rollout: UInt64
    var seconds: [Second] = []
    /// The totals of the candidate's shadow.
    var shadow = ShadowProgress()

    init(rollout: UInt64) { self.rollout = rollout }
}

extension PublishedCounts {
    init(_ message: Weir_Store_V1_EndpointCounts) {
        self.init(rollout: message.rollout)
        seconds = message.seconds.prefix(Self.maxSeconds).map { second in
            var counts = TickCounts()
            counts.weight = second.weight
            counts.candidate = SideCounts(second.candidate ?? .init())
            counts.baseline = SideCounts(second.baseline ?? .init())
            return Second(second: second.second, counts: counts)
        }
        shadow.copies = message.copies
        shadow.compared = message.compared
        shadow.different = message.different
        shadow.badOnlyAtShadow = message.badOnlyAtShadow
        shadow.badOnlyAtPrimary = message.badOnlyAtPrimary
    }
}

extension Weir_Store_V1_EndpointCounts {
    init(_ endpoint: String, _ counts: PublishedCounts) {
        self.init(
            endpoint: endpoint, rollout: counts.rollout,
            seconds: counts.seconds.map { second in
                .init(
                    second: second.second, weight: second.counts.weight,
                    candidate: .init(second.counts.candidate),
                    baseline: .init(second.counts.baseline))
            },
            copies: counts.shadow.copies, compared: counts.shadow.compared,
            different: counts.shadow.different, badOnlyAtShadow: counts.shadow.badOnlyAtShadow,
            badOnlyAtPrimary: counts.shadow.badOnlyAtPrimary)
    }
}

extension SideCounts {
    /// The most keys of one second. A server publishes fewer for each of its loops.
    private static let maxKeys = 65_536

    /// Counts of another server, as they are within the bounds of a second.
    fileprivate init(_ message: Weir_Store_V1_SideCounts) {
        // More requests than a server can answer in a second are not counts.
        func bounded(_ count: UInt64) -> UInt64 { min(count, 1 << 40) }
        self.init()
        started = bounded(message.started)
        unkeyed = bounded(message.unkeyed)
        bad = bounded(message.bad)
        keyedBad = bounded(message.keyedBad)
        badKeys = Array(message.badKeys.prefix(Self.maxKeys))
        for (index, count) in message.statuses.prefix(statuses.count).enumerated() {
            statuses[index] = bounded(count)
        }
        for (bucket, count) in zip(message.buckets, message.bucketCounts)
            .prefix(LatencyCounts.buckets)
        { latencies.add(count, toBucket: Int(bucket)) }
    }
}

extension Weir_Store_V1_SideCounts {
    fileprivate init(_ counts: SideCounts) {
        self.init(
            started: counts.started, unkeyed: counts.unkeyed, bad: counts.bad,
            keyedBad: counts.keyedBad, badKeys: counts.badKeys, statuses: counts.statuses,
            buckets: counts.latencies.entries.map { UInt32($0.bucket) },
            bucketCounts: counts.latencies.entries.map(\.count))
    }
}
