internal import GRPCWire
internal import Messages
internal import Serving

internal import class Foundation.ProcessInfo

/// A client of a running Weir: changes and reads its routing, and calls its endpoints.
///
/// ```swift
/// let weir = try await WeirControl(Address("127.0.0.1:8001"))
/// try await weir.createBackend("model-v2", upstream: ["10.0.0.8:50051"])
/// try await weir.setTraffic("model", ["model-v1": 0.9, "model-v2": 0.1])
/// let answer: Answer = try await weir.handle("api").with(shardKey: "user-7").call(question)
/// ```
///
/// Calls throw `RPCError`. Its message states what was wrong, where, and what would be correct.
/// Programs read `RPCError.field` and `RPCError.reason`.
public final class WeirControl: Sendable {
    /// The options of a change.
    public struct ChangeOptions: Sendable {
        /// The revision that the change is based on. If it is not the current one, the server
        /// rejects the change with ABORTED.
        public var expectedRevision: UInt64?
        /// Whether to return the effect of the change without making it.
        public var validateOnly: Bool
        /// The reason for the change, for the history.
        public var comment: String

        /// By default, an unconditional change.
        public init(
            expectedRevision: UInt64? = nil, validateOnly: Bool = false, comment: String = ""
        ) {
            self.expectedRevision = expectedRevision
            self.validateOnly = validateOnly
            self.comment = comment
        }
    }

    static let callOptions = WeirClient.CallOptions(timeout: .seconds(10))

    private let admin: WeirClient
    let stub: Weir_Admin_V1_AdminStub
    private let author: String
    /// A client of the data port, for the stubs and paths of your services.
    public let data: WeirClient
    /// The data address of the server.
    public let dataAddress: Address

