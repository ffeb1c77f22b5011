internal import GRPCWire
internal import Observability
internal import Serving
internal import Upstream

/// Metrics of backends of replicas.
extension ControlPlane.View {
    func addBackends(to text: inout MetricsText, _ figures: ServingFigures) {
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

    private func addRequests(to text: inout MetricsText, _ backends: [BackendSeries]) {
        func gauge(_ name: String, _ help: String, _ value: (BackendSeries) -> Int) {
            text.family(name, .gauge, help)
            for backend in backends { text.sample(name, [backend.label], value(backend)) }
        }
        func counter(
            _ name: String, _ help: String,
            _ value: (BackendSeries) -> [([(String, String)], UInt64)]
        ) {
            text.family(name, .counter, help)
            for backend in backends {
                for (labels, count) in value(backend) {
                    text.sample(name, [backend.label] + labels, count)
                }
            }
        }
        gauge(
            "weir_backend_usable",
            "1 while a replica of the backend can receive requests, otherwise 0."
        ) {
            $0.sample.isUsable ? 1 : 0
        }
        gauge(
            "weir_backend_waiting_requests",
            "Requests that wait for a connection or for max-requests of the backend."
        ) {
            $0.pool.waiting
        }
        gauge(
            "weir_backend_circuit_open",
            "1 if the latest request of the backend was refused, otherwise 0."
        ) {
            $0.pool.isCircuitOpen ? 1 : 0
        }
        counter(
            "weir_backend_circuit_openings_total",
            "Changes of weir_backend_circuit_open from 0 to 1."
        ) {
            [([], $0.pool.circuitOpenings)]
        }
        counter(
            "weir_backend_refused_requests_total",
            "Requests refused without being sent to a replica, by status."
        ) {
            $0.pool.refused.sorted { $0.key.rawValue < $1.key.rawValue }.map {
                ([("grpc_status", "\($0.key)")], $0.value)
            }
        }
        counter(
            "weir_backend_retries_total",
            "Requests sent again, by kind: after a status, or transparent (not processed)."
        ) {
            [
                ([("kind", "status")], $0.pool.retries),
                ([("kind", "transparent")], $0.pool.transparentRetries),
            ]
        }
        counter(
            "weir_backend_retries_denied_total",
            "Retries omitted because the retry budget was used up."
        ) {
            [([], $0.pool.retriesDenied)]
        }
    }

    private func addReplicas(to text: inout MetricsText, _ backends: [BackendSeries]) {
        func gauge(_ name: String, _ help: String, _ value: (ReplicaStatus) -> Int) {
            text.family(name, .gauge, help)
            for backend in backends {
                for replica in backend.sample.replicas {
                    text.sample(name, [backend.label, ("replica", replica.name)], value(replica))
                }
            }
        }
        gauge("weir_replica_ready", "1 while the replica can receive requests, otherwise 0.") {
            $0.state == .ready ? 1 : 0
        }
        gauge("weir_replica_connections", "Open connections to the replica.", \.connections)
        gauge(
            "weir_replica_requests_in_flight", "Requests sent to the replica that have not ended.",
            \.inFlight)
        text.family(
            "weir_replica_ejections_total", .counter,
            "Times that outlier detection stopped sending requests to the replica.")
        for backend in backends {
            for replica in backend.sample.replicas {
                text.sample(
                    "weir_replica_ejections_total", [backend.label, ("replica", replica.name)],
                    replica.ejections)
            }
        }
        text.family(
            "weir_worker_restarts_total", .counter,
            "Restarts of the worker process, whatever the reason.")
        for backend in backends {
            for worker in backend.sample.workers ?? [] {
                text.sample(
                    "weir_worker_restarts_total",
                    [backend.label, ("replica", worker.replica.name)],
                    worker.restarts)
            }
        }
        let name = "grpc_client_attempt_duration_seconds"
        text.family(
            name, .histogram,
            "Time from sending a request to a replica to its status, in seconds, by status.")
        for backend in backends {
            for (replica, calls) in backend.pool.replicas.sorted(by: { $0.key < $1.key }) {
                for ended in calls.finished {
                    text.histogram(
                        name,
                        [backend.label, ("replica", replica), ("grpc_status", "\(ended.code)")],
                        ended.latency, bounds: Exemplars.bounds)
                }
            }
        }
    }
}
