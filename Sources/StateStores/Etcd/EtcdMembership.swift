internal import GRPCClient
internal import Messages

/// A server's place among those who share the state: its entry in the list of members, and perhaps
/// that of the leader. Both hang on a lease, which etcd ends when the server is not heard of any
/// more.
actor EtcdMembership {
    private let client: EtcdClient
    private let keys: EtcdKeys
    private let leaseSeconds: Int64

    private var lease: Int64?
    /// Until when etcd has promised to keep the lease.
    private var leaseEnd = ContinuousClock.now
    private var leads = false
    private var announced: [UInt8]?
    private var keeping: Task<Void, Never>?
    private var onLoss: @Sendable (String) -> Void = { _ in }

    init(_ client: EtcdClient, _ keys: EtcdKeys, leaseSeconds: Int64) {
        self.client = client
        self.keys = keys
        self.leaseSeconds = leaseSeconds
    }

    /// Never true on two servers at once, unless their clocks run at different speeds.
    var isLeader: Bool { leads && ContinuousClock.now < leaseEnd }

    /// Puts the server on the list, from now on with these bytes.
    ///
    /// - Parameter onLoss: called when the lease cannot be kept.
    func announce(
        _ instance: [UInt8], onLoss: @escaping @Sendable (String) -> Void
    ) async throws(StoreError) {
        announced = instance
        self.onLoss = onLoss
        do throws(StoreError) {
            if lease == nil { try await join() } else { try await put() }
        } catch {
            // The lease may have ended while etcd was out of reach.
            lease = nil
            leads = false
            try await join()
        }
        guard keeping == nil else { return }
        let interval = Duration.seconds(leaseSeconds) / 3
        keeping = Task { [weak self] in
            repeat {
                try? await Task.sleep(for: interval)
            } while await self?.keep() != nil && !Task.isCancelled
        }
    }

    /// Takes the server off the list at once.
    func leave() async {
        keeping?.cancel()
        announced = nil
        leads = false
        guard let lease else { return }
        self.lease = nil
        let revoked: Etcdserverpb_LeaseRevokeResponse? = try? await client.call(
            "Lease/LeaseRevoke", Etcdserverpb_LeaseRevokeRequest(id: lease))
        _ = revoked
    }

    /// Becomes the leader if there is none.
    func leaderMayBeGone() async {
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
        let asked = ContinuousClock.now
        let granted: Etcdserverpb_LeaseGrantResponse = try await client.call(
            "Lease/LeaseGrant", Etcdserverpb_LeaseGrantRequest(ttl: leaseSeconds))
        lease = granted.id
        leaseEnd = asked + Self.leaseDuration(seconds: granted.ttl)
        try await put()
        await leaderMayBeGone()
    }

    /// The longest time in seconds for which one answer is relied on. etcd may grant more than was
    /// asked for, but not that much more.
    private static let maxLeaseSeconds: Int64 = 86_400

    /// The time for which etcd has promised to keep the lease.
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

    /// Renews the lease, or gets another one if it has ended.
    private func keep() async {
        guard announced != nil else { return }
        do throws(StoreError) {
            guard let lease else { return try await join() }
            let asked = ContinuousClock.now
            let (stream, reply) = try await client.open(
                "Lease/LeaseKeepAlive", Etcdserverpb_LeaseKeepAliveRequest(id: lease),
                as: Etcdserverpb_LeaseKeepAliveResponse.self)
            stream.cancel()
            guard reply.ttl > 0 else {
                self.lease = nil
                leads = false
                return try await join()
            }
            leaseEnd = asked + Self.leaseDuration(seconds: reply.ttl)
            // The news that there is no leader may have been missed.
            if !leads { await leaderMayBeGone() }
        } catch {
            onLoss(error.description)
        }
    }
}
