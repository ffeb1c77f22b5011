internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Serving
internal import TrafficPolicy

/// What differs from a configuration after it was applied, and why, as a sentence.
struct ConfigurationNote: Sendable, Equatable {
    let text: String
    /// Whether the configuration stays undone until an operator acts.
    let isUndone: Bool

    init(_ text: String, isUndone: Bool = true) {
        self.text = text
        self.isUndone = isUndone
    }
}

extension ControlState {
    /// A whole state: objects that it lacks are deleted.
    struct Configuration: Sendable {
        struct Endpoint: Sendable {
            let name: String
            let route: String
            let weights: [(backend: String, weight: Double)]
            let shadows: [Shadow]
            let comparison: Comparison
            let rateLimit: RateLimit?
            let methods: HTTPMethods
            let cors: CORSPolicy?
            /// The rollout to start unless it ran before; nil without one.
            var rollout: Weir_Admin_V1_RolloutPlan?
            var httpShardKey: HTTPShardKey?
        }

        /// In the order of the request.
        let backends: [Backend]
        let endpoints: [Endpoint]
    }

    /// Whether the state contains only the handlers of servers.
    var isEmpty: Bool { endpoints.isEmpty && backends.values.allSatisfy(\.isRegisteredHandler) }

    /// Replaces all objects by those of a configuration. Equal objects keep their revision, and the
    /// handlers of servers stay.
    ///
    /// - Parameters:
    ///   - registered: the names of the handlers that this program has.
    ///   - author: of the rollouts that start.
    ///   - chance: their time and their identities.
    /// - Returns: what differs from the configuration afterwards, and why.
    @discardableResult
    mutating func replaceContent(
        with desired: Configuration, registered: Set<String>, by author: String = "weir",
        _ chance: Nondeterminism = .init()
    ) throws(ControlError) -> [ConfigurationNote] {
        let names = (
            backends: Set(desired.backends.map(\.name)),
            endpoints: Set(desired.endpoints.map(\.name))
        )
        for name in endpoints.keys.sorted() where !names.endpoints.contains(name) {
            try checkNoRollout(of: name, "abort it, or keep the endpoint in the configuration")
        }
        endpoints = endpoints.filter { names.endpoints.contains($0.key) }
        let kept = backends.filter {
            names.backends.contains($0.key) || $0.value.isRegisteredHandler
        }
        for name in backends.keys.sorted() where kept[name] == nil {
            try checkRollouts(without: name)
        }
        let isDeleted = Set(backends.keys).subtracting(kept.keys)
        backends = kept
        for name in endpoints.keys {
            // The configuration decides about weights whose backends it deletes.
            guard let box = endpoints[name]?.timeBox, !isDeleted.isDisjoint(with: box.backends)
            else { continue }
            endpoints[name]?.timeBox = nil
        }
        try setBackends(desired.backends, registered)
        var notes: [ConfigurationNote] = []
        var seen: Set<String> = []
        var routes: [Route: String] = [:]
        for (index, endpoint) in desired.endpoints.enumerated() {
            let place = "configuration.endpoints[\(index)]"
            do throws(ControlError) {
                guard let route = Route(endpoint.route) else {
                    _ = try freeRoute(endpoint.route, for: endpoint.name)
                    continue
                }
                guard seen.insert(endpoint.name).inserted else {
                    throw .alreadyExists("endpoint \(endpoint.name.quoted)", field: "name")
                }
                if route != .nameOnly,
                    let owner = routes.updateValue(endpoint.name, forKey: route)
                {
                    throw .alreadyExists("route \(route) of endpoint '\(owner)'", field: "route")
                }
                try setEndpoint(endpoint, route)
                if let note = try timeBoxNote(endpoint) { notes.append(note) }
                if let note = try startRollout(endpoint, by: author, chance) { notes.append(note) }
            } catch {
                throw error.moved(from: "", to: place)
            }
        }
        return notes
    }

    private mutating func setBackends(
        _ desired: [Backend], _ registered: Set<String>
    ) throws(ControlError) {
        var seen: Set<String> = []
        for (index, draft) in desired.enumerated() {
            do throws(ControlError) {
                guard seen.insert(draft.name).inserted else {
                    throw .alreadyExists("backend \(draft.name.quoted)", field: "backend.name")
                }
                let known = backends[draft.name]
                let backend = try draft.unmasked(by: known)
                if let known, known.isSame(as: backend) { continue }
                try backend.checkFiles()
                _ =
                    known == nil
                    ? try createBackend(backend, registered: registered)
                    : try updateBackend(backend, registered: registered)
            } catch {
                throw error.moved(from: "backend", to: "configuration.backends[\(index)]")
            }
        }
    }

