/// Delays between attempts. The bound of the delay doubles with each attempt (gRFC A6).
package struct ExponentialDelay: Sendable {
    private let initial: Duration
    private let maximum: Duration

    /// - Parameters:
    ///   - initial: the bound before the second attempt.
    ///   - maximum: the largest bound.
    package init(initial: Duration, maximum: Duration) {
        (self.initial, self.maximum) = (initial, maximum)
    }

    /// The longest delay before an attempt.
    ///
    /// - Parameter attempt: 2 for the first retry.
    package func bound(before attempt: Int) -> Duration {
        let doublings = max(0, min(attempt - 2, 30))
        return min(maximum, initial * (1 << doublings))
    }
}
