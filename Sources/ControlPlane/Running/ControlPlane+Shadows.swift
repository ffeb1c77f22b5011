internal import Messages
internal import Observability
internal import Serving
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

/// The rules and the reports of shadows.
extension ControlPlane {
    /// Sets the rules of an endpoint's shadows that may have changed.
    func setRules(of endpoint: ControlState.Endpoint) {
        let revision = deployment.backendsRevision
        let rules = deployment.shadows.staleRules(endpoint, revision).map { backend in
            (backend: backend, rules: comparisonRules(endpoint, backend))
        }
        deployment.shadows.setRules(endpoint, revision, rules)
    }

    /// The rules for the responses of a shadow's backend, whose descriptors take precedence over
    /// those of the other backends. With an empty name, the rules for the second copies that
    /// measure noise.
    func comparisonRules(_ endpoint: ControlState.Endpoint, _ backend: String) -> ComparisonRules {
        let own = endpoint.weights.weights.map(\.backend)
        let backends = (backend.isEmpty ? own : [backend] + own).compactMap { state.backends[$0] }
        var schema = Self.dynamicSchema
        var replyTypes: [String: String] = [:]
        for backend in backends {
            // An unreadable set, and what contradicts the schema so far, was logged.
            if let other = try? self.schema(of: backend) { _ = schema.unite(other) }
            if case .handler(let name) = backend.kind, let handler = registered[name] {
                replyTypes.merge(handler.replyTypes) { first, _ in first }
            }
        }
        return endpoint.comparison.rules(schema, replyTypes: replyTypes)
    }

    /// The messages of dynamic calls, which any backend may answer.
    private static let dynamicSchema = schema(of: [Weir_V1_ServeProto.file])

    /// Restarts the report of a shadow, or of all shadows of an endpoint.
    func resetShadowReport(_ name: String, backend: String) throws(ControlError) {
        let (endpoint, shadows) = try state.shadows(of: name, backend)
        let now = Date().timeIntervalSince1970
        for shadow in shadows {
            deployment.shadows.account(endpoint: name, backend: shadow.backend)?.reset(at: now)
        }
        if backend.isEmpty { deployment.shadows.noise(endpoint: endpoint.name)?.reset(at: now) }
    }
}
