internal import GRPCWire
internal import Messages
internal import Rollouts
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

/// Rollouts as changes of the state.
extension ControlState {
    /// Starts a rollout.
    ///
    /// - Parameter id: a random number.
    mutating func startRollout(
        _ name: String, _ request: Weir_Admin_V1_RolloutPlan, id: UInt64, author: String,
        at time: Date
    ) throws(ControlError) -> Endpoint {
        var endpoint = try existingEndpoint(name)
        if let rollout = endpoint.rollout, rollout.isRunning {
            throw .rollout(
                of: name, "a rollout to '\(rollout.plan.candidate)' is running; abort it first")
        }
        if let box = endpoint.timeBox {
            throw .rollout(
                of: name,
                "the weights that '\(box.author)' has set will revert; confirm them, or set weights"
            )
        }
        let plan = try RolloutPlan(request)
        _ = try existingBackend(plan.candidate, field: "plan.candidate")
        if let share = endpoint.weights.weights.first(where: { $0.backend == plan.candidate }) {
            throw .rollout(
                of: name,
                "backend '\(plan.candidate)' already receives "
                    + "\(RolloutPlan.percent(share.weight)) of the requests; set its weight to 0")
        }
        guard endpoint.weights.weights.count < TrafficWeights.maximumBackends else {
            throw .rollout(of: name, "the endpoint has the most backends that it can have")
        }
        var rollout = Rollout(
            id: id, request: request, baseline: endpoint.weights, author: author, started: time,
            startedRevision: nextRevision, machine: RolloutMachine(plan))
        rollout.definitions = definitions(of: rollout)
        rollout.digest = RolloutDigest.of(request, backends[plan.candidate])
        if let before = endpoint.rollout {
            rollout.earlierDigests = (before.earlierDigests + [before.digest])
                .suffix(Rollout.maxEarlierDigests)
        }
        guard
            !rollout.ownsShadow
                || !endpoint.shadows.contains(where: { $0.backend == plan.candidate })
        else {
            throw .rollout(
                of: name,
                "backend '\(plan.candidate)' is a shadow of the endpoint; remove that shadow, or "
                    + "start without a shadow step")
        }
        guard let change = rollout.machine.start() else { return endpoint }
        rollout.decisions = 1
        endpoint.rollout = rollout
        try follow(change, of: &endpoint)
        return put(endpoint)
    }

    /// Passes an event to the rollout of an endpoint.
    ///
    /// - Parameters:
    ///   - current: the rollout with the time and the evidence since its latest decision; ignored
    ///     if there was another decision since.
    ///   - event: returns nil if nothing changes.
    mutating func decide(
        _ name: String, current: Rollout? = nil,
        _ event: (inout RolloutMachine) throws(ControlError) -> RolloutMachine.Change?
    ) throws(ControlError) -> Endpoint {
        var endpoint = try existingEndpoint(name)
        guard var rollout = endpoint.rollout else { throw .noRollout(of: name) }
        if let current, current.id == rollout.id, current.decisions == rollout.decisions {
            rollout = current
        }
        let (adopted, entry) = (
            rollout.machine.state.adoptedWeight, rollout.machine.state.entry
        )
        guard let change = try event(&rollout.machine) else { return endpoint }
        rollout.decided()
        if entry != rollout.machine.state.entry { beginEvidence(of: &rollout) }
        if rollout.machine.state.adoptedWeight != nil, adopted == nil,
            let others = endpoint.weights.without(rollout.candidate)
        {
            rollout.baseline = others
        }
        endpoint.rollout = rollout
        try follow(change, of: &endpoint)
        return put(endpoint)
    }

    /// A step was entered. Its evidence begins, or all evidence if a backend has changed.
    private func beginEvidence(of rollout: inout Rollout) {
        let definitions = definitions(of: rollout)
        var evidence: RolloutEvidence
        // Rollouts of earlier versions have no digest.
        if definitions == rollout.definitions || rollout.definitions == 0 {
            evidence = rollout.evidence
            evidence.restart()
            rollout.definitions = definitions
        } else {
            evidence = RolloutEvidence(rollout.plan)
            rollout.definitions = definitions
            rollout.evidenceEntry = rollout.machine.state.entry
            rollout.digest = RolloutDigest.of(rollout.request, backends[rollout.candidate])
        }
        rollout.gates = evidence.stored
    }

