internal import Transport

/// Limits what a client does on its HTTP/2 connection that costs the server more than the client.
/// Pure; times are nanoseconds of any monotonic clock.
struct ClientConduct {
    /// A violation of a limit.
    enum Offence: Equatable {
        case tooManyPings
        case tooManyResets
        case tooManyFrames

        /// The debug data of the GOAWAY. gRPC clients recognize `too_many_pings` (gRFC A8).
        var reason: String {
            switch self {
            case .tooManyPings: "too_many_pings"
            case .tooManyResets: "too_many_resets"
            case .tooManyFrames: "too_many_frames_without_content"
            }
        }
    }

    private let minPingInterval: UInt64
    private let maxPingStrikes: Int
    private var lastPing: UInt64?
    private var pingStrikes = 0
    private var resets: TokenBucket
    private var overhead: TokenBucket

    init(_ limits: Limits, at now: UInt64) {
        minPingInterval = limits.minPingInterval.nanoseconds
        maxPingStrikes = limits.maxPingStrikes
        resets = TokenBucket(
            capacity: Double(limits.maxResets), perSecond: limits.resetsPerSecond, at: now)
        let frames = Double(limits.maxOverheadFrames)
        overhead = TokenBucket(capacity: frames, perSecond: frames, at: now)
    }

    /// The client has sent a PING. PINGs are not limited while the server sends responses, because
    /// clients use them to measure.
    mutating func pinged(at now: UInt64, sinceContent hasSentContent: Bool) -> Offence? {
        defer { lastPing = now }
        guard let lastPing, !hasSentContent else {
            pingStrikes = 0
            return nil
        }
        guard now &- lastPing < minPingInterval else { return nil }
        pingStrikes += 1
        return pingStrikes > maxPingStrikes ? .tooManyPings : nil
    }

    /// A stream was reset, by the client or because of its error.
    mutating func reset(at now: UInt64) -> Offence? {
        resets.take(1, at: now) ? nil : .tooManyResets
    }

    /// The client has sent frames without a request or content.
    mutating func sent(overheadFrames count: Int, at now: UInt64) -> Offence? {
        overhead.take(Double(count), at: now) ? nil : .tooManyFrames
    }
}
