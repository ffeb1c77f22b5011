internal import GRPCWire
internal import Messages
internal import Serving

internal import class Foundation.ProcessInfo

/// Changes and shows how a running Weir routes, and calls its endpoints.
///
/// ```swift
/// let weir = try await WeirControl(Address("127.0.0.1:8001"))
/// try await weir.createBackend("model-v2", upstream: ["10.0.0.8:50051"])
/// try await weir.setTraffic("model", ["model-v1": 0.9, "model-v2": 0.1])
/// let answer: Answer = try await weir.handle("api").with(shardKey: "user-7").call(question)
/// ```
///
/// Calls throw `RPCError`, whose message says what was wrong, where, and what would be right;
/// `RPCError.field` and `RPCError.reason` are for programs.
public final class WeirControl: Sendable {
    /// On which terms a change is made.
    public struct Terms: Sendable {
        /// The revision upon which the change is made; ABORTED when another one came first.
        public var expectedRevision: UInt64?
        /// Tells what the change would do, and does nothing.
        public var validateOnly: Bool
        /// For the history.
        public var comment: String

        /// A change that is made, whatever came before it.
        public init(
            expectedRevision: UInt64? = nil, validateOnly: Bool = false, comment: String = ""
        ) {
            self.expectedRevision = expectedRevision
            self.validateOnly = validateOnly
            self.comment = comment
        }
    }

    private static let timeout = Duration.seconds(10)

    private let admin: WeirClient
    private let author: String
    /// Calls the data port, for the stubs and paths of your services.
    public let data: WeirClient
    /// Where the server takes calls.
    public let dataAddress: Address

    /// - Parameters:
    ///   - address: the admin port.
    ///   - dataAddress: where the server takes calls, if that is not where it says itself.
    ///   - author: the author in the history; user@host by default. A server that knows the caller,
    ///     by token or certificate, records that name instead.
    ///   - tls: of the admin port; nil for plaintext.
    ///   - token: shown to the admin port.
    ///   - dataTLS: of the data port; nil for plaintext.
    ///
    /// Throws `TLSFailure` when the files of `tls` can't be used, and what the first call throws.
    public init(
        _ address: Address, dataAddress: Address? = nil, author: String? = nil,
        tls: ClientTLS? = nil, token: String? = nil, dataTLS: ClientTLS? = nil
    ) async throws {
        let admin = try WeirClient(address, tls: tls, token: token, maxConnections: 1)
        do {
            self.dataAddress =
                if let dataAddress { dataAddress } else {
                    try await Self.learnDataAddress(admin, address)
                }
            data = try WeirClient(self.dataAddress, tls: dataTLS)
        } catch {
            await admin.close()
            throw error
        }
        self.admin = admin
        let process = ProcessInfo.processInfo
        self.author = author ?? "\(process.userName)@\(process.hostName)"
    }

    /// Where the server that was asked takes calls, as seen from here.
    private static func learnDataAddress(
        _ admin: WeirClient, _ address: Address
    ) async throws -> Address {
        let reply: Weir_Admin_V1_ListInstancesResponse = try await ask(
            admin, "ListInstances", Weir_Admin_V1_ListInstancesRequest())
        guard let answering = reply.instances.first(where: \.answering) else {
            throw RPCError(.internalError, "the server does not say where it takes calls")
        }
        let told = try Address(answering.dataAddress)
        // It listens everywhere: there where its admin port is, too.
        let isEverywhere = ["0.0.0.0", "::"].contains(told.host)
        return isEverywhere ? Address(host: address.host, port: told.port) : told
    }

    private static func ask<Request: ProtobufMessage, Reply: ProtobufMessage>(
        _ client: WeirClient, _ method: String, _ request: Request
    ) async throws -> Reply {
        try await client.unary(
            "/weir.admin.v1.Admin/\(method)", request, .init(timeout: timeout))
    }

    private func ask<Request: ProtobufMessage, Reply: ProtobufMessage>(
        _ method: String, _ request: Request
    ) async throws -> Reply {
        try await Self.ask(admin, method, request)
    }

    private func note(_ terms: Terms) -> Weir_Admin_V1_ChangeNote {
        .init(author: author, comment: terms.comment)
    }

