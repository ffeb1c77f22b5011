internal import Transport

/// How much of a worker's output is logged: so many lines and bytes at once, and so many per second
/// after that.
struct OutputBudget {
    static let burstLines = 1_000.0
    static let linesPerSecond = 200.0
    static let burstBytes = 256.0 * 1_024
    static let bytesPerSecond = 64.0 * 1_024

    private var lines: TokenBucket
    private var bytes: TokenBucket

    /// - Parameter now: nanoseconds of a clock that does not go back.
    init(at now: UInt64) {
        lines = TokenBucket(
            capacity: Self.burstLines, perSecond: Self.linesPerSecond, at: now)
        bytes = TokenBucket(
            capacity: Self.burstBytes, perSecond: Self.bytesPerSecond, at: now)
    }

    /// Whether a line is logged; if so, it is taken off the budget.
    mutating func admits(bytes count: Int, at now: UInt64) -> Bool {
        guard lines.has(1, at: now), bytes.take(Double(count), at: now) else { return false }
        return lines.take(1, at: now)
    }
}
