internal import Messages
internal import Rollouts
internal import Serving

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
        let (id, now) = (chance.random(), chance.now())
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
    /// - Parameter lowersRisk: whether the event may also happen during a freeze. Other events are
    ///   answered with the reasons against them.
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
        var reply = Weir_Admin_V1_Rollout(endpoint, rollout, rollout.evidence)
        if !lowersRisk { reply.warnings = warnings(about: rollout, current) }
        if !options.validateOnly {
            rollouts[name]?.follow(rollout)
        }
        return reply
    }

    /// The reasons against giving the candidate more requests.
    ///
    /// - Parameter current: the rollout before the decision with its latest evidence, if this
    ///   server has it.
    private func warnings(
        about rollout: ControlState.Rollout, _ current: ControlState.Rollout?
    ) -> [String] {
        var warnings: [String] = []
        if let failure = (current ?? rollout).evidence.failure {
            let effect = rollout.isRunning ? ", so the rollout will abort" : ""
            warnings.append("a gate has failed\(effect): \(failure)")
        }
        if !Self.isUsable(views.current.routing.backends[rollout.candidate]) {
            warnings.append("backend '\(rollout.candidate)' has no usable replica on this server")
        }
        return warnings
    }

    /// The latest rollout of an endpoint. One that another server drives has the evidence that the
    /// other server has stored.
    func shownRollout(_ name: String) async throws -> Weir_Admin_V1_Rollout {
        let view = views.current
        let shown = try view.rollout(of: name)
        guard storeProblem == nil, let endpoint = view.state.endpoints[name],
            let stored = endpoint.rollout, stored.isRunning, view.rollouts[name] == nil,
            let progress = await followedProgress(of: stored.id),
            let current = progress.rollout.flatMap({ stored.progressed($0) })
        else { return shown }
        var reply = view.message(of: endpoint, current, current.evidence)
        reply.webhookProblem = progress.webhookProblem
        return reply
    }

    /// The stored progress, which is read at most once a second.
    private func followedProgress(of rollout: UInt64) async -> Weir_Store_V1_RolloutProgress? {
        let now = ContinuousClock.now
        if let known = followed[rollout], now - known.read < FollowedRollout.maxAge {
            return known.progress
        }
        let running = Set(state.endpoints.values.compactMap(\.rollout?.id))
        followed = followed.filter { running.contains($0.key) }
        // Others use the earlier progress while this one is read, or if it cannot be read.
        let known = followed[rollout]?.progress
        followed[rollout] = .init(read: now, progress: known)
        guard let read = try? await storedProgress(of: rollout) else { return known }
        followed[rollout] = .init(read: now, progress: read)
        return read
    }

    nonisolated func watchRollout(
        _ name: String, _ send: (Weir_Admin_V1_Rollout) async throws -> Void
    ) async throws {
        var sent: [UInt8] = []
        while !health.isDraining {
            let rollout = try await shownRollout(name)
            let bytes = try rollout.serializedBytes()
            if bytes != sent { try await send(rollout) }
            sent = bytes
            if rollout.phase == .aborted || rollout.phase == .succeeded { return }
            try await Task.sleep(for: .seconds(1))
        }
    }
}

/// The progress of a rollout that another server drives.
struct FollowedRollout: Sendable {
    static let maxAge = Duration.seconds(1)

    let read: ContinuousClock.Instant
    /// Nil if the store has none.
    let progress: Weir_Store_V1_RolloutProgress?
}