    /// Closes all connections.
    public func close() async {
        await admin.close()
        await data.close()
    }

    // MARK: Backends

    /// Adds a backend of gRPC servers that run by themselves. An address is `HOST:PORT`,
    /// `[IPV6]:PORT` or `unix:/PATH`.
    @discardableResult
    public func createBackend(
        _ name: String, upstream addresses: [String], _ terms: Terms = Terms()
    ) async throws -> Backend {
        try await create(
            .init(name: name, kind: .upstream(.init(addresses: addresses))), terms)
    }

    /// Adds a backend of processes that Weir runs. A command is a program and its arguments; it
    /// serves gRPC on the Unix socket that its environment variable `WEIR_WORKER_SOCKET` names.
    @discardableResult
    public func createBackend(
        _ name: String, worker command: [String], replicas: Int = 1, _ terms: Terms = Terms()
    ) async throws -> Backend {
        let worker = Weir_Admin_V1_WorkerKind(
            command: command, replicas: UInt32(clamping: replicas))
        return try await create(.init(name: name, kind: .worker(worker)), terms)
    }

    private func create(
        _ backend: Weir_Admin_V1_Backend, _ terms: Terms
    ) async throws -> Backend {
        let made: Weir_Admin_V1_Backend = try await ask(
            "CreateBackend",
            Weir_Admin_V1_CreateBackendRequest(
                backend: backend, expectedRevision: terms.expectedRevision,
                validateOnly: terms.validateOnly, note: note(terms)))
        return Backend(made)
    }

    /// Removes a backend; FAILED_PRECONDITION while an endpoint's traffic or shadows name it.
    public func deleteBackend(_ name: String, _ terms: Terms = Terms()) async throws {
        let _: Weir_Admin_V1_DeleteBackendResponse = try await ask(
            "DeleteBackend",
            Weir_Admin_V1_DeleteBackendRequest(
                name: name, expectedRevision: terms.expectedRevision,
                validateOnly: terms.validateOnly, note: note(terms)))
    }

    /// All backends, sorted by name.
    public func listBackends() async throws -> [Backend] {
        let reply: Weir_Admin_V1_ListBackendsResponse = try await ask(
            "ListBackends", Weir_Admin_V1_ListBackendsRequest())
        return reply.backends.map(Backend.init)
    }

    // MARK: Endpoints

    /// Adds an endpoint that sends all requests to one backend. A route is a method
    /// `/pkg.Service/Method`, a service `/pkg.Service/`, a plain path for HTTP, or nil for an
    /// endpoint that only handles reach.
    @discardableResult
    public func createEndpoint(
        _ name: String, route: String? = nil, backend: String, _ terms: Terms = Terms()
    ) async throws -> Endpoint {
        let made: Weir_Admin_V1_Endpoint = try await ask(
            "CreateEndpoint",
            Weir_Admin_V1_CreateEndpointRequest(
                name: name, route: route ?? "", backend: backend,
                expectedRevision: terms.expectedRevision, validateOnly: terms.validateOnly,
                note: note(terms)))
        return Endpoint(made)
    }

    /// Removes an endpoint; its backends stay.
    public func deleteEndpoint(_ name: String, _ terms: Terms = Terms()) async throws {
        let _: Weir_Admin_V1_DeleteEndpointResponse = try await ask(
            "DeleteEndpoint",
            Weir_Admin_V1_DeleteEndpointRequest(
                name: name, expectedRevision: terms.expectedRevision,
                validateOnly: terms.validateOnly, note: note(terms)))
    }

    /// One endpoint; its `explain` computes the backend of a shard key locally.
    public func endpoint(_ name: String) async throws -> Endpoint {
        let found: Weir_Admin_V1_Endpoint = try await ask(
            "GetEndpoint", Weir_Admin_V1_GetEndpointRequest(name: name))
        return Endpoint(found)
    }

    /// All endpoints, sorted by name.
    public func listEndpoints() async throws -> [Endpoint] {
        let reply: Weir_Admin_V1_ListEndpointsResponse = try await ask(
            "ListEndpoints", Weir_Admin_V1_ListEndpointsRequest())
        return reply.endpoints.map(Endpoint.init)
    }

