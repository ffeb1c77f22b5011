internal import Logging
internal import Messages
internal import Serving
internal import TrafficPolicy
internal import Transcoding
internal import Upstream

/// The schemas of backends: of handlers, of descriptor sets, and by the backends' own reflection.
extension ControlPlane {
    /// Describes the services of all backends for reflection. Of two versions of a file, both
    /// count.
    func describeServices() {
        var united = Self.standardSchema
        var services: [String: [String]] = [:]
        var bindings: [String: TranscodingTable] = [:]
        for backend in state.backends.values.sorted(by: { $0.name < $1.name }) {
            do {
                guard let entry = try described(backend) else { continue }
                services[backend.name] = entry.schema.services.keys.sorted()
                if !entry.bindings.isEmpty { bindings[backend.name] = entry.bindings }
                for problem in entry.bindings.problems.prefix(Self.maxConflicts) {
                    log.warning(
                        "a method lacks a path of HTTP",
                        metadata: ["backend": "\(backend.name)", "reason": "\(problem)"])
                }
                for conflict in united.unite(entry.schema).prefix(Self.maxConflicts) {
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
        deployment.bindings = bindings
        deployment.httpRoutes = nil
    }

    /// The conflicts of one backend that are logged.
    private static let maxConflicts = 10

    /// The schema of a backend's services and messages; nil if it is unknown.
    func schema(of backend: ControlState.Backend) throws(MessageError) -> Schema? {
        try described(backend)?.schema
    }

    /// The schema and the bindings of a backend; nil if they are unknown.
    func described(
        _ backend: ControlState.Backend
    ) throws(MessageError) -> BackendSchemas.Entry? {
        if case .handler(let name) = backend.kind {
            var schema = Schema()
            for service in registered[name]?.services.values.map(\.self) ?? [] {
                try service.addDescriptors(to: &schema)
            }
            return BackendSchemas.Entry(schema)
        }
        let set =
            backend.descriptorSet.isEmpty
            ? deployment.backends.all[backend.name]?.set.schemas.latest?.descriptorSet
            : backend.descriptorSet
        return try set.map { (set) throws(MessageError) in try deployment.schemas.entry(of: set) }
    }

    /// Logs each service of a handler that reflection cannot describe.
    func reportUndescribedServices() {
        for (name, backend) in registered.sorted(by: { $0.key < $1.key }) {
            for service in backend.services.values.sorted(by: { $0.name < $1.name }) {
                var schema = Schema()
                try? service.addDescriptors(to: &schema)
                guard schema.services[service.name] == nil else { continue }
                log.info(
                    "a service has no descriptors, which reflection and JSON need",
                    metadata: ["backend": "\(name)", "service": "\(service.name)"])
            }
        }
    }

    /// Reads the schemas that reflection lacks by the reflection of the backends.
    package func loadSchemas() async {
        let routed = Set(
            state.endpoints.values.flatMap { endpoint in
                endpoint.weights.weights.map(\.backend) + endpoint.shadows.map(\.backend)
            })
        await load(routed)
        await schemasChanged()
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
    func schemasChanged() async {
        let digests = deployment.backends.all.mapValues { $0.set.schemas.latest?.digest }
        guard digests != deployment.servedDigests else { return }
        deployment.servedDigests = digests
        describeServices()
        deployment.shadows.forgetRevisions()
        for endpoint in state.endpoints.values {
            setRules(of: endpoint)
        }
        updateStandardServices()
        await publishRoutes()
    }
}
