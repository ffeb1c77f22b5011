internal import GRPCWire
internal import Serving
internal import TrafficPolicy

extension ControlState {
    /// Adds an endpoint that routes all requests to one backend.
    mutating func createEndpoint(
        _ name: String, route text: String, methods: HTTPMethods = .all, cors: CORSPolicy? = nil,
        httpShardKey: HTTPShardKey? = nil, backend: String
    ) throws(ControlError) -> Endpoint {
        try Self.check(name: name, field: "name")
        guard endpoints[name] == nil else {
            throw .alreadyExists("endpoint '\(name)'", field: "name")
        }
        let route = try freeRoute(text, for: name)
        _ = try existingBackend(backend, field: "backend")
        var endpoint = Endpoint(
            name: name, route: route, weights: TrafficWeights(all: backend),
            map: AffinityMap(owner: backend))
        endpoint.methods = methods
        endpoint.cors = cors
        endpoint.httpShardKey = httpShardKey
        return put(endpoint)
    }

    /// Stores a changed endpoint with the next revision.
    mutating func put(_ endpoint: Endpoint) -> Endpoint {
        var endpoint = endpoint
        endpoint.revision = nextRevision
        endpoints[endpoint.name] = endpoint
        return endpoint
    }

    /// Checks that no other endpoint has a route.
    func freeRoute(_ text: String, for name: String) throws(ControlError) -> Route {
        guard let route = Route(text) else {
            throw .invalid("route", "invalid route \(text.quoted): use \(Route.forms)")
        }
        guard route != .nameOnly else { return route }
        let owner = endpoints.values.first { $0.route == route && $0.name != name }
        if let owner {
            throw .alreadyExists("route \(route) of endpoint '\(owner.name)'", field: "route")
        }
        return route
    }

    mutating func deleteEndpoint(_ name: String) throws(ControlError) {
        _ = try existingEndpoint(name)
        try checkNoRollout(of: name, "abort it before you delete the endpoint")
        endpoints[name] = nil
    }

    /// Replaces the weights of an endpoint, and returns the share of keys that moves.
    ///
    /// - Parameters:
    ///   - actor: who overrides a rollout of the endpoint, which pauses; nil to reject the change
    ///     while a rollout runs.
    ///   - timeBox: nil for a change that stays.
    mutating func setTraffic(
        _ name: String, _ pairs: [(backend: String, weight: Double)],
        overriding actor: String? = nil, timeBox: TimedChange.Request? = nil
    ) throws(ControlError) -> (endpoint: Endpoint, movedShare: Double, packed: Bool) {
        var endpoint = try existingEndpoint(name)
        if actor == nil {
            try checkNoRollout(
                of: name,
                "abort it, or change the weights anyway with override_rollout "
                    + "(--override-rollout)")
        }
        let weights = try policy(pairs)
        let change = endpoint.map.changed(to: weights, history: endpoint.history)
        // A box within a box returns to the weights before both.
        let before = endpoint.timeBox?.before ?? endpoint.weights
        endpoint.timeBox = try timeBox.map { (request) throws(ControlError) in
            try checkNoRollout(of: name, "a change that reverts needs an endpoint without one")
            return TimedChange(request, before: before)
        }
        endpoint.map = change.map
        endpoint.weights = weights
        if let actor { endpoint.weightsChanged(by: actor) }
        return (put(endpoint), change.movedShare, change.packed)
    }

    /// Checks weights, whose backends must exist.
    func policy(
        _ pairs: [(backend: String, weight: Double)]
    ) throws(ControlError) -> TrafficWeights {
        for pair in pairs { _ = try existingBackend(pair.backend, field: "weights") }
        do throws(PolicyError) {
            return try TrafficWeights(pairs)
        } catch {
            throw .invalid("weights", error.description)
        }
    }

    /// Adds, changes or, with proportion 0, removes a shadow.
    ///
    /// - Parameter options: nil to keep the options of the shadow.
    mutating func setShadow(
        _ name: String, backend: String, proportion: Double, options: Shadow.Options? = nil
    ) throws(ControlError) -> Endpoint {
        var endpoint = try existingEndpoint(name)
        _ = try existingBackend(backend, field: "backend")
        guard proportion >= 0, proportion <= 1 else {
            let error = PolicyError.proportionOutOfRange(backend: backend, value: proportion)
            throw .invalid("proportion", error.description)
        }
        if let rollout = endpoint.rollout, rollout.isRunning, rollout.ownsShadow,
            rollout.candidate == backend
        {
            try checkNoRollout(of: name, "it sets the shadow of its candidate; abort it first")
        }
        let known = endpoint.shadows.first { $0.backend == backend }
        endpoint.shadows.removeAll { $0.backend == backend }
        if proportion > 0 {
            guard endpoint.shadows.count < Self.maxShadows else {
                throw .invalid("backend", "an endpoint has at most \(Self.maxShadows) shadows")
            }
            endpoint.shadows.append(
                Shadow(
                    backend: backend, proportion: proportion,
                    options: options ?? known?.options ?? .init()))
            endpoint.shadows.sort { $0.backend < $1.backend }
        }
        return put(endpoint)
    }

    /// - Parameter limit: nil for no limit.
    mutating func setRateLimit(_ name: String, _ limit: RateLimit?) throws(ControlError) -> Endpoint
    {
        var endpoint = try existingEndpoint(name)
        endpoint.rateLimit = limit
        return put(endpoint)
    }

    /// Replaces the rules for comparing the responses of shadows.
    mutating func setComparison(
        _ name: String, _ comparison: Comparison
    ) throws(ControlError) -> Endpoint {
        var endpoint = try existingEndpoint(name)
        endpoint.comparison = comparison
        return put(endpoint)
    }
}
