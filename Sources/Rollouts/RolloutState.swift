/// The position of a rollout, as plain values, so that a store can contain it.
package struct RolloutState: Equatable, Sendable {
    package enum Phase: String, Sendable, CaseIterable {
        case pending, settling, observing, baking, paused, aborting, aborted, succeeded
    }

    /// Why a rollout waits.
    package enum Pause: String, Sendable, CaseIterable {
        /// The candidate received no requests. The rollout resumes when it does.
        case noTraffic = "no_traffic"
        /// The candidate has no usable replica. The rollout resumes when it has one.
        case noReplica = "no_replica"
        /// The step is complete and waits for an operator.
        case approval
        /// The step is complete and waits for a webhook's confirmation.
        case confirmation
        /// The step reached its maximum and is not complete.
        case inconclusive
        /// An operator paused the rollout.
        case `operator`
        /// Another actor changed the weights of the endpoint.
        case otherChange = "other_change"

        /// Whether the rollout resumes without an operator.
        package var endsByItself: Bool { self == .noTraffic || self == .noReplica }
    }

    package var phase = Phase.pending
    /// The index of the step.
    package var step = 0
    /// How often a step was entered. A later entry has a larger number.
    package var entry: UInt64 = 0
    /// While paused: the reason, and the phase to return to.
    package var pause: Pause?
    package var pausedPhase: Phase?
    /// The candidate's weight of another actor, which replaces that of the step.
    package var adoptedWeight: Double?
    /// While aborting: the index in the ramp.
    package var abortPosition = 0
    /// Why the rollout waits, was aborted or ended, as text.
    package var reason = ""
    /// The freeze that holds the next decision, as text; empty without one.
    package var held = ""
    /// The time in the phase, without pauses and without the time in which no server ran.
    package var inPhase = Duration.zero
    /// Requests at the candidate in this step, also copies.
    package var requests: UInt64 = 0
    /// The time since the last request at the candidate.
    package var quiet = Duration.zero

    package init() {}

    package var isEnded: Bool { phase == .aborted || phase == .succeeded }
    /// The reason for operators: a freeze that holds a decision is the one that matters.
    package var shownReason: String { held.isEmpty ? reason : "waits: \(held)" }
    /// Whether the first step has not begun.
    package var isBeforeStart: Bool { (pausedPhase ?? phase) == .pending }
}
