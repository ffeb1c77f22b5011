// What a tick does in each phase.

extension RolloutMachine {
    /// Whether a failed gate aborts now. An operator who has paused the rollout, or has changed the
    /// weights, decides alone.
    var abortsOnFailure: Bool {
        switch state.phase {
        case .settling, .observing, .baking: true
        case .paused: state.pause != .operator && state.pause != .otherChange
        case .pending, .aborting, .aborted, .succeeded: false
        }
    }

    mutating func settle(_ tick: Tick) -> Change? {
        guard tick.isCandidateUsable else { return pauseForReplicas() }
        guard state.inPhase >= Self.settleTime else { return nil }
        state.inPhase = .zero
        // Nothing can be compared when the candidate has all traffic.
        state.phase = isLastWeightWhole ? .baking : .observing
        return Change(text: "\(positionText) is \(state.phase.rawValue)")
    }

    private var isLastWeightWhole: Bool { targetWeight >= 1 }

    mutating func observe(_ tick: Tick) -> Change? {
        guard tick.isCandidateUsable else { return pauseForReplicas() }
        guard state.quiet < Self.quietTime else {
            return pause(.noTraffic, "the candidate received no requests")
        }
        let isMinimumMet =
            state.inPhase >= plan.minimum && state.requests >= plan.minimumRequests
        let isComplete = plan.requirement == .proof ? isMinimumMet && tick.isProven : isMinimumMet
        if isComplete {
            let basis = tick.isProven ? "all gates passed" : "no gate failed"
            guard !plan.needsApproval else {
                return pause(
                    .approval, "\(positionText) is complete: \(basis); waits for advance")
            }
            return advanceOrConfirm(basis)
        }
        guard state.inPhase >= plan.maximum else { return nil }
        let text = "\(positionText) is inconclusive after \(plan.maximum)"
        return switch plan.onInconclusive {
        case .pause: pause(.inconclusive, text)
        case .advance: advanceOrConfirm(text)
        case .abort: beginAbort(text)
        }
    }

    /// Begins the next step, or waits for the webhooks that confirm it.
    private mutating func advanceOrConfirm(_ basis: String) -> Change {
        guard let confirmation = confirmation(after: state.step) else { return advance(basis) }
        return pause(
            .confirmation,
            "\(positionText) is complete: \(basis); waits for the webhook "
                + confirmation.rawValue)
    }

    mutating func bake(_ tick: Tick) -> Change? {
        guard tick.isCandidateUsable else { return pauseForReplicas() }
        guard state.quiet < Self.quietTime else {
            return pause(.noTraffic, "the candidate received no requests")
        }
        guard state.inPhase >= plan.bake, state.requests >= plan.minimumRequests else {
            return nil
        }
        return end(.succeeded, "the bake of \(plan.bake) is complete")
    }

    mutating func resumeByItself(_ tick: Tick) -> Change? {
        guard let phase = state.pausedPhase else { return nil }
        switch state.pause {
        case .noTraffic where tick.requests > 0:
            return leavePause(to: phase, "the candidate receives requests")
        case .noReplica where tick.isCandidateUsable:
            return leavePause(to: phase, "the candidate has a usable replica")
        case .confirmation where tick.isConfirmed:
            return advance("confirmed by the webhook")
        default: return nil
        }
    }

    mutating func continueAbort(_ tick: Tick) -> Change? {
        guard state.abortPosition < plan.abortRamp.count else {
            return end(.aborted, state.reason)
        }
        // More requests for a baseline without replicas would all fail.
        guard tick.isBaselineUsable,
            state.inPhase >= plan.abortRamp[state.abortPosition].duration
        else { return nil }
        setAbortPosition(state.abortPosition + 1)
        guard state.abortPosition < plan.abortRamp.count else {
            return end(.aborted, state.reason)
        }
        return Change(text: "abort ramp at \(RolloutPlan.percent(targetWeight))")
    }

    private mutating func pauseForReplicas() -> Change? {
        pause(.noReplica, "the candidate has no usable replica")
    }

    /// `step 2 of 5 (10%)`
    package var positionText: String {
        "step \(state.step + 1) of \(plan.steps.count) (\(plan.text(ofStep: state.step)))"
    }
}
