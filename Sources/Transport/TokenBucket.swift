/// Admits a number at once, and a number per second after that. Times are nanoseconds of any clock.
package struct TokenBucket {
    private let capacity: Double
    private let perNanosecond: Double
    private var tokens: Double
    private var filledAt: UInt64

    package init(capacity: Double, perSecond: Double, at now: UInt64) {
        self.capacity = capacity
        perNanosecond = perSecond / 1e9
        tokens = capacity
        filledAt = now
    }

    /// Whether there are enough tokens; none is taken.
    package mutating func has(_ count: Double, at now: UInt64) -> Bool {
        let elapsed = now > filledAt ? now - filledAt : 0
        tokens = min(capacity, tokens + Double(elapsed) * perNanosecond)
        filledAt = max(filledAt, now)
        return tokens >= count
    }

    /// Whether there are enough tokens; if so they are taken.
    package mutating func take(_ count: Double, at now: UInt64) -> Bool {
        guard has(count, at: now) else { return false }
        tokens -= count
        return true
    }
}
