internal import GRPCWire
internal import Logging
internal import Messages
internal import Observability
internal import Rollouts
internal import Serving
internal import StateStores
internal import TrafficPolicy
internal import Upstream

internal import struct FoundationEssentials.Date

/// Drives the rollouts of the state: counts, decides, stores.
///
/// ```
///   each second:                dataPlane.takeCohorts -> counts of this server
///   on the leader:              counts of all servers -> evidence -> machine.tick --> change of
///                               the state by 'rollout/ENDPOINT', if it decides
///   every few seconds:          the leader stores evidence and position; others publish counts
/// ```
///
/// A decision is stored together with the evidence before its weights are served. While the store
/// is lost, the counts and the evidence stay in memory.
extension ControlPlane {
    /// Ticks each running rollout.
    func tickRollouts() async {
        let names = state.endpoints.values.filter { $0.rollout?.isRunning == true }
            .map(\.name).sorted()
        rollouts = rollouts.filter { names.contains($0.key) }
        let isLeader = await store.isLeader
        if !isLeader, !names.isEmpty { rolloutHooks.removeAll() } else { notifyWebhooks() }
        let others = isLeader && !names.isEmpty ? await countsOfOthers() : [:]
        for name in names { await tickRollout(name, isLeader: isLeader, others[name] ?? []) }
        showRollouts()
        if isLeader { await storeProgress() } else { await publishCounts() }
    }

    /// What another server has counted for a rollout.
    private typealias OtherCounts = (server: String, counts: PublishedCounts)

    /// The counts of the other servers by endpoint.
    private func countsOfOthers() async -> [String: [OtherCounts]] {
        var others: [String: [OtherCounts]] = [:]
        for server in await publishedCounts() where server.instance != countingName {
            for endpoint in server.endpoints {
                others[endpoint.endpoint, default: []].append((server.instance, .init(endpoint)))
            }
        }
        return others
    }

    /// Only the server that drives a rollout has all of its evidence.
    private func showRollouts() {
        let driven = rollouts.filter { $0.value.isDriven }
        guard !driven.isEmpty || !views.current.rollouts.isEmpty else { return }
        views.update { $0.rollouts = driven }
    }

    private func tickRollout(
        _ name: String, isLeader: Bool, _ others: [OtherCounts]
    ) async {
        let cohorts = (try? await dataPlane.takeCohorts(of: name)) ?? []
        let shadow = await shadowProgress(of: name)
        guard let endpoint = state.endpoints[name], let stored = endpoint.rollout, stored.isRunning
        else { return }
        let (now, second) = (ContinuousClock.now, DataPlane.second)
        let weight =
            endpoint.weights.weights.first { $0.backend == stored.candidate }?.weight ?? 0
        var running =
            rollouts[name].flatMap { $0.rollout.id == stored.id ? $0 : nil }
            ?? RunningRollout(stored, weight: weight, now: now, second: second)
        running.follow(stored)
        running.count(cohorts, shadow: shadow, weight: weight, at: second)
        running.note(
            candidate: replicaFigures(of: [stored.candidate]),
            baseline: replicaFigures(of: stored.baseline.weights.map(\.backend)), weight: weight)
        rollouts[name] = running
        guard isLeader, await lead(name) else {
            rollouts[name]?.yieldLead(now: now)
            return
        }
        await drive(name, others)
    }

    /// Continues from the stored progress of a rollout unless this server drives it already.
    ///
    /// - Returns: whether it drives the rollout.
    private func lead(_ name: String) async -> Bool {
        guard let running = rollouts[name] else { return false }
        guard !running.isDriven else { return true }
        do throws(StoreError) {
            let progress = try await storedProgress(of: running.rollout.id)
            guard rollouts[name]?.rollout.id == running.rollout.id else { return false }
            rollouts[name]?.takeLead(from: progress, as: countingName, now: .now)
            return true
        } catch {
            return false
        }
    }

    private func drive(_ name: String, _ others: [OtherCounts]) async {
        guard var running = rollouts[name] else { return }
        running.add(running.published, of: countingName)
        for other in others { running.add(other.counts, of: other.server) }
        var tick = running.tick(now: .now)
        let backends = views.current.routing.backends
        tick.isCandidateUsable = Self.isUsable(backends[running.rollout.candidate])
        tick.isBaselineUsable = running.rollout.baseline.weights.contains {
            Self.isUsable(backends[$0.backend])
        }
        tick.freeze = state.freeze(at: chance.now())?.description
        let current = running.current
        tick.isConfirmed = isConfirmed(name, current)
        var machine = current.machine
        let event = event(of: current, tick)
        let change = event(&machine)
        if change == nil { running.ticked(machine) }
        rollouts[name] = running
        if let change { await decide(name, current, change, event) }
    }

    /// The event of this tick: that a backend has changed, or the tick.
    private func event(
        of rollout: ControlState.Rollout, _ tick: RolloutMachine.Tick
    ) -> @Sendable (inout RolloutMachine) -> RolloutMachine.Change? {
        // Rollouts of earlier versions have no digest.
        let isSame =
            rollout.definitions == 0 || state.definitions(of: rollout) == rollout.definitions
        let changed = rollout.backends.compactMap { state.backends[$0] }
            .max { $0.revision < $1.revision }
        guard !isSame, let changed else { return { $0.tick(tick) } }
        let text = "backend '\(changed.name)' was changed in revision \(changed.revision)"
        return { $0.definitionChanged(text) ?? $0.tick(tick) }
    }

    /// Stores a decision of the rollout itself.
    private func decide(
        _ name: String, _ current: ControlState.Rollout, _ decision: RolloutMachine.Change,
        _ event: @escaping @Sendable (inout RolloutMachine) -> RolloutMachine.Change?
    ) async {
        let options = ChangeOptions(
            author: "rollout/\(name)", comment: decision.text.printable(limit: 1_000),
            ignoresFreeze: true)
        do {
            let endpoint = try await change(options) { (state) throws(ControlError) in
                let known = state.endpoints[name]?.rollout
                // Another actor may have decided meanwhile.
                guard known?.id == current.id, known?.decisions == current.decisions else {
                    return nil as ControlState.Endpoint?
                }
                return try state.decide(name, current: current) { event(&$0) }
            }.result
            guard let rollout = endpoint?.rollout else { return }
            rollouts[name]?.follow(rollout)
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

    /// The replicas of backends on this server; none for Swift code.
    private func replicaFigures(of backends: [String]) -> ReplicaFigures {
        var figures = ReplicaFigures()
        for backend in backends {
            guard case .replicas(let set) = views.current.routing.backends[backend] else {
                continue
            }
            for replica in set.statuses {
                figures.replicas += 1
                figures.ejections &+= replica.ejections
            }
        }
        return figures
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
}