    private mutating func setEndpoint(
        _ desired: Configuration.Endpoint, _ route: Route
    ) throws(ControlError) {
        try Self.check(name: desired.name, field: "name")
        let weights = try policy(desired.weights)
        try check(desired.shadows)
        let known = endpoints[desired.name]
        var endpoint =
            known
            ?? Endpoint(
                name: desired.name, route: route, weights: weights,
                map: AffinityMap(owner: weights.heaviest))
        endpoint.route = route
        let rollout = known?.rollout.flatMap { $0.isRunning ? $0 : nil }
        // A running rollout keeps its weights, or those of the operator who has overridden it. An
        // endpoint with a rollout in the configuration gets its weights only from rollouts, whose
        // result a configuration that is applied again must not undo.
        // Weights that will revert to those of the configuration stay until then.
        // Exported weights are divided by their sum already; another division could change them.
        if rollout == nil,
            !(known?.timeBox.map { $0.before.isSame(as: desired.weights, weights) } ?? false),
            known == nil || desired.rollout == nil,
            known.map({ $0.weights.isSame(as: desired.weights, weights) }) != true
        {
            endpoint.map = endpoint.map.changed(to: weights, history: endpoint.history).map
            endpoint.weights = weights
            endpoint.timeBox = nil
        }
        let own = known?.shadows.filter { shadow in
            rollout.map { $0.ownsShadow && $0.candidate == shadow.backend } ?? false
        }
        endpoint.shadows =
            (desired.shadows.filter { shadow in
                own?.contains { $0.backend == shadow.backend } != true
            } + (own ?? [])).sorted { $0.backend < $1.backend }
        endpoint.comparison = desired.comparison
        endpoint.rateLimit = desired.rateLimit
        endpoint.methods = desired.methods
        endpoint.cors = desired.cors
        endpoint.httpShardKey = desired.httpShardKey
        guard known.map({ $0.isSame(as: endpoint) }) != true else { return }
        _ = put(endpoint)
    }

    /// Whether, and until when, the weights of an endpoint differ from the configuration.
    private func timeBoxNote(
        _ desired: Configuration.Endpoint
    ) throws(ControlError) -> ConfigurationNote? {
        let endpoint = try existingEndpoint(desired.name)
        guard let box = endpoint.timeBox else { return nil }
        let isSame = box.before.isSame(as: desired.weights, try policy(desired.weights))
        let end = box.reverts.formatted(.iso8601)
        return ConfigurationNote(
            "endpoint '\(desired.name)': '\(box.author)' has set its weights "
                + "\(endpoint.weights.inWords), which revert to \(box.before.inWords) at \(end)"
                + (isSame ? "" : "; set or confirm the weights of the configuration to keep them"),
            isUndone: !isSame)
    }

    private func check(_ shadows: [Shadow]) throws(ControlError) {
        guard shadows.count <= Self.maxShadows else {
            throw .invalid("shadows", "an endpoint has at most \(Self.maxShadows) shadows")
        }
        for (index, shadow) in shadows.enumerated() {
            let field = "shadows[\(index)]"
            _ = try existingBackend(shadow.backend, field: "\(field).backend")
            guard shadow.proportion > 0, shadow.proportion <= 1 else {
                let error = PolicyError.proportionOutOfRange(
                    backend: shadow.backend, value: shadow.proportion)
                throw .invalid("\(field).proportion", error.description)
            }
            guard !shadows.prefix(index).contains(where: { $0.backend == shadow.backend }) else {
                throw .invalid("\(field).backend", "'\(shadow.backend)' is given twice")
            }
        }
    }
}

extension ControlState.Backend {
    /// Whether it is the backend that a server with this handler adds.
    fileprivate var isRegisteredHandler: Bool { kind == .handler(name) }

    /// Whether at most the revision differs.
    func isSame(as other: Self) -> Bool {
        name == other.name && kind == other.kind && description == other.description
            && options == other.options && descriptorSet == other.descriptorSet
            && lease == other.lease
    }
}

extension ControlState.Endpoint {
    /// Whether at most the revision and its consequences differ.
    func isSame(as other: Self) -> Bool {
        route == other.route && weights == other.weights && map.fragments == other.map.fragments
            && shadows == other.shadows && comparison == other.comparison
            && rateLimit == other.rateLimit && methods == other.methods && cors == other.cors
            && httpShardKey == other.httpShardKey
    }
}

extension TrafficWeights {
    /// The backend with the largest weight; of several, the first by name.
    fileprivate var heaviest: String {
        weights.reduce(weights[0]) { $1.weight > $0.weight ? $1 : $0 }.backend
    }

    /// Whether they are the weights of a configuration, exactly or after the division by the sum.
    fileprivate func isSame(
        as pairs: [(backend: String, weight: Double)], _ divided: TrafficWeights
    ) -> Bool { self == divided || isExactly(pairs) }

    /// Whether the numbers are exactly equal, in any order.
    fileprivate func isExactly(_ pairs: [(backend: String, weight: Double)]) -> Bool {
        pairs.count == weights.count
            && pairs.sorted { $0.backend < $1.backend }.elementsEqual(weights) { $0 == $1 }
    }
}
