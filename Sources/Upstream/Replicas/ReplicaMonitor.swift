internal import NIOCore
internal import Synchronization

/// Monitors the replicas of a backend on one loop, on behalf of all loops: checks their health,
/// detects outliers and resolves names.
///
/// Invariant: every stored `var` is used only on the loop of its pool.
final class ReplicaMonitor: @unchecked Sendable {
    /// How often the monitor checks whether a name must be resolved again.
    private static let nameInterval = Duration.seconds(1)

    private unowned let pool: BackendPool
    private var tasks: [RepeatedTask] = []
    private var nameTask: RepeatedTask?
    private var isStopped = false
    private var names: [ReplicaAddress: LookupSchedule] = [:]
    /// Replicas with a running health check.
    private var probed: Set<ObjectIdentifier> = []

    init(_ pool: BackendPool) { self.pool = pool }

    private var set: ReplicaSet { pool.set }

    func start() { refresh(optionsChanged: true) }

    /// Takes what has changed in the set.
    func refresh(optionsChanged: Bool) {
        guard !isStopped else { return }
        if optionsChanged {
            for task in tasks { task.cancel() }
            schedule()
            // Checks may have been off until now.
            for member in pool.members where member.isReady { memberIsReady(member) }
        }
        followNames()
    }

    func stop() {
        isStopped = true
        for task in tasks { task.cancel() }
        nameTask?.cancel()
    }

    private func schedule() {
        let options = pool.options
        tasks = [
            every(options.outliers.interval) { $0.set.sweep(at: $0.pool.loop.now) }
        ]
        if options.health.isOn {
            tasks.append(
                every(options.health.interval) { monitor in
                    for member in monitor.pool.members { monitor.probe(member) }
                })
        }
    }

    private func every(
        _ interval: Duration, _ body: @escaping @Sendable (ReplicaMonitor) -> Void
    ) -> RepeatedTask {
        // A stored state may be older than the bound of its durations.
        let interval = TimeAmount(max(interval, .milliseconds(1)))
        return pool.loop.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            [weak self] _ in
            if let self, !self.isStopped { body(self) }
        }
    }

    // MARK: Health

    /// A new connection: the monitor checks its replica at once.
    func memberIsReady(_ member: LoopReplica) {
        if set.schemas.isWanted { readSchema(of: member, isNew: true) }
        guard pool.options.health.isOn,
            member.replica.verdict.load(ordering: .relaxed) != .serving
        else { return }
        probe(member)
    }

    private func probe(_ member: LoopReplica) {
        let id = ObjectIdentifier(member.replica)
        guard !isStopped, !probed.contains(id), let connection = member.connectionWithRoom() else {
            return
        }
        probed.insert(id)
        // Not the member: the connection, which holds this closure, can outlive it.
        HealthProbe.run(on: connection, pool.options) {
            [weak self, replica = member.replica] failure in
            guard let self, !self.isStopped else { return }
            self.probed.remove(id)
            guard replica.checked(failure, self.pool.options.health) else { return }
            self.set.updateUsability()
            self.set.refreshPools()
        }
    }

    // MARK: Descriptors

    /// Asks a replica for the backend's descriptors.
    func readSchema(of member: LoopReplica, isNew: Bool) {
        guard !isStopped, let connection = member.connectionWithRoom(),
            set.schemas.begin(at: pool.loop.now, isNew: isNew)
        else { return }
        ReflectionProbe.run(on: connection, pool.options) { [schemas = set.schemas] outcome in
            schemas.end(outcome)
        }
    }

    // MARK: Names

    private func followNames() {
        let current = Set(set.names)
        guard current != Set(names.keys), !isStopped else { return }
        names = Dictionary(
            uniqueKeysWithValues: current.map { ($0, names[$0] ?? LookupSchedule()) })
        nameTask?.cancel()
        nameTask = current.isEmpty ? nil : every(Self.nameInterval) { $0.lookUpNames() }
        lookUpNames()
    }

    /// Looks up the names whose interval is over.
    private func lookUpNames() {
        let (now, isUsable) = (pool.loop.now, set.isUsable)
        for (name, schedule) in names where schedule.isDue(at: now, isUsable: isUsable) {
            guard case .name(let host, let port) = name else { continue }
            names[name]?.started(at: now)
            addresses(of: name, host: host, port: port, isSlow: schedule.isSlow)
                .whenComplete { [weak self, set] result in
                    set.resolved(name, to: result)
                    guard let self else { return }
                    var failed = false
                    if case .failure = result { failed = true }
                    self.names[name]?.ended(at: self.pool.loop.now, failed: failed)
                }
        }
    }

    /// The addresses of a name that become replicas. If it has two families, the family of a
    /// connected replica stays; otherwise the first that can be reached is used.
    private func addresses(
        of name: ReplicaAddress, host: String, port: Int, isSlow: Bool
    ) -> EventLoopFuture<[SocketAddress]> {
        let (set, loop) = (set, pool.loop.eventLoop)
        return NameResolver.resolve(host, port: port, isSlow: isSlow, on: loop)
            .flatMap { resolved in
                guard resolved.hasBothFamilies else {
                    return loop.makeSucceededFuture(resolved.replicas(reachable: nil))
                }
                let used = set.connectedAddress(of: name).flatMap(ResolvedName.Family.init)
                guard used == nil else {
                    return loop.makeSucceededFuture(resolved.replicas(reachable: used))
                }
                return FamilyRace.winner(of: resolved, host: host, port: port, on: loop)
                    .map { winner in
                        let last = set.resolvedAddress(of: name).flatMap(ResolvedName.Family.init)
                        return resolved.replicas(reachable: winner ?? last)
                    }
            }
    }
}
