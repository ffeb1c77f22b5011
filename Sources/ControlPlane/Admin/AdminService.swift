internal import GRPCWire
internal import Messages
package import Serving

extension ControlPlane {
    /// The services of the admin port: `weir.admin.v1.Admin`, health and reflection.
    package nonisolated var adminBackend: HandlerBackend {
        let board = ReflectionBoard()
        var joined = Self.standardSchema
        for file in Self.adminSchema.files.values.sorted(by: { $0.name < $1.name }) {
            // Both schemas were added without an error before.
            try? joined.add(file: file.bytes)
        }
        board.set(joined, services: Self.standardServices + [AdminMethods.serviceName])
        return HandlerBackend(
            "weir-admin",
            // Health checks need no credentials.
            services: [Service.health(health)]
                + [adminMethods.service]
                + Service.reflection(board).map { service in
                    service.guarded { [access] in access.admit($0, .viewer, $1) }
                })
    }

    /// The services of the data port besides the endpoints: health and reflection.
    package nonisolated var standardBackend: HandlerBackend {
        HandlerBackend(
            "weir-standard", services: [Service.health(health)] + Service.reflection(reflection))
    }

    nonisolated var adminMethods: AdminMethods {
        let changes = addingTraffic(addingObjects(AdminMethods(self)))
        return addingFreezes(
            addingRecords(
                addingRollouts(addingHistory(addingLeases(addingReads(changes))))))
    }

    private nonisolated func addingObjects(_ methods: AdminMethods) -> AdminMethods {
        methods
            .change("CreateBackend", .admin) {
                (request: Weir_Admin_V1_CreateBackendRequest, options) in
                let backend = try await self.createBackend(
                    try ControlState.Backend(request: request.backend ?? .init()), options: options)
                return await self.views.readSampled { $0.message(backend) }
            }
            .change("UpdateBackend", .admin) {
                (request: Weir_Admin_V1_UpdateBackendRequest, options) in
                let backend = try await self.updateBackend(
                    try ControlState.Backend(request: request.backend ?? .init()), options: options)
                return await self.views.readSampled { $0.message(backend) }
            }
            .change("DeleteBackend", .admin) {
                (request: Weir_Admin_V1_DeleteBackendRequest, options) in
                let revision = try await self.deleteBackend(request.name, options: options)
                return Weir_Admin_V1_DeleteBackendResponse(revision: revision)
            }
            .change("CreateEndpoint", .admin) {
                (request: Weir_Admin_V1_CreateEndpointRequest, options) in
                Weir_Admin_V1_Endpoint(
                    try await self.createEndpoint(
                        request.name, route: request.route,
                        methods: try HTTPMethods(request.methods),
                        cors: try CORSPolicy?(request.cors),
                        httpShardKey: try HTTPShardKey?(request.httpShardKey),
                        backend: request.backend,
                        options: options))
            }
            .change("DeleteEndpoint", .admin) {
                (request: Weir_Admin_V1_DeleteEndpointRequest, options) in
                let revision = try await self.deleteEndpoint(request.name, options: options)
                return Weir_Admin_V1_DeleteEndpointResponse(revision: revision)
            }
    }

