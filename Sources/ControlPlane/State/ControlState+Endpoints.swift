internal import GRPCWire
internal import Serving
internal import TrafficPolicy

extension ControlState {
    /// Adds an endpoint whose requests all go to one backend.
    mutating func createEndpoint(
        _ name: String, route text: String, backend: String
    ) throws(ControlError) -> Endpoint {
        try Self.check(name: name, field: "name")
        guard endpoints[name] == nil else { throw .taken("endpoint '\(name)'", field: "name") }
        let route = try freeRoute(text, for: name)
        _ = try known(backend: backend, field: "backend")
        return put(
            Endpoint(
                name: name, route: route, weights: TrafficWeights(all: backend),
                map: AffinityMap(owner: backend)))
    }

    /// Takes a changed endpoint in.
    mutating func put(_ endpoint: Endpoint) -> Endpoint {
        var endpoint = endpoint
        endpoint.revision = nextRevision
        endpoints[endpoint.name] = endpoint
        return endpoint
    }

    /// A route that no other endpoint has.
    func freeRoute(_ text: String, for name: String) throws(ControlError) -> Route {
        guard let route = Route(text) else {
            throw .invalid("route", "invalid route \(text.quoted): use \(Route.forms)")
        }
        guard route != .nameOnly else { return route }
        let owner = endpoints.values.first { $0.route == route && $0.name != name }
        if let owner {
            throw .taken("route \(route), by endpoint '\(owner.name)',", field: "route")
        }
        return route
    }

    mutating func deleteEndpoint(_ name: String) throws(ControlError) {
        _ = try known(endpoint: name)
        endpoints[name] = nil
    }

    /// Replaces an endpoint's weights and says what that moves.
    mutating func setTraffic(
        _ name: String, _ pairs: [(backend: String, weight: Double)]
    ) throws(ControlError) -> (endpoint: Endpoint, movedShare: Double, packed: Bool) {
        var endpoint = try known(endpoint: name)
        let weights = try policy(pairs)
        let change = endpoint.map.changed(to: weights, history: endpoint.history)
        endpoint.map = change.map
        endpoint.weights = weights
        return (put(endpoint), change.movedShare, change.packed)
    }

    /// Weights that are a policy over backends that there are.
    func policy(
        _ pairs: [(backend: String, weight: Double)]
    ) throws(ControlError) -> TrafficWeights {
        for pair in pairs { _ = try known(backend: pair.backend, field: "weights") }
        do throws(PolicyError) {
            return try TrafficWeights(pairs)
        } catch {
            throw .invalid("weights", error.description)
        }
    }

    /// Adds, changes or, with proportion 0, removes a shadow.
    ///
    /// - Parameter options: nil for what the shadow has.
    mutating func setShadow(
        _ name: String, backend: String, proportion: Double, options: Shadow.Options? = nil
    ) throws(ControlError) -> Endpoint {
        var endpoint = try known(endpoint: name)
        _ = try known(backend: backend, field: "backend")
        guard proportion >= 0, proportion <= 1 else {
            let error = PolicyError.proportionOutOfRange(backend: backend, value: proportion)
            throw .invalid("proportion", error.description)
        }
        let known = endpoint.shadows.first { $0.backend == backend }
        endpoint.shadows.removeAll { $0.backend == backend }
        if proportion > 0 {
            guard endpoint.shadows.count < Self.maxShadows else {
                throw .invalid("backend", "an endpoint can have \(Self.maxShadows) shadows")
            }
            endpoint.shadows.append(
                Shadow(
                    backend: backend, proportion: proportion,
                    options: options ?? known?.options ?? .init()))
            endpoint.shadows.sort { $0.backend < $1.backend }
        }
        return put(endpoint)
    }

    /// - Parameter limit: nil to take all requests.
    mutating func setRateLimit(_ name: String, _ limit: RateLimit?) throws(ControlError) -> Endpoint
    {
        var endpoint = try known(endpoint: name)
        endpoint.rateLimit = limit
        return put(endpoint)
    }

    /// Replaces how answers of shadows are compared.
    mutating func setComparison(
        _ name: String, _ comparison: Comparison
    ) throws(ControlError) -> Endpoint {
        var endpoint = try known(endpoint: name)
        endpoint.comparison = comparison
        return put(endpoint)
    }
}
