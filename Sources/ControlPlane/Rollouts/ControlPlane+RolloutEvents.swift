internal import Messages
internal import Rollouts
internal import Serving

internal import struct FoundationEssentials.Date

/// What operators do with rollouts.
extension ControlPlane {
    func startRollout(
        _ name: String, _ request: Weir_Admin_V1_RolloutPlan, options: ChangeOptions
    ) async throws -> Weir_Admin_V1_StartRolloutResponse {
        let (traffic, before) = (await presentTraffic(of: name), state.endpoints[name])
        try checkWebhooks(request)
        let plan = try RolloutPlan(request)
        if let before {
            let preview = RolloutPreview(
                plan, map: before.map, history: before.history, baseline: before.weights,
                requestsPerSecond: traffic.perSecond, errorShare: traffic.errorShare)
            try plan.checkProof(preview, traffic)
        }
        let id = UInt64.random(in: 1 ... .max)
        let now = Date()
        let (endpoint, revision) = try await change(options) { (state) throws(ControlError) in
            try state.startRollout(
                name, request, id: id, author: options.author, at: now)
        }
        var response = Weir_Admin_V1_StartRolloutResponse(
            revision: revision, requestsPerSecond: traffic.perSecond,
            errorShare: traffic.errorShare)
        guard let rollout = endpoint.rollout, let before else { return response }
        response.rollout = .init(endpoint, rollout, RolloutEvidence(rollout.plan))
        let preview = RolloutPreview(
            rollout.plan, map: before.map, history: before.history, baseline: rollout.baseline,
            requestsPerSecond: traffic.perSecond, errorShare: traffic.errorShare)
        response.preview = preview.steps.map { step in
            .init(
                step: step.text, movedShare: step.movedShare,
                timeToProof: step.timeToProof.map { .init($0) })
        }
        return response
    }

    /// Passes an operator's event to a rollout.
    ///
    /// - Parameter lowersRisk: whether the event may also happen during a freeze.
    func decideRollout(
        _ name: String, options: ChangeOptions, lowersRisk: Bool = false,
        _ event:
            @Sendable (inout RolloutMachine, ControlState.Endpoint) throws(RolloutMachine.Rejection)
            -> RolloutMachine.Change?
    ) async throws -> Weir_Admin_V1_Rollout {
        let current = await currentRollout(of: name)
        let options = options.ignoringFreeze(lowersRisk)
        let endpoint = try await change(options) { (state) throws(ControlError) in
            let before = try state.existingEndpoint(name)
            return try state.decide(name, current: current) { (machine) throws(ControlError) in
                do throws(RolloutMachine.Rejection) {
                    return try event(&machine, before)
                } catch {
                    throw .rollout(of: name, error.reason)
                }
            }
        }.result
        guard let rollout = endpoint.rollout else { throw ControlError.noRollout(of: name) }
        if !options.validateOnly {
            rollouts[name]?.follow(rollout)
        }
        return .init(endpoint, rollout, rollout.evidence)
    }

    nonisolated func watchRollout(
        _ name: String, _ send: (Weir_Admin_V1_Rollout) async throws -> Void
    ) async throws {
        var sent: [UInt8] = []
        while !health.isDraining {
            let rollout = try views.current.rollout(of: name)
            let bytes = try rollout.serializedBytes()
            if bytes != sent { try await send(rollout) }
            sent = bytes
            if rollout.phase == .aborted || rollout.phase == .succeeded { return }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
