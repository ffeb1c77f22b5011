internal import struct FoundationEssentials.Date

/// Decides whether the wall clock is reliable, from readings of it and of a monotonic clock.
///
/// ```
///   start ---> settling --- an hour without a jump ---> settled
///                 ^                                        |
///                 '------------------ jump ----------------'
/// ```
struct WallClock: Sendable {
    /// The difference between the two clocks that is a jump. Time synchronization corrects smaller
    /// ones gradually.
    static let maxDifference = Duration.seconds(60)
    /// The time after a jump and after the start for which the clock counts as unreliable: time
    /// synchronization may not have corrected it yet.
    static let settlingTime = Duration.seconds(3_600)

    private var wall: Date
    private var steady: ContinuousClock.Instant
    private var settled: ContinuousClock.Instant

    init(wall: Date = Date(), steady: ContinuousClock.Instant = .now) {
        self.wall = wall
        self.steady = steady
        settled = steady + Self.settlingTime
    }

    /// Compares the clocks since the last reading.
    ///
    /// - Returns: the jump of the wall clock in seconds, negative if it was set back; nil without a
    ///   jump.
    mutating func read(
        wall now: Date = Date(), steady instant: ContinuousClock.Instant = .now
    ) -> Double? {
        let passed = (instant - steady) / .seconds(1)
        let jump = now.timeIntervalSince(wall) - passed
        (wall, steady) = (now, instant)
        guard abs(jump) > Self.maxDifference / .seconds(1) else { return nil }
        settled = instant + Self.settlingTime
        return jump
    }

    /// Whether the clock did not jump for `settlingTime`.
    func isSettled(at instant: ContinuousClock.Instant = .now) -> Bool { instant >= settled }
}
