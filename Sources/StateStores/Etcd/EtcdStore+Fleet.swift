internal import GRPCClient
internal import Messages

/// What the servers that share the store know of each other.
extension EtcdStore {
    package var isLeader: Bool { get async { await membership.isLeader } }

    package func announce(_ instance: [UInt8]) async throws(StoreError) {
        try await membership.announce(instance) { [eventContinuation] in
            eventContinuation.yield(.lost($0))
        }
    }

    package func instances() async throws(StoreError) -> [StoredInstance] {
        let reply: Etcdserverpb_TxnResponse = try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(success: [
                .range(.init(keys.leader)), .range(.init(prefix: keys.members)),
            ]))
        let answers = reply.responses.map(\.found)
        let leader = answers.first?.first?.value
        return (answers.last ?? []).map {
            StoredInstance(bytes: $0.value, isLeader: $0.key == leader)
        }
    }

    package func serverCount() async throws(StoreError) -> Int {
        let reply: Etcdserverpb_RangeResponse = try await client.call(
            "KV/Range", Etcdserverpb_RangeRequest(prefix: keys.members, countOnly: true))
        return max(1, Int(clamping: reply.count))
    }

    // MARK: Counts

    /// The most values of counts in one response, which together are below the limit of a message.
    private static let countsPage: Int64 = 64
    /// The most bytes of counts that are read at once.
    private static let maxCountsBytes = 256 << 20

    package func publish(counts: [UInt8]) async throws(StoreError) {
        try await membership.publish(counts: counts)
    }

    package func publishedCounts() async throws(StoreError) -> [[UInt8]] {
        var counts: [[UInt8]] = []
        var size = 0
        var request = Etcdserverpb_RangeRequest(prefix: keys.counts)
        request.limit = Self.countsPage
        while size < Self.maxCountsBytes {
            let reply: Etcdserverpb_RangeResponse = try await client.call("KV/Range", request)
            counts += reply.kvs.map(\.value)
            size += reply.kvs.reduce(0) { $0 + $1.value.count }
            guard reply.more, let last = reply.kvs.last else { break }
            request.key = last.key + [0]
        }
        return counts
    }

    // MARK: Progress

    package func storeProgress(
        _ bytes: [UInt8], of rollout: UInt64
    ) async throws(StoreError) -> Bool {
        try await membership.writeAsLeader([.put(keys.progress(rollout), bytes)])
    }

    package func progress(of rollout: UInt64) async throws(StoreError) -> [UInt8]? {
        let reply: Etcdserverpb_RangeResponse = try await client.call(
            "KV/Range", Etcdserverpb_RangeRequest(keys.progress(rollout)))
        return reply.kvs.first?.value
    }

    package func deleteProgress(except rollouts: Set<UInt64>) async throws(StoreError) {
        let reply: Etcdserverpb_RangeResponse = try await client.call(
            "KV/Range", Etcdserverpb_RangeRequest(prefix: keys.progress, keysOnly: true))
        let kept = Set(rollouts.map { bytes(keys.progress($0)) })
        var others = reply.kvs.map(\.key).filter { !kept.contains($0) }[...]
        while !others.isEmpty {
            // etcd accepts 128 operations.
            let deletions = others.prefix(100).map {
                Etcdserverpb_RequestOp(request: .requestDeleteRange(.init(key: $0)))
            }
            guard try await membership.writeAsLeader(deletions) else { return }
            others = others.dropFirst(100)
        }
    }
}
