package import GRPCWire
internal import Transport

/// Which failed requests are sent again. Source: gRFC A6.
package struct RetryPolicy: Sendable, Equatable {
    /// Statuses after which a request is retried; empty for no retries.
    package var codes: Set<StatusCode> = []
    /// The largest `budgetPerSecond`: the capacity of a budget.
    package static let maxPerSecond = RetryBudget.capacity

    /// The maximum number of attempts of a request, including the first.
    package var maxAttempts = 3
    /// The bound of the random delay before the second attempt. It doubles with each attempt.
    package var initialDelay = Duration.milliseconds(25)
    package var maxDelay = Duration.seconds(1)
    /// Retries as a share of requests.
    package var budgetShare = 0.2
    /// Retries per second that the budget always allows, for backends with few requests.
    package var budgetPerSecond = 10.0

    package init() {}

    /// The maximum delay before an attempt.
    ///
    /// - Parameter attempt: 2 for the first retry.
    package func delayBound(before attempt: Int) -> Duration {
        ExponentialDelay(initial: initialDelay, maximum: maxDelay).bound(before: attempt)
    }
}

/// Prevents that retries multiply the load of an overloaded backend: each request earns a share of
/// a retry, each retry costs one.
///
/// ```
///   requests x share --> | tokens, at most `capacity` | --> one for each retry
///   seconds x minimum -->|                            |
/// ```
struct RetryBudget {
    /// The maximum number of saved retries.
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

    /// Takes a retry from the budget; false if there is none.
    mutating func take(at now: UInt64) -> Bool {
        let seconds = Double(now &- refilledAt) / 1e9
        refilledAt = now
        // Time adds at most the retries of one second: it is for backends with few requests.
        if tokens < perSecond { tokens = min(perSecond, tokens + seconds * perSecond) }
        guard tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
