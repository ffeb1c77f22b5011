internal import HTTP2Session

/// Every bound of the data plane, in one place. Sizes are in bytes. `Limits.named` has them all by
/// name, for `weir serve --limit` and the README's table.
public struct Limits: Sendable {
    // MARK: Connections

    /// Connections to the data port; over it new ones are closed at once.
    public var maxConnections = 20_000
    /// The same from one IP address.
    public var maxConnectionsPerAddress = 20_000
    /// Connections to the admin port.
    public var maxAdminConnections = 512
    /// From the connection to the end of its first request's headers, TLS included; over it closed.
    public var firstRequestTimeout = Duration.seconds(10)
    /// From the first frame of a header block to its last; over it closed.
    public var headersTimeout = Duration.seconds(10)
    /// Without a request; then the client is asked to go (GOAWAY).
    public var idleTimeout = Duration.seconds(3_600)
    /// The same between two requests over HTTP/1.1, and within one request between two pieces of
    /// its body.
    public var http1IdleTimeout = Duration.seconds(75)
    /// Silence after which the server sends a client a PING.
    public var keepaliveInterval = Duration.seconds(120)
    /// How long it may take to give one; over it closed.
    public var keepaliveTimeout = Duration.seconds(20)
    /// Between two PINGs of a client while it gets no response; more often is a strike (gRFC A8).
    /// Half of what gRPC's clients keep to at least.
    public var minPingInterval = Duration.seconds(5)
    /// Strikes that are let pass; over it GOAWAY ENHANCE_YOUR_CALM, "too_many_pings".
    public var maxPingStrikes = 2
    /// How long response bytes may wait for a client that reads none of them; over it the stream is
    /// reset.
    public var slowReaderTimeout = Duration.seconds(300)
    /// Frames without a request or content (SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA,
    /// unknown ones) that a client may send at once, and per second after that, beside four for
    /// each request and for each DATA that it gets; over it GOAWAY ENHANCE_YOUR_CALM.
    public var maxOverheadFrames = 2_000
    /// Streams that a client may break off, or have broken off by its mistakes, at once, and a
    /// tenth of it per second after that (CVE-2023-44487, CVE-2025-8671); over it GOAWAY
    /// ENHANCE_YOUR_CALM.
    public var maxResets = 1_000
    /// How many of them are let pass again each second.
    var resetsPerSecond: Double { Double(maxResets) / 10 }
    /// CONTINUATION frames after one HEADERS frame (CVE-2024-28182); over it closed.
    public var maxContinuations = 8
    /// Answers to PING and SETTINGS that a client leaves unread; over it closed.
    public var maxUnreadAcknowledgements = 1_000

    // MARK: Requests

    /// Streams that one connection may have open at once; over it REFUSED_STREAM.
    public var maxConcurrentStreams = 256
    /// Request headers, counted as RFC 9113 section 6.5.2 does; over it RESOURCE_EXHAUSTED.
    public var maxHeaderListBytes = 16 << 10
    /// Fields of request headers, and of response headers and trailers from backends.
    public var maxHeaderFields = 128
    /// Response headers and trailers from backends, counted likewise; over it the call ends with
    /// RESOURCE_EXHAUSTED. One name or value has at most 65,536 bytes.
    public var maxResponseHeaderBytes = 64 << 10
    /// The largest request message to a handler, before and after decompression; over it
    /// RESOURCE_EXHAUSTED. What is passed through to a replica is bounded by that one's own limit.
    public var maxMessageBytes = 4 << 20
    /// The largest request message to the admin port; over it RESOURCE_EXHAUSTED. Commands read
    /// responses of the same size, so that what they export can be applied.
    public var maxAdminMessageBytes = 64 << 20
    /// Requests that one loop (one core) works on at once; over it RESOURCE_EXHAUSTED.
    public var maxRequestsInFlightPerLoop = 20_000
    /// Calls that run or wait on the threads for `blocking` handlers; over it RESOURCE_EXHAUSTED.
    public var maxBlockingCalls = 512
    /// How long a loop may be behind with its work before it takes on no further requests
    /// (RESOURCE_EXHAUSTED) until it has caught up.
    public var maxQueueingDelay = Duration.milliseconds(500)

    // MARK: Memory

    /// Bytes of requests and responses that wait in memory, in all; over it new requests and what
    /// still comes of running ones are refused (RESOURCE_EXHAUSTED). Each loop has an equal share.
    public var maxBufferedBytes = 1 << 30
    /// Request bytes that wait in memory for the handlers of one connection; over it
    /// RESOURCE_EXHAUSTED.
    public var maxBufferedBytesPerConnection = 64 << 20
    /// Request bytes of one stream that a client may send ahead of the handler.
    public var streamWindowBytes = 64 << 10
    /// The same for all streams of one connection together.
    public var connectionWindowBytes = 16 << 20
    /// Response bytes buffered for a stream before `send` waits for the client.
    public var responseBufferBytes = 64 << 10
    /// Bytes of a forwarded call that wait for its receiver before its sender gets no more credit,
    /// for each direction; at most one window more can be on its way.
    public var forwardBufferBytes = 64 << 10
    /// Request bytes kept until the response begins, so that a forwarded request can be sent again.
    public var retryBufferBytes = 64 << 10
    /// Paths whose route each loop remembers.
    public var maxRememberedPaths = 1_024
    /// Methods of one endpoint that are counted under their names; calls of further methods are
    /// counted as "other".
    public var maxMethodsPerEndpoint = 128
    /// Methods of all endpoints that are counted under their names.
    public var maxMethods = 4_096

    // MARK: Shadows

    /// Bytes of each of two answers that are compared field by field; of longer ones a hash is
    /// compared.
    public var comparedBodyBytes = 256 << 10
    /// Pairs of answers that wait to be looked into; further ones are counted as not compared.
    public var maxPendingComparisons = 256
    /// Bytes of shadows' responses that one loop reads in a millisecond, on average.
    public var shadowBytesPerMillisecond = 64 << 10

    // MARK: Threads and the end

    /// Threads for `blocking` handlers.
    public var blockingThreads = 8
    /// Threads for handlers that answer copies; they yield to all others.
    public var shadowThreads = 4
    /// How long a server that ends still accepts connections after health says NOT_SERVING.
    public var drainDelay = Duration.zero
    /// How long a drain lets running requests finish.
    public var drainTimeout = Duration.seconds(30)

    /// The defaults.
    public init() {}

    /// The bounds of connections from clients.
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

    /// The bounds of connections to backends.
    var upstreamHTTP2: HTTP2Limits {
        var limits = http2
        limits.maxHeaderListBytes = maxResponseHeaderBytes
        return limits
    }
}
