internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import TrafficPolicy

extension ControlPlane {
    /// The figures since the start.
    func stats(endpoint: String) async throws -> Weir_Admin_V1_Stats {
        if !endpoint.isEmpty { _ = try state.existingEndpoint(endpoint) }
        let figures = try await dataPlane.figures()
        let seconds = Self.seconds(ContinuousClock.now - startedAt)
        return report(figures, seconds: seconds, endpoint: endpoint)
    }

    /// Sends the figures of each interval at its end, until `send` throws or a drain begins.
    func watchStats(
        endpoint: String, every interval: Duration,
        _ send: (Weir_Admin_V1_Stats) async throws -> Void
    ) async throws {
        if !endpoint.isEmpty { _ = try state.existingEndpoint(endpoint) }
        var before = try await dataPlane.figures()
        var start = ContinuousClock.now
        while !health.isDraining {
            try await Task.sleep(until: start + interval, clock: .continuous)
            let now = try await dataPlane.figures()
            let end = ContinuousClock.now
            try await send(
                report(
                    now.since(before), seconds: Self.seconds(end - start), endpoint: endpoint))
            (before, start) = (now, end)
        }
    }

    private struct Row: Hashable {
        let endpoint: String
        let backend: String
        let isShadow: Bool
    }

    private func report(
        _ figures: ServingFigures, seconds: Double, endpoint: String
    ) -> Weir_Admin_V1_Stats {
        var rows: [Row: CallFigures] = [:]
        // Includes backends that have not received a request yet.
        for endpoint in state.endpoints.values {
            for weight in endpoint.weights.weights {
                rows[Row(endpoint: endpoint.name, backend: weight.backend, isShadow: false)] =
                    .init()
            }
            for shadow in endpoint.shadows {
                rows[Row(endpoint: endpoint.name, backend: shadow.backend, isShadow: true)] =
                    .init()
            }
        }
        for (key, calls) in figures.calls where !key.endpoint.isEmpty {
            let row = Row(endpoint: key.endpoint, backend: key.backend, isShadow: key.isShadow)
            rows[row, default: .init()].add(calls)
        }
        let shown = rows.filter { endpoint.isEmpty || $0.key.endpoint == endpoint }
            .sorted {
                ($0.key.endpoint, $0.key.isShadow ? 1 : 0, $0.key.backend)
                    < ($1.key.endpoint, $1.key.isShadow ? 1 : 0, $1.key.backend)
            }
        return Weir_Admin_V1_Stats(
            time: Google_Protobuf_Timestamp(Date()), seconds: seconds,
            backends: shown.map { message($0.key, $0.value, seconds: seconds) },
            revision: state.revision, connections: UInt64(clamping: figures.connections),
            unrouted: figures.unrouted)
    }

    private func message(
        _ row: Row, _ figures: CallFigures, seconds: Double
    ) -> Weir_Admin_V1_BackendStats {
        let endpoint = state.endpoints[row.endpoint]
        let weight =
            row.isShadow
            ? endpoint?.shadows.first { $0.backend == row.backend }?.proportion
            : endpoint?.weights.weights.first { $0.backend == row.backend }?.weight
        return Weir_Admin_V1_BackendStats(
            endpoint: row.endpoint, backend: row.backend, shadow: row.isShadow,
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

    static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
