/// A token bucket: allows a burst, and then a rate per second. Times are nanoseconds of any
/// monotonic clock.
package struct TokenBucket {
    private let capacity: Double
    private let perNanosecond: Double
    private var tokens: Double
    private var filledAt: UInt64

    /// A full bucket.
    package init(capacity: Double, perSecond: Double, at now: UInt64) {
        self.capacity = capacity
        perNanosecond = perSecond / 1e9
        tokens = capacity
        filledAt = now
    }

    /// Whether the bucket has enough tokens. Does not take them.
    package mutating func has(_ count: Double, at now: UInt64) -> Bool {
        let elapsed = now > filledAt ? now - filledAt : 0
        tokens = min(capacity, tokens + Double(elapsed) * perNanosecond)
        filledAt = max(filledAt, now)
        return tokens >= count
    }

    /// Takes tokens.
    ///
    /// - Returns: false if the bucket has too few; then none is taken.
    package mutating func take(_ count: Double, at now: UInt64) -> Bool {
        guard has(count, at: now) else { return false }
        tokens -= count
        return true
    }
}
