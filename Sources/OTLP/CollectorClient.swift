internal import GRPCClient
internal import GRPCWire
internal import Messages
internal import Synchronization
internal import Traces
internal import Transport

/// Calls one service of a collector.
final class CollectorClient: Sendable {
    /// The largest response accepted; it has at most an error message.
    static let maxResponseBytes = 1 << 20
    /// As long as the end of a server waits, which cannot interrupt a connection attempt.
    private static let connectTimeout = OTLPExport.stopTimeout

    private let collector: OTLPSettings.Collector
    private let client = Mutex<WeirClient?>(nil)
    private let path: String
    private let options: WeirClient.CallOptions

    /// - Parameter service: under `opentelemetry.proto.collector`.
    init(_ collector: OTLPSettings.Collector, service: String) {
        self.collector = collector
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
            maxMessageBytes: Self.maxResponseBytes)
        client.withLock { $0 = opened }
        return tls?.warnings ?? []
    }

    func send(_ request: [UInt8]) async -> ExportAnswer {
        guard let client = client.withLock({ $0 }) else {
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

    func close() async { await client.withLock { $0 }?.close() }
}
