internal import Messages
internal import Observability
internal import Serving

/// The figures of the last minutes on this server, in spans, for those who look after a problem has
/// begun.
struct RecentStats: Sendable {
    /// The time that the spans cover, in seconds.
    static let maxSeconds = 600
    /// The most lines of all spans together: about 10 MB.
    static let maxLines = 20_000

    private struct Span {
        let end: ContinuousClock.Instant
        let stats: Weir_Admin_V1_Stats
    }

    /// In order.
    private var spans: [Span] = []
    private var lines = 0
    /// The totals at the end of the latest span.
    private(set) var latest: (figures: ServingFigures, end: ContinuousClock.Instant)?

    /// Adds the span since the latest one.
    ///
    /// - Parameter stats: nil for the first totals.
    mutating func add(
        _ stats: Weir_Admin_V1_Stats?, figures: ServingFigures, at now: ContinuousClock.Instant
    ) {
        latest = (figures, now)
        if let stats {
            spans.append(Span(end: now, stats: stats))
            lines += stats.backends.count
        }
        while let first = spans.first,
            lines > Self.maxLines || now - first.end > .seconds(Self.maxSeconds)
        {
            lines -= first.stats.backends.count
            spans.removeFirst()
        }
    }

    /// The spans that end after a time, in order.
    ///
    /// - Parameter endpoint: the endpoint to report; empty for all.
    func since(_ start: ContinuousClock.Instant, endpoint: String) -> [Weir_Admin_V1_Stats] {
        spans.filter { $0.end > start }.map { span in
            var stats = span.stats
            if !endpoint.isEmpty { stats.backends.removeAll { $0.endpoint != endpoint } }
            return stats
        }
    }
}

extension ControlPlane {
    func addRecentStats(_ figures: ServingFigures, at now: ContinuousClock.Instant) async {
        var stats: Weir_Admin_V1_Stats?
        if let latest = recentStats.latest {
            stats = views.current.stats(
                figures.since(latest.figures), over: now - latest.end, endpoint: "")
        }
        recentStats.add(stats, figures: figures, at: now)
    }

    /// The figures of the last seconds until now, in spans.
    func pastStats(
        seconds: Int, until figures: ServingFigures, at now: ContinuousClock.Instant,
        endpoint: String
    ) -> [Weir_Admin_V1_Stats] {
        guard seconds > 0 else { return [] }
        var past = recentStats.since(now - .seconds(seconds), endpoint: endpoint)
        if let latest = recentStats.latest, latest.end < now {
            past.append(
                views.current.stats(
                    figures.since(latest.figures), over: now - latest.end, endpoint: endpoint))
        }
        return past
    }
}
