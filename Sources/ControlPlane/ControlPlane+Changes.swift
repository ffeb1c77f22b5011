internal import Messages
package import Serving

/// The changes of single objects; each makes one revision.
extension ControlPlane {
    @discardableResult
    package func createBackend(
        _ draft: ControlState.Backend, options: ChangeOptions = .init()
    ) async throws -> ControlState.Backend {
        try draft.checkFiles()
        let registered = registeredNames
        return try await change(options) { (state) throws(ControlError) in
            try state.createBackend(draft, registered: registered)
        }.result
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
        _ draft: ControlState.Backend, options: ChangeOptions
    ) async throws -> ControlState.Backend {
        try draft.checkFiles()
        let registered = registeredNames
        return try await change(
            options, isException: { draft.isServedAgain(after: $0.backends[draft.name]) }
        ) { (state) throws(ControlError) in
            try state.updateBackend(draft, registered: registered)
        }.result
    }

    func deleteBackend(_ name: String, options: ChangeOptions) async throws -> UInt64 {
        try await change(options) { (state) throws(ControlError) in
            try state.deleteBackend(name)
        }.revision
    }

    @discardableResult
    package func createEndpoint(
        _ name: String, route: String, methods: HTTPMethods = .all, cors: CORSPolicy? = nil,
        httpShardKey: HTTPShardKey? = nil, backend: String, options: ChangeOptions = .init()
    ) async throws -> ControlState.Endpoint {
        try await change(options) { (state) throws(ControlError) in
            try state.createEndpoint(
                name, route: route, methods: methods, cors: cors, httpShardKey: httpShardKey,
                backend: backend)
        }.result
    }

    func deleteEndpoint(_ name: String, options: ChangeOptions) async throws -> UInt64 {
        try await change(options) { (state) throws(ControlError) in
            try state.deleteEndpoint(name)
        }.revision
    }

    /// The result of a change of weights.
    package struct TrafficChange: Sendable {
        package let endpoint: ControlState.Endpoint
        /// The share of all shard keys, 0 to 1, whose backend changed.
        package let movedShare: Double
        /// Whether the affinity map was repacked.
        package let packed: Bool
        package let revision: UInt64
        /// Reasons against the change.
        package let warnings: [String]
    }

    @discardableResult
    package func setTraffic(
        _ name: String, _ weights: [(backend: String, weight: Double)],
        overridesRollout: Bool = false, timeBox: ControlState.TimedChange.Request? = nil,
        options: ChangeOptions = .init()
    ) async throws -> TrafficChange {
        let actor = overridesRollout ? options.author : nil
        let (result, revision) = try await change(options) { (state) throws(ControlError) in
            let before = try state.existingEndpoint(name).weights
            return (
                change: try state.setTraffic(
                    name, weights, overriding: actor, timeBox: timeBox), before: before
            )
        }
        let change = result.change
        return TrafficChange(
            endpoint: change.endpoint, movedShare: change.movedShare, packed: change.packed,
            revision: revision,
            warnings: await shadowWarnings(of: [change.endpoint]) {
                $0.shadowWarnings(change.endpoint, before: result.before)
            })
    }

    @discardableResult
    package func setShadow(
        _ name: String, backend: String, proportion: Double,
        shadowOptions: ControlState.Shadow.Options? = nil, options: ChangeOptions = .init()
    ) async throws -> ControlState.Endpoint {
        try await change(options) { (state) throws(ControlError) in
            try state.setShadow(
                name, backend: backend, proportion: proportion, options: shadowOptions)
        }.result
    }

    func setRateLimit(
        _ name: String, _ limit: ControlState.RateLimit?, options: ChangeOptions
    ) async throws -> ControlState.Endpoint {
        try await change(options) { (state) throws(ControlError) in
            try state.setRateLimit(name, limit)
        }.result
    }

    func setComparison(
        _ name: String, _ comparison: ControlState.Comparison, options: ChangeOptions
    ) async throws -> ControlState.Endpoint {
        try await change(options) { (state) throws(ControlError) in
            try state.setComparison(name, comparison)
        }.result
    }
}