    private nonisolated func addingTraffic(_ methods: AdminMethods) -> AdminMethods {
        methods
            .change("SetTraffic", .operator) {
                (request: Weir_Admin_V1_SetTrafficRequest, options) in
                let change = try await self.setTraffic(
                    request.endpoint, request.weights.map { ($0.backend, $0.weight) },
                    overridesRollout: request.overrideRollout,
                    timeBox: try .init(request, author: options.author, at: self.chance.now()),
                    options: options)
                return Weir_Admin_V1_SetTrafficResponse(
                    endpoint: .init(change.endpoint), movedShare: change.movedShare,
                    packed: change.packed, revision: change.revision, warnings: change.warnings)
            }
            .change("ConfirmTraffic", .operator) {
                (request: Weir_Admin_V1_ConfirmTrafficRequest, options) in
                Weir_Admin_V1_Endpoint(
                    try await self.confirmTraffic(request.endpoint, options: options))
            }
            .change("ShadowTraffic", .operator) {
                (request: Weir_Admin_V1_ShadowTrafficRequest, options) in
                let endpoint = try await self.setShadow(
                    request.endpoint, backend: request.backend, proportion: request.proportion,
                    shadowOptions: try request.options.map(ControlState.Shadow.Options.init),
                    options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .change("SetRateLimit", .operator) {
                (request: Weir_Admin_V1_SetRateLimitRequest, options) in
                let endpoint = try await self.setRateLimit(
                    request.endpoint,
                    try request.rateLimit.map { (limit) throws(ControlError) in try .init(limit) },
                    options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .change("SetShadowComparison", .operator) {
                (request: Weir_Admin_V1_SetShadowComparisonRequest, options) in
                let endpoint = try await self.setComparison(
                    request.endpoint, try ControlState.Comparison(request.comparison ?? .init()),
                    options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
    }

    private nonisolated func addingReads(_ methods: AdminMethods) -> AdminMethods {
        methods
            .sampledRead("GetBackend", .viewer) {
                (request: Weir_Admin_V1_GetBackendRequest, view) in
                view.message(
                    try view.state.existingBackend(request.name), secrets: request.secrets)
            }
            .sampledRead("ListBackends", .viewer) {
                (request: Weir_Admin_V1_ListBackendsRequest, view) in
                view.backendList(
                    secrets: request.secrets, omitsDescriptorSets: request.omitDescriptorSets)
            }
            .read("GetEndpoint", .viewer) { (request: Weir_Admin_V1_GetEndpointRequest, view) in
                Weir_Admin_V1_Endpoint(try view.state.existingEndpoint(request.name))
            }
            .read("ListEndpoints", .viewer) { (_: Weir_Admin_V1_ListEndpointsRequest, view) in
                Weir_Admin_V1_ListEndpointsResponse(view.state)
            }
            .read("ExplainRoute", .viewer) { (request: Weir_Admin_V1_ExplainRouteRequest, view) in
                try view.explain(
                    path: request.path, endpoint: request.endpoint, shardKey: request.shardKey)
            }
            .sampledRead("GetShadowReport", .viewer) {
                (request: Weir_Admin_V1_GetShadowReportRequest, view) in
                try view.shadowReports(request.endpoint, backend: request.backend)
            }
            .sampledRead("GetStats", .viewer) { (request: Weir_Admin_V1_GetStatsRequest, view) in
                try view.stats(endpoint: request.endpoint, deleted: request.deleted)
            }
            .unary("ResetShadowReport", .operator) {
                (request: Weir_Admin_V1_ResetShadowReportRequest, context) in
                try self.access.require(context) { $0.endpoint = request.endpoint }
                return try await withRPCErrors {
                    try await self.resetShadowReport(request.endpoint, backend: request.backend)
                    return Weir_Admin_V1_ResetShadowReportResponse()
                }
            }
            .serverStreaming("WatchStats", .viewer) {
                (
                    request: Weir_Admin_V1_WatchStatsRequest,
                    replies: ReplyWriter<Weir_Admin_V1_Stats>, _
                ) in
                try await withRPCErrors {
                    let interval = try Self.interval(request.intervalMs)
                    try await self.watchStats(
                        endpoint: request.endpoint, every: interval,
                        past: try Self.pastSeconds(request.pastSeconds)
                    ) { try await replies.send($0) }
                }
            }
            .serverStreaming("Watch", .viewer) {
                (
                    request: Weir_Admin_V1_WatchRequest,
                    replies: ReplyWriter<Weir_Admin_V1_WatchResponse>, context
                ) in
                try self.access.require(request, context)
                try await withRPCErrors {
                    for try await entry in try await self.watch(from: request.fromRevision) {
                        try await replies.send(
                            await self.views.read { $0.message(entry, secrets: request.secrets) })
                    }
                }
            }
    }

    private nonisolated func addingLeases(_ methods: AdminMethods) -> AdminMethods {
        methods
            .serverStreaming("HoldLeases", .admin) {
                (
                    request: Weir_Admin_V1_HoldLeasesRequest,
                    replies: ReplyWriter<Weir_Admin_V1_HoldLeasesResponse>, context
                ) in
                try self.access.require(context)
                try await withRPCErrors {
                    let hold = try self.holdLeases(request)
                    defer { self.leases.end(hold) }
                    try await replies.send(.init())
                    for await _ in hold.end {}
                }
            }
            .unary("ReleaseLeases", .admin) {
                (request: Weir_Admin_V1_ReleaseLeasesRequest, context) in
                try self.access.require(context)
                await self.releaseLeases(request.session)
                return Weir_Admin_V1_ReleaseLeasesResponse()
            }
    }

    private nonisolated func addingHistory(_ methods: AdminMethods) -> AdminMethods {
        methods
            .change("Apply", .admin) { (request: Weir_Admin_V1_ApplyRequest, options) in
                try await self.apply(
                    request.configuration ?? .init(), onlyIfEmpty: request.onlyIfEmpty,
                    options: options)
            }
            .change("Rollback", .operator) { (request: Weir_Admin_V1_RollbackRequest, options) in
                try await self.rollBack(
                    to: request.revision, endpoint: request.endpoint, options: options)
            }
            .read("ListRevisions", .viewer) { (request: Weir_Admin_V1_ListRevisionsRequest, view) in
                view.revisions(
                    before: request.beforeRevision, limit: request.limit,
                    rolloutsOf: request.rolloutsOf, of: request.endpoint)
            }
            .read("GetRevision", .viewer) { (request: Weir_Admin_V1_GetRevisionRequest, view) in
                try view.revision(request.revision, secrets: request.secrets)
            }
            .read("CompareRevisions", .viewer) {
                (request: Weir_Admin_V1_CompareRevisionsRequest, view) in
                try view.compare(request.fromRevision, request.toRevision)
            }
            .unary("GetAccess", .viewer) { (_: Weir_Admin_V1_GetAccessRequest, context) in
                Weir_Admin_V1_GetAccessResponse(try self.access.require(context))
            }
            .unary("ListInstances", .viewer) {
                (request: Weir_Admin_V1_ListInstancesRequest, context) in
                self.markStale(context)
                return await self.instances()
            }
            .unary("AdoptState", .admin) { (request: Weir_Admin_V1_AdoptStateRequest, context) in
                let caller = try self.access.require(context)?.name ?? context.peer
                return try await withRPCErrors {
                    try await self.adoptState(validateOnly: request.validateOnly, caller: caller)
                }
            }
            .unary("RestoreState", .admin) {
                (request: Weir_Admin_V1_RestoreStateRequest, context) in
                let caller = try self.access.require(context)?.name ?? context.peer
                return try await withRPCErrors {
                    try await self.restoreState(validateOnly: request.validateOnly, caller: caller)
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

    private static func pastSeconds(_ seconds: UInt32) throws(ControlError) -> Int {
        guard seconds <= RecentStats.maxSeconds else {
            throw .invalid(
                "past_seconds", "is \(seconds); it must be from 0 to \(RecentStats.maxSeconds)")
        }
        return Int(seconds)
    }
}
