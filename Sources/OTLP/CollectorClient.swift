internal import GRPCClient
internal import GRPCWire
internal import Messages
internal import Synchronization
internal import Traces
internal import Transport

/// Calls one service of a collector.
final class CollectorClient: Sendable {
    /// As long as the end of a server waits, which cannot interrupt a connection attempt.
    private static let connectTimeout = ExportLimits.stopTimeout

    private struct Clients {
        var used: WeirClient?
        /// Replaces `used` at the next request, so that no request is interrupted.
        var next: WeirClient?
    }

    private let collector: OTLPSettings.Collector
    /// The files of the TLS settings.
    private let files: WatchedFiles
    private let clients = Mutex(Clients())
    private let path: String
    private let options: WeirClient.CallOptions

    /// - Parameter service: under `opentelemetry.proto.collector`.
    init(_ collector: OTLPSettings.Collector, service: String) {
        self.collector = collector
        files = WatchedFiles(collector.tls?.files ?? [])
        path = "/opentelemetry.proto.collector.\(service)/Export"
        var options = WeirClient.CallOptions(
            metadata: collector.headers, timeout: collector.timeout)
        options.encoding = collector.usesGzip ? .gzip : .identity
        // Servers on the way, Weir included, must not record spans of the export itself.
        var random = SystemRandomNumberGenerator()
        let unsampled = TraceContext(
            traceID: TraceID(using: &random), spanID: SpanID(using: &random), flags: [])
        options.metadata.add("traceparent", String(decoding: unsampled.parent, as: UTF8.self))
        self.options = options
    }

    /// Reads the files of the TLS settings. Throws if they cannot be used.
    ///
    /// - Returns: warnings about the files.
    func open() throws(TLSFailure) -> [String] {
        let tls: LoadedTLS? = if let tls = collector.tls { try tls.load() } else { nil }
        let opened = WeirClient(
            collector.address, tls: tls,
            connectTimeout: min(collector.timeout, Self.connectTimeout),
            maxMessageBytes: ExportLimits.maxResponseBytes)
        clients.withLock { $0.next = opened }
        return tls?.warnings ?? []
    }

    /// Reads the files of the TLS settings again, for the connections of later requests. On an
    /// error, the previous content stays in use.
    ///
    /// - Parameter onlyChanged: whether to skip unchanged files.
    /// - Returns: warnings about the files; nil if they were not read.
    func reload(onlyChanged: Bool) throws(TLSFailure) -> [String]? {
        guard collector.tls != nil, files.checkForChange() || !onlyChanged else { return nil }
        files.restart()
        return try open()
    }

    func send(_ request: [UInt8]) async -> ExportAnswer {
        let (client, replaced) = clients.withLock { clients in
            guard let next = clients.next.take() else { return (clients.used, nil as WeirClient?) }
            defer { clients.used = next }
            return (next, clients.used)
        }
        await replaced?.close()
        guard let client else {
            return .failed(.unavailable, reason: "the client is not open", retryDelay: nil)
        }
        do {
            let response = try await client.unary(
                path, RawMessage(request), as: Otlp_ExportResponse.self, options)
            return ExportAnswer(response)
        } catch let error as RPCError {
            // A connection whose peer does not answer is not used again.
            if error.code == .deadlineExceeded { await client.close() }
            return ExportAnswer(error)
        } catch {
            return .failed(.internalError, reason: "\(error)", retryDelay: nil)
        }
    }

    func close() async { await clients.withLock(\.used)?.close() }
}
