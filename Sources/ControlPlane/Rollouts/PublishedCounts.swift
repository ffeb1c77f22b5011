internal import Evidence
internal import Messages
internal import Observability
internal import Rollouts

/// What one server of a fleet has counted for a rollout, for the leader.
struct PublishedCounts: Sendable, Equatable {
    /// The counts of one method in one second of the server's clock.
    struct Second: Sendable, Equatable {
        let second: UInt64
        /// The entry of a step to which the second belongs.
        var entry: UInt64 = 0
        var counts: TickCounts
    }

    /// The seconds that a server keeps for the leader. Each publication repeats them, so that a
    /// lost one costs nothing, and so that another leader can continue. After a long request, all
    /// seconds since its start arrive at once.
    static let maxSeconds = CohortTable.maxHorizon + 7
    /// The most counts in them: of 8 methods, and of the others.
    static let maxCounts = Int(maxSeconds) * 9
    /// The most keys of one method, second and side. Beyond, only keys with a small second hash are
    /// published, the same at both sides.
    static let maxKeys = 1_024

    let rollout: UInt64
    /// In order.
    private(set) var seconds: [Second] = []
    /// The totals of the candidate's shadow.
    var shadow = ShadowProgress()
    var ejections = EjectionProgress()
    /// A key is kept if its second hash begins with this number of zeros.
    private var zeros = 0

    init(rollout: UInt64) { self.rollout = rollout }

    /// Adds later counts, and forgets the oldest ones.
    mutating func add(_ later: [Second]) {
        for second in later {
            var second = second
            thin(&second.counts)
            seconds.append(second)
        }
        guard let last = seconds.last?.second else { return }
        seconds.removeAll { $0.second <= last - min(last, Self.maxSeconds) }
        seconds.removeFirst(max(0, seconds.count - Self.maxCounts))
    }

    /// Keeps a part of the keys if they are too many.
    private mutating func thin(_ counts: inout TickCounts) {
        func kept(_ keys: [UInt64]) -> [UInt64] {
            keys.filter { FirstFailures.hash($0).leadingZeroBitCount >= zeros }
        }
        while zeros < 64 {
            counts.candidate.badKeys = kept(counts.candidate.badKeys)
            counts.baseline.badKeys = kept(counts.baseline.badKeys)
            let most = max(counts.candidate.badKeys.count, counts.baseline.badKeys.count)
            guard most > Self.maxKeys else { return }
            zeros += 1
        }
    }

    /// The same without the seconds before the latest ones.
    fileprivate func suffix(_ count: UInt64) -> PublishedCounts {
        var latest = self
        let last = seconds.last?.second ?? 0
        latest.seconds.removeAll { $0.second <= last - min(last, count) }
        return latest
    }
}

extension PublishedCounts {
    /// The most bytes of a server's publication, far below what etcd accepts.
    static let maxBytes = 512 << 10

    /// The counts of a server as one value.
    ///
    /// - Parameter first: the index of the endpoint to begin with.
    /// - Returns: the value, and the endpoint to begin with the next time: another one if not all
    ///   fit. Nil if it cannot be encoded.
    static func encoded(
        _ counts: [(endpoint: String, counts: PublishedCounts)], of instance: String,
        from first: Int
    ) -> (bytes: [UInt8], next: Int)? {
        var message = Weir_Store_V1_RolloutCounts(instance: instance)
        var (size, next) = (0, 0)
        for offset in counts.indices {
            let index = (first + offset) % counts.count
            guard let part = part(counts[index]) else { return nil }
            guard size + part.size <= maxBytes || size == 0 else {
                next = index
                break
            }
            message.endpoints.append(part.message)
            size += part.size
        }
        guard let bytes = try? message.serializedBytes() else { return nil }
        return (bytes, next)
    }

    /// The counts of one endpoint, of so many seconds that others fit too.
    private static func part(
        _ entry: (endpoint: String, counts: PublishedCounts)
    ) -> (message: Weir_Store_V1_EndpointCounts, size: Int)? {
        for seconds in [maxSeconds, 4, 1] {
            let message = Weir_Store_V1_EndpointCounts(
                entry.endpoint, entry.counts.suffix(seconds))
            guard let size = (try? message.serializedBytes())?.count else { return nil }
            if size <= maxBytes / 2 || seconds == 1 { return (message, size) }
        }
        return nil
    }

    init(_ message: Weir_Store_V1_EndpointCounts) {
        self.init(rollout: message.rollout)
        seconds = message.seconds.prefix(Self.maxCounts).map { second in
            var counts = TickCounts()
            counts.method = second.method
            counts.weight = second.weight
            counts.candidate = SideCounts(second.candidate ?? .init())
            counts.baseline = SideCounts(second.baseline ?? .init())
            return Second(second: second.second, entry: second.entry, counts: counts)
        }
        shadow.copies = message.copies
        shadow.compared = message.compared
        shadow.different = message.different
        shadow.badOnlyAtShadow = message.badOnlyAtShadow
        shadow.badOnlyAtPrimary = message.badOnlyAtPrimary
        ejections = EjectionProgress(
            candidate: message.candidateEjections, baseline: message.baselineEjections,
            share: message.ejectionShare)
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
                    baseline: .init(second.counts.baseline), entry: second.entry,
                    method: second.counts.method)
            },
            copies: counts.shadow.copies, compared: counts.shadow.compared,
            different: counts.shadow.different, badOnlyAtShadow: counts.shadow.badOnlyAtShadow,
            badOnlyAtPrimary: counts.shadow.badOnlyAtPrimary,
            candidateEjections: counts.ejections.candidate,
            baselineEjections: counts.ejections.baseline, ejectionShare: counts.ejections.share)
    }
}

extension SideCounts {
    /// Counts of another server, as they are within the bounds of a second.
    fileprivate init(_ message: Weir_Store_V1_SideCounts) {
        // More requests than a server can answer in a second are not counts.
        func bounded(_ count: UInt64) -> UInt64 { min(count, 1 << 40) }
        self.init()
        started = bounded(message.started)
        unkeyed = bounded(message.unkeyed)
        bad = bounded(message.bad)
        keyedBad = bounded(message.keyedBad)
        badKeys = Array(message.badKeys.prefix(PublishedCounts.maxKeys))
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