    // MARK: Traffic

    /// Replaces the weights of an endpoint, at once. They sum to 1.
    @discardableResult
    public func setTraffic(
        _ endpoint: String, _ traffic: [String: Double], _ terms: Terms = Terms()
    ) async throws -> TrafficChange {
        let weights = traffic.sorted { $0.key < $1.key }.map {
            Weir_Admin_V1_BackendWeight(backend: $0.key, weight: $0.value)
        }
        let reply: Weir_Admin_V1_SetTrafficResponse = try await ask(
            "SetTraffic",
            Weir_Admin_V1_SetTrafficRequest(
                endpoint: endpoint, weights: weights, expectedRevision: terms.expectedRevision,
                validateOnly: terms.validateOnly, note: note(terms)))
        return TrafficChange(reply)
    }

    /// Copies a share of an endpoint's requests to a backend; 0 ends that.
    @discardableResult
    public func shadowTraffic(
        _ endpoint: String, backend: String, proportion: Double, _ terms: Terms = Terms()
    ) async throws -> Endpoint {
        let changed: Weir_Admin_V1_Endpoint = try await ask(
            "ShadowTraffic",
            Weir_Admin_V1_ShadowTrafficRequest(
                endpoint: endpoint, backend: backend, proportion: proportion,
                expectedRevision: terms.expectedRevision, validateOnly: terms.validateOnly,
                note: note(terms)))
        return Endpoint(changed)
    }

    /// How an endpoint's shadows did.
    public func shadowReport(_ endpoint: String) async throws -> [ShadowReport] {
        let reply: Weir_Admin_V1_GetShadowReportResponse = try await ask(
            "GetShadowReport", Weir_Admin_V1_GetShadowReportRequest(endpoint: endpoint))
        return reply.reports.map(ShadowReport.init)
    }

    /// Counts and latencies since the server started, of one endpoint, or all with an empty name.
    public func stats(_ endpoint: String = "") async throws -> [BackendStats] {
        let reply: Weir_Admin_V1_Stats = try await ask(
            "GetStats", Weir_Admin_V1_GetStatsRequest(endpoint: endpoint))
        return reply.backends.map(BackendStats.init)
    }

    /// Which backend a request gets, and why, in words. The path is that of a request, or the name
    /// of an endpoint.
    public func explain(_ path: String, shardKey: String = "") async throws -> Explanation {
        let isPath = path.contains("/")
        let reply: Weir_Admin_V1_ExplainRouteResponse = try await ask(
            "ExplainRoute",
            Weir_Admin_V1_ExplainRouteRequest(
                path: isPath ? path : "", shardKey: Array(shardKey.utf8),
                endpoint: isPath ? "" : path))
        return Explanation(reply)
    }

    // MARK: History

    /// The accepted changes, latest first.
    public func history(limit: Int = 100) async throws -> [Revision] {
        let reply: Weir_Admin_V1_ListRevisionsResponse = try await ask(
            "ListRevisions", Weir_Admin_V1_ListRevisionsRequest(limit: UInt32(clamping: limit)))
        return reply.revisions.map(Revision.init)
    }

    /// Makes the endpoints, or one of them, what they were at a revision.
    ///
    /// - Returns: the share of shard keys whose backend changed, by endpoint; empty when nothing
    ///   was different.
    @discardableResult
    public func rollback(
        to revision: UInt64, endpoint: String = "", _ terms: Terms = Terms()
    ) async throws -> [String: Double] {
        let reply: Weir_Admin_V1_RollbackResponse = try await ask(
            "Rollback",
            Weir_Admin_V1_RollbackRequest(
                revision: revision, endpoint: endpoint, expectedRevision: terms.expectedRevision,
                validateOnly: terms.validateOnly, note: note(terms)))
        return Dictionary(
            reply.changes.map { ($0.name, $0.movedShare) }, uniquingKeysWith: { $1 })
    }

    /// Calls an endpoint by its name.
    public func handle(_ endpoint: String) -> Handle { Handle(data, endpoint) }
}
