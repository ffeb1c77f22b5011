internal import GRPCWire
internal import Observability
internal import Serving
internal import TrafficPolicy

/// The metrics.
extension ControlPlane.View {
    /// All metrics.
    func metrics(_ figures: ServingFigures, _ format: MetricsText.Format) -> String {
        var text = MetricsText(format)
        addCalls(to: &text, figures)
        addShadows(to: &text, figures)
        addWeights(to: &text)
        addBackends(to: &text, figures)
        addTraffic(to: &text, figures)
        addServer(to: &text)
        addExports(to: &text)
        addProgram(to: &text)
        return text.finished()
    }

    private func addCalls(to text: inout MetricsText, _ figures: ServingFigures) {
        let calls = figures.calls.filter { !$0.key.endpoint.isEmpty }.sorted {
            ($0.key.endpoint, $0.key.backend, $0.key.method, $0.key.isShadow ? 1 : 0)
                < ($1.key.endpoint, $1.key.backend, $1.key.method, $1.key.isShadow ? 1 : 0)
        }
        text.family(
            "grpc_server_call_started_total", .counter,
            "Calls that began, by method, endpoint and backend; copies have shadow=true."
        )
        for (key, call) in calls {
            text.sample("grpc_server_call_started_total", Self.labels(key), call.started)
        }
        text.family(
            "grpc_server_call_duration_seconds", .histogram,
            "Time from the headers of a request to the end of its response, in seconds, by status. "
                + "Its count is the number of ended calls.")
        for (labels, ended) in Self.ended(calls) {
            text.histogram(
                "grpc_server_call_duration_seconds", labels, ended.latency,
                bounds: Exemplars.bounds, ended.exemplars)
        }
        for (direction, help, sizes) in [
            ("sent", "response messages sent to the client", \EndedCalls.sent),
            ("rcvd", "request messages received from the client", \.received),
        ] {
            let name = "grpc_server_call_\(direction)_total_compressed_message_size_bytes"
            text.family(
                name, .histogram,
                "Bytes of all \(help) in a call, as compressed, with 5 bytes of framing each.")
            for (labels, ended) in Self.ended(calls) {
                text.histogram(name, labels, ended[keyPath: sizes])
            }
        }
        text.family("weir_requests_in_flight", .gauge, "Calls that have begun and not ended.")
        for (key, call) in calls {
            text.sample("weir_requests_in_flight", Self.labels(key), max(0, call.inFlight))
        }
        text.family(
            "weir_shadow_sampled_total", .counter,
            "Requests that a shadow's proportion selected, including those whose copy was dropped.")
        for (key, call) in calls where key.isShadow {
            text.sample("weir_shadow_sampled_total", Self.labels(key), call.sampled)
        }
    }

    /// The ended calls by status, with their labels, in order.
    private static func ended(
        _ calls: [(key: CallKey, value: CallFigures)]
    ) -> [(labels: [(String, String)], calls: EndedCalls)] {
        calls.flatMap { key, call in
            call.finished.sorted { $0.code.rawValue < $1.code.rawValue }.map {
                (labels(key) + [("grpc_status", "\($0.code)")], $0)
            }
        }
    }

    private func addWeights(to text: inout MetricsText) {
        text.family(
            "weir_traffic_weight", .gauge,
            "Share of an endpoint's requests that the policy assigns to a backend, 0 to 1.")
        for endpoint in state.endpoints.values.sorted(by: { $0.name < $1.name }) {
            for (backend, weight) in endpoint.weights.weights {
                text.sample(
                    "weir_traffic_weight", [("endpoint", endpoint.name), ("backend", backend)],
                    weight)
            }
        }
    }

