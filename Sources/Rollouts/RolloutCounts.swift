package import Evidence

/// What one server counted for the requests of one method that started in one tick at one side of a
/// rollout.
package struct SideCounts: Equatable, Sendable {
    /// Statuses that are not the server's fault, in the order of `statuses`.
    package static let statusCodes: [UInt8] = [3, 5, 6, 7, 9, 10, 11, 16, 1]

    /// All requests, also those that have not ended when the tick is judged.
    package var started: UInt64 = 0
    /// Bad requests without a shard key.
    package var bad: UInt64 = 0
    /// Requests without a shard key.
    package var unkeyed: UInt64 = 0
    /// The points of the keys of bad requests; a key may occur more than once.
    package var badKeys: [UInt64] = []
    /// Bad requests with a shard key.
    package var keyedBad: UInt64 = 0
    package var latencies = LatencyCounts()
    /// Ended requests by `statusCodes`.
    package var statuses = Array(repeating: UInt64(0), count: statusCodes.count)

    package init() {}

    /// All bad requests.
    package var allBad: UInt64 { bad &+ keyedBad }

    /// Adds the counts of another loop or server for the same tick.
    package mutating func add(_ other: SideCounts) {
        started &+= other.started
        bad &+= other.bad
        unkeyed &+= other.unkeyed
        badKeys += other.badKeys
        keyedBad &+= other.keyedBad
        latencies.add(other.latencies)
        for status in statuses.indices { statuses[status] &+= other.statuses[status] }
    }
}

/// The counts of one method in a tick.
package struct TickCounts: Equatable, Sendable {
    /// The path of the method; empty for all methods that are not counted separately.
    package var method = ""
    package var candidate = SideCounts()
    package var baseline = SideCounts()
    /// The candidate's weight in the tick; nil if it changed within the tick.
    package var weight: Double?
    /// Compared copies of a shadow, and those with a different response.
    package var compared: UInt64 = 0
    package var different: UInt64 = 0
    /// Pairs of a copy and its primary response of which exactly one side is bad.
    package var badOnlyAtShadow: UInt64 = 0
    package var badOnlyAtPrimary: UInt64 = 0
    /// Ejections of replicas of the candidate, and of the baseline's backends.
    package var candidateEjections: UInt64 = 0
    package var baselineEjections: UInt64 = 0
    /// The candidate's share of requests or of replicas, whichever is larger; nil if it is unknown.
    package var ejectionShare: Double?

    package init() {}
}
