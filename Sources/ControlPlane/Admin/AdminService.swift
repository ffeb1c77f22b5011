internal import GRPCWire
internal import Messages
package import Serving

extension ControlPlane {
    /// The services of the admin port: `weir.admin.v1.Admin`, health and reflection.
    package nonisolated var adminBackend: HandlerBackend {
        let board = ReflectionBoard()
        let admin = "weir.admin.v1.Admin"
        var joined = Self.standardSchema
        for file in Self.adminSchema.files.values.sorted(by: { $0.name < $1.name }) {
            // Both schemas were added without an error before.
            try? joined.add(file: file.bytes)
        }
        board.set(joined, services: Self.standardServices + [admin])
        return HandlerBackend(
            "weir-admin",
            // Health checks need no credentials.
            services: [Service.health(health)]
                + ([adminService] + Service.reflection(board)).map { service in
                    service.guarded { [access] in access.admit($0, $1) }
                })
    }

    /// The services of the data port besides the endpoints: health and reflection.
    package nonisolated var standardBackend: HandlerBackend {
        HandlerBackend(
            "weir-standard", services: [Service.health(health)] + Service.reflection(reflection))
    }

    private nonisolated var adminService: Service {
        addingHistory(addingReads(addingChanges(Service("weir.admin.v1.Admin"))))
    }

