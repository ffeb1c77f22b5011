internal import GRPCWire
internal import Observability
internal import Serving
internal import TrafficPolicy

/// The metrics in Prometheus' text format.
extension ControlPlane.View {
    /// Upper bounds in seconds. Source: gRFC A66, "Latency".
    static let latencyBounds: [Double] = [
        0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006,
        0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2,
        0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
    ]

    /// All metrics.
    func metrics(_ figures: ServingFigures) -> String {
        var text = PrometheusText()
        addCalls(to: &text, figures)
        addShadows(to: &text, figures)
        addWeights(to: &text)
        addBackends(to: &text, figures)
        addTraffic(to: &text, figures)
        addServer(to: &text)
        return text.text
    }

    private func addCalls(to text: inout PrometheusText, _ figures: ServingFigures) {
        let calls = figures.calls.filter { !$0.key.endpoint.isEmpty }.sorted {
            ($0.key.endpoint, $0.key.backend, $0.key.method, $0.key.isShadow ? 1 : 0)
                < ($1.key.endpoint, $1.key.backend, $1.key.method, $1.key.isShadow ? 1 : 0)
        }
        text.family("grpc_server_call_started_total", "counter", "Calls routed to a backend.")
        for (key, call) in calls {
            text.sample("grpc_server_call_started_total", Self.labels(key), call.started)
        }
        text.family(
            "grpc_server_call_duration_seconds", "histogram",
            "Time from the request's headers to the end of the response.")
        for (key, call) in calls {
            for (code, latency) in call.finished.sorted(by: { $0.code.rawValue < $1.code.rawValue })
            {
                let labels = Self.labels(key) + [("grpc_status", "\(code)")]
                text.histogram(
                    "grpc_server_call_duration_seconds", labels, latency, bounds: Self.latencyBounds
                )
            }
        }
        text.family("weir_requests_in_flight", "gauge", "Calls that have not ended.")
        for (key, call) in calls {
            text.sample("weir_requests_in_flight", Self.labels(key), max(0, call.inFlight))
        }
        text.family(
            "weir_shadow_sampled_total", "counter", "Requests that a shadow's proportion selected.")
        for (key, call) in calls where key.isShadow {
            text.sample("weir_shadow_sampled_total", Self.labels(key), call.sampled)
        }
    }

    private func addWeights(to text: inout PrometheusText) {
        text.family("weir_traffic_weight", "gauge", "Share of requests routed to a backend.")
        for endpoint in state.endpoints.values.sorted(by: { $0.name < $1.name }) {
            for (backend, weight) in endpoint.weights.weights {
                text.sample(
                    "weir_traffic_weight", [("endpoint", endpoint.name), ("backend", backend)],
                    weight)
            }
        }
    }

    /// Connections, overload and requests without an endpoint.
    private func addTraffic(to text: inout PrometheusText, _ figures: ServingFigures) {
        text.family("weir_unrouted_requests_total", "counter", "Requests that match no endpoint.")
        text.sample("weir_unrouted_requests_total", [], figures.unrouted)
        text.family("weir_connections", "gauge", "Open connections on the data port.")
        text.sample("weir_connections", [], figures.connections)
        text.family(
            "weir_connections_refused_total", "counter",
            "Connections refused because of a connection limit, by port.")
        for (port, count) in [
            ("data", figures.refusedConnections), ("admin", figures.refusedOperators),
        ] {
            text.sample("weir_connections_refused_total", [("port", port)], count)
        }
        text.family(
            "weir_requests_refused_total", "counter",
            "Requests refused by overload protection, by reason.")
        for reason in Overload.allCases {
            text.sample(
                "weir_requests_refused_total", [("reason", reason.rawValue)],
                figures.refused[reason] ?? 0)
        }
        text.family(
            "weir_buffered_bytes", "gauge", "Bytes of requests and responses buffered in memory.")
        text.sample("weir_buffered_bytes", [], figures.bufferedBytes)
        text.family(
            "weir_loop_lag_seconds", "gauge",
            "The delay of the slowest event loop.")
        text.sample("weir_loop_lag_seconds", [], Double(figures.loopDelay) / 1e9)
    }

    /// The log, the store and the revision.
    private func addServer(to text: inout PrometheusText) {
        if let lostLogLines {
            text.family(
                "weir_log_lines_lost_total", "counter",
                "Log lines lost because a write failed or the queue was full.")
            text.sample("weir_log_lines_lost_total", [], lostLogLines)
        }
        text.family("weir_store_up", "gauge", "1 while the state can be changed, otherwise 0.")
        text.sample("weir_store_up", [], storeProblem == nil ? 1 : 0)
        text.family(
            "weir_store_diverged", "gauge",
            "1 while the store is damaged or contains another history, otherwise 0.")
        text.sample(
            "weir_store_diverged", [], storeProblem?.kind.needsDecision ?? false ? 1 : 0)
        if let isCopyUp {
            text.family(
                "weir_state_copy_up", "gauge",
                "1 while the copy of the state on this machine is up to date, otherwise 0.")
            text.sample("weir_state_copy_up", [], isCopyUp ? 1 : 0)
        }
        text.family("weir_revision", "gauge", "The revision of the control state that is served.")
        text.sample("weir_revision", [], state.revision)
    }

    private static func labels(_ key: CallKey) -> [(String, String)] {
        [
            (
                "grpc_method",
                key.method.hasPrefix("/") ? String(key.method.dropFirst()) : key.method
            ),
            ("endpoint", key.endpoint), ("backend", key.backend), ("shadow", "\(key.isShadow)"),
        ]
    }
}
