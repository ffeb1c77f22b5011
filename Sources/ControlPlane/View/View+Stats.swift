internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import TrafficPolicy

extension ControlPlane {
    /// Sends the figures of the past, and of each interval at its end, until `send` throws, a drain
    /// begins, or the endpoint is deleted.
    nonisolated func watchStats(
        endpoint: String, every interval: Duration, past seconds: Int,
        _ send: (Weir_Admin_V1_Stats) async throws -> Void
    ) async throws {
        if !endpoint.isEmpty { _ = try views.current.state.existingEndpoint(endpoint) }
        var before = try await dataPlane.figures()
        var start = ContinuousClock.now
        for stats in await pastStats(
            seconds: seconds, until: before, at: start, endpoint: endpoint)
        {
            try await send(stats)
        }
        while !health.isDraining {
            try await Task.sleep(until: start + interval, clock: .continuous)
            let (earlier, begin) = (before, start)
            let (stats, now, end) = try await views.readSampled { view in
                guard endpoint.isEmpty || view.state.endpoints[endpoint] != nil else {
                    throw RPCError(
                        .notFound,
                        "endpoint '\(endpoint)' was deleted, which ends its statistics")
                }
                let (now, end) = (try view.requireFigures(), ContinuousClock.now)
                let stats = view.stats(now.since(earlier), over: end - begin, endpoint: endpoint)
                return (stats, now, end)
            }
            try await send(stats)
            (before, start) = (now, end)
        }
    }
}

extension ControlPlane.View {
    /// The figures since the start.
    ///
    /// - Parameter deleted: whether to report endpoints and backends that were deleted, too.
    func stats(endpoint: String, deleted: Bool = false) throws -> Weir_Admin_V1_Stats {
        let figures = try requireFigures()
        let removed = deleted ? removed(figures, endpoint: endpoint) : []
        if !endpoint.isEmpty, removed.isEmpty { _ = try state.existingEndpoint(endpoint) }
        var stats = stats(figures, over: uptime, endpoint: endpoint)
        stats.backends += removed
        return stats
    }

    private func removed(
        _ figures: ServingFigures, endpoint: String
    ) -> [Weir_Admin_V1_BackendStats] {
        figures.removed.filter { endpoint.isEmpty || $0.key.endpoint == endpoint }
            .map { (StatsKey($0.key), $0.value) }.sorted { $0.0 < $1.0 }
            .map { key, calls in
                var row = message(key, calls, seconds: uptime / .seconds(1))
                row.weight = 0
                row.deleted = true
                return row
            }
    }

    /// The key of one line of the statistics.
    private struct StatsKey: Hashable, Comparable {
        let endpoint: String
        let backend: String
        let isShadow: Bool

        init(endpoint: String, backend: String, isShadow: Bool) {
            (self.endpoint, self.backend, self.isShadow) = (endpoint, backend, isShadow)
        }

        init(_ key: CallKey) {
            self.init(endpoint: key.endpoint, backend: key.backend, isShadow: key.isShadow)
        }

        static func < (left: StatsKey, right: StatsKey) -> Bool {
            (left.endpoint, left.isShadow ? 1 : 0, left.backend)
                < (right.endpoint, right.isShadow ? 1 : 0, right.backend)
        }
    }

    /// The figures of a period.
    ///
    /// - Parameter endpoint: the endpoint to report; empty for all.
    func stats(
        _ figures: ServingFigures, over period: Duration, endpoint: String
    ) -> Weir_Admin_V1_Stats {
        let seconds = period / .seconds(1)
        var lines: [StatsKey: CallFigures] = [:]
        // Includes backends that have not received a request yet.
        for endpoint in state.endpoints.values {
            for weight in endpoint.weights.weights {
                lines[StatsKey(endpoint: endpoint.name, backend: weight.backend, isShadow: false)] =
                    .init()
            }
            for shadow in endpoint.shadows {
                lines[StatsKey(endpoint: endpoint.name, backend: shadow.backend, isShadow: true)] =
                    .init()
            }
        }
        for (key, calls) in figures.calls where !key.endpoint.isEmpty {
            lines[StatsKey(key), default: .init()].add(calls)
        }
        let shown = lines.filter { endpoint.isEmpty || $0.key.endpoint == endpoint }
            .sorted { $0.key < $1.key }
        return Weir_Admin_V1_Stats(
            time: Google_Protobuf_Timestamp(time), seconds: seconds,
            backends: shown.map { message($0.key, $0.value, seconds: seconds) },
            revision: state.revision, connections: UInt64(clamping: figures.connections),
            unrouted: figures.unrouted, freeze: freeze.map { .init($0) },
            endpoints: endpointStats(shown, figures.endpoints, endpoint: endpoint))
    }

    /// - Parameters:
    ///   - lines: the figures of backends.
    ///   - refused: those of requests for which no backend was chosen.
    private func endpointStats(
        _ lines: [(key: StatsKey, value: CallFigures)], _ refused: [String: EndpointFigures],
        endpoint: String
    ) -> [Weir_Admin_V1_EndpointStats] {
        var sums: [String: CallFigures] = [:]
        for (key, calls) in lines where !key.isShadow && calls.started > 0 {
            sums[key.endpoint, default: .init()].add(calls)
        }
        let names = refused.filter {
            $0.value != EndpointFigures() && (endpoint.isEmpty || $0.key == endpoint)
        }.keys
        return Set(sums.keys).union(names).sorted().map { name in
            let refused = refused[name] ?? EndpointFigures()
            return Weir_Admin_V1_EndpointStats(
                endpoint: name, rateLimited: refused.rateLimited, overloaded: refused.overloaded,
                latency: .init(sums[name, default: .init()].latency))
        }
    }

    private func message(
        _ key: StatsKey, _ figures: CallFigures, seconds: Double
    ) -> Weir_Admin_V1_BackendStats {
        let endpoint = state.endpoints[key.endpoint]
        let weight =
            key.isShadow
            ? endpoint?.shadows.first { $0.backend == key.backend }?.proportion
            : endpoint?.weights.weights.first { $0.backend == key.backend }?.weight
        return Weir_Admin_V1_BackendStats(
            endpoint: key.endpoint, backend: key.backend, shadow: key.isShadow,
            weight: weight ?? 0, requests: figures.started,
            requestsPerSecond: seconds > 0 ? Double(figures.started) / seconds : 0,
            inFlight: UInt64(clamping: figures.inFlight),
            statuses: figures.finished.sorted { $0.code.rawValue < $1.code.rawValue }.map {
                .init(
                    code: UInt32(clamping: $0.code.rawValue), name: $0.code.description,
                    count: $0.latency.count)
            },
            latency: .init(figures.latency),
            sampled: figures.sampled)
    }
}
