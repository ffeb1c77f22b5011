internal import Transport

/// How long the server waits for a client on its HTTP/2 connection. Pure; times are nanoseconds of
/// any monotonic clock.
///
/// ```
///   accepted --first headers--> in use <--> quiet --idleTimeout--> asked to go --> closed
///      '-- firstRequestTimeout: closed        |
///                     keepaliveInterval: PING, keepaliveTimeout: closed
/// ```
struct ConnectionTimeouts {
    /// What the connection must do.
    enum Verdict: Equatable {
        case wait
        /// Send a PING.
        case ping
        /// Ask the client to go.
        case drain
        case close(String)
    }

    private let openedAt: UInt64
    /// A request's headers have come.
    var hasBegun = false
    /// When the last stream closed.
    private var quietSince: UInt64
    private var headersSince: UInt64?
    private var pingedAt: UInt64?
    private var drainedAt: UInt64?

    init(at now: UInt64) {
        openedAt = now
        quietSince = now
    }

    mutating func streamClosed(at now: UInt64) { quietSince = now }

    /// Bytes have come; perhaps a header block is incomplete.
    mutating func received(at now: UInt64, isReceivingHeaders: Bool) {
        headersSince = isReceivingHeaders ? headersSince ?? now : nil
        pingedAt = nil
    }

    /// The client has been asked to go.
    mutating func drained(at now: UInt64) { drainedAt = drainedAt ?? now }

    /// - Parameter lastReceived: when bytes last came.
    mutating func check(
        _ limits: Limits, at now: UInt64, lastReceived: UInt64, openStreams: Int
    ) -> Verdict {
        func isOver(_ limit: Duration, since: UInt64) -> Bool {
            now > since && now - since > limit.nanoseconds
        }
        if !hasBegun, isOver(limits.firstRequestTimeout, since: openedAt) {
            return .close("no request came within \(limits.firstRequestTimeout)")
        }
        if let headersSince, isOver(limits.headersTimeout, since: headersSince) {
            return .close("headers took longer than \(limits.headersTimeout)")
        }
        if let pingedAt {
            return isOver(limits.keepaliveTimeout, since: pingedAt)
                ? .close("no answer to a PING within \(limits.keepaliveTimeout)") : .wait
        }
        if let drainedAt, openStreams == 0 {
            return isOver(limits.keepaliveTimeout, since: drainedAt)
                ? .close("the client did not close the connection after GOAWAY") : .wait
        }
        if openStreams == 0, drainedAt == nil, isOver(limits.idleTimeout, since: quietSince) {
            return .drain
        }
        guard isOver(limits.keepaliveInterval, since: max(lastReceived, openedAt)) else {
            return .wait
        }
        pingedAt = now
        return .ping
    }
}
