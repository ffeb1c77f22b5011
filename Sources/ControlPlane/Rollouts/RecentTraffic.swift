internal import Observability
internal import Serving
internal import StateStores

/// The requests of each endpoint on this server in the last minute.
struct RecentTraffic: Sendable {
    /// The time between samples, and the time that they cover.
    static let interval = Duration.seconds(10)
    static let span = Duration.seconds(60)

    private struct Sample {
        let time: ContinuousClock.Instant
        let started: [String: UInt64]
    }

    /// In order.
    private var samples: [Sample] = []

    func mustSample(at now: ContinuousClock.Instant) -> Bool {
        samples.last.map { now - $0.time >= Self.interval } ?? true
    }

    /// Adds the total numbers of requests at a moment.
    mutating func add(_ started: [String: UInt64], at now: ContinuousClock.Instant) {
        samples.removeAll { now - $0.time > Self.span }
        samples.append(Sample(time: now, started: started))
    }

    /// The requests per second until now; nil without a sample of at least a second ago.
    ///
    /// - Parameter started: the present total number.
    func perSecond(
        of endpoint: String, started: UInt64, at now: ContinuousClock.Instant
    ) -> Double? {
        guard let first = samples.first(where: { now - $0.time <= Self.span }),
            now - first.time >= .seconds(1)
        else { return nil }
        let before = first.started[endpoint] ?? 0
        // The counts of an endpoint begin again if it is deleted and created.
        return Double(started < before ? started : started - before)
            / ((now - first.time) / .seconds(1))
    }
}

extension ControlPlane {
    /// Samples the requests of all endpoints.
    func sampleTraffic() async {
        guard recentTraffic.mustSample(at: .now) else { return }
        guard let figures = try? await dataPlane.figures() else { return }
        var started: [String: UInt64] = [:]
        for (key, calls) in figures.calls where !key.isShadow {
            started[key.endpoint, default: 0] &+= calls.started
        }
        recentTraffic.add(started, at: .now)
        addRecentStats(figures, at: .now)
    }

    /// The requests per second of an endpoint in the last minute on all servers, as if each had as
    /// many as this one, and the share of bad ones since the start of this server.
    func presentTraffic(of endpoint: String) async -> (perSecond: Double, errorShare: Double) {
        let totals = await views.readSampled(includesBackends: false) { view in
            (traffic: view.traffic(of: endpoint), uptime: view.uptime / .seconds(1))
        }
        let (traffic, uptime) = totals
        let recent = recentTraffic.perSecond(of: endpoint, started: traffic.started, at: .now)
        let servers = (try? await store.serverCount()) ?? 1
        let average = uptime > 0 ? Double(traffic.started) / uptime : 0
        return ((recent ?? average) * Double(servers), traffic.errorShare)
    }
}
