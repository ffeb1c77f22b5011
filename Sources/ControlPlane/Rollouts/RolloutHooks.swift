internal import Rollouts

/// The calls of webhooks for the rollouts that this server drives, without a clock and without
/// sockets.
///
/// ```
///             a decision waits                    all webhooks: 2xx
///   (none) ------------------> calling -------------------------------> confirmed
///                                ^  | any other result
///              after `holdTime`  |  v
///                               held
/// ```
struct RolloutHooks: Sendable {
    /// How long a confirmation that was refused is not asked for again.
    static let holdTime = Duration.seconds(30)

    /// One decision of one rollout.
    struct Decision: Hashable, Sendable {
        let rollout: UInt64
        let number: UInt64

        init(_ rollout: ControlState.Rollout) {
            (self.rollout, number) = (rollout.id, rollout.decisions)
        }
    }

    enum Confirmation: Equatable, Sendable {
        case calling
        case confirmed
        case held(until: ContinuousClock.Instant)
    }

    /// By endpoint.
    private var confirmations: [String: (decision: Decision, state: Confirmation)] = [:]
    private var notified: [String: Decision] = [:]
    /// Why the latest delivery failed, by endpoint.
    private(set) var problems: [String: String] = [:]

    /// Whether the webhooks of a decision must be called now. Then the caller calls them, and
    /// passes the result to `ended`.
    mutating func begins(
        _ decision: Decision, of endpoint: String, now: ContinuousClock.Instant
    ) -> Bool {
        if let known = confirmations[endpoint], known.decision == decision {
            guard case .held(let time) = known.state, now >= time else { return false }
        }
        confirmations[endpoint] = (decision, .calling)
        return true
    }

    /// Whether the webhooks have confirmed a decision.
    func hasConfirmed(_ decision: Decision, of endpoint: String) -> Bool {
        guard let known = confirmations[endpoint] else { return false }
        return known.decision == decision && known.state == .confirmed
    }

    /// The webhooks of a decision were called.
    ///
    /// - Parameter failure: nil if all have confirmed it.
    mutating func ended(
        _ decision: Decision, of endpoint: String, failure: String?, now: ContinuousClock.Instant
    ) {
        guard confirmations[endpoint]?.decision == decision else { return }
        problems[endpoint] = failure
        confirmations[endpoint]?.state =
            failure == nil ? .confirmed : .held(until: now + Self.holdTime)
    }

    /// An event was delivered, or failed.
    mutating func notified(_ endpoint: String, failure: String?) { problems[endpoint] = failure }

    /// Whether receivers must be notified of a decision. Not of those before this server drove the
    /// rollout, except of its start.
    mutating func mustNotify(_ decision: Decision, of endpoint: String) -> Bool {
        let known = notified.updateValue(decision, forKey: endpoint)
        guard known != decision else { return false }
        return known?.rollout == decision.rollout || decision.number == 1
    }

    /// Removes what belongs to endpoints without a rollout.
    mutating func keep(_ endpoints: Set<String>) {
        confirmations = confirmations.filter { endpoints.contains($0.key) }
        notified = notified.filter { endpoints.contains($0.key) }
        problems = problems.filter { endpoints.contains($0.key) }
    }

    /// Stops what runs, because another server drives the rollouts now.
    mutating func removeAll() { self = RolloutHooks() }
}
