internal import HTTP2Session

/// All limits of the data plane. `Limits.named` lists them by name, for `weir serve --limit`.
/// `make manual` writes the manual's table from these comments.
public struct Limits: Sendable {
    // MARK: Connections

    /// Connections to the data port. Over it, Weir closes new ones at once. `weir serve` lowers it
    /// at the start, with a warning, if the limit of file descriptors allows fewer.
    public var maxConnections = 20_000
    /// Connections to the data port from one IP address. Over it, Weir closes new ones at once.
    public var maxConnectionsPerAddress = 20_000
    /// Connections to the admin port. Over it, Weir closes new ones at once.
    public var maxAdminConnections = 512
    /// Connections to the metrics port, half of them from one IP address. Over it, Weir closes new
    /// ones at once.
    public var maxMetricsConnections = 32
    /// Time from the connection to the end of the headers of its first request, TLS included. Over
    /// it, Weir closes the connection.
    public var firstRequestTimeout = Duration.seconds(10)
    /// Time from the first frame of a header block to its last, or from the first byte of an
    /// HTTP/1.1 request to the end of its headers. Over it, Weir closes the connection.
    public var headersTimeout = Duration.seconds(10)
    /// Time without a request. Over it, Weir sends GOAWAY.
    public var idleTimeout = Duration.seconds(3_600)
    /// Time without a request over HTTP/1.1, and between two pieces of a body. Over it, Weir closes
    /// the connection.
    public var http1IdleTimeout = Duration.seconds(75)
    /// Silence of a client after which the server sends it a PING.
    public var keepaliveInterval = Duration.seconds(120)
    /// Time that a client may take to acknowledge that PING. Over it, Weir closes the connection.
    public var keepaliveTimeout = Duration.seconds(20)
    /// Time between two PINGs of a client while it gets no response. A PING that is sooner is a
    /// strike (gRFC A8). The default is half of the least that gRPC's clients use.
    public var minPingInterval = Duration.seconds(5)
    /// Strikes that Weir accepts. Over it, Weir sends GOAWAY ENHANCE_YOUR_CALM, `too_many_pings`.
    public var maxPingStrikes = 2
    /// Time that response bytes wait for a client that reads none of them. Over it, Weir resets the
    /// stream.
    public var slowReaderTimeout = Duration.seconds(300)
    /// Frames without a request or content (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA,
    /// unknown ones) that a client may send at once, and per second after that, in addition to four
    /// for each request and for each DATA that it gets. Over it, Weir sends GOAWAY
    /// ENHANCE_YOUR_CALM.
    public var maxOverheadFrames = 2_000
    /// Streams that the client resets, or that end by its errors, at once; and a tenth of it per
    /// second after that (CVE-2023-44487, CVE-2025-8671). Over it, Weir sends GOAWAY
    /// ENHANCE_YOUR_CALM.
    public var maxResets = 1_000
    /// Resets that are accepted again per second.
    var resetsPerSecond: Double { Double(maxResets) / 10 }
    /// CONTINUATION frames of one header block of a client (CVE-2024-28182); a backend may send
    /// 2,048. Over it, Weir closes the connection.
    public var maxContinuations = 8
    /// Acknowledgements of PING and SETTINGS that a client has not read. Over it, Weir closes the
    /// connection.
    public var maxUnreadAcknowledgements = 1_000

    // MARK: Requests

    /// Open streams of one connection. Over it, Weir refuses new ones (REFUSED_STREAM).
    public var maxConcurrentStreams = 256
    /// Bytes of request headers, counted as in RFC 9113 section 6.5.2, with the request line over
    /// HTTP/1.1. Over it, the call ends with RESOURCE_EXHAUSTED, plain HTTP with 431 or 414. At
    /// four times the limit, Weir resets the stream.
    public var maxHeaderListBytes = 16 << 10
    /// Fields of request headers, and of a backend's response headers or trailers. Over it, the
    /// call ends with RESOURCE_EXHAUSTED.
    public var maxHeaderFields = 128
    /// Bytes of a backend's response headers or trailers, counted as in RFC 9113 section 6.5.2.
    /// Over it, only this call ends, with RESOURCE_EXHAUSTED.
    public var maxResponseHeaderBytes = 64 << 10
    /// Bytes of a request message to a handler, before and after decompression; of a message of
    /// gRPC-Web or Connect that Weir converts from or to JSON, and of a unary call of Connect; and
    /// of the body of a plain HTTP request or response, without the message around it. Over it, the
    /// call ends with RESOURCE_EXHAUSTED, a plain HTTP request with 413, a plain HTTP response with
    /// 502. Another message to a replica is bounded by the replica's own limit.
    public var maxMessageBytes = 4 << 20
    /// Bytes of a request message to the admin port, before and after decompression. Over it, the
    /// call ends with RESOURCE_EXHAUSTED. Commands read responses of the same size, so `weir apply`
    /// accepts what `weir export` prints. All descriptor sets together have at most 48 MiB.
    public var maxAdminMessageBytes = 64 << 20
    /// Requests in flight on one event loop (one core). Over it, a new one ends with
    /// RESOURCE_EXHAUSTED.
    public var maxRequestsInFlightPerLoop = 20_000
    /// Calls of `blocking` handlers of one event loop that run or wait. Over it, a new one ends
    /// with RESOURCE_EXHAUSTED.
    public var maxBlockingCalls = 512
    /// Delay of an event loop, or of the threads for `blocking` handlers. Over it, new requests end
    /// with RESOURCE_EXHAUSTED until the delay is half of the limit.
    public var maxQueueingDelay = Duration.milliseconds(500)