    /// - Parameters:
    ///   - address: the admin address.
    ///   - dataAddress: the data address, if it differs from the one that the server reports.
    ///   - author: the author in the history; user@host by default. A server that knows the caller,
    ///     by token or certificate, records that name instead.
    ///   - tls: TLS of the admin port; nil for plaintext.
    ///   - token: the token for the admin port.
    ///   - dataTLS: TLS of the data port; nil for plaintext.
    ///
    /// Throws `TLSFailure` if a file of `tls` is invalid, and the error of the first call.
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
        stub = Weir_Admin_V1_AdminStub(admin)
        let process = ProcessInfo.processInfo
        self.author = author ?? "\(process.userName)@\(process.hostName)"
    }

    /// The data address of the server, as reachable from here.
    private static func learnDataAddress(
        _ admin: WeirClient, _ address: Address
    ) async throws -> Address {
        let reply = try await Weir_Admin_V1_AdminStub(admin).listInstances(
            .init(), Self.callOptions)
        guard let answering = reply.instances.first(where: \.answering) else {
            throw RPCError(.internalError, "the server does not report its data address")
        }
        let told = try Address(answering.dataAddress)
        // The server listens on all addresses, so the admin port's host also works.
        let isEverywhere = ["0.0.0.0", "::"].contains(told.host)
        return isEverywhere ? Address(host: address.host, port: told.port) : told
    }

    func note(_ options: ChangeOptions) -> Weir_Admin_V1_ChangeNote {
        .init(author: author, comment: options.comment)
    }

    /// Closes all connections.
    public func close() async {
        await admin.close()
        await data.close()
    }

    // MARK: Backends

    /// Adds an upstream backend: gRPC servers that Weir does not start. An address is `HOST:PORT`,
    /// `[IPV6]:PORT` or `unix:/PATH`.
    @discardableResult
    public func createBackend(
        _ name: String, upstream addresses: [String], _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Backend {
        try await create(
            .init(name: name, kind: .upstream(.init(addresses: addresses))), options)
    }

    /// Adds a worker backend: processes that Weir starts. A command is a program and its arguments;
    /// it serves gRPC on the Unix socket that its environment variable `WEIR_WORKER_SOCKET` names.
    @discardableResult
    public func createBackend(
        _ name: String, worker command: [String], replicas: Int = 1,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Backend {
        let worker = Weir_Admin_V1_WorkerKind(
            command: command, replicas: UInt32(clamping: replicas))
        return try await create(.init(name: name, kind: .worker(worker)), options)
    }

    private func create(
        _ backend: Weir_Admin_V1_Backend, _ options: ChangeOptions
    ) async throws -> Backend {
        let made = try await stub.createBackend(
            .init(
                backend: backend, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Backend(made)
    }

    /// Deletes a backend. Throws FAILED_PRECONDITION while a traffic policy or shadow uses it.
    public func deleteBackend(_ name: String, _ options: ChangeOptions = ChangeOptions())
        async throws
    {
        _ = try await stub.deleteBackend(
            .init(
                name: name, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
    }

    /// All backends, sorted by name.
    public func listBackends() async throws -> [Backend] {
        let reply = try await stub.listBackends(
            .init(), Self.callOptions)
        return reply.backends.map(Backend.init)
    }

    // MARK: Endpoints

    /// Adds an endpoint that routes all requests to one backend. A route is a method
    /// `/pkg.Service/Method`, a service `/pkg.Service/`, a plain path for HTTP, or nil for an
    /// endpoint that clients call only by name.
    @discardableResult
    public func createEndpoint(
        _ name: String, route: String? = nil, backend: String,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Endpoint {
        let made = try await stub.createEndpoint(
            .init(
                name: name, route: route ?? "", backend: backend,
                expectedRevision: options.expectedRevision, validateOnly: options.validateOnly,
                note: note(options)), Self.callOptions)
        return Endpoint(made)
    }

    /// Deletes an endpoint, but not its backends.
    public func deleteEndpoint(_ name: String, _ options: ChangeOptions = ChangeOptions())
        async throws
    {
        _ = try await stub.deleteEndpoint(
            .init(
                name: name, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
    }

    /// One endpoint; its `explain` computes the backend of a shard key locally.
    public func endpoint(_ name: String) async throws -> Endpoint {
        let found = try await stub.getEndpoint(
            .init(name: name), Self.callOptions)
        return Endpoint(found)
    }

    /// All endpoints, sorted by name.
    public func listEndpoints() async throws -> [Endpoint] {
        let reply = try await stub.listEndpoints(
            .init(), Self.callOptions)
        return reply.endpoints.map(Endpoint.init)
    }

    // MARK: Traffic

    /// Replaces the weights of an endpoint atomically. They must sum to 1.
    @discardableResult
    public func setTraffic(
        _ endpoint: String, _ traffic: [String: Double], _ options: ChangeOptions = ChangeOptions()
    ) async throws -> TrafficChange {
        let weights = traffic.sorted { $0.key < $1.key }.map {
            Weir_Admin_V1_BackendWeight(backend: $0.key, weight: $0.value)
        }
        let reply = try await stub.setTraffic(
            .init(
                endpoint: endpoint, weights: weights, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return TrafficChange(reply)
    }

    /// Copies a share of an endpoint's requests to a backend; 0 removes the shadow.
    @discardableResult
    public func shadowTraffic(
        _ endpoint: String, backend: String, proportion: Double,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Endpoint {
        let changed = try await stub.shadowTraffic(
            .init(
                endpoint: endpoint, backend: backend, proportion: proportion,
                expectedRevision: options.expectedRevision, validateOnly: options.validateOnly,
                note: note(options)), Self.callOptions)
        return Endpoint(changed)
    }

    /// The reports of an endpoint's shadows.
    public func shadowReport(_ endpoint: String) async throws -> [ShadowReport] {
        let reply = try await stub.getShadowReport(
            .init(endpoint: endpoint), Self.callOptions)
        return reply.reports.map(ShadowReport.init)
    }

    /// Counts and latencies since the server started, of one endpoint, or of all if the name is
    /// empty.
    public func stats(_ endpoint: String = "") async throws -> [BackendStats] {
        let reply = try await stub.getStats(
            .init(endpoint: endpoint), Self.callOptions)
        return reply.backends.map(BackendStats.init)
    }

    /// The backend of a request, and an explanation. The path is that of a request, or the name of
    /// an endpoint.
    public func explain(_ path: String, shardKey: String = "") async throws -> Explanation {
        let isPath = path.contains("/")
        let reply = try await stub.explainRoute(
            .init(
                path: isPath ? path : "", shardKey: Array(shardKey.utf8),
                endpoint: isPath ? "" : path), Self.callOptions)
        return Explanation(reply)
    }

    // MARK: History

    /// The accepted changes, latest first.
    public func history(limit: Int = 100) async throws -> [Revision] {
        let reply = try await stub.listRevisions(
            .init(limit: UInt32(clamping: limit)), Self.callOptions)
        return reply.revisions.map(Revision.init)
    }

    /// Restores the endpoints, or one of them, to a revision.
    ///
    /// - Returns: the share of shard keys whose backend changed, by endpoint; empty if nothing
    ///   differed.
    @discardableResult
    public func rollback(
        to revision: UInt64, endpoint: String = "", _ options: ChangeOptions = ChangeOptions()
    ) async throws -> [String: Double] {
        let reply = try await stub.rollback(
            .init(
                revision: revision, endpoint: endpoint, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Dictionary(
            reply.changes.map { ($0.name, $0.movedShare) }, uniquingKeysWith: { $1 })
    }

    /// A handle that calls an endpoint by its name.
    public func handle(_ endpoint: String) -> Handle { Handle(data, endpoint) }
}
