/// The counts of all calls on one loop. Confined to its loop.
final class LoopMetrics {
    /// The name that calls of unknown methods are counted under (gRFC A66).
    static let otherMethods = "other"

    private let names: MethodNames
    private var endpoints: [String: Endpoint] = [:]
    /// What there are series of; nil before the first one.
    private var snapshot: RoutingSnapshot?

    /// What is counted for one endpoint, or, under the empty name, for Weir's own services.
    private struct Endpoint {
        var series: [CallKey: CallMetrics] = [:]
        /// The methods that are counted under their names.
        var methods: Set<String> = []
    }

    init(_ names: MethodNames) { self.names = names }

    /// The counts of a key, which begin at zero.
    func series(of key: CallKey) -> CallMetrics {
        if let known = endpoints[key.endpoint]?.series[key] { return known }
        let new = CallMetrics(key)
        endpoints[key.endpoint, default: Endpoint()].series[key] = new
        return new
    }

    /// The counts of a key for a call that has ended, perhaps after its endpoint or its backend:
    /// then they are not shown.
    func seriesIfCurrent(of key: CallKey) -> CallMetrics {
        isCurrent(key) ? series(of: key) : CallMetrics(key)
    }

    private func isCurrent(_ key: CallKey) -> Bool {
        guard let snapshot, !key.endpoint.isEmpty else { return true }
        return snapshot.endpoint(named: key.endpoint).map { snapshot.has(key.backend, for: $0) }
            ?? false
    }

    /// Whether this loop knows that calls of a method are counted under its name.
    func isNamed(_ method: String, of endpoint: String) -> Bool {
        endpoints[endpoint]?.methods.contains(method) ?? false
    }

    /// A backend of the endpoint has answered a method.
    ///
    /// - Returns: whether calls of the method are counted under its name from now on.
    func noteAnswered(_ method: String, of endpoint: String) -> Bool {
        if isNamed(method, of: endpoint) { return true }
        let hasEnded =
            !endpoint.isEmpty && snapshot.map { $0.endpoint(named: endpoint) == nil } ?? false
        guard !hasEnded, names.admit(method, of: endpoint) else { return false }
        endpoints[endpoint, default: Endpoint()].methods.insert(method)
        return true
    }

    /// Ends the series of endpoints and backends that the snapshot does not have.
    func keep(_ snapshot: RoutingSnapshot, backendsChanged: Bool) {
        self.snapshot = snapshot
        for name in Array(endpoints.keys) where !name.isEmpty {
            guard let endpoint = snapshot.endpoint(named: name) else {
                endpoints[name] = nil
                continue
            }
            guard backendsChanged else { continue }
            let series = endpoints[name]?.series ?? [:]
            endpoints[name]?.series = series.filter { snapshot.has($0.key.backend, for: endpoint) }
        }
    }

    /// A copy of all counts.
    var figures: [CallKey: CallFigures] {
        var all: [CallKey: CallFigures] = [:]
        for endpoint in endpoints.values {
            for (key, metrics) in endpoint.series { all[key] = metrics.figures }
        }
        return all
    }
}