    // MARK: Memory

    /// Bytes of all requests and responses that wait in memory. Each event loop has an equal share.
    /// Over it, new requests, and further bytes of running ones, end with RESOURCE_EXHAUSTED.
    public var maxBufferedBytes = 1 << 30
    /// Bytes of requests of one connection that wait for handlers. Over it, the call ends with
    /// RESOURCE_EXHAUSTED.
    public var maxBufferedBytesPerConnection = 64 << 20
    /// Bytes that a client may send on one stream before the handler reads them; then the client
    /// waits.
    public var streamWindowBytes = 256 << 10
    /// Bytes that a client may send on all streams of one connection before handlers read them;
    /// then the client waits.
    public var connectionWindowBytes = 16 << 20
    /// Response bytes of one stream that Weir buffers before `send` waits.
    public var responseBufferBytes = 64 << 10
    /// Bytes of a forwarded call that wait for their receiver, in each direction; then the sender
    /// waits. One more window may be on its way.
    public var forwardBufferBytes = 256 << 10
    /// Bytes of a request that Weir keeps until the response begins, so that it can repeat the
    /// request.
    public var retryBufferBytes = 64 << 10
    /// Paths whose route an event loop remembers.
    public var maxRememberedPaths = 1_024
    /// Methods of one endpoint with time series of their own. Weir counts calls of further methods,
    /// and of methods with names over 256 bytes, as `other`.
    public var maxMethodsPerEndpoint = 128
    /// Methods of all endpoints with time series of their own.
    public var maxMethods = 4_096

    // MARK: Records of calls

    /// Ended calls with a trace id that each event loop keeps for `weir trace`: those that were
    /// sampled or that failed. 0 keeps none.
    public var maxTracedCalls = 1_024
    /// Open taps. Over it, the server rejects a new one with RESOURCE_EXHAUSTED.
    public var maxTaps = 8
    /// Calls per second that all taps together show. Over it, a tap drops calls and counts them.
    public var maxTapCallsPerSecond = 2_000
    /// Lines of the access log that wait to be written. Over it, Weir drops lines and counts them.
    public var maxAccessLogLines = 10_000

    // MARK: Shadows

    /// Bytes of each of two responses that Weir compares field by field. It compares longer ones by
    /// their hash.
    public var comparedBodyBytes = 256 << 10
    /// Pairs of responses that wait for comparison. Weir does not compare further ones, and counts
    /// them.
    public var maxPendingComparisons = 256
    /// Bytes of responses to copies that one event loop reads per millisecond, on average; then
    /// they wait.
    public var shadowBytesPerMillisecond = 64 << 10

    // MARK: Threads and shutdown

    /// Threads for `blocking` handlers.
    public var blockingThreads = 8
    /// Threads for handlers that answer copies. They yield to all others.
    public var shadowThreads = 4
    /// Time after SIGTERM during which the server still accepts connections, while its health is
    /// NOT_SERVING.
    public var drainDelay = Duration.zero
    /// Time after that for running requests. Over it, Weir ends them.
    public var drainTimeout = Duration.seconds(30)

    /// The defaults.
    public init() {}

    /// The limits of connections from clients.
    var http2: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = UInt32(clamping: maxConcurrentStreams)
        limits.streamWindowBytes = Int32(clamping: streamWindowBytes)
        limits.connectionWindowBytes = Int32(clamping: connectionWindowBytes)
        limits.maxHeaderListBytes = maxHeaderListBytes
        limits.maxHeaderFields = maxHeaderFields
        limits.resetBurst = UInt64(maxResets)
        limits.resetsPerSecond = UInt64(max(1, resetsPerSecond))
        limits.maxContinuations = maxContinuations
        limits.maxOutboundAcknowledgements = maxUnreadAcknowledgements
        return limits
    }

    /// The limits of connections to backends.
    var upstreamHTTP2: HTTP2Limits {
        var limits = http2
        limits.maxHeaderListBytes = maxResponseHeaderBytes
        return limits
    }
}
