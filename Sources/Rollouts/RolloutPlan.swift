/// What a rollout does: its steps, its gates, and what happens in each case.
package struct RolloutPlan: Equatable, Sendable {
    /// One step.
    package enum Step: Equatable, Sendable {
        /// A share of all requests is copied to the candidate; no client receives its responses.
        case shadow(Double)
        /// A share of all requests is routed to the candidate.
        case weight(Double)
    }

    /// When a step is complete.
    package enum Requirement: String, Sendable, CaseIterable {
        /// The minimum is met, and no gate has failed.
        case noObjection = "no_objection"
        /// All gates have passed.
        case proof
    }

    /// What happens when a step reaches its maximum and is not complete.
    package enum Inconclusive: String, Sendable, CaseIterable {
        case pause, advance, abort
    }

    /// A decision that webhooks confirm before it takes effect.
    package enum Confirmation: String, Sendable, CaseIterable {
        /// The first step.
        case start = "confirm-start"
        /// Any other step.
        case step = "confirm-step"
        /// The last step, or the end without one.
        case promotion = "confirm-promotion"
    }

    /// One part of a ramp that takes the candidate out of use.
    package struct RampStep: Equatable, Sendable {
        package let weight: Double
        package let duration: Duration
    }

    /// The longest duration in a plan: a week.
    package static let longest = Duration.seconds(604_800)
    package static let maxSteps = 32
    package static let maxGates = 16
    package static let defaultGates = ["errors<1.5x", "p99<1.5x", "codes<2x"]

    package var candidate: String
    package var steps: [Step]
    package var gates: [Gate]
    package var bake = Duration.seconds(600)
    package var minimum = Duration.seconds(60)
    package var maximum = Duration.seconds(3_600)
    package var minimumRequests: UInt64 = 100
    package var requirement = Requirement.noObjection
    package var onInconclusive = Inconclusive.pause
    /// Empty to return to the baseline at once.
    package var abortRamp: [RampStep] = []
    /// The share that stays at the baseline until the end of the bake, for comparison.
    package var holdout = 0.0
    /// Whether each step waits for an operator.
    package var needsApproval = false
    /// The decisions that webhooks confirm.
    package var confirmations: Set<Confirmation> = []
    /// The probability that a good candidate is aborted, and that a bad one is accepted as proven.
    package var alpha = 0.05

    /// Reads steps and gates.
    ///
    /// - Parameters:
    ///   - steps: `shadow:100%`, `1%`, `10%`; weights increase. A last step of 100 % is added if it
    ///     is missing.
    ///   - gates: `defaultGates` if empty.
    package init(
        candidate: String, steps: [String], gates: [String], holdout: Double = 0
    ) throws(PlanError) {
        self.candidate = candidate
        self.steps = try Self.steps(steps)
        guard holdout >= 0, holdout <= 0.5 else {
            throw PlanError("holdout", "is \(holdout); use a share from 0 to 0.5")
        }
        self.holdout = holdout
        guard gates.count <= Self.maxGates else {
            throw PlanError(
                "gates", "has \(gates.count) entries; use at most \(Self.maxGates)")
        }
        let texts = gates.isEmpty ? Self.defaultGates : gates
        self.gates = []
        for (index, text) in texts.enumerated() {
            let gate = try Gate(text, field: "gates[\(index)]")
            guard
                !self.gates.contains(where: { $0.measure == gate.measure && $0.limit == gate.limit }
                )
            else { throw PlanError("gates[\(index)]", "'\(text)' is given twice; remove one") }
            self.gates.append(gate)
        }
        try checkShadowGates()
    }

    private func checkShadowGates() throws(PlanError) {
        let hasShadow = steps.contains { if case .shadow = $0 { true } else { false } }
        guard let index = gates.firstIndex(where: { $0.measure == .shadowDifferences }), !hasShadow
        else { return }
        throw PlanError(
            "gates[\(index)]",
            "'\(gates[index].text)' needs a shadow step; add 'shadow:100%' as the first step")
    }

    private static func steps(_ texts: [String]) throws(PlanError) -> [Step] {
        guard !texts.isEmpty else {
            throw PlanError("steps", "is empty; use for example shadow:100%, 1%, 10%, 50%, 100%")
        }
        guard texts.count <= maxSteps else {
            throw PlanError("steps", "has \(texts.count) entries; use at most \(maxSteps)")
        }
        var steps: [Step] = []
        var last = 0.0
        for (index, text) in texts.enumerated() {
            let field = "steps[\(index)]"
            let isShadow = text.hasPrefix("shadow:")
            guard text.utf8.count <= PlanText.maxBytes,
                let share = PlanText.share(isShadow ? text.dropFirst(7) : text[...]), share > 0
            else {
                throw PlanError(
                    field,
                    "invalid step \(PlanText.quoted(text)): use a share above 0% up to 100%, for "
                        + "example 10% or shadow:100%")
            }
            if isShadow {
                guard last == 0 else {
                    throw PlanError(field, "a shadow step must be before all weights")
                }
                steps.append(.shadow(share))
            } else {
                guard share > last else {
                    throw PlanError(
                        field, "\(text) is not above the step before it; steps must increase")
                }
                last = share
                steps.append(.weight(share))
            }
        }
        if last < 1 { steps.append(.weight(1)) }
        return steps
    }

    /// Reads `ramp:50%,10%,0%/1m`, or an empty text or `immediate` for no ramp.
    package static func abortRamp(_ text: String, field: String) throws(PlanError) -> [RampStep] {
        if text.isEmpty || text == "immediate" { return [] }
        func invalid(_ problem: String) -> PlanError {
            PlanError(field, "invalid ramp \(PlanText.quoted(text)): \(problem)")
        }
        guard text.utf8.count <= PlanText.maxBytes, text.hasPrefix("ramp:"),
            let slash = text.lastIndex(of: "/"),
            let duration = PlanText.duration(text[text.index(after: slash)...])
        else { throw invalid("use 'immediate' or for example ramp:50%,10%,0%/1m") }
        var ramp: [RampStep] = []
        for part in text[..<slash].dropFirst(5).split(
            separator: ",", omittingEmptySubsequences: false)
        {
            guard let weight = PlanText.share(part), weight < (ramp.last?.weight ?? 1) else {
                throw invalid("the weights must decrease from below 100% to 0%")
            }
            ramp.append(RampStep(weight: weight, duration: duration))
        }
        guard ramp.last?.weight == 0, ramp.count <= maxSteps else {
            throw invalid("the last weight must be 0%, and at most \(maxSteps) are allowed")
        }
        return ramp
    }

    /// Checks the durations, the level and their relations.
    package func checked() throws(PlanError) -> RolloutPlan {
        for (field, value) in [("bake", bake), ("minimum", minimum), ("maximum", maximum)] {
            guard value >= .milliseconds(1), value <= Self.longest else {
                throw PlanError(field, "is \(value); use a duration from 1 ms to 7 days")
            }
        }
        guard minimum <= maximum else {
            throw PlanError("minimum", "is \(minimum), above the maximum of \(maximum); lower it")
        }
        let onlyFail: [Gate.Measure] = [.statuses, .ejections]
        guard requirement != .proof || gates.contains(where: { !onlyFail.contains($0.measure) })
        else {
            throw PlanError(
                "gates",
                "codes and ejected cannot pass, only fail; for a proof, add for example errors<1.5x"
            )
        }
        guard (0.0001...0.5).contains(alpha) else {
            throw PlanError("alpha", "is \(alpha); use a probability from 0.0001 to 0.5")
        }
        guard minimumRequests <= 1_000_000_000 else {
            throw PlanError("minimum_requests", "is \(minimumRequests); use at most 1e9")
        }
        return self
    }

    /// The candidate's weight at a step: never above 1 − holdout. 0 for a shadow step.
    package func weight(ofStep step: Int) -> Double {
        guard steps.indices.contains(step), case .weight(let weight) = steps[step] else { return 0 }
        return min(weight, 1 - holdout)
    }

    /// The shadow's proportion at a step; 0 without a shadow.
    package func shadow(ofStep step: Int) -> Double {
        guard steps.indices.contains(step), case .shadow(let share) = steps[step] else { return 0 }
        return share
    }

    /// The text of a step: `shadow:100%` or `10%`.
    package func text(ofStep step: Int) -> String {
        guard steps.indices.contains(step) else { return "" }
        return switch steps[step] {
        case .shadow(let share): "shadow:\(Self.percent(share))"
        case .weight(let share): Self.percent(share)
        }
    }

    /// `10%`, without needless digits.
    package static func percent(_ share: Double) -> String {
        let percent = (share * 1e6).rounded() / 1e4
        return percent == percent.rounded() ? "\(Int(percent))%" : "\(percent)%"
    }
}
