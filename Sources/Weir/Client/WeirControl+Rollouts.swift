internal import Messages

extension WeirControl {
    /// What a rollout does. Values that are nil or empty have the defaults of the server.
    public struct RolloutPlan: Sendable {
        /// When a step is complete.
        public enum Requirement: Sendable {
            /// The minimum is met, and no gate has failed.
            case noObjection
            /// All gates have passed.
            case proof
        }

        /// What happens at the maximum of a step that is not complete.
        public enum Inconclusive: Sendable {
            case pause, advance, abort
        }

        /// The backend that shall receive the requests.
        public var candidate: String
        /// `shadow:100%` copies requests, `10%` routes them. Weights increase.
        public var steps: [String]
        /// `errors<1.5x`, `p99<1.2x` and the like.
        public var gates: [String]
        /// The time at the last step before the rollout succeeds.
        public var bake: Duration?
        /// The least time of a step.
        public var minimum: Duration?
        /// The most time of a step without a decision.
        public var maximum: Duration?
        /// The fewest requests at the candidate in a step.
        public var minimumRequests: UInt64?
        /// When a step is complete.
        public var requirement = Requirement.noObjection
        /// What happens at the maximum of a step.
        public var onInconclusive = Inconclusive.pause
        /// `immediate`, or a ramp: `ramp:50%,10%,0%/1m`.
        public var abort = ""
        /// The share of requests that the candidate receives only when the rollout succeeds.
        public var holdout = 0.0
        /// Whether each complete step waits for `advanceRollout`.
        public var approval = false

        /// A plan with the defaults of the server.
        public init(candidate: String, steps: [String], gates: [String] = []) {
            self.candidate = candidate
            self.steps = steps
            self.gates = gates
        }

        fileprivate var message: Weir_Admin_V1_RolloutPlan {
            func span(_ duration: Duration?) -> Google_Protobuf_Duration? {
                duration.map {
                    let (seconds, attoseconds) = $0.components
                    return .init(
                        seconds: seconds, nanos: Int32(clamping: attoseconds / 1_000_000_000))
                }
            }
            return .init(
                candidate: candidate, steps: steps, gates: gates, bake: span(bake),
                minimum: span(minimum), maximum: span(maximum), minimumRequests: minimumRequests,
                require: requirement == .proof ? .proof : .noObjection,
                onInconclusive: onInconclusive == .abort
                    ? .abort : onInconclusive == .advance ? .advance : .pause,
                abort: abort, holdout: holdout, approval: approval)
        }
    }

    /// A rollout and its progress.
    public struct Rollout: Sendable {
        /// The position of a rollout.
        public enum Phase: Sendable {
            case pending, settling, observing, baking, paused, aborting, aborted, succeeded
        }

        /// The endpoint's name.
        public let endpoint: String
        /// The backend that shall receive the requests.
        public let candidate: String
        /// The steps, with the last one.
        public let steps: [String]
        /// The position; nil for one that this version does not know.
        public let phase: Phase?
        /// The index of the step in `steps`.
        public let step: Int
        /// Why the rollout waits or has ended.
        public let reason: String
        /// The kind of the pause, for example `operator`; empty unless the phase is `paused`.
        public let pause: String
        /// The present weight of the candidate.
        public let weight: Double
        /// Requests at the candidate in this step.
        public let requests: UInt64
        /// The gates that have passed in this step.
        public let passedGates: [String]
        /// The revision of the latest decision.
        public let revision: UInt64

        /// Whether the rollout has succeeded or was aborted.
        public var hasEnded: Bool { phase == .succeeded || phase == .aborted }

        private static let phases: [Weir_Admin_V1_RolloutPhase: Phase] = [
            .pending: .pending, .settling: .settling, .observing: .observing, .baking: .baking,
            .paused: .paused, .aborting: .aborting, .aborted: .aborted, .succeeded: .succeeded,
        ]

        init(_ message: Weir_Admin_V1_Rollout) {
            endpoint = message.endpoint
            candidate = message.plan?.candidate ?? ""
            steps = message.plan?.steps ?? []
            phase = Self.phases[message.phase]
            step = Int(message.step)
            reason = message.reason
            pause = message.pause
            weight = message.weight
            requests = message.requests
            passedGates = message.gates.filter(\.passed).map(\.gate)
            revision = message.revision
        }
    }

    /// How a rollout continues after another actor's change of the weights.
    public enum Resume: Sendable {
        /// The weights did not change.
        case unchanged
        /// From the present weights.
        case adopt
        /// With the weights of its step.
        case restore
    }

    /// Starts to move the traffic of an endpoint to a backend step by step.
    ///
    /// - Returns: the rollout; with `validateOnly`, as it would start.
    @discardableResult
    public func startRollout(
        _ endpoint: String, _ plan: RolloutPlan, _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Rollout {
        let reply = try await stub.startRollout(
            .init(
                endpoint: endpoint, plan: plan.message, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Rollout(reply.rollout ?? .init())
    }

    /// The latest rollout of an endpoint.
    public func rollout(_ endpoint: String) async throws -> Rollout {
        Rollout(try await stub.getRollout(.init(endpoint: endpoint), Self.callOptions))
    }

    /// The latest rollout of each endpoint.
    public func listRollouts() async throws -> [Rollout] {
        try await stub.listRollouts(.init(), Self.callOptions).rollouts.map(Rollout.init)
    }

    /// Passes a rollout when it changes, until it ends or `receive` throws an error.
    public func watchRollout(
        _ endpoint: String, _ receive: (Rollout) async throws -> Void
    ) async throws {
        try await stub.watchRollout(.init(endpoint: endpoint)) { message in
            try await receive(Rollout(message))
        }
    }

    /// Stops all automatic changes of a rollout; its weights stay.
    @discardableResult
    public func pauseRollout(
        _ endpoint: String, _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Rollout {
        let changed = try await stub.pauseRollout(
            .init(
                endpoint: endpoint, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Rollout(changed)
    }

    /// Continues a paused rollout.
    @discardableResult
    public func resumeRollout(
        _ endpoint: String, weights: Resume = .unchanged,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Rollout {
        let changed = try await stub.resumeRollout(
            .init(
                endpoint: endpoint, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options),
                adopt: weights == .adopt, restore: weights == .restore), Self.callOptions)
        return Rollout(changed)
    }

    /// Approves a complete step, or skips one that is not. Ends the bake.
    @discardableResult
    public func advanceRollout(
        _ endpoint: String, _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Rollout {
        let changed = try await stub.advanceRollout(
            .init(
                endpoint: endpoint, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Rollout(changed)
    }

    /// Routes all requests to the candidate at once.
    @discardableResult
    public func promoteRollout(
        _ endpoint: String, _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Rollout {
        let changed = try await stub.promoteRollout(
            .init(
                endpoint: endpoint, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options)), Self.callOptions)
        return Rollout(changed)
    }

    /// Ends a rollout and returns to the weights before it; `immediately` skips the ramp of the
    /// plan, and `keepingWeights` keeps the present weights. Both together are invalid.
    @discardableResult
    public func abortRollout(
        _ endpoint: String, immediately: Bool = false, keepingWeights: Bool = false,
        _ options: ChangeOptions = ChangeOptions()
    ) async throws -> Rollout {
        let changed = try await stub.abortRollout(
            .init(
                endpoint: endpoint, expectedRevision: options.expectedRevision,
                validateOnly: options.validateOnly, note: note(options), immediate: immediately,
                keepWeights: keepingWeights),
            Self.callOptions)
        return Rollout(changed)
    }
}
