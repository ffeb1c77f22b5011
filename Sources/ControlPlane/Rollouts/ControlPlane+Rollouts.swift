internal import GRPCWire
internal import Logging
internal import Messages
internal import Observability
internal import Rollouts
internal import Serving
internal import StateStores
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

/// Drives the rollouts of the state: counts, decides, stores.
///
/// ```
///   each second, on the leader:
///     dataPlane.takeCohorts -> evidence -> machine.tick --> change of the state by
///                                                           'rollout/ENDPOINT', if it decides
/// ```
///
/// A decision is stored together with the evidence before its weights are served. The leader of a
/// fleet decides by its own requests.
extension ControlPlane {
    /// Ticks each running rollout.
    func tickRollouts() async {
        let names = state.endpoints.values.filter { $0.rollout?.isRunning == true }
            .map(\.name).sorted()
        let isDriving = names.isEmpty ? false : storeProblem == nil ? await store.isLeader : false
        let kept = isDriving ? Set(names) : []
        if rollouts.contains(where: { !kept.contains($0.key) }) {
            rollouts = rollouts.filter { kept.contains($0.key) }
            publishRollouts()
        }
        guard isDriving || names.isEmpty else { return rolloutHooks.removeAll() }
        notifyWebhooks()
        for name in names { await tickRollout(name) }
        publishRollouts()
    }

    private func publishRollouts() {
        let rollouts = rollouts
        views.update { $0.rollouts = rollouts }
    }

    private func tickRollout(_ name: String) async {
        let cohorts = (try? await dataPlane.takeCohorts(of: name)) ?? []
        let shadow = await shadowProgress(of: name)
        guard let endpoint = state.endpoints[name], let stored = endpoint.rollout, stored.isRunning
        else { return }
        let (now, second) = (ContinuousClock.now, DataPlane.second)
        let weight =
            endpoint.weights.weights.first { $0.backend == stored.candidate }?.weight ?? 0
        var running: RunningRollout
        if let known = rollouts[name], known.rollout.id == stored.id {
            running = known
            running.follow(stored, second: second)
        } else {
            running = RunningRollout(stored, weight: weight, now: now, second: second)
        }
        running.note(weight: weight, second: second)
        var tick = running.tick(cohorts, shadow: shadow, now: now)
        let backends = views.current.routing.backends
        tick.isCandidateUsable = Self.isUsable(backends[stored.candidate])
        tick.isBaselineUsable = stored.baseline.weights.contains {
            Self.isUsable(backends[$0.backend])
        }
        let current = running.current
        tick.isConfirmed = isConfirmed(name, current)
        var machine = current.machine
        let change = machine.tick(tick)
        if change == nil { running.ticked(machine) }
        rollouts[name] = running
        if let change { await decide(name, current, tick, change) }
    }

    /// Stores a decision of the rollout itself.
    private func decide(
        _ name: String, _ current: ControlState.Rollout, _ tick: RolloutMachine.Tick,
        _ decision: RolloutMachine.Change
    ) async {
        let options = ChangeOptions(
            author: "rollout/\(name)", comment: decision.text.printable(limit: 1_000))
        do {
            let endpoint = try await change(options) { (state) throws(ControlError) in
                let known = state.endpoints[name]?.rollout
                // Another actor may have decided meanwhile.
                guard known?.id == current.id, known?.decisions == current.decisions else {
                    return nil as ControlState.Endpoint?
                }
                return try state.decide(name, current: current) { $0.tick(tick) }
            }.result
            guard let rollout = endpoint?.rollout else { return }
            rollouts[name]?.decided(rollout, second: DataPlane.second)
            rollouts[name]?.problem = nil
            log.notice(
                "rollout \(decision.text)",
                metadata: ["endpoint": "\(name)", "candidate": "\(rollout.candidate)"])
        } catch {
            let problem = (error as? ControlError)?.message ?? "\(error)"
            guard rollouts[name]?.problem != problem else { return }
            rollouts[name]?.problem = problem
            log.warning(
                "a decision of a rollout cannot be stored; it will be tried again",
                metadata: ["endpoint": "\(name)", "reason": "\(problem)"])
        }
    }

    /// The totals of the candidate's shadow; nil without one.
    private func shadowProgress(of name: String) async -> ShadowProgress? {
        guard let rollout = state.endpoints[name]?.rollout, rollout.machine.targetShadow > 0 else {
            return nil
        }
        let candidate = rollout.candidate
        return await views.readSampled(includesBackends: false) { view in
            guard let endpoint = view.state.endpoints[name],
                let shadow = endpoint.shadows.first(where: { $0.backend == candidate }),
                let figures = view.figures
            else { return nil }
            let findings = view.findings(endpoint, shadow, figures)
            var progress = ShadowProgress()
            progress.copies = findings.figures.selected
            progress.compared = findings.compared
            progress.different = findings.differingBeyondNoise
            for (statuses, count) in findings.figures.statuses {
                switch (statuses.shadow.isServerFault, statuses.primary.isServerFault) {
                case (true, false): progress.badOnlyAtShadow += count
                case (false, true): progress.badOnlyAtPrimary += count
                default: break
                }
            }
            return progress
        }
    }

    // MARK: Operators

    func startRollout(
        _ name: String, _ request: Weir_Admin_V1_RolloutPlan, options: ChangeOptions
    ) async throws -> Weir_Admin_V1_StartRolloutResponse {
        let (traffic, before) = await views.readSampled(includesBackends: false) { view in
            (view.traffic(of: name), view.state.endpoints[name])
        }
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
    func decideRollout(
        _ name: String, options: ChangeOptions,
        _ event:
            @Sendable (inout RolloutMachine, ControlState.Endpoint) throws(RolloutMachine.Rejection)
            -> RolloutMachine.Change?
    ) async throws -> Weir_Admin_V1_Rollout {
        let current = rollouts[name]?.current
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
        if !options.validateOnly { rollouts[name]?.follow(rollout, second: DataPlane.second) }
        var evidence = RolloutEvidence(rollout.plan)
        _ = evidence.restore(rollout.gates)
        return .init(endpoint, rollout, evidence)
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

extension StatusCode {
    /// Whether the server caused the failure, as rollouts judge.
    var isServerFault: Bool {
        [
            .unknown, .deadlineExceeded, .internalError, .unavailable, .dataLoss, .unimplemented,
            .resourceExhausted,
        ].contains(self)
    }
}
