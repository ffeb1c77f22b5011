internal import GRPCWire
internal import Logging
internal import Messages
internal import Serving
internal import TrafficPolicy
internal import Transcoding
internal import Upstream

/// What determines the routes by `google.api.http`, with the schemas of the backends.
struct HTTPRoutesKey: Equatable {
    struct Endpoint: Equatable {
        let name: String
        let route: Route
        let backends: [String]
    }

    /// Sorted by name.
    let endpoints: [Endpoint]

    init(_ state: ControlState) {
        endpoints = state.endpoints.values.sorted { $0.name < $1.name }.map {
            Endpoint(name: $0.name, route: $0.route, backends: $0.weights.weights.map(\.backend))
        }
    }
}

/// The routes of plain HTTP by `google.api.http`.
extension ControlPlane {
    /// The routes of the served state.
    func servedRoutes() -> HTTPRoutes {
        guard !deployment.bindings.isEmpty else { return .none }
        let key = HTTPRoutesKey(state)
        if let known = deployment.httpRoutes, known.key == key { return known.routes }
        let routes = Self.routes(key, deployment.bindings)
        for conflict in routes.conflicts {
            log.warning("a method lacks a path of HTTP", metadata: ["reason": "\(conflict)"])
        }
        deployment.httpRoutes = (key, routes)
        return routes
    }

    private static func routes(
        _ key: HTTPRoutesKey, _ bindings: [String: TranscodingTable]
    ) -> HTTPRoutes {
        let owners = Dictionary(
            key.endpoints.map { ($0.route, $0.name) }, uniquingKeysWith: { first, _ in first })
        var sources: [HTTPRoutes.Source] = []
        for endpoint in key.endpoints {
            guard let service = endpoint.route.service else { continue }
            for backend in endpoint.backends {
                let rules = (bindings[backend]?.rules ?? [:]).filter { path, _ in
                    path.service == service
                        && (owners[.method(path)] ?? owners[.service(service)]) == endpoint.name
                }
                guard !rules.isEmpty else { continue }
                let sorted = rules.sorted { $0.key.method < $1.key.method }.flatMap(\.value)
                sources.append(.init(endpoint: endpoint.name, backend: backend, rules: sorted))
            }
        }
        let plain = key.endpoints.filter(\.route.matchesPlainHTTP)
        return HTTPRoutes(sources, plain: plain.map { ($0.name, $0.route.description) })
    }

    /// Rejects a change that adds a conflict of routes.
    func checkRoutes(of next: ControlState) throws(ControlError) {
        let changed = next.backends.values.filter {
            $0.descriptorSet != state.backends[$0.name]?.descriptorSet
        }
        guard !deployment.bindings.isEmpty || !changed.isEmpty else { return }
        let key = HTTPRoutesKey(next)
        guard key != HTTPRoutesKey(state) || !changed.isEmpty else { return }
        var bindings = deployment.bindings
        for backend in changed {
            do throws(MessageError) {
                bindings[backend.name] = try described(backend)?.bindings
            } catch {
                bindings[backend.name] = nil
            }
        }
        let before = Set(servedRoutes().conflicts)
        if let conflict = Self.routes(key, bindings).conflicts.first(where: { !before.contains($0) }
        ) {
            throw .routeConflict(conflict)
        }
    }

    /// Whether a backend with a gRPC route has no known schema.
    func lacksSchemas() -> Bool {
        state.endpoints.values.contains { endpoint in
            endpoint.route.service != nil
                && endpoint.weights.weights.contains { isUnknown($0.backend) }
        }
    }

    private func isUnknown(_ name: String) -> Bool {
        guard let backend = state.backends[name], backend.descriptorSet.isEmpty,
            let set = deployment.backends.all[name]?.set
        else { return false }
        return set.schemas.latest == nil
    }

    /// Publishes the routes, if descriptors from reflection have changed them.
    func publishRoutes() async {
        await beginChange()
        defer { endChange() }
        let served = views.current.routing
        guard servedRoutes() !== served.httpRoutes || lacksSchemas() != served.lacksSchemas else {
            return
        }
        try? await publish(backendsChanged: false)
    }
}
