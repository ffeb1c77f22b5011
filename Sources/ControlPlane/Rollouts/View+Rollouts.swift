internal import GRPCWire
internal import Messages
internal import Observability
internal import Rollouts
internal import TrafficPolicy

extension ControlPlane.View {
    /// The latest rollout of an endpoint.
    func rollout(of name: String) throws(ControlError) -> Weir_Admin_V1_Rollout {
        let endpoint = try state.existingEndpoint(name)
        guard let message = rollout(of: endpoint) else { throw .noRollout(of: name) }
        return message
    }

    /// The latest rollout of each endpoint.
    var allRollouts: Weir_Admin_V1_ListRolloutsResponse {
        .init(
            rollouts: state.endpoints.values.sorted { $0.name < $1.name }
                .compactMap { rollout(of: $0) })
    }

    private func rollout(of endpoint: ControlState.Endpoint) -> Weir_Admin_V1_Rollout? {
        var message = rolloutMessage(of: endpoint)
        message?.webhookProblem = webhookProblems[endpoint.name] ?? ""
        return message
    }

    /// - Parameter restoresEvidence: whether to compute the evidence of rollouts that this server
    ///   does not drive, which costs more than all other metrics.
    private func rolloutMessage(
        of endpoint: ControlState.Endpoint, restoresEvidence: Bool = true
    ) -> Weir_Admin_V1_Rollout? {
        guard let stored = endpoint.rollout else { return nil }
        if let running = rollouts[endpoint.name], running.rollout.id == stored.id,
            running.rollout.decisions == stored.decisions
        {
            return self.message(of: endpoint, running.rollout, running.evidence)
        }
        return message(of: endpoint, stored, restoresEvidence ? stored.evidence : nil)
    }

    func message(
        of endpoint: ControlState.Endpoint, _ rollout: ControlState.Rollout,
        _ evidence: RolloutEvidence?
    ) -> Weir_Admin_V1_Rollout {
        var message = Weir_Admin_V1_Rollout(endpoint, rollout, evidence)
        if !rollout.machine.state.held.isEmpty { message.freeze = freeze.map { .init($0) } }
        return message
    }

    /// The requests and the share of bad ones since the start of the server.
    func traffic(of endpoint: String) -> (started: UInt64, errorShare: Double) {
        var started: UInt64 = 0
        var (finished, bad) = (0.0, 0.0)
        for (key, calls) in figures?.calls ?? [:] where key.endpoint == endpoint && !key.isShadow {
            started &+= calls.started
            for ended in calls.finished {
                finished += Double(ended.latency.count)
                if ended.code.isServerFault { bad += Double(ended.latency.count) }
            }
        }
        return (started, finished > 0 ? bad / finished : 0)
    }

    func addRollouts(to text: inout MetricsText) {
        let running = state.endpoints.values.sorted { $0.name < $1.name }
            .compactMap { rolloutMessage(of: $0, restoresEvidence: false) }
        func hasEvidence(_ rollout: Weir_Admin_V1_Rollout) -> Bool { rollout.logThreshold > 0 }
        func family(
            _ name: String, _ help: String,
            _ samples: (Weir_Admin_V1_Rollout) -> [([(String, String)], Double)]
        ) {
            text.family(name, .gauge, help)
            for rollout in running {
                let labels = [
                    ("endpoint", rollout.endpoint), ("candidate", rollout.plan?.candidate ?? ""),
                ]
                for (more, value) in samples(rollout) { text.sample(name, labels + more, value) }
            }
        }
        family(
            "weir_rollout_phase",
            "The phase of the endpoint's latest rollout: 1 pending, 2 settling, 3 observing, "
                + "4 baking, 5 paused, 6 aborting, 7 aborted, 8 succeeded."
        ) { [([], Double($0.phase.rawValue))] }
        family("weir_rollout_step", "The number of the present step, from 1 on.") {
            [([], Double($0.step) + 1)]
        }
        family("weir_rollout_weight", "The present weight of the candidate.") {
            [([], $0.weight)]
        }
        family(
            "weir_rollout_evidence",
            "The natural logarithm of the evidence that a gate has failed. At "
                + "weir_rollout_threshold, the rollout aborts."
        ) { hasEvidence($0) ? [([], $0.logFailure)] : [] }
        family("weir_rollout_threshold", "The evidence at which the rollout aborts.") {
            hasEvidence($0) ? [([], $0.logThreshold)] : []
        }
        family(
            "weir_rollout_ratio",
            "The ratio of candidate and baseline for a gate: its estimate and the interval that "
                + "contains it."
        ) { rollout in
            rollout.gates.flatMap { gate -> [([(String, String)], Double)] in
                guard let ratio = gate.ratio else { return [] }
                return [
                    ("lower", ratio.lower), ("estimate", ratio.estimate), ("upper", ratio.upper),
                ]
                .compactMap { bound, value in
                    value.map { ([("gate", gate.gate), ("bound", bound)], $0) }
                }
            }
        }
    }
}

extension Weir_Admin_V1_Rollout {
    init(
        _ endpoint: ControlState.Endpoint, _ rollout: ControlState.Rollout,
        _ evidence: RolloutEvidence?
    ) {
        let (machine, state) = (rollout.machine, rollout.machine.state)
        func share(_ backend: String) -> Double {
            endpoint.weights.weights.first { $0.backend == backend }?.weight ?? 0
        }
        self.init(
            endpoint: endpoint.name, plan: rollout.request, phase: .init(state.phase),
            step: UInt32(clamping: state.step), reason: state.shownReason,
            pause: state.pause?.rawValue ?? "", weight: share(rollout.plan.candidate),
            shadow: machine.targetShadow, inPhase: .init(state.inPhase), requests: state.requests,
            gates: evidence?.reports.map { .init($0) } ?? [],
            logFailure: evidence?.logFailure ?? 0, logThreshold: evidence?.threshold ?? 0,
            baseline: .init(rollout.baseline),
            author: rollout.author, started: .init(rollout.started), revision: endpoint.revision,
            startedRevision: rollout.startedRevision)
        // The plan with its defaults, as the rollout follows it.
        plan?.steps = rollout.plan.steps.indices.map { rollout.plan.text(ofStep: $0) }
        plan?.gates = rollout.plan.gates.map(\.text)
    }
}

extension Weir_Admin_V1_RolloutGate {
    fileprivate init(_ report: RolloutEvidence.Report) {
        self.init(
            gate: report.gate, requests: report.requests, candidateBad: report.candidateBad,
            baselineBad: report.baselineBad,
            ratio: report.ratio.map {
                .init(lower: $0.lower, estimate: $0.estimate, upper: $0.upper)
            },
            logFailure: report.logFailure, logPass: report.logPass, passed: report.hasPassed)
    }
}
