/// The endpoints and backends that exist; the series of others are removed.
package protocol ServedNames: AnyObject, Sendable {
    func hasEndpoint(_ name: String) -> Bool
    /// Whether a backend exists, or the endpoint at least names it.
    func has(_ backend: String, at endpoint: String) -> Bool
}

/// The counts of all calls on one loop. Confined to its loop.
package final class LoopMetrics {
    /// The name that calls of unknown methods are counted under (gRFC A66).
    package static let otherMethods = "other"

    /// The most series of deleted endpoints and backends that are kept.
    package static let maxRemoved = 256

    private let names: MethodNames
    /// The figures of deleted endpoints and backends, of all methods together.
    package private(set) var removed: [CallKey: CallFigures] = [:]
    private var endpoints: [String: Endpoint] = [:]
    /// Nil before the first policy.
    private var served: (any ServedNames)?

    /// The series of one endpoint or, under the empty name, of Weir's own services.
    private struct Endpoint {
        var series: [CallKey: CallMetrics] = [:]
        /// The methods that are counted under their names.
        var methods: Set<String> = []
    }

    package init(_ names: MethodNames) { self.names = names }

    /// The counts of a key; new ones are zero.
    package func series(of key: CallKey) -> CallMetrics {
        if let known = endpoints[key.endpoint]?.series[key] { return known }
        let new = CallMetrics(key)
        endpoints[key.endpoint, default: Endpoint()].series[key] = new
        return new
    }

    /// The counts of a key for a call that has ended. If its endpoint or backend was deleted before
    /// that, they are not reported.
    package func seriesIfCurrent(of key: CallKey) -> CallMetrics {
        isCurrent(key) ? series(of: key) : CallMetrics(key)
    }

    private func isCurrent(_ key: CallKey) -> Bool {
        guard let served, !key.endpoint.isEmpty else { return true }
        return served.hasEndpoint(key.endpoint) && served.has(key.backend, at: key.endpoint)
    }

    /// The latencies of an endpoint's calls, without shadow copies.
    package func latency(of endpoint: String) -> LatencyHistogram {
        (endpoints[endpoint]?.series ?? [:]).reduce(into: LatencyHistogram()) { sum, series in
            guard !series.key.isShadow else { return }
            for ended in series.value.figures.finished { sum.add(ended.latency) }
        }
    }

    /// Whether this loop counts calls of a method under its name.
    package func isNamed(_ method: String, of endpoint: String) -> Bool {
        endpoints[endpoint]?.methods.contains(method) ?? false
    }

    /// Records that a backend of the endpoint has answered a method.
    ///
    /// - Returns: whether calls of the method are counted under its name from now on.
    package func noteAnswered(_ method: String, of endpoint: String) -> Bool {
        if isNamed(method, of: endpoint) { return true }
        let hasEnded =
            !endpoint.isEmpty && served.map { !$0.hasEndpoint(endpoint) } ?? false
        guard !hasEnded, names.admit(method, of: endpoint) else { return false }
        endpoints[endpoint, default: Endpoint()].methods.insert(method)
        return true
    }

    /// Removes the series of endpoints and backends that no longer exist.
    package func removeSeries(missingFrom served: any ServedNames, backendsChanged: Bool) {
        self.served = served
        for name in Array(endpoints.keys) where !name.isEmpty {
            let series = endpoints[name]?.series ?? [:]
            guard served.hasEndpoint(name) else {
                endpoints[name] = nil
                keep(series)
                continue
            }
            guard backendsChanged else { continue }
            let current = series.filter { served.has($0.key.backend, at: name) }
            endpoints[name]?.series = current
            keep(series.filter { current[$0.key] == nil })
        }
    }

    private func keep(_ series: [CallKey: CallMetrics]) {
        for (key, metrics) in series {
            let key = key.counted(as: "")
            guard metrics.figures.started > 0,
                removed[key] != nil || removed.count < Self.maxRemoved
            else { continue }
            var figures = metrics.figures
            figures.inFlight = 0
            removed[key, default: CallFigures()].add(figures)
        }
    }

    /// A copy of all counts.
    package var figures: [CallKey: CallFigures] {
        var all: [CallKey: CallFigures] = [:]
        for endpoint in endpoints.values {
            for (key, metrics) in endpoint.series { all[key] = metrics.figures }
        }
        return all
    }
}
