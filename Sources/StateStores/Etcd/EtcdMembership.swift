internal import GRPCClient
internal import Messages

/// The membership of a server in the fleet: its entry in the list of members, and perhaps the entry
/// of the leader. Both depend on a lease, which etcd ends unless the server renews it.
actor EtcdMembership {
    private let client: EtcdClient
    private let keys: EtcdKeys
    private let leaseSeconds: Int64

    private var lease: Int64?
    /// The end of the lease, if it is not renewed.
    private var leaseEnd = ContinuousClock.now
    private var leads = false
    private var announced: [UInt8]?
    private var renewal: Task<Void, Never>?
    private var onLoss: @Sendable (String) -> Void = { _ in }

    init(_ client: EtcdClient, _ keys: EtcdKeys, leaseSeconds: Int64) {
        self.client = client
        self.keys = keys
        self.leaseSeconds = leaseSeconds
    }

    /// True on at most one server at a time, unless their clocks run at different speeds.
    var isLeader: Bool { leads && ContinuousClock.now < leaseEnd }

    /// Adds the server to the list, or replaces its entry.
    ///
    /// - Parameter onLoss: called with the reason if the lease cannot be renewed.
    func announce(
        _ instance: [UInt8], onLoss: @escaping @Sendable (String) -> Void
    ) async throws(StoreError) {
        announced = instance
        self.onLoss = onLoss
        do throws(StoreError) {
            if lease == nil { try await join() } else { try await put() }
        } catch {
            // The lease may have ended while etcd was unreachable.
            lease = nil
            leads = false
            try await join()
        }
        guard renewal == nil else { return }
        let interval = Duration.seconds(leaseSeconds) / 3
        renewal = Task { [weak self] in
            repeat {
                try? await Task.sleep(for: interval)
            } while await self?.renew() != nil && !Task.isCancelled
        }
    }

    /// Publishes the counts of this server, which must have been announced.
    func publish(counts: [UInt8]) async throws(StoreError) {
        guard let lease else { return }
        let _: Etcdserverpb_PutResponse = try await client.call(
            "KV/Put",
            Etcdserverpb_PutRequest(
                key: Array((keys.counts + String(lease, radix: 16)).utf8), value: counts,
                lease: lease))
    }

    /// Changes keys if this server is the leader, in one step with the check.
    ///
    /// - Returns: whether it is.
    func writeAsLeader(_ operations: [Etcdserverpb_RequestOp]) async throws(StoreError) -> Bool {
        guard isLeader, let lease else { return false }
        let reply: Etcdserverpb_TxnResponse = try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(
                compare: [.value(of: keys.leader, is: member(lease))], success: operations))
        return reply.succeeded
    }

    /// Removes the server from the list at once.
    func leave() async {
        renewal?.cancel()
        announced = nil
        leads = false
        guard let lease else { return }
        self.lease = nil
        let revoked: Etcdserverpb_LeaseRevokeResponse? = try? await client.call(
            "Lease/LeaseRevoke", Etcdserverpb_LeaseRevokeRequest(id: lease))
        _ = revoked
    }

    /// Makes this server the leader if the fleet has none.
    func becomeLeaderIfNone() async {
        guard let lease, announced != nil else { return }
        let own = Array(member(lease).utf8)
        let reply: Etcdserverpb_TxnResponse? = try? await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(
                compare: [.modified(keys.leader, at: 0)],
                success: [.put(keys.leader, own, lease: lease)],
                failure: [.range(.init(keys.leader))]))
        guard let reply else { return }
        leads = reply.succeeded || reply.responses.first?.found.first?.value == own
    }

    private func join() async throws(StoreError) {
        let requested = ContinuousClock.now
        let granted: Etcdserverpb_LeaseGrantResponse = try await client.call(
            "Lease/LeaseGrant", Etcdserverpb_LeaseGrantRequest(ttl: leaseSeconds))
        lease = granted.id
        leaseEnd = requested + Self.leaseDuration(seconds: granted.ttl)
        try await put()
        await becomeLeaderIfNone()
    }

    /// The longest lease in seconds that is accepted. etcd may grant more than was requested, but
    /// not that much more.
    private static let maxLeaseSeconds: Int64 = 86_400

    /// The duration of a lease, within bounds.
    static func leaseDuration(seconds: Int64) -> Duration {
        .seconds(min(max(0, seconds), maxLeaseSeconds))
    }

    private func put() async throws(StoreError) {
        guard let lease, let announced else { return }
        let _: Etcdserverpb_PutResponse = try await client.call(
            "KV/Put",
            Etcdserverpb_PutRequest(
                key: Array(member(lease).utf8), value: announced, lease: lease))
    }

    private func member(_ lease: Int64) -> String { keys.members + String(lease, radix: 16) }

    /// Renews the lease, or requests another one if it has ended.
    private func renew() async {
        guard announced != nil else { return }
        do throws(StoreError) {
            guard let lease else { return try await join() }
            let requested = ContinuousClock.now
            let (stream, reply) = try await client.open(
                "Lease/LeaseKeepAlive", Etcdserverpb_LeaseKeepAliveRequest(id: lease),
                as: Etcdserverpb_LeaseKeepAliveResponse.self)
            stream.cancel()
            guard reply.ttl > 0 else {
                self.lease = nil
                leads = false
                return try await join()
            }
            leaseEnd = requested + Self.leaseDuration(seconds: reply.ttl)
            // The event of a deleted leader may have been lost.
            if !leads { await becomeLeaderIfNone() }
        } catch {
            onLoss(error.description)
        }
    }
}
