internal import Transport

/// The timeouts of a client's HTTP/2 connection. Pure; times are nanoseconds of any monotonic
/// clock.
///
/// ```
///   accepted --first headers--> in use <--> idle --idleTimeout--> GOAWAY sent --> closed
///      '-- firstRequestTimeout: closed        |
///                     keepaliveInterval: PING, keepaliveTimeout: closed
/// ```
struct ConnectionTimeouts {
    /// The action that a timeout requires.
    enum Verdict: Equatable {
        case wait
        /// Send a PING.
        case ping
        /// Ask the client to disconnect.
        case drain
        case close(String)
    }

    private let openedAt: UInt64
    /// Whether the headers of a request have arrived.
    var hasBegun = false
    /// When the last stream closed.
    private var idleSince: UInt64
    private var headersSince: UInt64?
    private var pingedAt: UInt64?
    private var drainedAt: UInt64?

    init(at now: UInt64) {
        openedAt = now
        idleSince = now
    }

    mutating func streamClosed(at now: UInt64) { idleSince = now }

    /// Bytes have arrived.
    ///
    /// - Parameter isReceivingHeaders: whether a header block is incomplete.
    mutating func received(at now: UInt64, isReceivingHeaders: Bool) {
        headersSince = isReceivingHeaders ? headersSince ?? now : nil
        pingedAt = nil
    }

    /// The client was asked to disconnect.
    mutating func drained(at now: UInt64) { drainedAt = drainedAt ?? now }

    /// - Parameter lastReceived: when bytes last arrived.
    mutating func check(
        _ limits: Limits, at now: UInt64, lastReceived: UInt64, openStreams: Int
    ) -> Verdict {
        func isOver(_ limit: Duration, since: UInt64) -> Bool {
            now > since && now - since > limit.nanoseconds
        }
        if !hasBegun, isOver(limits.firstRequestTimeout, since: openedAt) {
            return .close("the client sent no request within \(limits.firstRequestTimeout)")
        }
        if let headersSince, isOver(limits.headersTimeout, since: headersSince) {
            return .close("headers took longer than \(limits.headersTimeout)")
        }
        if let pingedAt {
            return isOver(limits.keepaliveTimeout, since: pingedAt)
                ? .close("the client did not answer a PING within \(limits.keepaliveTimeout)")
                : .wait
        }
        if let drainedAt, openStreams == 0 {
            return isOver(limits.keepaliveTimeout, since: drainedAt)
                ? .close("the client did not disconnect after GOAWAY") : .wait
        }
        if openStreams == 0, drainedAt == nil, isOver(limits.idleTimeout, since: idleSince) {
            return .drain
        }
        guard isOver(limits.keepaliveInterval, since: max(lastReceived, openedAt)) else {
            return .wait
        }
        pingedAt = now
        return .ping
    }
}
