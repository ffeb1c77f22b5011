/// A change of weights that reverts after a time, unless it is confirmed.
///
/// ```
///   open --------- time passed ---------> reverted
///    |  confirm                              |  another actor's change, a new change
///    '-------------> confirmed               '-----> superseded
/// ```
///
/// The shell passes the time that elapsed on the wall clock, also while no server ran. A clock that
/// is set back does not lengthen the box.
package struct TimeBox: Equatable, Sendable {
    package enum Phase: String, Sendable, CaseIterable {
        case open, reverted, confirmed, superseded
    }

    package enum Kind: String, Sendable, CaseIterable {
        /// Reverts after the time.
        case lasting = "for"
        /// Reverts after the time unless it is confirmed.
        case confirmWithin = "confirm_within"
    }

    /// The longest time of a box: a week.
    package static let longest = RolloutPlan.longest

    package let kind: Kind
    package let duration: Duration
    package private(set) var phase = Phase.open
    package private(set) var elapsed = Duration.zero

    /// - Parameter duration: nil unless it is from 1 s to `longest`.
    package init?(_ kind: Kind, _ duration: Duration) {
        guard duration >= .seconds(1), duration <= Self.longest else { return nil }
        self.kind = kind
        self.duration = duration
    }

    /// Continues from stored values; nil if they are invalid.
    package init?(_ kind: Kind, _ duration: Duration, phase: Phase, elapsed: Duration) {
        guard let box = TimeBox(kind, duration), elapsed >= .zero, elapsed <= Self.longest else {
            return nil
        }
        self = box
        self.phase = phase
        self.elapsed = elapsed
    }

    package var remaining: Duration { max(.zero, duration - elapsed) }

    /// Time has passed.
    ///
    /// - Parameter time: below zero if the clock was set back, which counts as zero.
    /// - Returns: whether the shell must restore the weights now.
    package mutating func tick(elapsed time: Duration) -> Bool {
        guard phase == .open else { return false }
        elapsed = min(Self.longest, elapsed + min(max(.zero, time), Self.longest))
        guard elapsed >= duration else { return false }
        phase = .reverted
        return true
    }

    /// An operator confirms the change, which then stays.
    ///
    /// - Returns: whether the box was open and can be confirmed.
    package mutating func confirm() -> Bool {
        guard phase == .open, kind == .confirmWithin else { return false }
        phase = .confirmed
        return true
    }

    /// Another change replaces the weights.
    package mutating func superseded() {
        if phase == .open { phase = .superseded }
    }
}
