internal import Messages
internal import Rollouts
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

extension ControlState {
    /// The latest rollout of an endpoint, at its latest decision.
    package struct Rollout: Sendable {
        /// A random number that identifies the rollout.
        let id: UInt64
        /// The plan as requested, from which the machine's plan follows.
        let request: Weir_Admin_V1_RolloutPlan
        /// The weights before the rollout.
        /// Those of another actor, without the candidate, once they were adopted.
        var baseline: TrafficWeights
        let author: String
        let started: Date
        /// The revision that started it; 0 if an earlier version did.
        var startedRevision: UInt64 = 0
        var machine: RolloutMachine
        /// The evidence.
        var gates: [RolloutEvidence.StoredGate] = []
        var decisions: UInt64 = 0
        /// The entry of a step at which the evidence began: later than the first one if a backend
        /// has changed since.
        var evidenceEntry: UInt64 = 0
        /// The digest of the definitions of its backends to which the evidence belongs; 0 if it is
        /// unknown.
        var definitions: UInt64 = 0
        /// Identifies what the rollout does; 0 if it is unknown. See `RolloutDigest`.
        var digest: UInt64 = 0
        /// The digests of the endpoint's earlier rollouts, oldest first.
        var earlierDigests: [UInt64] = []

        /// The evidence until the latest decision. Sums that do not match the gates are dropped,
        /// which costs evidence and not validity.
        var evidence: RolloutEvidence {
            var evidence = RolloutEvidence(plan)
            _ = evidence.restore(gates)
            return evidence
        }

        /// Counts a decision. A store can contain any number, so the addition saturates.
        mutating func decided() { decisions += decisions == .max ? 0 : 1 }

        var plan: RolloutPlan { machine.plan }
        var candidate: String { plan.candidate }
        /// `observing`
        var phaseText: String { machine.state.phase.rawValue }
        var isRunning: Bool { !machine.state.isEnded }
        /// Whether the rollout determines the weights of the endpoint.
        var ownsWeights: Bool { isRunning && machine.state.pause != .otherChange }
        var ownsShadow: Bool {
            plan.steps.contains { if case .shadow = $0 { true } else { false } }
        }

        /// The most earlier rollouts that are known not to start again by the same configuration.
        static let maxEarlierDigests = 32

        /// Whether a plan is the one of this rollout, or of one before it that would do the same.
        func hasRun(_ plan: Weir_Admin_V1_RolloutPlan, _ digest: UInt64) -> Bool {
            // Rollouts of earlier versions have no digest.
            self.digest == digest || earlierDigests.contains(digest)
                || (self.digest == 0 && request == plan)
        }

        /// The backends that the rollout needs, sorted.
        var backends: [String] {
            Set(baseline.weights.map(\.backend) + [plan.candidate]).sorted()
        }
    }
}

extension RolloutPlan {
    /// Rejects a plan that requires proof if the present traffic cannot give it in any step.
    func checkProof(
        _ preview: RolloutPreview, _ traffic: (perSecond: Double, errorShare: Double)
    ) throws(ControlError) {
        let times = preview.steps.compactMap(\.timeToProof)
        guard requirement == .proof, let shortest = times.min(), shortest > maximum else { return }
        let (rate, errors) = (
            (traffic.perSecond * 10).rounded() / 10, (traffic.errorShare * 1e5).rounded() / 1e3
        )
        throw .invalid(
            "plan.require",
            "at \(rate) requests/s of which \(errors) % are bad, proof takes "
                + "\(shortest.components.seconds) s at the fastest step, above the maximum of "
                + "\(maximum.components.seconds) s; raise the maximum, use larger steps or a "
                + "larger limit, or use no_objection")
    }

    /// Checks a plan, and names an invalid field as a field of `plan`.
    init(_ message: Weir_Admin_V1_RolloutPlan) throws(ControlError) {
        do throws(PlanError) {
            var plan = try RolloutPlan(
                candidate: message.candidate, steps: message.steps, gates: message.gates,
                holdout: message.holdout)
            plan.abortRamp = try Self.abortRamp(message.abort, field: "abort")
            plan.needsApproval = message.approval
            plan.requirement =
                message.require == .proof ? .proof : .noObjection
            switch message.onInconclusive {
            case .advance: plan.onInconclusive = .advance
            case .abort: plan.onInconclusive = .abort
            default: plan.onInconclusive = .pause
            }
            if let alpha = message.alpha { plan.alpha = alpha }
            if let requests = message.minimumRequests { plan.minimumRequests = requests }
            self = plan
        } catch {
            throw .invalid("plan.\(error.field)", error.problem)
        }
        guard [.unspecified, .noObjection, .proof].contains(message.require) else {
            throw .invalid("plan.require", "unknown value; use no_objection or proof")
        }
        guard
            [.unspecified, .pause, .advance, .abort].contains(message.onInconclusive)
        else {
            throw .invalid(
                "plan.on_inconclusive", "unknown value; use pause, advance or abort")
        }
        confirmations = Self.confirmations(try RolloutWebhook.all(message.webhooks))
        try RequestField("plan.bake").set(&bake, message.bake)
        try RequestField("plan.minimum").set(&minimum, message.minimum)
        try RequestField("plan.maximum").set(&maximum, message.maximum)
        do throws(PlanError) {
            self = try checked()
        } catch {
            throw .invalid("plan.\(error.field)", error.problem)
        }
    }
}
