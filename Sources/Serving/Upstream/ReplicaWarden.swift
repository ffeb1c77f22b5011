internal import NIOCore
internal import Synchronization

/// Watches over the replicas of a backend, on one loop for all of them: asks for their health,
/// judges outliers, and resolves names again.
///
/// `@unchecked Sendable`: every stored `var` is only touched on the loop of its pool.
final class ReplicaWarden: @unchecked Sendable {
    /// Between two look-ups of the names while all is well (gRPC's
    /// `dns_min_time_between_resolutions`).
    private static let resolveInterval = TimeAmount.seconds(30)
    /// The same while a look-up fails or no replica is usable.
    private static let urgentResolveInterval = TimeAmount.seconds(5)

    private unowned let pool: BackendPool
    private var tasks: [RepeatedTask] = []
    private var nextResolve: Scheduled<Void>?
    private var isStopped = false
    /// The names that were looked up last.
    private var names: [ReplicaAddress] = []
    /// Replicas whose health is being asked for.
    private var probed: Set<ObjectIdentifier> = []

    init(_ pool: BackendPool) { self.pool = pool }

    private var set: ReplicaSet { pool.set }

    func start() { refresh(optionsChanged: true) }

    /// Looks at what has changed in the set.
    func refresh(optionsChanged: Bool) {
        if optionsChanged {
            for task in tasks { task.cancel() }
            schedule()
            // Checks may have been off until now.
            for member in pool.allMembers where member.isReady { memberIsReady(member) }
        }
        if set.names != names { resolve() }
    }

    func stop() {
        isStopped = true
        for task in tasks { task.cancel() }
        nextResolve?.cancel()
    }

    private func schedule() {
        let options = pool.options
        tasks = [
            every(options.outliers.interval) { $0.set.sweep(at: $0.pool.now) }
        ]
        if options.health.isOn {
            tasks.append(
                every(options.health.interval) { warden in
                    for member in warden.pool.allMembers { warden.probe(member) }
                })
        }
    }

    private func every(
        _ interval: Duration, _ body: @escaping @Sendable (ReplicaWarden) -> Void
    ) -> RepeatedTask {
        // A stored state may be older than the bound of its durations.
        let interval = TimeAmount(max(interval, .milliseconds(1)))
        return pool.loop.eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) {
            [weak self] _ in
            if let self, !self.isStopped { body(self) }
        }
    }

    // MARK: Health

    /// A new connection: its replica is asked at once.
    func memberIsReady(_ member: LoopReplica) {
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
        HealthProbe.run(on: connection, pool.options) { [weak self] failure in
            guard let self, !self.isStopped else { return }
            self.probed.remove(id)
            guard member.replica.checked(failure, self.pool.options.health) else { return }
            self.set.reconsider()
            self.set.tellPools()
        }
    }

    // MARK: Names

    private func resolve() {
        nextResolve?.cancel()
        nextResolve = nil
        names = set.names
        guard !names.isEmpty, !isStopped else { return }
        let loop = pool.loop.eventLoop
        for name in names {
            guard case .name(let host, let port) = name else { continue }
            let set = set
            NameResolver.resolve(host, port: port, on: loop).whenComplete {
                set.resolved(name, to: $0)
            }
        }
        let delay = set.isUsable ? Self.resolveInterval : Self.urgentResolveInterval
        nextResolve = loop.scheduleTask(in: delay) { [weak self] in
            self?.resolve()
        }
    }
}
