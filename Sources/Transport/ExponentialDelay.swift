/// The pauses between attempts: each one at most twice as long as the one before (gRFC A6).
package struct ExponentialDelay: Sendable {
    private let initial: Duration
    private let maximum: Duration

    package init(initial: Duration, maximum: Duration) {
        (self.initial, self.maximum) = (initial, maximum)
    }

    /// The longest pause before an attempt.
    ///
    /// - Parameter attempt: 2 for the first retry.
    package func bound(before attempt: Int) -> Duration {
        let doublings = max(0, min(attempt - 2, 30))
        return min(maximum, initial * (1 << doublings))
    }
}