    /// Connections, overload and requests without an endpoint.
    private func addTraffic(to text: inout MetricsText, _ figures: ServingFigures) {
        text.metric(
            "weir_unrouted_requests_total", .counter,
            "Requests whose path matches no endpoint; they are answered with UNIMPLEMENTED.",
            figures.unrouted)
        text.metric(
            "weir_late_calls_dropped_total", .counter,
            "Unsampled calls that failed, were slow or differed, and were not exported because "
                + "there were more than the limit of late calls a second.",
            figures.droppedLateCalls)
        text.metric(
            "weir_connections", .gauge, "Open connections of clients on the data port.",
            figures.connections)
        text.family(
            "weir_connections_refused_total", .counter,
            "Connections closed at once because a limit of connections was reached, by port.")
        for (port, count) in [
            ("data", figures.refusedConnections), ("admin", figures.refusedOperators),
            ("metrics", figures.refusedScrapers),
        ] {
            text.sample("weir_connections_refused_total", [("port", port)], count)
        }
        text.family(
            "weir_requests_refused_total", .counter,
            "Requests refused with RESOURCE_EXHAUSTED, or with the status 414 or 431 of HTTP, "
                + "because a limit was reached, by reason.")
        for reason in Overload.allCases {
            text.sample(
                "weir_requests_refused_total", [("reason", reason.rawValue)],
                figures.refused[reason] ?? 0)
        }
        text.family(
            "weir_endpoint_requests_refused_total", .counter,
            "Requests of an endpoint refused with RESOURCE_EXHAUSTED before a backend was chosen, "
                + "by reason: rate, the endpoint's rate limit; overload, a limit of the server.")
        for name in state.endpoints.keys.sorted() {
            let refused = figures.endpoints[name] ?? EndpointFigures()
            for (reason, count) in [
                ("rate", refused.rateLimited), ("overload", refused.overloaded),
            ] {
                text.sample(
                    "weir_endpoint_requests_refused_total",
                    [("endpoint", name), ("reason", reason)], count)
            }
        }
        text.metric(
            "weir_buffered_bytes", .gauge,
            "Bytes of requests and responses buffered in memory, which max-buffered-bytes limits.",
            figures.bufferedBytes)
        text.metric(
            "weir_loop_lag_seconds", .gauge,
            "The delay of the slowest event loop, in seconds. Above 0.01, the server needs more "
                + "cores or fewer requests.",
            Double(figures.loopDelay) / 1e9)
    }

    /// The export of spans and log records. Servers without a collector have none of these metrics.
    private func addExports(to text: inout MetricsText) {
        let exports = facts.exports()
        guard !exports.isEmpty else { return }
        text.family(
            "weir_otlp_records_exported_total", .counter,
            "Spans and log records that the collector accepted, by kind.")
        for (signal, figures) in exports {
            text.sample(
                "weir_otlp_records_exported_total", [("signal", signal)], figures.exported)
        }
        text.family(
            "weir_otlp_records_dropped_total", .counter,
            "Spans and log records that were not exported, by kind and reason.")
        for (signal, figures) in exports {
            for (reason, count) in figures.dropped {
                text.sample(
                    "weir_otlp_records_dropped_total", [("signal", signal), ("reason", reason)],
                    count)
            }
        }
        text.family(
            "weir_otlp_records_queued", .gauge,
            "Spans and log records that wait for their export, by kind.")
        for (signal, figures) in exports {
            text.sample("weir_otlp_records_queued", [("signal", signal)], figures.queued)
        }
        let tried = exports.compactMap { signal, figures in figures.isUp.map { (signal, $0) } }
        guard !tried.isEmpty else { return }
        text.family(
            "weir_otlp_up", .gauge,
            "1 if the last request to the collector succeeded, otherwise 0, by kind; absent before "
                + "the first request has ended. Requests of clients are served in all cases.")
        for (signal, isUp) in tried {
            text.sample("weir_otlp_up", [("signal", signal)], isUp ? 1 : 0)
        }
    }

    /// The log, the store and the revision.
    private func addServer(to text: inout MetricsText) {
        if let lostLogLines = facts.lostLogLines?() {
            text.metric(
                "weir_log_lines_lost_total", .counter,
                "Log lines lost because the reader of the log was too slow or has ended.",
                lostLogLines)
        }
        if let lines = facts.accessLogLines?() {
            text.metric(
                "weir_access_log_lines_total", .counter,
                "Lines of the access log that were "
                    + "written.", lines.written)
            text.metric(
                "weir_access_log_lines_lost_total", .counter,
                "Lines of the access log lost because its reader was too slow or it could not be "
                    + "written.", lines.lost)
        }
        text.metric("weir_taps", .gauge, "Open taps (weir tap).", taps.open)
        text.metric(
            "weir_tap_calls_dropped_total", .counter,
            "Calls that taps did not show because of a limit or a slow reader.", taps.dropped)
        text.metric(
            "weir_store_up", .gauge,
            "1 while the state can be stored and changed, otherwise 0. Requests are served in both "
                + "cases.",
            storeProblem == nil ? 1 : 0)
        text.metric(
            "weir_store_diverged", .gauge,
            "1 while the store is damaged or contains another history, otherwise 0. An operator "
                + "must decide: weir state adopt or weir state restore.",
            storeProblem?.kind.needsDecision ?? false ? 1 : 0)
        if let isCopyUp {
            text.metric(
                "weir_state_copy_up", .gauge,
                "1 while the copy of the state on this machine is up to date, otherwise 0.",
                isCopyUp ? 1 : 0)
        }
        text.metric(
            "weir_revision", .gauge,
            "The revision of the state that is served; the same on all servers of a fleet.",
            state.revision)
        addRollouts(to: &text)
        addFreeze(to: &text)
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
