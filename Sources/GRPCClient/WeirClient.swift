public import GRPCWire
internal import HTTP2Session
internal import Instrumentation
public import Messages
internal import NIOCore
internal import NIOPosix
internal import Synchronization
public import Transport

/// A gRPC client for any server. It opens HTTP/2 connections when it needs them, and reconnects
/// after a connection is lost.
public final class WeirClient: Sendable {
    /// Options of a call.
    public struct CallOptions: Sendable {
        /// Custom metadata. Fields with reserved names are not sent.
        public var metadata = Metadata()
        /// Sent as `x-serve-shard-key`: calls with the same key are routed to the same backend.
        public var shardKey: String?
        /// The time for the call with all its attempts; nil for no limit.
        public var timeout: Duration?
        /// The retries of a call with one request and one reply; nil for none.
        public var retry: Retry?
        /// Receives the trailing metadata of a successful call with one request and one reply.
        package var receiveTrailers: (@Sendable (Metadata) -> Void)?
        /// The protocol on the wire.
        package var clientProtocol = ClientProtocol.grpc
        /// The encoding of the requests. Only gRPC calls can have another one than identity.
        package var encoding = MessageEncoding.identity

        /// Options. By default, none is set.
        public init(
            metadata: Metadata = Metadata(), shardKey: String? = nil, timeout: Duration? = nil,
            retry: Retry? = nil
        ) {
            self.metadata = metadata
            self.shardKey = shardKey
            self.timeout = timeout
            self.retry = retry
        }
    }

    /// Retries of a call. Use them only for methods that can be repeated: the server may have
    /// completed a call before its reply was lost.
    public struct Retry: Sendable {
        /// The statuses that are retried.
        public var codes: Set<StatusCode> = [.unavailable]
        /// The number of attempts, including the first.
        public var maxAttempts = 3
        /// The bound of the random delay before the second attempt. It doubles with each attempt.
        public var initialDelay = Duration.milliseconds(100)
        /// The longest delay.
        public var maxDelay = Duration.seconds(1)

        /// The defaults.
        public init() {}

        fileprivate var delay: ExponentialDelay {
            ExponentialDelay(initial: initialDelay, maximum: maxDelay)
        }
    }

    private let address: Address
    private let tls: LoadedTLS?
    private let token: String?
    private let connectTimeout: Duration
    private let maxMessageBytes: Int
    private let maxConnections: Int
    private let links = Mutex<[ClientLink]>([])

    /// A client without TLS.
    ///
    /// - Parameters:
    ///   - address: the server's address.
    ///   - maxConnections: the client opens another connection when the others have as many calls
    ///     as the server allows, up to this number. Then calls wait.
    ///   - maxMessageBytes: the largest reply accepted.
    public convenience init(
        _ address: Address, maxConnections: Int = 4, maxMessageBytes: Int = 4 << 20
    ) {
        self.init(
            address, tls: nil as LoadedTLS?, maxConnections: maxConnections,
            maxMessageBytes: maxMessageBytes)
    }

    /// A client with or without TLS. Throws if its files cannot be used.
    ///
    /// - Parameters:
    ///   - tls: nil for plaintext.
    ///   - token: sent with each call, as `authorization: Bearer TOKEN`.
    public convenience init(
        _ address: Address, tls: ClientTLS?, token: String? = nil, maxConnections: Int = 4,
        maxMessageBytes: Int = 4 << 20
    ) throws(TLSFailure) {
        let loaded: LoadedTLS? = if let tls { try tls.load() } else { nil }
        self.init(
            address, tls: loaded, token: token, maxConnections: maxConnections,
            maxMessageBytes: maxMessageBytes)
    }

    /// A client with loaded TLS.
    ///
    /// - Parameter connectTimeout: the time until the server's SETTINGS arrive.
    package init(
        _ address: Address, tls: LoadedTLS?, token: String? = nil,
        connectTimeout: Duration = .seconds(10), maxConnections: Int = 1, maxMessageBytes: Int
    ) {
        self.token = token
        self.maxConnections = max(1, maxConnections)
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
        let (reply, call): (Reply, ClientCall) = try await exchange(path, request, options)
        if let receive = options.receiveTrailers { receive(await call.trailingMetadata) }
        return reply
    }

