internal import GRPCWire
internal import Serving
internal import TrafficPolicy

extension ControlState {
    /// Makes endpoints what they were: routes, weights, shadows and affinity maps, bit for bit.
    /// Backends stay as they are.
    ///
    /// - Parameters:
    ///   - then: an earlier state.
    ///   - only: an endpoint, or nil for all; then those that were not there are removed.
    /// - Returns: what an operator should know.
    mutating func rollBack(
        to then: ControlState, only: String? = nil
    ) throws(ControlError) -> [String] {
        var wanted = then.endpoints
        if let only {
            guard let endpoint = then.endpoints[only] else {
                let reason = "there was no endpoint \(only.quoted)"
                throw .unrestorable(then.revision, [reason])
            }
            wanted = [only: endpoint]
        } else {
            endpoints = endpoints.filter { wanted[$0.key] != nil }
        }
        let order = wanted.values.sorted { $0.name < $1.name }
        let obstacles = order.flatMap { self.obstacles(to: $0, of: wanted) }
        guard obstacles.isEmpty else { throw .unrestorable(then.revision, obstacles) }
        var used: Set<String> = []
        for endpoint in order {
            used.formUnion(endpoint.backends)
            guard let known = endpoints[endpoint.name] else {
                _ = put(endpoint)
                continue
            }
            guard !known.isSame(as: endpoint) else { continue }
            var restored = endpoint
            // Each change counts, also one that leads back.
            restored.map = endpoint.map.restored(over: known.map)
            _ = put(restored)
        }
        return used.sorted().compactMap { name in
            guard let now = backends[name], let before = then.backends[name],
                now.revision != before.revision
            else { return nil }
            return
                "backend '\(name)' has changed since then, at revision \(now.revision)"
        }
    }

    /// Why one of the wanted endpoints cannot be restored.
    private func obstacles(to endpoint: Endpoint, of wanted: [String: Endpoint]) -> [String] {
        var obstacles = endpoint.backends.filter { backends[$0] == nil }.map {
            "endpoint '\(endpoint.name)' needs backend '\($0)', which no longer exists"
        }
        let owner = endpoints.values.first {
            // Those that go back too get the routes that they had.
            $0.route == endpoint.route && $0.route != .nameOnly && wanted[$0.name] == nil
        }
        if let owner {
            obstacles.append(
                "endpoint '\(endpoint.name)' needs route \(endpoint.route), which endpoint "
                    + "'\(owner.name)' has")
        }
        return obstacles
    }
}

extension ControlState.Endpoint {
    /// All that it names, sorted.
    fileprivate var backends: [String] {
        Set(weights.weights.map(\.backend) + shadows.map(\.backend)).sorted()
    }
}
