/// A change of weights that reverts after a time.
///
/// The shell passes the time that elapsed on the wall clock, also while no server ran. A clock that
/// is set back does not lengthen the box. A change that stays, because it was confirmed or
/// replaced, has no box.
package struct TimeBox: Equatable, Sendable {
    /// The longest time of a box: a week.
    package static let longest = RolloutPlan.longest

    package let duration: Duration
    private var elapsed: Duration
    private var hasReverted = false

    /// - Parameters:
    ///   - duration: nil unless it is from 1 s to `longest`.
    ///   - elapsed: the time that has passed already.
    package init?(_ duration: Duration, elapsed: Duration = .zero) {
        guard duration >= .seconds(1), duration <= Self.longest else { return nil }
        self.duration = duration
        self.elapsed = min(max(.zero, elapsed), Self.longest)
    }

    /// Time has passed.
    ///
    /// - Parameter time: below zero if the clock was set back, which counts as zero.
    /// - Returns: whether the shell must restore the weights now: once.
    package mutating func tick(elapsed time: Duration) -> Bool {
        guard !hasReverted else { return false }
        elapsed = min(Self.longest, elapsed + min(max(.zero, time), Self.longest))
        hasReverted = elapsed >= duration
        return hasReverted
    }
}