    /// Calls a method with one request and one reply. Also returns the ended call, for its
    /// metadata.
    package func exchange<Request: WireMessage, Reply: WireMessage>(
        _ path: String, _ request: Request, _ options: CallOptions
    ) async throws -> (reply: Reply, call: ClientCall) {
        let end = options.timeout.map { ContinuousClock.now + $0 }
        var attempt = options
        var number = 1
        while true {
            number += 1
            do {
                return try await attemptExchange(path, request, attempt)
            } catch let error as RPCError {
                guard let retry = options.retry, retry.codes.contains(error.code),
                    number <= retry.maxAttempts
                else { throw error }
                let bound = retry.delay.bound(before: number)
                let pause = bound * Double.random(in: 0...1)
                if let end {
                    attempt.timeout = end - .now - pause
                    guard attempt.timeout ?? .zero > .zero else { throw error }
                }
                try await Task.sleep(for: pause)
            }
        }
    }

    private func attemptExchange<Request: WireMessage, Reply: WireMessage>(
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

    /// Calls a method with one request and a stream of replies, and passes each reply to `receive`.
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

    /// Begins a call of any kind, whose messages are sent and received as bytes.
    public func open(
        _ path: String, _ options: CallOptions = CallOptions()
    ) async throws -> ClientCall {
        let connection = try await connected()
        let headers = headers(path, options)
        return try await connection.open(headers, options, maxMessageBytes: maxMessageBytes)
    }

    /// Closes the connections. Running calls end as UNAVAILABLE.
    public func close() async {
        let open = links.withLock { links in
            defer { links = [] }
            return links
        }
        for link in open { await link.close() }
    }

    private func headers(_ path: String, _ options: CallOptions) -> HeaderBlock {
        var headers = HeaderBlock([
            ":method": "POST", ":scheme": tls == nil ? "http" : "https", ":path": path,
            ":authority": address.description,
            "content-type": options.clientProtocol.contentType, "user-agent": "weir-swift",
        ])
        let nanoseconds = options.timeout.map { Int64(clamping: $0.nanoseconds) }
        switch options.clientProtocol {
        case .grpc:
            headers.append("te", "trailers")
            headers.append("grpc-accept-encoding", MessageEncoding.accepted)
            if options.encoding != .identity {
                headers.append("grpc-encoding", options.encoding.rawValue)
            }
        case .grpcWeb: headers.append("x-grpc-web", "1")
        case .connect: headers.append("connect-protocol-version", "1")
        }
        if let nanoseconds {
            if case .connect = options.clientProtocol {
                // At most ten digits.
                let milliseconds = min(max(1, nanoseconds / 1_000_000), 9_999_999_999)
                headers.append("connect-timeout-ms", "\(milliseconds)")
            } else {
                headers.append("grpc-timeout", Timeout.format(nanoseconds: nanoseconds))
            }
        }
        if let shardKey = options.shardKey { headers.append("x-serve-shard-key", shardKey) }
        headers.append(options.metadata)
        if options.metadata[KnownHeader.traceParent.name] == nil {
            for header in InstrumentationContext.current?.weirTrace?.headers ?? []
            where options.metadata[header.name] == nil {
                headers.append(header.name, header.value)
            }
        }
        if let token { headers.append("authorization", "Bearer \(token)") }
        return headers
    }

    /// A connection for a call, opened if necessary.
    private func connected() async throws -> ClientLink {
        var options = ClientConnection.Options()
        options.connectTimeout = connectTimeout
        options.tls = tls?.connection(to: address.hostName)
        let chosen = options
        let link = links.withLock { links in
            links.removeAll(where: \.isOver)
            if let free = links.first(where: { !$0.isFull }) { return free }
            if links.count >= maxConnections, let waiting = links.randomElement() { return waiting }
            let new = ClientLink(to: address, chosen)
            links.append(new)
            return new
        }
        do {
            try await link.ready()
            return link
        } catch let error as RPCError {
            throw RPCError(error.code, "no connection to \(address): \(error.message)")
        }
    }
}
