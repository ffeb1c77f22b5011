internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import Upstream

/// The status of backends on this server.
extension ControlPlane {
    func messageWithStatus(
        _ backend: ControlState.Backend, secrets: SecretValues = .masked
    ) async throws -> Weir_Admin_V1_Backend {
        var message = message(backend, secrets: secrets)
        message.status = status(of: backend, try await dataPlane.figures())
        return message
    }

    func backendList(
        secrets: SecretValues
    ) async throws -> Weir_Admin_V1_ListBackendsResponse {
        let figures = try await dataPlane.figures()
        return Weir_Admin_V1_ListBackendsResponse(
            backends: state.backends.values.sorted { $0.name < $1.name }.map { backend in
                var message = message(backend, secrets: secrets)
                message.status = status(of: backend, figures)
                return message
            },
            revision: state.revision)
    }

    private func status(
        of backend: ControlState.Backend, _ figures: ServingFigures
    ) -> Weir_Admin_V1_BackendStatus? {
        if let problem = missingHandler(of: backend) { return .init(problem: problem) }
        guard let running = running.all[backend.name] else { return nil }
        let pool = figures.pools[backend.name] ?? PoolFigures()
        let usable = running.set.isUsable
        var status = Weir_Admin_V1_BackendStatus(
            usable: usable, inFlight: UInt64(clamping: running.set.requestsInFlight),
            waiting: UInt64(clamping: pool.waiting), circuitOpen: pool.isCircuitOpen,
            circuitOpenings: pool.circuitOpenings,
            refused: pool.refused.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                .init(
                    code: UInt32(clamping: $0.key.rawValue), name: $0.key.description,
                    count: $0.value)
            },
            retries: pool.retries, transparentRetries: pool.transparentRetries,
            retriesDenied: pool.retriesDenied)
        if let failure = running.workers?.updateFailure {
            status.problem = failure
        } else if !usable {
            status.problem = running.set.problem
        }
        if let workers = running.workers {
            status.replicas = workers.statuses.map { worker in
                let figures = pool.replicas[worker.replica.name]
                return Self.message(worker.replica, figures, worker.revision, worker)
            }
        } else {
            status.replicas = running.set.statuses.map {
                Self.message($0, pool.replicas[$0.name], running.revision)
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
