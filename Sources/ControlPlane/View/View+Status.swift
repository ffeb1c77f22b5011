internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import Upstream

/// Backends as messages, with their status on this server.
extension ControlPlane.View {
    /// A backend with its status.
    func message(
        _ backend: ControlState.Backend, secrets: SecretValues = .masked
    ) -> Weir_Admin_V1_Backend {
        var message = configuration(backend, secrets: secrets)
        message.status = status(of: backend)
        return message
    }

    /// All backends with their status.
    func backendList(
        secrets: SecretValues, omitsDescriptorSets: Bool = false
    ) -> Weir_Admin_V1_ListBackendsResponse {
        Weir_Admin_V1_ListBackendsResponse(
            backends: state.backends.values.sorted { $0.name < $1.name }.map {
                var backend = message($0, secrets: secrets)
                if omitsDescriptorSets { backend.descriptorSet = [] }
                return backend
            },
            revision: state.revision)
    }

    /// A backend without its status.
    private func configuration(
        _ backend: ControlState.Backend, secrets: SecretValues
    ) -> Weir_Admin_V1_Backend {
        var message = Weir_Admin_V1_Backend(backend, secrets: secrets)
        message.services = services(of: backend)
        message.endpoints = state.endpoints(naming: backend.name)
        return message
    }

    /// The names of the services of a backend, sorted.
    private func services(of backend: ControlState.Backend) -> [String] {
        switch backend.kind {
        case .handler(let name): handlers[name] ?? []
        case .upstream, .worker: services[backend.name] ?? []
        }
    }

    /// The problem of a backend whose handler this program does not have; nil for other backends.
    func missingHandler(of backend: ControlState.Backend) -> String? {
        guard case .handler(let name) = backend.kind, handlers[name] == nil else { return nil }
        return "no handler '\(name)' is compiled into this server"
    }

    /// An event of a watch.
    func message(
        _ event: Watchers.Event, secrets: SecretValues
    ) -> Weir_Admin_V1_WatchResponse {
        switch event {
        case .snapshot(let state):
            Weir_Admin_V1_WatchResponse(
                revision: state.revision, time: Google_Protobuf_Timestamp(time), snapshot: true,
                backends: state.backends.values.sorted { $0.name < $1.name }
                    .map { configuration($0, secrets: secrets) },
                endpoints: Weir_Admin_V1_ListEndpointsResponse(state).endpoints)
        case .change(let record):
            Weir_Admin_V1_WatchResponse(
                revision: record.revision, time: Google_Protobuf_Timestamp(record.time),
                backends: record.delta.backends.map { configuration($0, secrets: secrets) },
                deletedBackends: record.delta.deletedBackends,
                endpoints: record.delta.endpoints.map { .init($0) },
                deletedEndpoints: record.delta.deletedEndpoints, author: record.author,
                comment: record.comment, summary: record.summary)
        }
    }

    private func status(
        of backend: ControlState.Backend
    ) -> Weir_Admin_V1_BackendStatus? {
        if let problem = missingHandler(of: backend) { return .init(problem: problem) }
        guard let sample = backends[backend.name] else { return nil }
        let pool = figures?.pools[backend.name] ?? PoolFigures()
        var status = Weir_Admin_V1_BackendStatus(
            usable: sample.isUsable, inFlight: UInt64(clamping: sample.requestsInFlight),
            waiting: UInt64(clamping: pool.waiting), circuitOpen: pool.isCircuitOpen,
            circuitOpenings: pool.circuitOpenings,
            refused: pool.refused.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                .init(
                    code: UInt32(clamping: $0.key.rawValue), name: $0.key.description,
                    count: $0.value)
            },
            retries: pool.retries, transparentRetries: pool.transparentRetries,
            retriesDenied: pool.retriesDenied)
        if let lease = backend.lease, let leases {
            status.lease = leases.verdict(on: lease, isUsable: sample.isUsable).state
        }
        if let failure = sample.updateFailure {
            status.problem = failure
        } else if status.lease == .gone, let lease = backend.lease {
            status.problem = lease.problem
        } else if !sample.isUsable {
            status.problem = sample.problem
        }
        if let workers = sample.workers {
            status.replicas = workers.map { worker in
                let figures = pool.replicas[worker.replica.name]
                return Self.message(worker.replica, figures, worker.revision, worker)
            }
        } else {
            status.replicas = sample.replicas.map {
                Self.message($0, pool.replicas[$0.name], sample.revision)
            }
        }
        status.replicas.sort { $0.name < $1.name }
        return status
    }

    private static func message(
        _ replica: ReplicaStatus, _ figures: CallFigures?, _ revision: UInt64,
        _ worker: WorkerStatus? = nil
    ) -> Weir_Admin_V1_ReplicaStatus {
        let latency = figures?.latency ?? LatencyHistogram()
        let succeeded = figures?.finished.first { $0.code == .ok }?.latency.count ?? 0
        var message = Weir_Admin_V1_ReplicaStatus(
            name: replica.name, connections: UInt32(clamping: replica.connections),
            inFlight: UInt32(clamping: replica.inFlight), requests: latency.count,
            successShare: latency.count > 0 ? Double(succeeded) / Double(latency.count) : 0,
            latency: .init(latency), ejections: replica.ejections, revision: revision)
        message.state =
            switch replica.state {
            case .starting: .starting
            case .connecting: .connecting
            case .ready: .ready
            case .unhealthy: .unhealthy
            case .ejected: .ejected
            case .down: .down
            }
        message.lastFailure = replica.lastFailure?.reason ?? ""
        message.lastFailureTime = replica.lastFailure?.time.map { Google_Protobuf_Timestamp($0) }
        if let worker {
            message.pid = worker.pid ?? 0
            message.restarts = worker.restarts
            if let failure = worker.lastFailure { message.lastFailure = failure }
        }
        return message
    }
}

extension Weir_Admin_V1_Latency {
    init(_ latency: LatencyHistogram) {
        let microseconds = { (quantile: Double) in Double(latency.quantile(quantile)) / 1_000 }
        self.init(
            meanUs: latency.mean / 1_000, p50Us: microseconds(0.5), p90Us: microseconds(0.9),
            p99Us: microseconds(0.99), maxUs: Double(latency.maximum) / 1_000)
    }
}
