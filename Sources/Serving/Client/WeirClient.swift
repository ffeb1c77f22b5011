public import GRPCWire
internal import HTTP2Session
public import Messages
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// A gRPC client for any server: one HTTP/2 connection, opened when needed and again after it was
/// lost.
public final class WeirClient: Sendable {
    /// What goes with a call besides its messages.
    public struct CallOptions: Sendable {
        /// Custom metadata; reserved names are left out.
        public var metadata = Metadata()
        /// Sent as `x-serve-shard-key`: calls with one key reach one backend.
        public var shardKey: String?
        /// How long the call may take; nil means without end.
        public var timeout: Duration?

        /// Options; none are set by default.
        public init(
            metadata: Metadata = Metadata(), shardKey: String? = nil, timeout: Duration? = nil
        ) {
            self.metadata = metadata
            self.shardKey = shardKey
            self.timeout = timeout
        }
    }

    private let address: Address
    private let tls: LoadedTLS?
    private let connectTimeout: Duration
    private let maxMessageBytes: Int
    private let connection = Mutex<Task<ClientLink, any Error>?>(nil)

    /// - Parameters:
    ///   - address: where the server listens, without TLS.
    ///   - maxMessageBytes: the largest reply accepted.
    public convenience init(_ address: Address, maxMessageBytes: Int = 4 << 20) {
        self.init(address, tls: nil, maxMessageBytes: maxMessageBytes)
    }

    /// - Parameter connectTimeout: until the server's first answer.
    package init(
        _ address: Address, tls: LoadedTLS?, connectTimeout: Duration = .seconds(10),
        maxMessageBytes: Int
    ) {
        self.address = address
        self.tls = tls
        self.connectTimeout = connectTimeout
        self.maxMessageBytes = maxMessageBytes
    }

    /// Calls a method with one request and one reply.
    ///
    /// - Parameter path: `/pkg.Service/Method`.
    public func unary<Request: WireMessage, Reply: WireMessage>(
        _ path: String, _ request: Request, as reply: Reply.Type = Reply.self,
        _ options: CallOptions = CallOptions()
    ) async throws -> Reply {
        try await exchange(path, request, options).reply
    }

    /// The same, with the call, which has ended, for its metadata.
    package func exchange<Request: WireMessage, Reply: WireMessage>(
        _ path: String, _ request: Request, _ options: CallOptions
    ) async throws -> (reply: Reply, call: ClientCall) {
        let call = try await open(path, options)
        return try await withTaskCancellationHandler {
            try await call.send(try request.serializedBytes())
            call.finish()
            guard let bytes = try await call.next() else {
                throw RPCError(.internalError, "the server sent no reply")
            }
            guard try await call.next() == nil else {
                throw RPCError(.internalError, "the server sent more than one reply")
            }
            return (try Reply(serializedBytes: bytes), call)
        } onCancel: {
            call.cancel()
        }
    }

    /// Calls a method with one request and a stream of replies; `receive` gets each of them.
    public func serverStreaming<Request: WireMessage, Reply: WireMessage>(
        _ path: String, _ request: Request, as reply: Reply.Type = Reply.self,
        _ options: CallOptions = CallOptions(), _ receive: (Reply) async throws -> Void
    ) async throws {
        let call = try await open(path, options)
        try await withTaskCancellationHandler {
            defer { call.cancel() }
            try await call.send(try request.serializedBytes())
            call.finish()
            while let bytes = try await call.next() {
                try await receive(try Reply(serializedBytes: bytes))
            }
        } onCancel: {
            call.cancel()
        }
    }

    /// Begins a call of any kind, message by message.
    public func open(
        _ path: String, _ options: CallOptions = CallOptions()
    ) async throws -> ClientCall {
        let connection = try await connected()
        let headers = headers(path, options)
        return try await connection.open(
            headers, timeout: options.timeout, maxMessageBytes: maxMessageBytes)
    }

    /// Closes the connection; running calls end as UNAVAILABLE.
    public func close() async {
        let task = connection.withLock { task in
            defer { task = nil }
            return task
        }
        if let connection = try? await task?.value { await connection.close() }
    }

    private func headers(_ path: String, _ options: CallOptions) -> HeaderBlock {
        var headers = HeaderBlock([
            ":method": "POST", ":scheme": tls == nil ? "http" : "https", ":path": path,
            ":authority": address.description,
            "te": "trailers", "content-type": ContentType.grpc, "user-agent": "weir-swift",
            "grpc-accept-encoding": MessageEncoding.accepted,
        ])
        if let timeout = options.timeout {
            let (seconds, attoseconds) = timeout.components
            let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            let whole = nanoseconds.overflow ? .max : nanoseconds.partialValue
            headers.append(
                "grpc-timeout",
                Timeout.format(
                    nanoseconds: whole == .max ? whole : whole + attoseconds / 1_000_000_000))
        }
        if let shardKey = options.shardKey { headers.append("x-serve-shard-key", shardKey) }
        headers.append(options.metadata)
        return headers
    }

    /// The open connection, or a new one.
    private func connected() async throws -> ClientLink {
        if let task = connection.withLock({ $0 }), let open = try? await task.value, open.isOpen {
            return open
        }
        var options = ClientConnection.Options()
        options.connectTimeout = connectTimeout
        options.tls = tls?.connection(to: address.hostName)
        let (address, chosen) = (address, options)
        let task = Task { try await ClientLink.connect(to: address, chosen) }
        connection.withLock { $0 = task }
        do {
            return try await task.value
        } catch let error as RPCError {
            throw RPCError(error.code, "no connection to \(address): \(error.message)")
        }
    }
}
