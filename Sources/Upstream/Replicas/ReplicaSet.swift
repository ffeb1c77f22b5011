package import Logging
internal import NIOCore
internal import Synchronization
internal import TrafficPolicy
package import Transport

/// The replicas of a backend, their options and their state, shared by all loops. Each loop has a
/// `BackendPool` of its own with the connections.
///
/// ```
///   control plane -- update -->  ReplicaSet  -- refresh --> BackendPool of each loop
///   workers, DNS --- members -->     |                            |
///   endpoint health <-- onChange ----'<-- ejections, verdicts ----'
/// ```
///
/// Requests use only the atomics. Changes use the lock.
package final class ReplicaSet: Sendable {
    /// The input of the pools; replaced as a whole.
    struct Membership: Sendable {
        var options: BackendOptions
        var tls: LoadedTLS?
        var replicas: [Replica] = []
        /// For `replicaAffinity`: the ring of all replicas, in the order of `replicas`.
        var ring: HashRing?
        /// Whether a name among the addresses has no result yet.
        var isResolving = false
    }

    private struct State {
        var membership: Membership
        var addresses: [ReplicaAddress] = []
        var resolved: [ReplicaAddress: [SocketAddress]] = [:]
        var pools: [BackendPool] = []
        var isUsable = true
        /// Why the set has no replicas although it has addresses; nil if it is not suspended.
        var suspension: String?
        /// Returns why the set has no replicas; nil if unknown.
        var obstacle: @Sendable () -> String? = { nil }
    }

    package let name: String
    private let log: Logger
    /// Called on any thread when the backend becomes usable or unusable.
    private let onChange: @Sendable () -> Void
    private let state: Mutex<State>

    /// Requests in flight on all loops.
    let inFlight = Atomic<Int>(0)
    /// Requests that wait on all loops.
    let waiting = Atomic<Int>(0)
    /// The descriptors by the backend's own reflection.
    package let schemas: SchemaSource

    /// - Parameter onSchema: called on any thread when the backend's reflection has given other
    ///   descriptors.
    package init(
        name: String, options: BackendOptions, log: Logger,
        onChange: @escaping @Sendable () -> Void, onSchema: @escaping @Sendable () -> Void = {}
    ) {
        self.name = name
        self.log = log
        self.onChange = onChange
        schemas = SchemaSource(onChange: onSchema)
        state = Mutex(State(membership: Membership(options: options)))
    }

    // MARK: Members

    /// Takes new options and addresses. Replicas that stay keep their connections.
    package func update(
        _ options: BackendOptions, tls: LoadedTLS?, addresses: [ReplicaAddress]
    ) {
        change { state in
            // Other TLS settings need new connections.
            if state.membership.tls?.settings != tls?.settings { state.membership.replicas = [] }
            state.membership.options = options
            state.membership.tls = tls
            state.addresses = addresses
            state.obstacle = { nil }
            state.resolved = state.resolved.filter { addresses.contains($0.key) }
            Self.arrange(&state)
        }
    }

    /// Removes the replicas until the reason is nil. Running requests finish.
    package func suspend(because reason: String?) {
        guard state.withLock({ $0.suspension != reason }) else { return }
        change { state in
            state.suspension = reason
            Self.arrange(&state)
        }
    }

    /// Sets the function that returns why the set has no replicas. It is called on any thread, for
    /// each status and each request that fails.
    package func setObstacle(_ reason: @escaping @Sendable () -> String?) {
        state.withLock { $0.obstacle = reason }
    }

    /// Takes new options. The members stay.
    package func update(_ options: BackendOptions) {
        change { state in
            state.membership.options = options
            Self.makeRing(&state.membership)
        }
    }

    /// Adds a replica that is not an address of the configuration: a worker.
    func add(_ replica: Replica) {
        change { state in
            state.membership.replicas.append(replica)
            Self.makeRing(&state.membership)
        }
    }

    /// Removes a replica. Running requests finish; when all loops have the change, the replica
    /// receives no new ones.
    func remove(_ replica: Replica) {
        change { state in
            state.membership.replicas.removeAll { $0 === replica }
            Self.makeRing(&state.membership)
        }
    }

    /// The names among the addresses.
    var names: [ReplicaAddress] {
        state.withLock { $0.addresses.filter { $0.socketAddress == nil } }
    }

    /// Takes the result of a lookup. After a failure, the known addresses stay.
    func resolved(_ name: ReplicaAddress, to result: Result<[SocketAddress], any Error>) {
        change { state in
            switch result {
            case .success(let addresses):
                state.resolved[name] = addresses
                state.obstacle = { nil }
            case .failure(let error):
                state.resolved[name] = state.resolved[name] ?? []
                let reason = "\(error)"
                state.obstacle = { reason }
            }
            Self.arrange(&state)
        }
    }

    /// Makes the replicas match the addresses. Replicas that stay are the same objects.
    private static func arrange(_ state: inout State) {
        let known = Dictionary(
            state.membership.replicas.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }
        )
        var replicas: [Replica] = []
        let addresses = state.suspension == nil ? state.addresses : []
        for address in addresses {
            if let socket = address.socketAddress {
                let name = address.description
                replicas.append(known[name] ?? Replica(name: name, address: socket))
                continue
            }
            for socket in state.resolved[address] ?? [] {
                let name = Self.replicaName(address, socket)
                replicas.append(
                    known[name] ?? Replica(name: name, address: socket, host: address.host))
            }
        }
        state.membership.replicas = replicas
        state.membership.isResolving = addresses.contains {
            $0.socketAddress == nil && state.resolved[$0] == nil
        }
        makeRing(&state.membership)
    }

    private static func replicaName(_ name: ReplicaAddress, _ address: SocketAddress) -> String {
        "\(name) (\(address.ipAddress ?? "?"))"
    }

    /// A connected address of a name; nil without a connection.
    func connectedAddress(of name: ReplicaAddress) -> SocketAddress? {
        state.withLock { state in
            let names = (state.resolved[name] ?? []).map { Self.replicaName(name, $0) }
            return state.membership.replicas.first {
                names.contains($0.name) && $0.connections.load(ordering: .relaxed) > 0
            }?.address
        }
    }

    /// An address of the last lookup of a name; nil without one.
    func resolvedAddress(of name: ReplicaAddress) -> SocketAddress? {
        state.withLock { $0.resolved[name]?.first }
    }

    private static func makeRing(_ membership: inout Membership) {
        membership.ring =
            membership.options.replicaAffinity ? HashRing(membership.replicas.map(\.name)) : nil
    }

    // MARK: Pools

    var membership: Membership { state.withLock { $0.membership } }

    /// The current replicas.
    package var replicas: [Replica] { membership.replicas }

    /// Adds a loop's pool.
    ///
    /// - Returns: whether it is the first one, which monitors the replicas.
    func register(_ pool: BackendPool) -> Bool {
        state.withLock { state in
            state.pools.append(pool)
            return state.pools.count == 1
        }
    }

    func unregister(_ pool: BackendPool) {
        state.withLock { state in state.pools.removeAll { $0 === pool } }
    }

    /// Makes all pools read the membership again.
    func refreshPools() {
        for pool in state.withLock({ $0.pools }) {
            pool.loop.eventLoop.execute { pool.refresh() }
        }
    }

    /// Returns when all loops use the current membership.
    package func allPoolsFollow() async {
        for pool in state.withLock({ $0.pools }) {
            // A loop that has stopped sends no requests.
            try? await pool.loop.eventLoop.submit { pool.refresh() }.get()
        }
    }

    /// A slot is free: requests that wait on other loops may take it.
    func pumpPools(except other: BackendPool) {
        for pool in state.withLock({ $0.pools }) where pool !== other {
            pool.loop.eventLoop.execute { pool.pump() }
        }
    }

    /// How long a caller waits for descriptors.
    private static let schemaWait = Duration.seconds(2)

    /// Reads the descriptors by the backend's reflection unless they are known; returns when that
    /// has succeeded or failed, or takes too long. From then on, they follow the replicas.
    package func loadSchema() async {
        guard !schemas.isDeclared, schemas.want(), let pool = state.withLock({ $0.pools.first })
        else { return }
        let (loop, schemas) = (pool.loop.eventLoop, schemas)
        let begun: Void? = try? await loop.submit {
            pool.readSchema()
            loop.scheduleTask(in: TimeAmount(Self.schemaWait)) { schemas.giveUp() }
        }.get()
        if begun != nil { await schemas.ended() }
    }

    private func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
        refreshPools()
        updateUsability()
    }

    // MARK: Health

    /// Whether a replica probably serves.
    package var isUsable: Bool { state.withLock { $0.isUsable } }

    /// Whether a replica accepts connections and, with health checks, passes them.
    func isServing(_ replica: Replica) -> Bool {
        replica.connections.load(ordering: .relaxed) > 0
            && (!membership.options.health.isOn
                || replica.verdict.load(ordering: .relaxed) == .serving)
    }

    /// Checks whether the backend is usable, and reports a change.
    func updateUsability() {
        let changed = state.withLock { state in
            let checks = state.membership.options.health.isOn
            let usable =
                state.membership.isResolving
                || state.membership.replicas.contains {
                    $0.isReachable
                        && !(checks && $0.verdict.load(ordering: .relaxed) == .notServing)
                }
            defer { state.isUsable = usable }
            return state.isUsable != usable
        }
        if changed { onChange() }
    }

    /// Ejects a replica, unless too many are ejected.
    func eject(_ replica: Replica, at now: UInt64, because reason: String) {
        let until: UInt64? = state.withLock { state in
            let settings = state.membership.options.outliers
            let replicas = state.membership.replicas
            let ejected = replicas.count { $0.isEjected.load(ordering: .relaxed) }
            guard !replica.isEjected.load(ordering: .relaxed),
                settings.allowsEjection(ejected: ejected, replicas: replicas.count)
            else { return nil }
            replica.isEjected.store(true, ordering: .relaxed)
            replica.consecutiveFailures.store(0, ordering: .relaxed)
            return replica.withDetail { detail in
                detail.outlier.eject(at: now, settings)
                return detail.outlier.ejectedUntil
            }
        }
        guard let until else { return }
        log.warning(
            "replica ejected",
            metadata: [
                "backend": "\(name)", "replica": "\(replica.name)", "reason": "\(reason)",
                "seconds": "\((until - now) / 1_000_000_000)",
            ])
        refreshPools()
    }

    /// Ends an interval of outlier detection: ejects outliers, and readmits replicas whose ejection
    /// is over.
    func sweep(at now: UInt64) {
        let membership = membership
        let settings = membership.options.outliers
        var readmitted = false
        for replica in membership.replicas {
            let requests = replica.intervalRequests.exchange(0, ordering: .relaxed)
            let failures = replica.intervalFailures.exchange(0, ordering: .relaxed)
            if replica.isEjected.load(ordering: .relaxed) {
                guard replica.withDetail({ $0.outlier.readmit(at: now) }) else { continue }
                replica.isEjected.store(false, ordering: .relaxed)
                readmitted = true
                log.notice(
                    "replica readmitted",
                    metadata: ["backend": "\(name)", "replica": "\(replica.name)"])
            } else if settings.isOutlier(failures: failures, requests: requests) {
                eject(replica, at: now, because: "\(failures) of \(requests) requests failed")
            } else {
                replica.withDetail { $0.outlier.forgive() }
            }
        }
        if readmitted { refreshPools() }
    }

    /// Why no replica is usable.
    package var problem: String {
        let (replicas, obstacle, suspension) = state.withLock {
            ($0.membership.replicas, $0.obstacle, $0.suspension)
        }
        if let suspension { return suspension }
        if replicas.isEmpty { return obstacle() ?? "it has no replicas" }
        let latest = replicas.compactMap { replica in
            replica.withDetail { $0.lastFailure }.map { (replica.name, $0.reason, $0.time) }
        }.max { $0.2 < $1.2 }
        return latest.map { "\($0.0): \($0.1)" } ?? "no replica is connected"
    }
}
