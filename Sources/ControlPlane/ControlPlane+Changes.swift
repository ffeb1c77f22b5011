internal import Messages

/// The changes that can be asked for; each is one revision.
extension ControlPlane {
    @discardableResult
    package func createBackend(
        _ draft: ControlState.Backend, under condition: Condition = .init()
    ) async throws -> ControlState.Backend {
        try draft.checkFiles()
        let registered = registeredNames
        return try await change(condition) { (state) throws(ControlError) in
            try state.createBackend(draft, registered: registered)
        }.answer
    }

    /// Adds a backend of plaintext upstreams with the default options.
    package func createUpstream(_ name: String, addresses: [String]) async throws {
        try await createBackend(
            try .init(.init(name: name, kind: .upstream(.init(addresses: addresses)))))
    }

    /// Adds a worker backend with the default options.
    package func createWorkers(_ name: String, command: [String], replicas: Int) async throws {
        let worker = Weir_Admin_V1_WorkerKind(
            command: command, replicas: UInt32(clamping: max(1, replicas)))
        try await createBackend(try .init(.init(name: name, kind: .worker(worker))))
    }

    func updateBackend(
        _ draft: ControlState.Backend, under condition: Condition
    ) async throws -> ControlState.Backend {
        try draft.checkFiles()
        let registered = registeredNames
        return try await change(condition) { (state) throws(ControlError) in
            try state.updateBackend(draft, registered: registered)
        }.answer
    }

    func deleteBackend(_ name: String, under condition: Condition) async throws -> UInt64 {
        try await change(condition) { (state) throws(ControlError) in
            try state.deleteBackend(name)
        }.revision
    }

    @discardableResult
    package func createEndpoint(
        _ name: String, route: String, backend: String, under condition: Condition = .init()
    ) async throws -> ControlState.Endpoint {
        try await change(condition) { (state) throws(ControlError) in
            try state.createEndpoint(name, route: route, backend: backend)
        }.answer
    }

    func deleteEndpoint(_ name: String, under condition: Condition) async throws -> UInt64 {
        try await change(condition) { (state) throws(ControlError) in
            try state.deleteEndpoint(name)
        }.revision
    }

    /// What a change of weights did.
    package struct TrafficChange: Sendable {
        package let endpoint: ControlState.Endpoint
        /// The share of all shard keys, 0 to 1, whose backend changed.
        package let movedShare: Double
        /// Whether the affinity map was laid out again.
        package let packed: Bool
        package let revision: UInt64
        /// What speaks against it.
        package let warnings: [String]
    }

    @discardableResult
    package func setTraffic(
        _ name: String, _ weights: [(backend: String, weight: Double)],
        under condition: Condition = .init()
    ) async throws -> TrafficChange {
        let (answer, revision) = try await change(condition) { (state) throws(ControlError) in
            let before = try state.known(endpoint: name).weights
            return (change: try state.setTraffic(name, weights), before: before)
        }
        let change = answer.change
        return TrafficChange(
            endpoint: change.endpoint, movedShare: change.movedShare, packed: change.packed,
            revision: revision,
            warnings: try await shadowWarnings(change.endpoint, before: answer.before))
    }

    @discardableResult
    package func setShadow(
        _ name: String, backend: String, proportion: Double,
        options: ControlState.Shadow.Options? = nil, under condition: Condition = .init()
    ) async throws -> ControlState.Endpoint {
        try await change(condition) { (state) throws(ControlError) in
            try state.setShadow(
                name, backend: backend, proportion: proportion, options: options)
        }.answer
    }

    func setRateLimit(
        _ name: String, _ limit: ControlState.RateLimit?, under condition: Condition
    ) async throws -> ControlState.Endpoint {
        try await change(condition) { (state) throws(ControlError) in
            try state.setRateLimit(name, limit)
        }.answer
    }

    func setComparison(
        _ name: String, _ comparison: ControlState.Comparison, under condition: Condition
    ) async throws -> ControlState.Endpoint {
        try await change(condition) { (state) throws(ControlError) in
            try state.setComparison(name, comparison)
        }.answer
    }
}
