internal import GRPCWire
internal import Messages
package import Serving

extension ControlPlane {
    /// `weir.admin.v1.Admin` with health and reflection: what the operators' port answers.
    package nonisolated var adminBackend: HandlerBackend {
        let board = ReflectionBoard()
        let admin = "weir.admin.v1.Admin"
        let schema = Self.schema(of: [Weir_Admin_V1_AdminProto.file])
        var joined = Self.standardSchema
        for file in schema.files.values.sorted(by: { $0.name < $1.name }) {
            // Both halves were read before, so they can be read again.
            try? joined.add(file: file.bytes)
        }
        board.set(joined, services: Self.standardServices + [admin])
        return HandlerBackend(
            "weir-admin",
            services: [adminService, Service.health(health)] + Service.reflection(board))
    }

    /// Health and reflection, which the data port answers beside the endpoints.
    package nonisolated var standardBackend: HandlerBackend {
        HandlerBackend(
            "weir-standard", services: [Service.health(health)] + Service.reflection(reflection))
    }

    private nonisolated var adminService: Service {
        addingQuestions(addingChanges(Service("weir.admin.v1.Admin")))
    }

    private nonisolated func addingChanges(_ service: Service) -> Service {
        service
            .refusing("CreateBackend") { (request: Weir_Admin_V1_CreateBackendRequest) in
                let backend = try await self.createBackend(
                    try ControlState.Backend(request.backend ?? .init()),
                    under: .init(request.expectedRevision, request.validateOnly))
                return try await self.messageWithStatus(backend)
            }
            .refusing("UpdateBackend") { (request: Weir_Admin_V1_UpdateBackendRequest) in
                let backend = try await self.updateBackend(
                    try ControlState.Backend(request.backend ?? .init()),
                    under: .init(request.expectedRevision, request.validateOnly))
                return try await self.messageWithStatus(backend)
            }
            .refusing("DeleteBackend") { (request: Weir_Admin_V1_DeleteBackendRequest) in
                let revision = try await self.deleteBackend(
                    request.name, under: .init(request.expectedRevision, request.validateOnly))
                return Weir_Admin_V1_DeleteBackendResponse(revision: revision)
            }
            .refusing("CreateEndpoint") { (request: Weir_Admin_V1_CreateEndpointRequest) in
                let endpoint = try await self.createEndpoint(
                    request.name, route: request.route, backend: request.backend,
                    under: .init(request.expectedRevision, request.validateOnly))
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .refusing("DeleteEndpoint") { (request: Weir_Admin_V1_DeleteEndpointRequest) in
                let revision = try await self.deleteEndpoint(
                    request.name, under: .init(request.expectedRevision, request.validateOnly))
                return Weir_Admin_V1_DeleteEndpointResponse(revision: revision)
            }
            .refusing("SetTraffic") { (request: Weir_Admin_V1_SetTrafficRequest) in
                let change = try await self.setTraffic(
                    request.endpoint, request.weights.map { ($0.backend, $0.weight) },
                    under: .init(request.expectedRevision, request.validateOnly))
                return Weir_Admin_V1_SetTrafficResponse(
                    endpoint: .init(change.endpoint), movedShare: change.movedShare,
                    packed: change.packed, revision: change.revision, warnings: change.warnings)
            }
            .refusing("ShadowTraffic") { (request: Weir_Admin_V1_ShadowTrafficRequest) in
                let endpoint = try await self.setShadow(
                    request.endpoint, backend: request.backend, proportion: request.proportion,
                    options: try request.options.map(ControlState.Shadow.Options.init),
                    under: .init(request.expectedRevision, request.validateOnly))
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .refusing("SetShadowComparison") {
                (request: Weir_Admin_V1_SetShadowComparisonRequest) in
                let endpoint = try await self.setComparison(
                    request.endpoint, try ControlState.Comparison(request.comparison ?? .init()),
                    under: .init(request.expectedRevision, request.validateOnly))
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .refusing("ResetShadowReport") { (request: Weir_Admin_V1_ResetShadowReportRequest) in
                try await self.resetShadowReport(request.endpoint, backend: request.backend)
                return Weir_Admin_V1_ResetShadowReportResponse()
            }
    }

    private nonisolated func addingQuestions(_ service: Service) -> Service {
        service
            .refusing("GetBackend") { (request: Weir_Admin_V1_GetBackendRequest) in
                try await self.messageWithStatus(try await self.state.known(backend: request.name))
            }
            .refusing("ListBackends") { (_: Weir_Admin_V1_ListBackendsRequest) in
                try await self.backendList()
            }
            .refusing("GetEndpoint") { (request: Weir_Admin_V1_GetEndpointRequest) in
                Weir_Admin_V1_Endpoint(try await self.state.known(endpoint: request.name))
            }
            .refusing("ListEndpoints") { (_: Weir_Admin_V1_ListEndpointsRequest) in
                Weir_Admin_V1_ListEndpointsResponse(await self.state)
            }
            .refusing("ExplainRoute") { (request: Weir_Admin_V1_ExplainRouteRequest) in
                try await self.explain(path: request.path, shardKey: request.shardKey)
            }
            .refusing("GetShadowReport") { (request: Weir_Admin_V1_GetShadowReportRequest) in
                try await self.shadowReports(request.endpoint, backend: request.backend)
            }
            .refusing("GetStats") { (request: Weir_Admin_V1_GetStatsRequest) in
                try await self.stats(endpoint: request.endpoint)
            }
            .serverStreaming("WatchStats") {
                (
                    request: Weir_Admin_V1_WatchStatsRequest,
                    replies: ReplyWriter<Weir_Admin_V1_Stats>, _
                ) in
                try await refusals {
                    let interval = try Self.interval(request.intervalMs)
                    try await self.watchStats(endpoint: request.endpoint, every: interval) {
                        try await replies.send($0)
                    }
                }
            }
            .serverStreaming("Watch") {
                (
                    request: Weir_Admin_V1_WatchRequest,
                    replies: ReplyWriter<Weir_Admin_V1_WatchResponse>, _
                ) in
                try await refusals {
                    for try await entry in try await self.watch(from: request.fromRevision) {
                        try await replies.send(await self.message(entry))
                    }
                }
            }
    }

    private static func interval(_ milliseconds: UInt32) throws(ControlError) -> Duration {
        guard milliseconds > 0 else { return .seconds(1) }
        guard (100...60_000).contains(milliseconds) else {
            throw .invalid(
                "interval_ms", "is \(milliseconds); it must be from 100 to 60000, or 0 for 1000")
        }
        return .milliseconds(Int(milliseconds))
    }
}

extension Service {
    /// A unary method whose `ControlError`s reach the client with their details.
    fileprivate func refusing<Request: WireMessage, Reply: WireMessage>(
        _ method: String, _ handler: @escaping @Sendable (Request) async throws -> Reply
    ) -> Service {
        unary(method) { (request: Request, _) in
            try await refusals { try await handler(request) }
        }
    }
}

private func refusals<Answer>(_ body: () async throws -> Answer) async throws -> Answer {
    do {
        return try await body()
    } catch let error as ControlError {
        throw error.rpcError
    }
}

extension ControlPlane.Condition {
    fileprivate init(_ expectedRevision: UInt64?, _ validateOnly: Bool) {
        self.init(expectedRevision: expectedRevision, validateOnly: validateOnly)
    }
}
