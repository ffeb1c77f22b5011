internal import Evidence

/// A latency comparison for each method, because a threshold for all methods would judge the slow
/// ones alone.
struct LatencyComparisons: Equatable, Sendable {
    /// The most methods: those that a server counts separately, and the others.
    static let maxMethods = 9

    private let first: LatencyComparison
    private var methods: [String: LatencyComparison] = [:]

    init?(quantile: Double, tolerance: Double) {
        guard let first = LatencyComparison(quantile: quantile, tolerance: tolerance) else {
            return nil
        }
        self.first = first
    }

    /// Judges the requests of a tick; nil if they cannot be compared.
    mutating func tick(_ counts: TickCounts, servers: Int) -> EvidenceTick? {
        // Counts of a shadow or of ejections.
        guard counts.candidate.started > 0 || counts.baseline.started > 0 else { return nil }
        // Servers may count different methods separately.
        let known = methods[counts.method] != nil || methods.count < Self.maxMethods
        return methods[known ? counts.method : "", default: first].tick(
            candidate: counts.candidate.latencies, started: counts.candidate.started,
            baseline: counts.baseline.latencies, started: counts.baseline.started,
            window: LatencyComparison.window * max(1, servers))
    }
}
