/// The time of the next connection attempt, as in gRPC's `connection-backoff.md`.
///
/// Times are nanoseconds of any monotonic clock.
struct Backoff {
    static let initial: UInt64 = 1_000_000_000
    static let multiplier = 1.6
    static let jitter = 0.2
    static let maximum: UInt64 = 120_000_000_000

    private var delay = Backoff.initial
    private var startedAt: UInt64?
    /// No attempt before this.
    private(set) var retryAt: UInt64 = 0

    /// Whether an attempt before `retryAt` is allowed because the peer can be reached now.
    func allowsEarlyAttempt(at now: UInt64) -> Bool {
        now >= (startedAt ?? 0) + Self.initial / 10
    }

    mutating func attemptStarted(at now: UInt64) { startedAt = now }

    /// The attempt failed, or its connection ended before the delay: the next attempt waits. The
    /// delay counts from the start of the last attempt.
    ///
    /// - Parameter random: 0 to 1.
    mutating func failed(at now: UInt64, random: Double) {
        let spread = 1 + Self.jitter * (2 * random - 1)
        retryAt = max(now, (startedAt ?? now) + UInt64(Double(delay) * spread))
        delay = min(Self.maximum, UInt64(Double(delay) * Self.multiplier))
    }
}
