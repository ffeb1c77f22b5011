internal import GRPCClient
internal import GRPCWire
internal import Messages
internal import Transport

/// Calls an etcd cluster, at any endpoint that responds.
actor EtcdClient {
    /// The timeout of a call at one endpoint.
    private static let callTimeout = Duration.seconds(3)
    private static let connectTimeout = Duration.seconds(2)
    /// Enough for a page of revisions.
    private static let maxMessageBytes = 64 << 20

    private let location: EtcdLocation
    private let tls: LoadedTLS?
    private let clients: [WeirClient]
    /// The endpoint in use.
    private var current = 0
    /// The token that etcd returned for the password.
    private var token: String?

    init(_ location: EtcdLocation) throws(StoreError) {
        self.location = location
        do throws(TLSFailure) {
            tls = try location.tls?.load()
        } catch {
            throw .refused("etcd's TLS cannot be set up: \(error.description)")
        }
        // Reports an unreadable password now, not when etcd requires it.
        if location.user != nil { _ = try location.password() }
        clients = location.endpoints.map { [tls] in
            WeirClient(
                $0, tls: tls, connectTimeout: Self.connectTimeout,
                maxMessageBytes: Self.maxMessageBytes)
        }
    }

    func close() async {
        for client in clients { await client.close() }
    }

    /// Calls a method; if an endpoint does not respond, calls the others in turn. The request must
    /// be safe to repeat: an endpoint may fail after it has processed the request.
    func call<Request: ProtobufMessage, Reply: ProtobufMessage>(
        _ method: String, _ request: Request, as reply: Reply.Type = Reply.self
    ) async throws(StoreError) -> Reply {
        try await failingOver { (client, options) throws(RPCError) in
            do {
                return try await client.unary("/etcdserverpb.\(method)", request, options)
            } catch let error as RPCError {
                throw error
            } catch {
                throw RPCError(.internalError, "\(error)")
            }
        }
    }

    /// Opens a stream, sends one request and waits for the first response.
    func open<Request: ProtobufMessage, Reply: ProtobufMessage>(
        _ method: String, _ request: Request, as reply: Reply.Type = Reply.self,
        isEndless: Bool = false
    ) async throws(StoreError) -> (stream: ClientCall, first: Reply) {
        try await failingOver { (client, options) throws(RPCError) in
            var options = options
            if isEndless { options.timeout = nil }
            do {
                let stream = try await client.open("/etcdserverpb.\(method)", options)
                try await stream.send(try request.serializedBytes())
                guard let bytes = try await stream.next() else {
                    throw RPCError(.unavailable, "the stream has ended")
                }
                return (stream, try Reply(serializedBytes: bytes))
            } catch let error as RPCError {
                throw error
            } catch {
                throw RPCError(.internalError, "\(error)")
            }
        }
    }

    private func failingOver<Response: Sendable>(
        _ attempt: (WeirClient, WeirClient.CallOptions) async throws(RPCError) -> Response
    ) async throws(StoreError) -> Response {
        var reasons: [String] = []
        var mayLogInAgain = true
        while reasons.count < clients.count {
            let index = current
            do throws(RPCError) {
                return try await attempt(clients[index], try await options(clients[index]))
            } catch {
                if mayLogInAgain, location.user != nil, Self.isAboutToken(error) {
                    mayLogInAgain = false
                    token = nil
                    continue
                }
                let reason = "\(location.endpoints[index]): \(error.message)"
                guard Self.isAboutEndpoint(error) else { throw .unavailable("etcd at \(reason)") }
                reasons.append(reason)
                await leave(index)
            }
        }
        throw .unavailable("no etcd endpoint responds: " + reasons.joined(separator: "; "))
    }

    /// Uses the next endpoint from now on.
    private func leave(_ index: Int) async {
        if current == index { current = (index + 1) % clients.count }
        // The endpoint may hang without closing its connections; closing them ends their streams.
        await clients[index].close()
    }

    private static func isAboutEndpoint(_ error: RPCError) -> Bool {
        [.unavailable, .deadlineExceeded, .cancelled, .unknown].contains(error.code)
    }

    /// Tokens expire if they are not used, and when users change.
    private static func isAboutToken(_ error: RPCError) -> Bool {
        error.code == .unauthenticated || error.message.contains("auth token")
            || error.message.contains("revision of auth store is old")
            || error.message.contains("user name is empty")
    }

    private func options(
        _ client: WeirClient
    ) async throws(RPCError) -> WeirClient.CallOptions {
        var options = WeirClient.CallOptions(timeout: Self.callTimeout)
        guard let user = location.user else { return options }
        if token == nil {
            do {
                let request = Etcdserverpb_AuthenticateRequest(
                    name: user, password: try location.password())
                let reply: Etcdserverpb_AuthenticateResponse = try await client.unary(
                    "/etcdserverpb.Auth/Authenticate", request, options)
                token = reply.token
            } catch let error as RPCError {
                throw error
            } catch {
                throw RPCError(.failedPrecondition, "\(error)")
            }
        }
        options.metadata.add("token", token ?? "")
        return options
    }
}
