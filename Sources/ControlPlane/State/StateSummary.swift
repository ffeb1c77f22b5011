internal import Serving
internal import TrafficPolicy

extension StateDelta {
    /// The number of objects that are named; the rest is counted.
    private static let maxParts = 3

    /// The change in a few words.
    ///
    /// - Parameter before: the state that it changes.
    func summary(of before: ControlState) -> String {
        let (added, changed) = backends.partitioned { before.backends[$0.name] == nil }
        var parts =
            Self.part("create backend", added.map(\.name))
            + Self.part("update backend", changed.map(\.name))
            + Self.part("delete backend", deletedBackends)
        for endpoint in endpoints {
            guard let earlier = before.endpoints[endpoint.name] else {
                parts.append("create endpoint \(endpoint.name): \(endpoint.weights.inWords)")
                continue
            }
            parts.append(endpoint.summary(of: earlier))
        }
        parts += Self.part("delete endpoint", deletedEndpoints)
        if let freeze { parts.append(freeze.freeze?.description ?? "changes are accepted again") }
        let rest = parts.count - Self.maxParts
        return parts.prefix(Self.maxParts).joined(separator: "; ")
            + (rest > 0 ? "; and \(rest) more" : "")
    }

    private static func part(_ verb: String, _ names: [String]) -> [String] {
        guard !names.isEmpty else { return [] }
        let list = names.prefix(maxParts).joined(separator: ", ")
        let rest = names.count - maxParts
        return [
            "\(verb)\(names.count > 1 ? "s" : "") \(list)" + (rest > 0 ? " and \(rest) more" : "")
        ]
    }
}

extension ControlState.Endpoint {
    /// The change of the endpoint in a few words.
    fileprivate func summary(of before: Self) -> String {
        var parts: [String] = []
        if route != before.route { parts.append("route \(route)") }
        if weights != before.weights || map.fragments != before.map.fragments {
            parts.append(weights.inWords)
        }
        for shadow in shadows where !before.shadows.contains(shadow) {
            parts.append("shadow \(shadow.backend)=\(shadow.proportion)")
        }
        for shadow in before.shadows
        where !shadows.contains(where: { $0.backend == shadow.backend }) {
            parts.append("no shadow \(shadow.backend)")
        }
        if comparison != before.comparison { parts.append("comparison") }
        if rateLimit != before.rateLimit {
            parts.append(rateLimit.map { "at most \($0.requestsPerSecond)/s" } ?? "no rate limit")
        }
        if let rollout,
            rollout.decisions != before.rollout?.decisions
                || rollout.id != before.rollout?.id
        {
            parts.append(
                "rollout to \(rollout.candidate) \(rollout.phaseText)")
        }
        if timeBox != nil, timeBox != before.timeBox { parts.append("reverts") }
        if timeBox == nil, before.timeBox != nil, weights == before.weights {
            parts.append("confirmed")
        }
        return "\(name): " + (parts.isEmpty ? "unchanged" : parts.joined(separator: ", "))
    }
}

extension Sequence {
    /// The elements that match, and the others.
    fileprivate func partitioned(_ isFirst: (Element) -> Bool) -> ([Element], [Element]) {
        (filter(isFirst), filter { !isFirst($0) })
    }
}
