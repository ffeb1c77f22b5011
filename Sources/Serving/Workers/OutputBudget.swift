/// How much of a worker's output is logged: so many lines and bytes at once, and so many per second
/// after that.
struct OutputBudget {
    static let burstLines = 1_000.0
    static let linesPerSecond = 200.0
    static let burstBytes = 256.0 * 1_024
    static let bytesPerSecond = 64.0 * 1_024

    private var lines = burstLines
    private var bytes = burstBytes
    private var updatedAt: UInt64

    /// - Parameter now: nanoseconds of a clock that does not go back.
    init(at now: UInt64) { updatedAt = now }

    /// Whether a line is logged; if so, it is taken off the budget.
    mutating func admits(bytes count: Int, at now: UInt64) -> Bool {
        let seconds = Double(now > updatedAt ? now - updatedAt : 0) / 1e9
        updatedAt = max(updatedAt, now)
        lines = min(Self.burstLines, lines + seconds * Self.linesPerSecond)
        bytes = min(Self.burstBytes, bytes + seconds * Self.bytesPerSecond)
        guard lines >= 1, bytes >= Double(count) else { return false }
        lines -= 1
        bytes -= Double(count)
        return true
    }
}
