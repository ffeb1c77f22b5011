internal import Messages
internal import Observability
internal import Rollouts

/// A rollout on a server: what this server counts for it and, if the server drives it, what has
/// happened since the latest decision.
///
/// ```
///              becomes the leader: continues from the stored progress
///   counting ---------------------------------------------------------> driving
///       ^                                                                  |
///       '------------------ is no longer the leader -----------------------'
/// ```
///
/// Each server keeps the counts of its last seconds, and the leader adds those of all servers, its
/// own like the others, that are later than the ones it has added.
struct RunningRollout: Sendable {
    /// What the evidence contains of one server.
    struct Counted: Sendable, Equatable {
        var second: UInt64 = 0
        var shadow = ShadowProgress()
        var ejections = EjectionProgress()
    }

    /// The rollout with the time and the requests since its latest decision.
    private(set) var rollout: ControlState.Rollout
    private(set) var evidence: RolloutEvidence
    private(set) var isDriven = false
    /// Whether this server has driven the rollout, so that its evidence may be the latest.
    private var wasDriven = false
    /// When the rollout was ticked.
    private var last: ContinuousClock.Instant
    private var seconds: StepSeconds
    /// The counts of this server for the leader.
    private(set) var published: PublishedCounts
    /// The latest totals of ejections on this server.
    private var latestEjections: (candidate: UInt64, baseline: UInt64)?
    private var counted: [String: Counted] = [:]
    /// Whether the evidence may contain counts of servers that `counted` lacks.
    private var mayContainOthers = false
    /// The most servers whose counts are added.
    private static let maxServers = 4_096
    /// New requests at the candidate in this step.
    private var requests: UInt64 = 0
    /// When the progress was stored; nil if it must be now.
    private var storedAt: ContinuousClock.Instant?
    /// The latest problem that was logged.
    var problem: String?

    init(
        _ stored: ControlState.Rollout, weight: Double, now: ContinuousClock.Instant,
        second: UInt64
    ) {
        rollout = stored
        evidence = stored.evidence
        published = PublishedCounts(rollout: stored.id)
        last = now
        seconds = StepSeconds(
            weight: weight, entry: stored.machine.state.entry, at: second)
    }

    // MARK: Counting

    /// Adds counts of this server, and notes the present weight of the candidate.
    ///
    /// - Parameter shadow: the present totals of the candidate's shadow; nil without one.
    mutating func count(
        _ cohorts: [CohortTable.Cohort], shadow: ShadowProgress?, weight: Double, at second: UInt64
    ) {
        seconds.note(weight: weight, entry: rollout.machine.state.entry, at: second)
        published.add(
            cohorts.map { cohort in
                var counts = TickCounts()
                counts.method = cohort.method
                counts.candidate = cohort.candidate
                counts.baseline = cohort.baseline
                let (weight, entry) = seconds[cohort.second]
                counts.weight = weight
                return .init(second: cohort.second, entry: entry, counts: counts)
            })
        published.shadow = shadow ?? published.shadow
    }

    /// Notes the replicas of the candidate and of the baseline's backends on this server.
    ///
    /// - Parameter weight: the weight of the candidate.
    mutating func note(
        candidate: ReplicaFigures, baseline: ReplicaFigures, weight: Double
    ) {
        let before = latestEjections ?? (candidate.ejections, baseline.ejections)
        latestEjections = (candidate.ejections, baseline.ejections)
        // The counts of a backend begin again when its definition changes.
        func increase(_ now: UInt64, _ before: UInt64) -> UInt64 {
            now < before ? now : now - before
        }
        published.ejections.candidate &+= increase(candidate.ejections, before.candidate)
        published.ejections.baseline &+= increase(baseline.ejections, before.baseline)
        let replicas = candidate.replicas + baseline.replicas
        let share = replicas > 0 ? Double(candidate.replicas) / Double(replicas) : 0
        published.ejections.share = weight > 0 && weight < 1 ? max(weight, share) : nil
    }

    // MARK: Following

    /// Follows the decision of an operator or of another server.
    mutating func follow(_ stored: ControlState.Rollout) {
        guard stored.id == rollout.id, stored.decisions != rollout.decisions else { return }
        let before = rollout.machine.state.entry
        rollout = stored
        storedAt = nil
        guard stored.machine.state.entry != before else { return }
        requests = 0
        if stored.evidenceEntry > before {
            evidence = RolloutEvidence(stored.plan)
        } else {
            evidence.restart()
        }
    }

