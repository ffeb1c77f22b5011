internal import GRPCWire
internal import Serving
internal import TrafficPolicy

extension ControlState {
    /// Restores earlier endpoints: routes, weights, shadows and affinity maps, bit for bit.
    /// Backends do not change.
    ///
    /// - Parameters:
    ///   - earlier: the state to restore from.
    ///   - only: an endpoint, or nil for all; then later endpoints are deleted.
    ///   - actor: the author, who also ends running rollouts of the endpoints.
    /// - Returns: warnings for the operator.
    mutating func rollBack(
        to earlier: ControlState, only: String? = nil, by actor: String = "weir"
    ) throws(ControlError) -> [String] {
        var wanted = earlier.endpoints
        if let only {
            guard let endpoint = earlier.endpoints[only] else {
                let reason = "endpoint \(only.quoted) did not exist"
                throw .unrestorable(earlier.revision, [reason])
            }
            wanted = [only: endpoint]
        } else {
            endpoints = endpoints.filter { wanted[$0.key] != nil }
        }
        let order = wanted.values.sorted { $0.name < $1.name }
        let obstacles = order.flatMap { self.obstacles(to: $0, of: wanted) }
        guard obstacles.isEmpty else { throw .unrestorable(earlier.revision, obstacles) }
        var used: Set<String> = []
        for endpoint in order {
            used.formUnion(endpoint.backends)
            guard let known = endpoints[endpoint.name] else {
                var endpoint = endpoint
                endpoint.endRollout("the endpoint was deleted")
                endpoint.timeBox = nil
                _ = put(endpoint)
                continue
            }
            var restored = endpoint
            restored.rollout = known.rollout
            restored.timeBox = nil
            restored.endRollout("revision \(earlier.revision) was restored by '\(actor)'")
            guard !known.isSame(as: restored) || known.rollout?.isRunning == true else { continue }
            // The generation increases with each change, also when a map is restored.
            restored.map = endpoint.map.restored(over: known.map)
            _ = put(restored)
        }
        return used.sorted().compactMap { name in
            guard let now = backends[name], let before = earlier.backends[name],
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
            // The route of an endpoint that is restored too may change.
            $0.route == endpoint.route && $0.route != .nameOnly && wanted[$0.name] == nil
        }
        if let owner {
            obstacles.append(
                "endpoint '\(endpoint.name)' needs route \(endpoint.route), which belongs to "
                    + "endpoint '\(owner.name)'")
        }
        return obstacles
    }
}

extension ControlState.Endpoint {
    /// The backends that it names, sorted.
    fileprivate var backends: [String] {
        Set(weights.weights.map(\.backend) + shadows.map(\.backend)).sorted()
    }
}
