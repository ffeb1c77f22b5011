internal import Messages
internal import Rollouts
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

// Converts rollouts to and from the messages of `store.proto`.

extension ControlState.Rollout {
    init(_ message: Weir_Store_V1_Rollout) throws(UnreadableState) {
        func unreadable(_ problem: String) -> UnreadableState {
            UnreadableState(description: "its rollout: \(problem)")
        }
        let request = message.plan ?? .init()
        let plan: RolloutPlan
        do throws(ControlError) {
            plan = try RolloutPlan(request)
        } catch {
            throw unreadable(error.message)
        }
        let stored = message.baseline.map { ($0.backend, $0.weight) }
        guard let baseline = TrafficWeights(stored: stored) else {
            throw unreadable("the weights before it are invalid")
        }
        guard let state = RolloutState(message), let machine = RolloutMachine(plan, stored: state)
        else { throw unreadable("its position is invalid") }
        let time = message.started ?? .init()
        guard Google_Protobuf_Timestamp.secondsRange.contains(time.seconds) else {
            throw unreadable("the time of its start is invalid")
        }
        self.init(
            id: message.id, request: request, baseline: baseline, author: message.author,
            started: Date(time), startedRevision: message.startedRevision, machine: machine,
            gates: message.gates.compactMap(RolloutEvidence.StoredGate.init),
            decisions: message.decisions, evidenceEntry: message.evidenceEntry,
            definitions: message.definitions, digest: message.digest,
            earlierDigests: message.earlierDigests.suffix(Self.maxEarlierDigests))
    }

    /// The rollout with the position and the evidence of a later moment; nil if they do not belong
    /// to its latest decision.
    func progressed(_ message: Weir_Store_V1_Rollout) -> ControlState.Rollout? {
        guard message.id == id, message.decisions == decisions,
            let state = RolloutState(message),
            let machine = RolloutMachine(plan, stored: state)
        else { return nil }
        var progressed = self
        progressed.machine = machine
        progressed.gates = message.gates.compactMap(RolloutEvidence.StoredGate.init)
        return progressed
    }
}

extension Weir_Store_V1_Rollout {
    init(_ rollout: ControlState.Rollout) {
        self.init(position: rollout)
        plan = rollout.request
        baseline = .init(rollout.baseline)
        author = rollout.author
        started = .init(rollout.started)
        startedRevision = rollout.startedRevision
        evidenceEntry = rollout.evidenceEntry
        definitions = rollout.definitions
        digest = rollout.digest
        earlierDigests = rollout.earlierDigests
    }

    /// What changes between decisions.
    init(position rollout: ControlState.Rollout) {
        let state = rollout.machine.state
        self.init(
            id: rollout.id, decisions: rollout.decisions, phase: .init(state.phase),
            step: UInt32(clamping: state.step), pause: state.pause?.rawValue ?? "",
            pausedPhase: state.pausedPhase.map { .init($0) } ?? .unspecified,
            adoptedWeight: state.adoptedWeight,
            abortPosition: UInt32(clamping: state.abortPosition), reason: state.reason,
            inPhase: .init(state.inPhase), quiet: .init(state.quiet), requests: state.requests,
            gates: rollout.gates.map { .init($0) }, entry: state.entry, held: state.held)
    }
}

extension RolloutState {
    fileprivate init?(_ message: Weir_Store_V1_Rollout) {
        guard let phase = Phase(message.phase),
            let inPhase = Duration(stored: message.inPhase),
            let quiet = Duration(stored: message.quiet)
        else { return nil }
        self.init()
        self.phase = phase
        step = Int(message.step)
        if !message.pause.isEmpty {
            guard let pause = Pause(rawValue: message.pause),
                let pausedPhase = Phase(message.pausedPhase)
            else { return nil }
            (self.pause, self.pausedPhase) = (pause, pausedPhase)
        }
        adoptedWeight = message.adoptedWeight
        abortPosition = Int(message.abortPosition)
        reason = message.reason
        held = message.held
        (self.inPhase, self.quiet) = (inPhase, quiet)
        requests = message.requests
        entry = message.entry
    }
}

extension Duration {
    /// A stored duration of at most a week; nil for others.
    init?(stored message: Google_Protobuf_Duration?) {
        let message = message ?? .init()
        guard message.seconds >= 0, (0...999_999_999).contains(message.nanos) else { return nil }
        let duration = Duration.seconds(message.seconds) + .nanoseconds(Int64(message.nanos))
        guard duration <= RolloutPlan.longest else { return nil }
        self = duration
    }
}

extension RolloutState.Phase {
    private static let messages: [(RolloutState.Phase, Weir_Admin_V1_RolloutPhase)] = [
        (.pending, .pending), (.settling, .settling), (.observing, .observing),
        (.baking, .baking), (.paused, .paused), (.aborting, .aborting), (.aborted, .aborted),
        (.succeeded, .succeeded),
    ]

    init?(_ message: Weir_Admin_V1_RolloutPhase) {
        guard let phase = Self.messages.first(where: { $0.1 == message })?.0 else { return nil }
        self = phase
    }

    fileprivate var message: Weir_Admin_V1_RolloutPhase {
        Self.messages.first { $0.0 == self }?.1 ?? .unspecified
    }
}

extension Weir_Admin_V1_RolloutPhase {
    init(_ phase: RolloutState.Phase) { self = phase.message }
}

extension RolloutEvidence.StoredGate {
    /// Nil if the lengths do not match the sums.
    fileprivate init?(_ message: Weir_Store_V1_RolloutGateSums) {
        guard message.lengths.reduce(0, { $0 + Int($1) }) == message.sums.count else { return nil }
        self.init(gate: message.gate)
        var rest = message.sums[...]
        for length in message.lengths {
            sums.append(Array(rest.prefix(Int(length))))
            rest = rest.dropFirst(Int(length))
        }
        (requests, candidateBad, baselineBad) =
            (message.requests, message.candidateBad, message.baselineBad)
    }
}

extension Weir_Store_V1_RolloutGateSums {
    fileprivate init(_ gate: RolloutEvidence.StoredGate) {
        self.init(
            gate: gate.gate, requests: gate.requests, candidateBad: gate.candidateBad,
            baselineBad: gate.baselineBad, sums: gate.sums.flatMap(\.self),
            lengths: gate.sums.map { UInt32(clamping: $0.count) })
    }
}
