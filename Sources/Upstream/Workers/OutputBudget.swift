internal import Transport

/// Bounds the logged output of a worker: a burst of lines and bytes, and a rate per second after
/// it.
struct OutputBudget {
    static let burstLines = 1_000.0
    static let linesPerSecond = 200.0
    static let burstBytes = 256.0 * 1_024
    static let bytesPerSecond = 64.0 * 1_024

    private var lines: TokenBucket
    private var bytes: TokenBucket

    /// - Parameter now: nanoseconds of a monotonic clock.
    init(at now: UInt64) {
        lines = TokenBucket(
            capacity: Self.burstLines, perSecond: Self.linesPerSecond, at: now)
        bytes = TokenBucket(
            capacity: Self.burstBytes, perSecond: Self.bytesPerSecond, at: now)
    }

    /// Whether a line is logged. If so, it is subtracted from the budget.
    mutating func admits(bytes count: Int, at now: UInt64) -> Bool {
        guard lines.has(1, at: now), bytes.take(Double(count), at: now) else { return false }
        return lines.take(1, at: now)
    }
}