    /// The digest of the definitions of a rollout's backends.
    func definitions(of rollout: Rollout) -> UInt64 {
        RolloutDigest.of(rollout.backends.map { backends[$0] })
    }

    /// Sets the weights and the shadow that the rollout requires.
    private func follow(
        _ change: RolloutMachine.Change, of endpoint: inout Endpoint
    ) throws(ControlError) {
        guard let rollout = endpoint.rollout else { return }
        let (machine, candidate) = (rollout.machine, rollout.plan.candidate)
        guard change.setsWeights else {
            // Only the weights stay after the end.
            if !rollout.isRunning, rollout.ownsShadow {
                endpoint.shadows.removeAll { $0.backend == candidate }
            }
            return
        }
        let target = RolloutPreview.weights(
            rollout.baseline, candidate: candidate, weight: machine.targetWeight)
        guard let target else {
            throw .rollout(of: endpoint.name, "the weights of the step are invalid")
        }
        if target != endpoint.weights {
            for weight in target.weights { _ = try existingBackend(weight.backend) }
            endpoint.map = endpoint.map.changed(to: target, history: endpoint.history).map
            endpoint.weights = target
        }
        guard rollout.ownsShadow else { return }
        let known = endpoint.shadows.first { $0.backend == candidate }
        endpoint.shadows.removeAll { $0.backend == candidate }
        if machine.targetShadow > 0 {
            guard endpoint.shadows.count < Self.maxShadows else {
                throw .invalid("endpoint", "has the most shadows that it can have")
            }
            endpoint.shadows.append(
                Shadow(
                    backend: candidate, proportion: machine.targetShadow,
                    options: known?.options ?? .init()))
            endpoint.shadows.sort { $0.backend < $1.backend }
        }
    }

    /// Rejects a change of an endpoint whose weights a rollout owns.
    func checkNoRollout(of name: String, _ remedy: String) throws(ControlError) {
        guard let rollout = endpoints[name]?.rollout, rollout.isRunning else { return }
        throw .rollout(
            of: name, "a rollout to '\(rollout.plan.candidate)' is running; \(remedy)")
    }

    /// Rejects the deletion of a backend that a running rollout needs.
    func checkRollouts(without backend: String) throws(ControlError) {
        for endpoint in endpoints.values.sorted(by: { $0.name < $1.name }) {
            guard let rollout = endpoint.rollout, rollout.isRunning,
                rollout.backends.contains(backend)
            else { continue }
            throw .rollout(
                of: endpoint.name,
                "a rollout from \(rollout.baseline.inWords) to '\(rollout.plan.candidate)' is "
                    + "running; abort it before you delete backend '\(backend)'")
        }
    }
}

extension TrafficWeights {
    /// The weights of the other backends, which then sum to 1; nil if there is none.
    fileprivate func without(_ backend: String) -> TrafficWeights? {
        let others = weights.filter { $0.backend != backend }
        let sum = others.reduce(0) { $0 + $1.weight }
        guard sum > 0 else { return nil }
        return try? TrafficWeights(others.map { ($0.backend, $0.weight / sum) })
    }
}

extension ControlState.Endpoint {
    /// Another actor has changed the weights.
    mutating func weightsChanged(by actor: String) {
        guard rollout?.machine.weightsChanged(by: actor) != nil else { return }
        rollout?.decided()
    }

    /// The endpoint is restored to an earlier state, which ends its rollout.
    mutating func endRollout(_ reason: String) {
        guard rollout?.machine.superseded(reason) != nil else { return }
        rollout?.decided()
        guard let rollout, rollout.ownsShadow else { return }
        shadows.removeAll { $0.backend == rollout.plan.candidate }
    }
}

extension ControlError {
    /// A rollout does not allow the change.
    static func rollout(of endpoint: String, _ problem: String) -> ControlError {
        rejected("endpoint '\(endpoint)': \(problem)", reason: "ROLLOUT", ["endpoint": endpoint])
    }

    static func noRollout(of endpoint: String) -> ControlError {
        missing(
            "endpoint \(endpoint.quoted) never had a rollout; start one with StartRollout",
            reason: "ROLLOUT_NOT_FOUND", ["endpoint": endpoint])
    }
}
