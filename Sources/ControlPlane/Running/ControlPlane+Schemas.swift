internal import Logging
internal import Messages
internal import Serving
internal import TrafficPolicy
internal import Upstream

/// The schemas of backends: of handlers, of descriptor sets, and by the backends' own reflection.
extension ControlPlane {
    /// Describes the services of all backends for reflection. Of two versions of a file, both
    /// count.
    func describeServices() {
        var united = Self.standardSchema
        var services: [String: [String]] = [:]
        for backend in state.backends.values.sorted(by: { $0.name < $1.name }) {
            do {
                guard let schema = try schema(of: backend) else { continue }
                services[backend.name] = schema.services.keys.sorted()
                for conflict in united.unite(schema).prefix(Self.maxConflicts) {
                    log.warning(
                        "reflection has one of two declarations",
                        metadata: ["backend": "\(backend.name)", "conflict": "\(conflict)"])
                }
            } catch {
                log.error(
                    "reflection lacks the services of a backend",
                    metadata: ["backend": "\(backend.name)", "error": "\(error)"])
            }
        }
        deployment.schemas.removeUnused()
        views.update { $0.services = services }
        deployment.schema = united
    }

    /// The conflicts of one backend that are logged.
    private static let maxConflicts = 10

    /// The schema of a backend's services and messages; nil if it is unknown.
    func schema(of backend: ControlState.Backend) throws(MessageError) -> Schema? {
        if case .handler(let name) = backend.kind {
            var schema = Schema()
            for service in registered[name]?.services.values.map(\.self) ?? [] {
                try service.addDescriptors(to: &schema)
            }
            return schema
        }
        let set =
            backend.descriptorSet.isEmpty
            ? deployment.backends.all[backend.name]?.set.schemas.latest?.descriptorSet
            : backend.descriptorSet
        return try set.map { (set) throws(MessageError) in try deployment.schemas.schema(of: set) }
    }

    /// Reads the schemas that reflection lacks by the reflection of the backends.
    func loadSchemas() async {
        let routed = Set(
            state.endpoints.values.flatMap { endpoint in
                endpoint.weights.weights.map(\.backend) + endpoint.shadows.map(\.backend)
            })
        await load(routed)
        schemasChanged()
    }

    /// Reads the schemas that the comparison of shadows lacks, in the background.
    func loadSchemasOfShadows() {
        let compared = Set(
            state.endpoints.values.filter { !$0.shadows.isEmpty }.flatMap { endpoint in
                endpoint.weights.weights.map(\.backend) + endpoint.shadows.map(\.backend)
            })
        guard !setsWithoutSchema(compared).isEmpty else { return }
        Task { await load(compared) }
    }

    private func load(_ names: Set<String>) async {
        let sets = setsWithoutSchema(names)
        await withTaskGroup(of: Void.self) { group in
            for set in sets { group.addTask { await set.loadSchema() } }
        }
    }

    private func setsWithoutSchema(_ names: Set<String>) -> [ReplicaSet] {
        names.compactMap { name in
            guard let backend = state.backends[name], backend.descriptorSet.isEmpty,
                let set = deployment.backends.all[name]?.set, set.schemas.latest == nil
            else { return nil }
            return set
        }
    }

    /// Uses the descriptors that the reflection of backends has given.
    func schemasChanged() {
        let digests = deployment.backends.all.mapValues { $0.set.schemas.latest?.digest }
        guard digests != deployment.servedDigests else { return }
        deployment.servedDigests = digests
        describeServices()
        deployment.shadows.forgetRevisions()
        for endpoint in state.endpoints.values {
            setRules(of: endpoint)
        }
        updateStandardServices()
    }
}
