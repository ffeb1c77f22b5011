internal import Observability
internal import Rollouts

/// A rollout on the server that drives it, with what it has counted since the latest decision.
struct RunningRollout: Sendable {
    /// The rollout with the time and the requests since its latest decision.
    private(set) var rollout: ControlState.Rollout
    private(set) var evidence: RolloutEvidence
    /// When the rollout was ticked.
    private var last: ContinuousClock.Instant
    /// The candidate's weight from a second of the loops' clock on; nil in seconds in which it
    /// changed. In order.
    private var weights: [(from: UInt64, weight: Double?)]
    /// The second in which the step began.
    private var stepSecond: UInt64
    /// Whether the stored evidence may contain counts of this and of other servers.
    private let isRestored: Bool
    private var shadow: ShadowProgress?
    /// The counts of this server for the leader.
    private(set) var published: PublishedCounts
    /// The latest counts of other servers that were added.
    private var others: [String: (second: UInt64, shadow: ShadowProgress)] = [:]
    /// The most servers whose counts are added.
    private static let maxOthers = 4_096
    /// The latest problem that was logged.
    var problem: String?

    init(
        _ stored: ControlState.Rollout, weight: Double, now: ContinuousClock.Instant,
        second: UInt64
    ) {
        rollout = stored
        evidence = stored.evidence
        published = PublishedCounts(rollout: stored.id)
        isRestored = stored.decisions > 1
        last = now
        // Requests before this second may have had another weight.
        weights = [(from: second + 1, weight: weight)]
        stepSecond = second
    }

    /// Follows the decision of an operator or of another server.
    ///
    /// - Parameter isDriving: whether this server has the evidence; else the decision contains it.
    mutating func follow(_ stored: ControlState.Rollout, second: UInt64, isDriving: Bool) {
        guard stored.decisions != rollout.decisions else { return }
        if !isDriving { _ = evidence.restore(stored.gates) }
        decided(stored, second: second)
    }

    /// A decision was stored.
    mutating func decided(_ stored: ControlState.Rollout, second: UInt64) {
        let (before, after) = (rollout.machine.state, stored.machine.state)
        rollout = stored
        guard after.phase == .settling, before.phase != .settling || before.step != after.step
        else { return }
        evidence.restart()
        stepSecond = second
    }

    /// Notes the present weight of the candidate.
    mutating func note(weight: Double, second: UInt64) {
        guard let latest = weights.last, latest.weight != weight else { return }
        // It changed in one of the seconds since the last tick.
        let before = weights.count > 1 ? max(latest.from, second - min(second, 3)) : latest.from
        weights.append((from: max(before, second - min(second, 3)), weight: nil))
        weights.append((from: second + 1, weight: weight))
        if weights.count > 32 { weights.removeFirst(weights.count - 32) }
    }

    private func weight(at second: UInt64) -> Double? {
        weights.last { $0.from <= second }?.weight
    }

    /// The counts of seconds on this server with the weights of those seconds.
    func counts(_ cohorts: [CohortTable.Cohort]) -> [PublishedCounts.Second] {
        cohorts.map { cohort in
            var counts = TickCounts()
            counts.candidate = cohort.candidate
            counts.baseline = cohort.baseline
            counts.weight = weight(at: cohort.second)
            return .init(second: cohort.second, counts: counts)
        }
    }

    /// Keeps counts of this server for the leader.
    mutating func keep(
        _ counts: [PublishedCounts.Second], shadow: ShadowProgress?, now: ContinuousClock.Instant
    ) {
        last = now
        published.seconds = (published.seconds + counts).suffix(PublishedCounts.maxSeconds)
        published.shadow = shadow ?? published.shadow
    }

    /// Adds the counts of another server that are later than the known ones. The first counts of a
    /// server are not added after a restart or a change of the leader: the stored evidence may
    /// contain them.
    ///
    /// - Returns: new requests at the candidate.
    mutating func add(_ other: PublishedCounts, of instance: String) -> UInt64 {
        guard other.rollout == rollout.id else { return 0 }
        guard others[instance] != nil || others.count < Self.maxOthers else { return 0 }
        guard others[instance] != nil || !isRestored else {
            others[instance] = (other.seconds.last?.second ?? 0, other.shadow)
            return 0
        }
        var known = others[instance] ?? (second: 0, shadow: ShadowProgress())
        var requests: UInt64 = 0
        for second in other.seconds where second.second > known.second {
            evidence.add(second.counts)
            requests &+= second.counts.candidate.started
            known.second = second.second
        }
        let copies = other.shadow.since(known.shadow)
        evidence.add(copies.tick)
        known.shadow = other.shadow
        others[instance] = known
        return requests &+ copies.copies
    }

    /// Adds the counts of seconds, and returns the tick of the machine.
    ///
    /// - Parameters:
    ///   - shadow: the present totals of the candidate's shadow; nil without one.
    ///   - others: new requests at the candidate on other servers.
    mutating func tick(
        _ seconds: [PublishedCounts.Second], shadow totals: ShadowProgress?, others: UInt64 = 0,
        now: ContinuousClock.Instant
    ) -> RolloutMachine.Tick {
        var requests = others
        for second in seconds {
            evidence.add(second.counts)
            if second.second >= stepSecond { requests &+= second.counts.candidate.started }
        }
        if let totals {
            let counts = totals.since(shadow ?? (isRestored ? totals : .init()))
            evidence.add(counts.tick)
            requests &+= counts.copies
            shadow = totals
        }
        var tick = RolloutMachine.Tick(elapsed: now - last, requests: requests)
        last = now
        tick.failure = evidence.failure
        tick.isProven = evidence.isProven(isShadowStep: rollout.machine.targetShadow > 0)
        return tick
    }

    /// The machine after a tick without a decision.
    mutating func ticked(_ machine: RolloutMachine) {
        rollout.machine = machine
    }

    /// The rollout with its evidence, for a decision.
    var current: ControlState.Rollout {
        var current = rollout
        current.gates = evidence.stored
        return current
    }
}

/// The totals of a shadow at one moment.
struct ShadowProgress: Sendable, Equatable {
    var copies: UInt64 = 0
    var compared: UInt64 = 0
    var different: UInt64 = 0
    var badOnlyAtShadow: UInt64 = 0
    var badOnlyAtPrimary: UInt64 = 0

    /// The increase since an earlier moment. Totals that are lower were reset.
    func since(_ earlier: ShadowProgress) -> (tick: TickCounts, copies: UInt64) {
        let wasReset = copies < earlier.copies || compared < earlier.compared
        let earlier = wasReset ? ShadowProgress() : earlier
        func increase(_ path: KeyPath<ShadowProgress, UInt64>) -> UInt64 {
            self[keyPath: path] - min(self[keyPath: path], earlier[keyPath: path])
        }
        var tick = TickCounts()
        tick.compared = increase(\.compared)
        tick.different = increase(\.different)
        tick.badOnlyAtShadow = increase(\.badOnlyAtShadow)
        tick.badOnlyAtPrimary = increase(\.badOnlyAtPrimary)
        return (tick, increase(\.copies))
    }
}