    private nonisolated func addingChanges(_ service: Service) -> Service {
        service
            .change("CreateBackend", access) {
                (request: Weir_Admin_V1_CreateBackendRequest, options) in
                let backend = try await self.createBackend(
                    try ControlState.Backend(request: request.backend ?? .init()), options: options)
                return await self.views.readSampled { $0.message(backend) }
            }
            .change("UpdateBackend", access) {
                (request: Weir_Admin_V1_UpdateBackendRequest, options) in
                let backend = try await self.updateBackend(
                    try ControlState.Backend(request: request.backend ?? .init()), options: options)
                return await self.views.readSampled { $0.message(backend) }
            }
            .change("DeleteBackend", access) {
                (request: Weir_Admin_V1_DeleteBackendRequest, options) in
                let revision = try await self.deleteBackend(request.name, options: options)
                return Weir_Admin_V1_DeleteBackendResponse(revision: revision)
            }
            .change("CreateEndpoint", access) {
                (request: Weir_Admin_V1_CreateEndpointRequest, options) in
                let endpoint = try await self.createEndpoint(
                    request.name, route: request.route, backend: request.backend, options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .change("DeleteEndpoint", access) {
                (request: Weir_Admin_V1_DeleteEndpointRequest, options) in
                let revision = try await self.deleteEndpoint(request.name, options: options)
                return Weir_Admin_V1_DeleteEndpointResponse(revision: revision)
            }
            .change("SetTraffic", access) { (request: Weir_Admin_V1_SetTrafficRequest, options) in
                let change = try await self.setTraffic(
                    request.endpoint, request.weights.map { ($0.backend, $0.weight) },
                    options: options)
                return Weir_Admin_V1_SetTrafficResponse(
                    endpoint: .init(change.endpoint), movedShare: change.movedShare,
                    packed: change.packed, revision: change.revision, warnings: change.warnings)
            }
            .change("ShadowTraffic", access) {
                (request: Weir_Admin_V1_ShadowTrafficRequest, options) in
                let endpoint = try await self.setShadow(
                    request.endpoint, backend: request.backend, proportion: request.proportion,
                    shadowOptions: try request.options.map(ControlState.Shadow.Options.init),
                    options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .change("SetRateLimit", access) {
                (request: Weir_Admin_V1_SetRateLimitRequest, options) in
                let endpoint = try await self.setRateLimit(
                    request.endpoint,
                    try request.rateLimit.map { (limit) throws(ControlError) in try .init(limit) },
                    options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
            .change("SetShadowComparison", access) {
                (request: Weir_Admin_V1_SetShadowComparisonRequest, options) in
                let endpoint = try await self.setComparison(
                    request.endpoint, try ControlState.Comparison(request.comparison ?? .init()),
                    options: options)
                return Weir_Admin_V1_Endpoint(endpoint)
            }
    }

    private nonisolated func addingReads(_ service: Service) -> Service {
        service
            .sampledRead("GetBackend", self) { (request: Weir_Admin_V1_GetBackendRequest, view) in
                view.message(
                    try view.state.existingBackend(request.name), secrets: request.secrets)
            }
            .sampledRead("ListBackends", self) {
                (request: Weir_Admin_V1_ListBackendsRequest, view) in
                view.backendList(secrets: request.secrets)
            }
            .read("GetEndpoint", self) { (request: Weir_Admin_V1_GetEndpointRequest, view) in
                Weir_Admin_V1_Endpoint(try view.state.existingEndpoint(request.name))
            }
            .read("ListEndpoints", self) { (_: Weir_Admin_V1_ListEndpointsRequest, view) in
                Weir_Admin_V1_ListEndpointsResponse(view.state)
            }
            .read("ExplainRoute", self) { (request: Weir_Admin_V1_ExplainRouteRequest, view) in
                try view.explain(
                    path: request.path, endpoint: request.endpoint, shardKey: request.shardKey)
            }
            .sampledRead("GetShadowReport", self) {
                (request: Weir_Admin_V1_GetShadowReportRequest, view) in
                try view.shadowReports(request.endpoint, backend: request.backend)
            }
            .sampledRead("GetStats", self) { (request: Weir_Admin_V1_GetStatsRequest, view) in
                try view.stats(endpoint: request.endpoint)
            }
            .unary("ResetShadowReport") {
                (request: Weir_Admin_V1_ResetShadowReportRequest, context) in
                try self.access.require(context) { $0.endpoint = request.endpoint }
                return try await withRPCErrors {
                    try await self.resetShadowReport(request.endpoint, backend: request.backend)
                    return Weir_Admin_V1_ResetShadowReportResponse()
                }
            }
            .serverStreaming("WatchStats") {
                (
                    request: Weir_Admin_V1_WatchStatsRequest,
                    replies: ReplyWriter<Weir_Admin_V1_Stats>, _
                ) in
                try await withRPCErrors {
                    let interval = try Self.interval(request.intervalMs)
                    try await self.watchStats(endpoint: request.endpoint, every: interval) {
                        try await replies.send($0)
                    }
                }
            }
            .serverStreaming("Watch") {
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

    private nonisolated func addingHistory(_ service: Service) -> Service {
        service
            .change("Apply", access) { (request: Weir_Admin_V1_ApplyRequest, options) in
                try await self.apply(
                    request.configuration ?? .init(), onlyIfEmpty: request.onlyIfEmpty,
                    options: options)
            }
            .change("Rollback", access) { (request: Weir_Admin_V1_RollbackRequest, options) in
                try await self.rollBack(
                    to: request.revision, endpoint: request.endpoint, options: options)
            }
            .read("ListRevisions", self) { (request: Weir_Admin_V1_ListRevisionsRequest, view) in
                view.revisions(before: request.beforeRevision, limit: request.limit)
            }
            .read("GetRevision", self) { (request: Weir_Admin_V1_GetRevisionRequest, view) in
                try view.revision(request.revision, secrets: request.secrets)
            }
            .read("CompareRevisions", self) {
                (request: Weir_Admin_V1_CompareRevisionsRequest, view) in
                try view.compare(request.fromRevision, request.toRevision)
            }
            .unary("ListInstances") { (request: Weir_Admin_V1_ListInstancesRequest, context) in
                self.markStale(context)
                return await self.instances()
            }
            .unary("AdoptState") { (request: Weir_Admin_V1_AdoptStateRequest, context) in
                let caller = try self.access.require(context)?.name ?? context.peer
                return try await withRPCErrors {
                    try await self.adoptState(validateOnly: request.validateOnly, caller: caller)
                }
            }
            .unary("RestoreState") { (request: Weir_Admin_V1_RestoreStateRequest, context) in
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
}

extension Service {
    /// A unary method that changes the state.
    fileprivate func change<Request: ChangeRequest, Reply: WireMessage>(
        _ method: String, _ access: Access,
        _ handler: @escaping @Sendable (Request, ControlPlane.ChangeOptions) async throws -> Reply
    ) -> Service {
        unary(method) { (request: Request, context) in
            let principal = try access.require(context) { requirement in
                requirement.endpoint = (request as? any EndpointRequest)?.endpoint
            }
            return try await withRPCErrors {
                let options = try ControlPlane.ChangeOptions(
                    request, author: principal?.name, caller: context.peer)
                return try await handler(request, options)
            }
        }
    }

    /// A unary method that reads the view without samples.
    fileprivate func read<Request: WireMessage, Reply: WireMessage & Sendable>(
        _ method: String, _ plane: ControlPlane,
        _ handler: @escaping @Sendable (Request, ControlPlane.View) throws -> Reply
    ) -> Service {
        read(method, plane) { request, views in
            try await views.read { try handler(request, $0) }
        }
    }

    /// A unary method that reads the view with samples.
    fileprivate func sampledRead<Request: WireMessage, Reply: WireMessage & Sendable>(
        _ method: String, _ plane: ControlPlane,
        _ handler: @escaping @Sendable (Request, ControlPlane.View) throws -> Reply
    ) -> Service {
        read(method, plane) { request, views in
            try await views.readSampled { try handler(request, $0) }
        }
    }

    private func read<Request: WireMessage, Reply: WireMessage>(
        _ method: String, _ plane: ControlPlane,
        _ handler: @escaping @Sendable (Request, ViewPublisher) async throws -> Reply
    ) -> Service {
        unary(method) { (request: Request, context) in
            try plane.access.require(request, context)
            plane.markStale(context)
            return try await withRPCErrors { try await handler(request, plane.views) }
        }
    }
}

extension ControlPlane {
    /// Marks the response of a read as possibly stale while the store is lost.
    fileprivate nonisolated func markStale(_ context: CallContext) {
        guard let problem = views.current.storeProblem else { return }
        context.addTrailingMetadata(["x-weir-stale": StatusMessage.encode(problem.reason)])
    }
}

/// Converts the errors of the control plane to statuses with details.
private func withRPCErrors<Result>(_ body: () async throws -> Result) async throws -> Result {
    do {
        return try await body()
    } catch let error as ControlError {
        throw error.rpcError
    }
}

/// A request whose response contains secrets if an admin requests them.
private protocol SecretsRequest {
    var revealSecrets: Bool { get }
}

extension SecretsRequest {
    fileprivate var secrets: SecretValues { SecretValues(revealed: revealSecrets) }
}

extension Weir_Admin_V1_GetBackendRequest: SecretsRequest {}
extension Weir_Admin_V1_ListBackendsRequest: SecretsRequest {}
extension Weir_Admin_V1_GetRevisionRequest: SecretsRequest {}
extension Weir_Admin_V1_WatchRequest: SecretsRequest {}

extension Access {
    /// Requires the role of an admin for a request that reveals secrets.
    fileprivate func require(_ request: any WireMessage, _ context: CallContext) throws(RPCError) {
        guard let request = request as? any SecretsRequest, request.revealSecrets else { return }
        try require(context) { requirement in
            requirement.role = .admin
            requirement.action = "reveal secrets"
        }
    }
}

/// The fields that all requests for changes have.
private protocol ChangeRequest: WireMessage {
    var expectedRevision: UInt64? { get }
    var validateOnly: Bool { get }
    var note: Weir_Admin_V1_ChangeNote? { get }
}

/// A request that concerns one endpoint, or all if the name is empty.
private protocol EndpointRequest {
    var endpoint: String { get }
}

extension Weir_Admin_V1_SetTrafficRequest: EndpointRequest {}
extension Weir_Admin_V1_ShadowTrafficRequest: EndpointRequest {}
extension Weir_Admin_V1_SetRateLimitRequest: EndpointRequest {}
extension Weir_Admin_V1_SetShadowComparisonRequest: EndpointRequest {}
extension Weir_Admin_V1_RollbackRequest: EndpointRequest {}

extension Weir_Admin_V1_CreateBackendRequest: ChangeRequest {}
extension Weir_Admin_V1_UpdateBackendRequest: ChangeRequest {}
extension Weir_Admin_V1_DeleteBackendRequest: ChangeRequest {}
extension Weir_Admin_V1_CreateEndpointRequest: ChangeRequest {}
extension Weir_Admin_V1_DeleteEndpointRequest: ChangeRequest {}
extension Weir_Admin_V1_SetTrafficRequest: ChangeRequest {}
extension Weir_Admin_V1_ShadowTrafficRequest: ChangeRequest {}
extension Weir_Admin_V1_SetRateLimitRequest: ChangeRequest {}
extension Weir_Admin_V1_SetShadowComparisonRequest: ChangeRequest {}
extension Weir_Admin_V1_ApplyRequest: ChangeRequest {}
extension Weir_Admin_V1_RollbackRequest: ChangeRequest {}

extension ControlPlane.ChangeOptions {
    /// The limits of author and comment in bytes: each list of revisions contains them.
    private static let maxAuthorBytes = 256
    private static let maxCommentBytes = 4_000

    /// - Parameters:
    ///   - author: the authenticated caller; nil to use the author that the request names.
    ///   - caller: the author of a change without both.
    fileprivate init(
        _ request: some ChangeRequest, author: String?, caller: String
    ) throws(ControlError) {
        let note = request.note ?? .init()
        try RequestField("note.author").check(note.author, maxBytes: Self.maxAuthorBytes)
        try RequestField("note.comment").check(
            note.comment, maxBytes: Self.maxCommentBytes, allowsLines: true)
        self.init(
            expectedRevision: request.expectedRevision, validateOnly: request.validateOnly,
            author: author.map { $0.printable(limit: Self.maxAuthorBytes) }
                ?? (note.author.isEmpty ? caller : note.author), comment: note.comment)
    }
}
