internal import GRPCWire
internal import Observability
internal import Serving
internal import Upstream

/// Metrics of backends of replicas.
extension ControlPlane.View {
    func addBackends(to text: inout PrometheusText, _ figures: ServingFigures) {
        let series = backends.sorted { $0.key < $1.key }.map { name, sample in
            BackendSeries(name: name, sample: sample, pool: figures.pools[name] ?? PoolFigures())
        }
        addRequests(to: &text, series)
        addReplicas(to: &text, series)
    }

    private struct BackendSeries {
        let name: String
        let sample: ControlPlane.BackendSample
        let pool: PoolFigures

        var label: (String, String) { ("backend", name) }
    }

    private func addRequests(to text: inout PrometheusText, _ backends: [BackendSeries]) {
        func gauge(_ name: String, _ help: String, _ value: (BackendSeries) -> Int) {
            text.family(name, "gauge", help)
            for backend in backends { text.sample(name, [backend.label], value(backend)) }
        }
        func counter(
            _ name: String, _ help: String,
            _ value: (BackendSeries) -> [([(String, String)], UInt64)]
        ) {
            text.family(name, "counter", help)
            for backend in backends {
                for (labels, count) in value(backend) {
                    text.sample(name, [backend.label] + labels, count)
                }
            }
        }
        gauge("weir_backend_usable", "1 while a replica is usable, otherwise 0.") {
            $0.sample.isUsable ? 1 : 0
        }
        gauge(
            "weir_backend_waiting_requests", "Requests that wait for a free slot or a connection."
        ) {
            $0.pool.waiting
        }
        gauge("weir_backend_circuit_open", "1 if the latest request was refused, otherwise 0.") {
            $0.pool.isCircuitOpen ? 1 : 0
        }
        counter("weir_backend_circuit_openings_total", "Number of times that the circuit opened.") {
            [([], $0.pool.circuitOpenings)]
        }
        counter(
            "weir_backend_refused_requests_total", "Requests refused without a replica, by status."
        ) {
            $0.pool.refused.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                ([("grpc_status", "\($0.key)")], $0.value)
            }
        }
        counter(
            "weir_backend_retries_total",
            "Retries by kind: after a status, or transparent (no replica processed the request)."
        ) {
            [
                ([("kind", "status")], $0.pool.retries),
                ([("kind", "transparent")], $0.pool.transparentRetries),
            ]
        }
        counter("weir_backend_retries_denied_total", "Retries that the budget denied.") {
            [([], $0.pool.retriesDenied)]
        }
    }

    private func addReplicas(to text: inout PrometheusText, _ backends: [BackendSeries]) {
        func gauge(_ name: String, _ help: String, _ value: (ReplicaStatus) -> Int) {
            text.family(name, "gauge", help)
            for backend in backends {
                for replica in backend.sample.replicas {
                    text.sample(name, [backend.label, ("replica", replica.name)], value(replica))
                }
            }
        }
        gauge("weir_replica_ready", "1 while the replica receives requests, otherwise 0.") {
            $0.state == .ready ? 1 : 0
        }
        gauge("weir_replica_connections", "Open connections.", \.connections)
        gauge("weir_replica_requests_in_flight", "Requests that have not ended.", \.inFlight)
        text.family("weir_replica_ejections_total", "counter", "Ejections because of failures.")
        for backend in backends {
            for replica in backend.sample.replicas {
                text.sample(
                    "weir_replica_ejections_total", [backend.label, ("replica", replica.name)],
                    replica.ejections)
            }
        }
        text.family("weir_worker_restarts_total", "counter", "Restarts of worker processes.")
        for backend in backends {
            for worker in backend.sample.workers ?? [] {
                text.sample(
                    "weir_worker_restarts_total",
                    [backend.label, ("replica", worker.replica.name)],
                    worker.restarts)
            }
        }
        let name = "grpc_client_attempt_duration_seconds"
        text.family(name, "histogram", "Time from sending a request to a replica to its status.")
        for backend in backends {
            for (replica, calls) in backend.pool.replicas.sorted(by: { $0.key < $1.key }) {
                for (code, latency) in calls.finished {
                    text.histogram(
                        name,
                        [backend.label, ("replica", replica), ("grpc_status", "\(code)")],
                        latency, bounds: Self.latencyBounds)
                }
            }
        }
    }
}
