/// A rollout as a machine without a clock, without sockets and without a store.
///
/// ```
///              start              settled             complete
///   pending --------> settling ----------> observing ----------> settling of the next step
///                       ^                      |                   or, at the last one:
///                       |  resume              | pause             baking --> succeeded
///                       '------ paused <-------'                     |
///                                 |   a gate fails, abort            |
///                                 '------------------> aborting <----'
///                                                          '--> aborted
/// ```
///
/// - Time: the shell passes the time that elapsed since the last tick. A clock that is set and the
///   time in which no server runs therefore do not end a step.
/// - Output: after an event that returns a change, the shell sets `targetWeight` and
///   `targetShadow`, and stores `state`.
/// - Invalid events: an operator's event in a phase that does not allow it throws an error for the
///   operator. Ticks of an ended rollout are ignored.
package struct RolloutMachine: Equatable, Sendable {
    /// What the machine needs to know in each tick.
    package struct Tick: Equatable, Sendable {
        /// Since the last tick. Times above `longestTick` count as that time.
        package var elapsed: Duration
        /// Requests and copies that started at the candidate since the last tick.
        package var requests: UInt64
        /// Whether the candidate has a usable replica, and whether one of the baseline has.
        package var isCandidateUsable = true
        package var isBaselineUsable = true
        /// The gate that has failed, with its evidence, as text.
        package var failure: String?
        /// Whether all gates have passed.
        package var isProven = false
        /// Whether the webhooks have confirmed the decision of `neededConfirmation`.
        package var isConfirmed = false
        /// Why no change may give the candidate more requests, as text; nil if it may.
        package var freeze: String?

        package init(elapsed: Duration, requests: UInt64 = 0) {
            self.elapsed = elapsed
            self.requests = requests
        }
    }

    /// A decision, as text for the history.
    package struct Change: Equatable, Sendable {
        package let text: String
        /// Whether the shell sets the targets. Not after another actor's change, which stays.
        package var setsWeights = true

        fileprivate var keepingWeights: Change { Change(text: text, setsWeights: false) }
    }

    /// Why an operator's request is rejected.
    package struct Rejection: Error, Equatable, Sendable {
        package let reason: String
    }

    /// How to resume after another actor's change of the weights.
    package enum Resumption: Sendable { case plain, adopt, restore }

    /// The longest time that one tick can count.
    package static let longestTick = Duration.seconds(10)
    /// The time after a change of weights in which a step cannot be complete.
    package static let settleTime = Duration.seconds(3)
    /// The time without requests after which a step pauses.
    package static let quietTime = Duration.seconds(30)

    package let plan: RolloutPlan
    package internal(set) var state = RolloutState()

    package init(_ plan: RolloutPlan) { self.plan = plan }

    /// Continues from a stored state; nil if it does not belong to the plan.
    package init?(_ plan: RolloutPlan, stored state: RolloutState) {
        let isPaused = state.phase == .paused
        guard plan.steps.indices.contains(state.step), isPaused == (state.pause != nil),
            isPaused == (state.pausedPhase != nil),
            state.abortPosition >= 0, state.abortPosition <= plan.abortRamp.count,
            state.inPhase >= .zero, state.quiet >= .zero,
            (0...1).contains(state.adoptedWeight ?? 0)
        else { return nil }
        if let phase = state.pausedPhase {
            guard [.pending, .settling, .observing, .baking].contains(phase) else { return nil }
        }
        self.plan = plan
        self.state = state
    }

    // MARK: Targets

    /// The weight of the candidate. The rest belongs to the weights before the rollout.
    package var targetWeight: Double {
        switch state.phase {
        case .pending, .aborted: 0
        case .succeeded: 1
        case .aborting:
            state.abortPosition < plan.abortRamp.count
                ? plan.abortRamp[state.abortPosition].weight : 0
        case .settling, .observing, .baking, .paused:
            state.isBeforeStart ? 0 : state.adoptedWeight ?? plan.weight(ofStep: state.step)
        }
    }

    /// The proportion of the candidate's shadow.
    package var targetShadow: Double {
        switch state.phase {
        case .settling, .observing, .baking, .paused:
            state.isBeforeStart ? 0 : plan.shadow(ofStep: state.step)
        default: 0
        }
    }

    // MARK: Events

    package mutating func start() -> Change? {
        guard state.phase == .pending else { return nil }
        guard !plan.confirmations.contains(.start) else {
            state.reason = Self.pendingReason
            return Change(text: state.reason)
        }
        return enter(step: 0, "started")
    }

    static let pendingReason =
        "waits for the webhook \(RolloutPlan.Confirmation.start.rawValue)"

    /// The decision that waits for webhooks; nil if none does.
    package var neededConfirmation: RolloutPlan.Confirmation? {
        if state.phase == .pending { return plan.confirmations.contains(.start) ? .start : nil }
        return state.pause == .confirmation ? confirmation(after: state.step) : nil
    }

    /// What webhooks confirm before the step after this one.
    func confirmation(after step: Int) -> RolloutPlan.Confirmation? {
        let needed: RolloutPlan.Confirmation =
            step + 2 < plan.steps.count ? .step : .promotion
        return plan.confirmations.contains(needed) ? needed : nil
    }

    /// A second has passed.
    package mutating func tick(_ tick: Tick) -> Change? {
        let before = self
        let change = advanceTime(tick)
        let raises =
            targetWeight > before.targetWeight || targetShadow > before.targetShadow
        guard let freeze = tick.freeze, change != nil, raises else { return change }
        // The decision is made again when it is allowed.
        self = before
        state.held = freeze
        return nil
    }

    private mutating func advanceTime(_ tick: Tick) -> Change? {
        guard !state.isEnded else { return nil }
        state.held = ""
        guard state.phase != .pending else {
            return neededConfirmation != nil && tick.isConfirmed
                ? enter(step: 0, "confirmed by the webhook") : nil
        }
        let elapsed = min(max(.zero, tick.elapsed), Self.longestTick)
        if let failure = tick.failure, abortsOnFailure {
            return beginAbort("gate failed: \(failure)")
        }
        if tick.requests > 0 {
            state.quiet = .zero
            state.requests =
                state.requests.addingReportingOverflow(tick.requests).overflow
                ? .max : state.requests + tick.requests
        } else {
            state.quiet = min(state.quiet + elapsed, RolloutPlan.longest)
        }
        if state.phase != .paused {
            state.inPhase = min(state.inPhase + elapsed, RolloutPlan.longest)
        }
        switch state.phase {
        case .settling: return settle(tick)
        case .observing: return observe(tick)
        case .baking: return bake(tick)
        case .paused: return resumeByItself(tick)
        case .aborting: return continueAbort(tick)
        case .pending, .aborted, .succeeded: return nil
        }
    }

    /// Another actor has changed the weights of the endpoint.
    ///
    /// - Parameter actor: the author of the change.
    package mutating func weightsChanged(by actor: String) -> Change? {
        switch state.phase {
        case .paused where state.isBeforeStart:
            return end(.aborted, "the weights were changed by '\(actor)' before the first step")
                .keepingWeights
        case .settling, .observing, .baking, .paused:
            guard state.pause != .otherChange else { return nil }
            return pause(.otherChange, "the weights were changed by '\(actor)'").keepingWeights
        case .aborting:
            // The actor's weights replace the ramp.
            return end(.aborted, "\(state.reason); the weights were changed by '\(actor)'")
                .keepingWeights
        case .pending where neededConfirmation != nil:
            return end(.aborted, "the weights were changed by '\(actor)' before the first step")
                .keepingWeights
        case .pending, .aborted, .succeeded: return nil
        }
    }

    /// The definition of a backend has changed, so the evidence until now is about another program.
    /// The step begins again; a rollout that an operator must resume stays paused.
    ///
    /// - Parameter text: which definition, as text.
    /// - Returns: nil in phases that compare nothing.
    package mutating func definitionChanged(_ text: String) -> Change? {
        switch (state.phase, state.pause) {
        case (.settling, _), (.observing, _), (.baking, _), (_, .approval), (_, .confirmation):
            let adopted = state.adoptedWeight
            let change = enter(step: state.step, "\(text), so the evidence begins again")
            state.adoptedWeight = adopted
            return change
        // The evidence begins with the first step.
        case (.paused, _) where state.isBeforeStart: return nil
        case (.paused, _):
            state.entry &+= 1
            state.pausedPhase = .settling
            (state.inPhase, state.requests) = (.zero, 0)
            return Change(text: "\(text), so the evidence begins again").keepingWeights
        case (.pending, _), (.aborting, _), (.aborted, _), (.succeeded, _): return nil
        }
    }

    package mutating func pause(by actor: String) throws(Rejection) -> Change? {
        switch state.phase {
        case .paused where state.pause == .otherChange || state.pause == .operator: return nil
        case .settling, .observing, .baking, .paused:
            return pause(.operator, "paused by '\(actor)'")
        case .pending where neededConfirmation != nil:
            return pause(.operator, "paused by '\(actor)'")
        case .pending, .aborting, .aborted, .succeeded: throw rejection("be paused")
        }
    }

    /// - Parameter weight: the present weight of the candidate, for `adopt`.
    package mutating func resume(
        _ resumption: Resumption, by actor: String, weight: Double
    ) throws(Rejection) -> Change? {
        guard state.phase == .paused, let phase = state.pausedPhase else {
            throw rejection("be resumed")
        }
        switch (state.pause, resumption) {
        case (.otherChange, .plain):
            throw Rejection(
                reason: "\(state.reason); resume with 'adopt' to continue from these weights, or "
                    + "with 'restore' to set those of the step")
        case (.approval, _):
            throw Rejection(reason: "the rollout waits for approval; use advance")
        case (.confirmation, _):
            throw Rejection(
                reason: "the rollout waits for a webhook; use advance to continue without it")
        case (.otherChange, .adopt): return adopt(weight, by: actor)
        case (.otherChange, .restore): return enter(step: state.step, "restored by '\(actor)'")
        case (_, .adopt), (_, .restore):
            throw Rejection(
                reason: "no other actor has changed the weights; resume without adopt and restore")
        default: return leavePause(to: phase, "resumed by '\(actor)'")
        }
    }

    /// Approves a complete step, or skips one.
    package mutating func advance(by actor: String) throws(Rejection) -> Change? {
        switch state.phase {
        case .pending where neededConfirmation != nil:
            return enter(step: 0, "started without the webhook by '\(actor)'")
        case .settling, .observing: return advance("advanced by '\(actor)'")
        case .paused where state.isBeforeStart:
            return enter(step: 0, "started without the webhook by '\(actor)'")
        case .paused where state.pause != .otherChange:
            if state.pausedPhase == .baking { return end(.succeeded, "bake ended by '\(actor)'") }
            return advance("advanced by '\(actor)'")
        case .baking: return end(.succeeded, "bake ended by '\(actor)'")
        case .pending, .paused, .aborting, .aborted, .succeeded:
            throw rejection("be advanced")
        }
    }

    /// Routes all requests to the candidate at once.
    package mutating func promote(by actor: String) throws(Rejection) -> Change? {
        guard !state.isEnded, state.phase != .aborting else { throw rejection("be promoted") }
        return end(.succeeded, "promoted by '\(actor)'")
    }

    /// - Parameters:
    ///   - isImmediate: skips the ramp.
    ///   - keepsWeights: ends the rollout where it is, with the weights of any actor.
    package mutating func abort(
        by actor: String, isImmediate: Bool = false, keepsWeights: Bool = false
    ) throws(Rejection) -> Change? {
        guard !state.isEnded else { throw rejection("be aborted") }
        guard !keepsWeights else {
            return end(.aborted, "ended by '\(actor)'; the present weights stay").keepingWeights
        }
        let reason = "aborted by '\(actor)'"
        return isImmediate || state.isBeforeStart
            ? end(.aborted, reason) : beginAbort(reason)
    }

    /// The endpoint was restored to an earlier state, whose weights stay.
    package mutating func superseded(_ reason: String) -> Change? {
        state.isEnded ? nil : end(.aborted, reason).keepingWeights
    }

    private func rejection(_ verb: String) -> Rejection {
        Rejection(reason: "a rollout in the phase \(state.phase.rawValue) cannot \(verb)")
    }

    // MARK: Transitions

    mutating func enter(step: Int, _ text: String) -> Change {
        let entry = state.entry &+ 1
        state = RolloutState()
        state.phase = .settling
        state.step = step
        state.entry = entry
        return Change(text: "\(text): \(positionText)")
    }

    /// Begins the next step, or the bake after the last one.
    mutating func advance(_ text: String) -> Change {
        guard state.step + 1 < plan.steps.count else {
            leave(.baking)
            return Change(text: "\(text): baking")
        }
        return enter(step: state.step + 1, text)
    }

    mutating func pause(_ pause: RolloutState.Pause, _ reason: String) -> Change {
        // A second reason keeps the phase of the first one.
        if state.phase != .paused { state.pausedPhase = state.phase }
        state.phase = .paused
        state.pause = pause
        state.reason = reason
        return Change(text: "paused: \(reason)")
    }

    mutating func leavePause(to phase: RolloutState.Phase, _ text: String) -> Change {
        let inPhase = state.inPhase
        leave(phase)
        // Time in the phase before the pause counts, except at the start of a step.
        if phase != .settling { state.inPhase = inPhase }
        return Change(text: "resumed: \(text)")
    }

    /// Leaves a pause or a phase for another phase of the same step.
    private mutating func leave(_ phase: RolloutState.Phase) {
        state.phase = phase
        (state.pause, state.pausedPhase) = (nil, nil)
        (state.reason, state.held) = (phase == .pending ? Self.pendingReason : "", "")
        state.inPhase = .zero
        state.quiet = .zero
    }

    /// Continues with the weight that another actor has set, which stays until the next step.
    private mutating func adopt(_ weight: Double, by actor: String) -> Change {
        let step = plan.steps.indices.last { plan.weight(ofStep: $0) <= weight }
        let text = "adopted at \(RolloutPlan.percent(weight)) by '\(actor)'"
        let change = enter(step: step ?? 0, text)
        state.adoptedWeight = weight
        return change
    }

    mutating func beginAbort(_ reason: String) -> Change {
        let weight = targetWeight
        // Parts of the ramp at or above the present weight would raise it.
        let position = plan.abortRamp.firstIndex { $0.weight < weight } ?? plan.abortRamp.count
        leave(.aborting)
        state.reason = reason
        state.abortPosition = position
        guard position < plan.abortRamp.count else { return end(.aborted, reason) }
        return Change(text: "aborting: \(reason); at \(RolloutPlan.percent(targetWeight))")
    }

    mutating func setAbortPosition(_ position: Int) {
        state.abortPosition = position
        state.inPhase = .zero
    }

    mutating func end(_ phase: RolloutState.Phase, _ reason: String) -> Change {
        leave(phase)
        state.reason = reason
        return Change(text: "\(phase.rawValue): \(reason)")
    }
}