    /// This server is not the leader.
    mutating func yieldLead(now: ContinuousClock.Instant) {
        isDriven = false
        last = now
    }

    /// This server is the leader now.
    ///
    /// - Parameters:
    ///   - progress: what the leader before has stored; nil if it stored nothing.
    ///   - server: the name of this server.
    mutating func takeLead(
        from progress: Weir_Store_V1_RolloutProgress?, as server: String,
        now: ContinuousClock.Instant
    ) {
        defer { (isDriven, wasDriven, storedAt, last) = (true, true, nil, now) }
        // No other server has driven the rollout meanwhile.
        if wasDriven, progress == nil || progress?.writer == server { return }
        requests = 0
        let current = progress?.rollout.flatMap { rollout.progressed($0) }
        rollout = current ?? rollout
        evidence = rollout.evidence
        if let progress, progress.rollout?.id == rollout.id {
            evidence.restore(keys: progress.failedKeys, zeros: Int(progress.zeros))
        }
        counted = [:]
        // The evidence of a decision that was stored later contains counts of unknown seconds.
        mayContainOthers = current == nil && rollout.decisions > 1
        guard current != nil else { return }
        for server in progress?.servers.prefix(Self.maxServers) ?? [] {
            counted[server.instance] = Counted(server)
        }
    }

    // MARK: Driving

    /// Adds the counts of a server that are later than the known ones.
    mutating func add(_ other: PublishedCounts, of server: String) {
        guard other.rollout == rollout.id else { return }
        guard counted[server] != nil || counted.count < Self.maxServers else { return }
        guard counted[server] != nil || !mayContainOthers else {
            counted[server] = Counted(
                second: other.seconds.last?.second ?? 0, shadow: other.shadow,
                ejections: other.ejections)
            return
        }
        let known = counted[server] ?? Counted()
        let entry = rollout.machine.state.entry
        var next = Counted(
            second: known.second, shadow: other.shadow, ejections: other.ejections)
        for second in other.seconds where second.second > known.second {
            next.second = max(next.second, second.second)
            // Another program answered these requests.
            guard second.entry >= rollout.evidenceEntry else { continue }
            evidence.add(second.counts, servers: counted.count)
            if second.entry >= entry { requests &+= second.counts.candidate.started }
        }
        let copies = other.shadow.since(known.shadow)
        if copies.tick != TickCounts() { evidence.add(copies.tick) }
        requests &+= copies.copies
        evidence.add(other.ejections.since(known.ejections))
        counted[server] = next
    }

    /// The tick of the machine after all counts were added.
    mutating func tick(now: ContinuousClock.Instant) -> RolloutMachine.Tick {
        defer { (last, requests) = (now, 0) }
        var tick = RolloutMachine.Tick(elapsed: now - last, requests: requests)
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

    // MARK: Storing

    /// Whether the progress must be stored now.
    func mustStore(every interval: Duration, now: ContinuousClock.Instant) -> Bool {
        isDriven && storedAt.map { now - $0 >= interval } ?? true
    }

    mutating func stored(at now: ContinuousClock.Instant) { storedAt = now }

    /// What has happened since the latest decision, for the next leader.
    func progress(of server: String) -> Weir_Store_V1_RolloutProgress {
        let keys = evidence.storedKeys
        return .init(
            rollout: .init(position: current), writer: server,
            servers: counted.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) },
            failedKeys: keys.points, zeros: UInt32(keys.zeros))
    }
}

extension RunningRollout.Counted {
    fileprivate init(_ message: Weir_Store_V1_CountedServer) {
        second = message.second
        shadow = ShadowProgress(
            copies: message.copies, compared: message.compared, different: message.different,
            badOnlyAtShadow: message.badOnlyAtShadow, badOnlyAtPrimary: message.badOnlyAtPrimary)
        ejections = EjectionProgress(
            candidate: message.candidateEjections, baseline: message.baselineEjections)
    }
}

extension Weir_Store_V1_CountedServer {
    fileprivate init(_ server: String, _ counted: RunningRollout.Counted) {
        self.init(
            instance: server, second: counted.second, copies: counted.shadow.copies,
            compared: counted.shadow.compared, different: counted.shadow.different,
            badOnlyAtShadow: counted.shadow.badOnlyAtShadow,
            badOnlyAtPrimary: counted.shadow.badOnlyAtPrimary,
            candidateEjections: counted.ejections.candidate,
            baselineEjections: counted.ejections.baseline)
    }
}
