internal import GRPCWire
internal import Messages
internal import Observability
internal import Serving
internal import Traces
internal import TrafficPolicy

/// The methods that show single calls.
extension ControlPlane {
    nonisolated func addingRecords(_ methods: AdminMethods) -> AdminMethods {
        methods
            .serverStreaming("Tap", .operator) {
                (
                    request: Weir_Admin_V1_TapRequest,
                    replies: ReplyWriter<Weir_Admin_V1_TapResponse>, context
                ) in
                try self.access.require(context) { $0.endpoint = request.endpoint }
                try self.access.require(request, context)
                let options = try await withRPCErrors {
                    try CallTapStream.Options(request, self.views.current)
                }
                try await self.tap(options) { calls, dropped in
                    try await replies.send(
                        .init(
                            call: calls.map { .init($0, secrets: request.secrets) },
                            dropped: dropped))
                }
            }
            .unary("GetTrace", .viewer) { (request: Weir_Admin_V1_GetTraceRequest, context) in
                try self.access.require(request, context)
                let trace = try await withRPCErrors { try TraceID(request: request.traceId) }
                let calls = try await self.dataPlane.calls(of: trace)
                return Weir_Admin_V1_GetTraceResponse(
                    calls: calls.map { .init($0, secrets: request.secrets) })
            }
    }

    /// Sends the calls of a tap until the caller cancels it, the server drains, or the endpoint or
    /// all backends of the filter are deleted.
    ///
    /// - Parameter send: receives nil first, when the tap is open.
    private nonisolated func tap(
        _ options: CallTapStream.Options,
        _ send: (CallRecord?, _ dropped: UInt64) async throws -> Void
    ) async throws {
        guard let tap = try await dataPlane.openTap(options) else {
            throw RPCError(
                .resourceExhausted,
                "\(dataPlane.tapFigures.open) taps are open, which is the limit (max-taps)")
        }
        do {
            // They may have been deleted before the tap was open.
            try requireExisting(options.filter)
            try await send(nil, 0)
            for await call in tap.calls { try await send(call, tap.takeDropped()) }
            try requireExisting(options.filter)
        } catch {
            await dataPlane.close(tap)
            throw error
        }
        await dataPlane.close(tap)
    }

    private nonisolated func requireExisting(_ filter: CallFilter) throws(RPCError) {
        guard let missing = views.current.state.missing(filter) else { return }
        throw RPCError(.notFound, "\(missing) was deleted, which ends the tap")
    }
}

extension ControlState {
    /// What a filter needs and the state does not have: the endpoint, or the last one of the
    /// backends; nil if it can select calls.
    func missing(_ filter: CallFilter) -> String? {
        if !filter.endpoint.isEmpty, endpoints[filter.endpoint] == nil {
            return "the endpoint \(filter.endpoint.quoted)"
        }
        let backends = filter.backends
        guard let first = backends.min(), backends.allSatisfy({ self.backends[$0] == nil }) else {
            return nil
        }
        return backends.count == 1 ? "the backend \(first.quoted)" : "each backend of the filter"
    }
}

extension TraceID {
    init(request text: String) throws(ControlError) {
        let digits = Array(text.lowercased().utf8)
        guard let trace = TraceID(hex: digits.span) else {
            throw .invalid(
                "trace_id", "\(text.quoted) is invalid: use 32 hexadecimal digits, not all zero")
        }
        self = trace
    }
}

extension CallTapStream.Options {
    private static let maxBackends = 64
    private static let rates = 1...10_000

    init(_ request: Weir_Admin_V1_TapRequest, _ view: ControlPlane.View) throws(ControlError) {
        self.init()
        filter.endpoint = request.endpoint
        if !request.endpoint.isEmpty { _ = try view.state.existingEndpoint(request.endpoint) }
        guard request.backends.count <= Self.maxBackends else {
            throw .invalid(
                "backends",
                "has \(request.backends.count) names; at most \(Self.maxBackends) are allowed")
        }
        for backend in request.backends { _ = try view.state.existingBackend(backend) }
        filter.backends = Set(request.backends)
        for (index, name) in request.statuses.enumerated() {
            guard let number = StatusCode.names.firstIndex(of: name) else {
                throw .invalid(
                    "statuses[\(index)]",
                    "invalid status \(name.quoted): use for example UNAVAILABLE")
            }
            filter.codes.insert(StatusCode(rawValue: number))
        }
        if !request.shardKey.isEmpty {
            guard let endpoint = view.routing.endpoint(named: request.endpoint) else {
                throw .invalid("shard_key", "requires an endpoint, because its point depends on it")
            }
            filter.shardPoint = endpoint.policy.point(of: request.shardKey.rawSpan)
        }
        filter.includesShadows = request.shadows
        if let share = request.share {
            guard share > 0, share <= 1 else {
                throw .invalid("share", "is \(share); it must be above 0, and at most 1")
            }
            self.share = share
        }
        if request.callsPerSecond > 0 {
            try RequestField("calls_per_second").set(
                &callsPerSecond, request.callsPerSecond, Self.rates)
        }
    }
}

extension Weir_Admin_V1_CallRecord {
    init(_ call: CallRecord, secrets: SecretValues) {
        let (seconds, fraction) = Int64(clamping: call.endedAt / 1_000)
            .quotientAndRemainder(dividingBy: 1_000_000)
        func shown(_ text: String) -> String {
            if case .revealed = secrets { return text }
            return text.isEmpty ? "" : .masked
        }
        func microseconds(_ nanoseconds: UInt64) -> Double { Double(nanoseconds) / 1_000 }
        self.init(
            // A fraction of a second.
            time: .init(seconds: seconds, nanos: Int32(fraction) * 1_000),
            endpoint: call.endpoint, backend: call.backend, method: call.method,
            protocol: call.form.rawValue, shadow: call.isShadow, replica: call.replica,
            attempts: UInt32(clamping: call.attempts),
            failedAttempts: call.failedAttempts.map { attempt in
                .init(
                    replica: attempt.replica, status: attempt.code?.description ?? "",
                    durationUs: microseconds(attempt.nanoseconds))
            },
            status: call.code.description, message: shown(call.message),
            durationUs: microseconds(call.phases.total),
            queueUs: microseconds(call.phases.queue),
            upstreamUs: microseconds(call.phases.upstream),
            responseUs: microseconds(call.phases.response), requestBytes: call.requestBytes,
            responseBytes: call.responseBytes, shardPoint: call.shardPoint,
            revision: call.revision, traceId: call.trace?.traceID.hex ?? "",
            spanId: call.trace?.spanID.hex ?? "", client: shown(call.peer))
    }
}
