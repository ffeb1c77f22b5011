package import GRPCWire
internal import Transport

/// Which failed requests are sent again. Source: gRFC A6.
package struct RetryPolicy: Sendable, Equatable {
    /// Statuses that are worth another attempt; none switches retries off.
    package var codes: Set<StatusCode> = []
    /// The largest `budgetPerSecond`: what a budget can hold.
    package static let maxPerSecond = RetryBudget.capacity

    /// All attempts of a request, the first included.
    package var maxAttempts = 3
    /// Before the second attempt: a random delay up to this, then each time twice as long.
    package var initialDelay = Duration.milliseconds(25)
    package var maxDelay = Duration.seconds(1)
    /// Retries as a share of requests.
    package var budgetShare = 0.2
    /// Retries per second that the budget always allows, so that a quiet backend has some.
    package var budgetPerSecond = 10.0

    package init() {}

    /// The most that the delay before an attempt may be.
    ///
    /// - Parameter attempt: 2 for the first retry.
    package func delayBound(before attempt: Int) -> Duration {
        ExponentialDelay(initial: initialDelay, maximum: maxDelay).bound(before: attempt)
    }
}

/// Keeps retries from multiplying the load on a backend that is failing because of load: each
/// request earns a share of a retry, each retry costs one.
///
/// ```
///   requests x share --> | tokens, at most `capacity` | --> one for each retry
///   seconds x minimum -->|                            |
/// ```
struct RetryBudget {
    /// The most retries that can be saved up.
    static let capacity = 100.0

    private let share: Double
    private let perSecond: Double
    private var tokens: Double
    private var refilledAt: UInt64

    /// - Parameter now: nanoseconds of any monotonic clock.
    init(share: Double, perSecond: Double, now: UInt64) {
        self.share = share
        self.perSecond = perSecond
        tokens = min(Self.capacity, perSecond)
        refilledAt = now
    }

    mutating func requestBegan() { tokens = min(Self.capacity, tokens + share) }

    /// Takes a retry from the budget; false when there is none.
    mutating func take(at now: UInt64) -> Bool {
        let seconds = Double(now &- refilledAt) / 1e9
        refilledAt = now
        // What time gives is for quiet backends: it adds up to one second's worth only.
        if tokens < perSecond { tokens = min(perSecond, tokens + seconds * perSecond) }
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
