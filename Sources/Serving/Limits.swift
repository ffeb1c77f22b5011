internal import HTTP2Session

/// Every bound of the data plane, in one place. Sizes are in bytes.
public struct Limits: Sendable {
    /// The largest request message to a handler, before and after decompression; over it
    /// RESOURCE_EXHAUSTED. What is passed through to a replica is bounded by that one's own limit.
    public var maxMessageBytes = 4 << 20
    /// Requests that one loop (one core) works on at once; over it RESOURCE_EXHAUSTED.
    public var maxRequestsInFlightPerLoop = 20_000
    /// Connections that one loop holds; over it new ones are closed at once.
    public var maxConnectionsPerLoop = 20_000
    /// Calls that run or wait on the threads for `blocking` handlers; over it RESOURCE_EXHAUSTED.
    public var maxBlockingCalls = 512
    /// Threads for `blocking` handlers.
    public var blockingThreads = 8
    /// Response bytes buffered for a stream before `send` waits for the client.
    public var responseBufferBytes = 64 << 10
    /// Bytes of a forwarded call that wait for its receiver before its sender gets no more credit, for
    /// each direction; at most one window more can be on its way.
    public var forwardBufferBytes = 64 << 10
    /// Request bytes kept until the response begins, so that a forwarded request can be sent again.
    public var retryBufferBytes = 64 << 10
    /// Bytes of each of two answers that are compared field by field; of longer ones a hash is compared.
    public var comparedBodyBytes = 256 << 10
    /// Pairs of answers that wait to be looked into; further ones are counted as not compared.
    public var maxPendingComparisons = 256
    /// Bytes of shadows' responses that one loop reads in a millisecond, on average.
    public var shadowBytesPerMillisecond = 64 << 10
    /// Threads for handlers that answer copies; they yield to all others.
    public var shadowThreads = 4
    /// Streams that one connection may have open at once.
    public var maxConcurrentStreams = 256
    /// Request bytes of one stream that a client may send ahead of the handler.
    public var streamWindowBytes = 64 << 10
    /// The same for all streams of one connection together.
    public var connectionWindowBytes = 16 << 20
    /// Request headers, counted as RFC 9113 section 6.5.2 does; over it RESOURCE_EXHAUSTED.
    public var maxHeaderListBytes = 16 << 10
    /// Paths whose route each loop remembers.
    public var maxRememberedPaths = 1_024
    /// How long a drain lets running requests finish.
    public var drainTimeout = Duration.seconds(30)

    /// The defaults.
    public init() {}

    var http2: HTTP2Limits {
        var limits = HTTP2Limits()
        limits.maxConcurrentStreams = UInt32(clamping: maxConcurrentStreams)
        limits.streamWindowBytes = Int32(clamping: streamWindowBytes)
        limits.connectionWindowBytes = Int32(clamping: connectionWindowBytes)
        limits.maxHeaderListBytes = maxHeaderListBytes
        return limits
    }
}
