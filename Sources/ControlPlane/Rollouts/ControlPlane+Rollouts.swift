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
/// A decision is stored together with the evidence before its weights are served. The other servers
/// of a fleet publish their counts for the leader.
extension ControlPlane {
    /// Ticks each running rollout.
    func tickRollouts() async {
        let names = state.endpoints.values.filter { $0.rollout?.isRunning == true }
            .map(\.name).sorted()
        let kept = storeProblem == nil ? Set(names) : []
        if rollouts.contains(where: { !kept.contains($0.key) }) {
            rollouts = rollouts.filter { kept.contains($0.key) }
            showRollouts(isDriving: false)
        }
        let isDriving = kept.isEmpty ? false : await store.isLeader
        guard isDriving || names.isEmpty else {
            rolloutHooks.removeAll()
            for name in names where kept.contains(name) {
                await tickRollout(name, isDriving: false, [])
            }
            showRollouts(isDriving: false)
            return await publishCounts()
        }
        notifyWebhooks()
        guard isDriving else { return }
        let others = await publishedCounts()
        for name in names { await tickRollout(name, isDriving: true, others) }
        showRollouts(isDriving: true)
    }

    /// Only the server that drives a rollout has all of its evidence.
    private func showRollouts(isDriving: Bool) {
        let rollouts = isDriving ? rollouts : [:]
        views.update { $0.rollouts = rollouts }
    }

    /// The counts that the other servers have published.
    private func publishedCounts() async -> [Weir_Store_V1_RolloutCounts] {
        do throws(StoreError) {
            return try await store.publishedCounts().compactMap {
                try? Weir_Store_V1_RolloutCounts(serializedBytes: $0)
            }
        } catch {
            // Lost counts cost evidence, not validity.
            return []
        }
    }

    /// Publishes the counts of this server for the leader.
    private func publishCounts() async {
        guard let instance = views.current.instance?.id, !rollouts.isEmpty else { return }
        let counts = Weir_Store_V1_RolloutCounts(
            instance: instance,
            endpoints: rollouts.sorted { $0.key < $1.key }.map { .init($0, $1.published) })
        guard let bytes = try? counts.serializedBytes() else { return }
        do throws(StoreError) {
            try await store.publish(counts: bytes)
        } catch {
            // The next publication contains the same seconds.
            return
        }
    }

    private func tickRollout(
        _ name: String, isDriving: Bool, _ others: [Weir_Store_V1_RolloutCounts]
    ) async {
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
            running.follow(stored, second: second, isDriving: isDriving)
        } else {
            running = RunningRollout(stored, weight: weight, now: now, second: second)
        }
        running.note(weight: weight, second: second)
        let counts = running.counts(cohorts)
        guard isDriving else {
            running.keep(counts, shadow: shadow, now: now)
            rollouts[name] = running
            return
        }
        var requests: UInt64 = 0
        for other in others where other.instance != views.current.instance?.id {
            for endpoint in other.endpoints where endpoint.endpoint == name {
                requests &+= running.add(.init(endpoint), of: other.instance)
            }
        }
        var tick = running.tick(counts, shadow: shadow, others: requests, now: now)
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
        if !options.validateOnly {
            rollouts[name]?.follow(rollout, second: DataPlane.second, isDriving: true)
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
