internal import Messages
internal import Observability
internal import Serving

/// The figures of the last minutes on this server, in intervals, for those who look after a problem
/// has begun.
struct RecentStats: Sendable {
    /// The time that the intervals cover, in seconds.
    static let maxSeconds = 600
    /// The most lines of all intervals together: about 10 MB.
    static let maxLines = 20_000

    private struct Interval {
        let end: ContinuousClock.Instant
        let stats: Weir_Admin_V1_Stats
    }

    /// In order.
    private var intervals: [Interval] = []
    private var lines = 0
    /// The totals at the end of the latest interval.
    private(set) var latest: (figures: ServingFigures, end: ContinuousClock.Instant)?

    /// Adds the interval since the latest one.
    ///
    /// - Parameter stats: nil for the first totals.
    mutating func add(
        _ stats: Weir_Admin_V1_Stats?, figures: ServingFigures, at now: ContinuousClock.Instant
    ) {
        latest = (figures, now)
        if let stats {
            intervals.append(Interval(end: now, stats: stats))
            lines += stats.backends.count
        }
        while let first = intervals.first,
            lines > Self.maxLines || now - first.end > .seconds(Self.maxSeconds)
        {
            lines -= first.stats.backends.count
            intervals.removeFirst()
        }
    }

    /// The intervals that end after a time, in order.
    ///
    /// - Parameter endpoint: the endpoint to report; empty for all.
    func since(_ start: ContinuousClock.Instant, endpoint: String) -> [Weir_Admin_V1_Stats] {
        intervals.filter { $0.end > start }.map { interval in
            var stats = interval.stats
            if !endpoint.isEmpty {
                stats.backends.removeAll { $0.endpoint != endpoint }
                stats.endpoints.removeAll { $0.endpoint != endpoint }
            }
            return stats
        }
    }
}

extension ControlPlane {
    func addRecentStats(_ figures: ServingFigures, at now: ContinuousClock.Instant) {
        recentStats.add(
            statsSinceLatest(figures, at: now, endpoint: ""), figures: figures, at: now)
    }

    /// The figures of the last seconds until now, in intervals.
    func pastStats(
        seconds: Int, until figures: ServingFigures, at now: ContinuousClock.Instant,
        endpoint: String
    ) -> [Weir_Admin_V1_Stats] {
        guard seconds > 0 else { return [] }
        let rest = statsSinceLatest(figures, at: now, endpoint: endpoint)
        return recentStats.since(now - .seconds(seconds), endpoint: endpoint)
            + [rest].compactMap(\.self)
    }

    /// The figures since the latest interval; nil without one.
    private func statsSinceLatest(
        _ figures: ServingFigures, at now: ContinuousClock.Instant, endpoint: String
    ) -> Weir_Admin_V1_Stats? {
        guard let latest = recentStats.latest, latest.end < now else { return nil }
        return views.current.stats(
            figures.since(latest.figures), over: now - latest.end, endpoint: endpoint)
    }
}
