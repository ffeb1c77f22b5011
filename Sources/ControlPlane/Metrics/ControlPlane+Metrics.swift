internal import GRPCWire
internal import Observability
internal import Serving
internal import TrafficPolicy
package import Transport

/// `/metrics` and `/healthz`, over HTTP/1.1 and HTTP/2.
extension ControlPlane {
    package func answer(_ request: HTTPRequest) async -> HTTPReply {
        guard adminHosts.allow(request.head.host) else {
            return HTTPReply(
                status: 421,
                body: "the request's Host is not a name of this server; add it with "
                    + "'weir serve --admin-host'\n")
        }
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPReply(
                status: 405, headers: [("allow", "GET, HEAD")],
                body: Array("use GET or HEAD\n".utf8))
        }
        switch request.path {
        case "/metrics":
            do throws(RPCError) {
                try access.check(
                    Access.Credentials(
                        identities: request.peer.identities,
                        authorization: request.first("authorization")),
                    Access.Requirement(role: .viewer, action: "read metrics"))
            } catch {
                return HTTPReply(error)
            }
            guard let figures = try? await dataPlane.figures() else {
                return HTTPReply(status: 503, body: "the server is shutting down\n")
            }
            return HTTPReply(
                status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
                body: metrics(figures))
        case "/healthz":
            return health.isDraining
                ? HTTPReply(status: 503, body: "draining\n")
                : HTTPReply(status: 200, body: "ok\n")
        default:
            return HTTPReply(status: 404, body: "use /metrics or /healthz\n")
        }
    }

    /// Upper bounds in seconds. Source: gRFC A66, "Latency".
    static let latencyBounds: [Double] = [
        0.00001, 0.00005, 0.0001, 0.0003, 0.0006, 0.0008, 0.001, 0.002, 0.003, 0.004, 0.005, 0.006,
        0.008, 0.01, 0.013, 0.016, 0.02, 0.025, 0.03, 0.04, 0.05, 0.065, 0.08, 0.1, 0.13, 0.16, 0.2,
        0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1, 2, 5, 10, 20, 50, 100,
    ]

    /// Prometheus' text format.
    private func metrics(_ figures: ServingFigures) -> String {
        var text = PrometheusText()
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
        addShadows(to: &text, figures)
        text.family("weir_traffic_weight", "gauge", "Share of requests routed to a backend.")
        for endpoint in state.endpoints.values.sorted(by: { $0.name < $1.name }) {
            for (backend, weight) in endpoint.weights.weights {
                text.sample(
                    "weir_traffic_weight", [("endpoint", endpoint.name), ("backend", backend)],
                    weight)
            }
        }
        addBackends(to: &text, figures)
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
            "The lag of the slowest event loop.")
        text.sample("weir_loop_lag_seconds", [], Double(figures.lag) / 1e9)
        if let lostLogLines {
            text.family(
                "weir_log_lines_lost_total", "counter",
                "Log lines lost because a write failed or the queue was full.")
            text.sample("weir_log_lines_lost_total", [], lostLogLines())
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
        return text.text
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
