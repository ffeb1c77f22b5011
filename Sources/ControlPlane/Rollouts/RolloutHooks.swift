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
    /// The rollouts whose receivers were notified of the rollback.
    private var rolledBack: Set<UInt64> = []
    /// Why the latest delivery failed, by endpoint, and of which rollout.
    private var failures: [String: (rollout: UInt64, reason: String)] = [:]
    /// Why the latest delivery failed, by endpoint.
    var problems: [String: String] { failures.mapValues(\.reason) }

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
        failures[endpoint] = failure.map { (decision.rollout, $0) }
        confirmations[endpoint]?.state =
            failure == nil ? .confirmed : .held(until: now + Self.holdTime)
    }

    /// An event was delivered, or failed.
    mutating func notified(_ endpoint: String, of rollout: UInt64, failure: String?) {
        // The failure of a confirmation that is held stays.
        if case .held = confirmations[endpoint]?.state, failure == nil { return }
        failures[endpoint] = failure.map { (rollout, $0) }
    }

    /// Whether receivers must be notified of a decision. Not of those before this server drove the
    /// rollout, except of its start.
    mutating func mustNotify(_ decision: Decision, of endpoint: String) -> Bool {
        let known = notified.updateValue(decision, forKey: endpoint)
        guard known != decision else { return false }
        return known?.rollout == decision.rollout || decision.number == 1
    }

    /// Whether receivers must be notified that a rollout begins to revert: once.
    mutating func mustNotifyRollback(_ rollout: UInt64) -> Bool {
        rolledBack.insert(rollout).inserted
    }

    /// Removes what belongs to other rollouts than these.
    ///
    /// - Parameter present: the present rollout of each endpoint.
    mutating func keep(_ present: [String: UInt64]) {
        rolledBack.formIntersection(present.values)
        let endpoints = Set(present.keys)
        confirmations = confirmations.filter { endpoints.contains($0.key) }
        notified = notified.filter { endpoints.contains($0.key) }
        failures = failures.filter { present[$0.key] == $0.value.rollout }
    }

    /// Stops what runs, because another server drives the rollouts now.
    mutating func removeAll() { self = RolloutHooks() }
}
