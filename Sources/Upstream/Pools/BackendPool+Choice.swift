internal import Observability
internal import Synchronization
internal import TrafficPolicy

/// The choice of a replica.
extension BackendPool {
    /// A place for a request on a replica; nil if all are full.
    func choose(_ request: any PoolRequest) -> Lease? {
        if let ring, let point = request.replicaPoint {
            let total = set.inFlight.load(ordering: .relaxed)
            let bound = HashRing.loadBound(inFlight: total, replicas: candidates.count)
            let owner = ring.owner(of: point) { index in
                index < members.count && isCandidate[index]
                    && members[index].replica.requestsInFlight < bound
                    && members[index].replica !== request.failedReplica
            }
            if let owner, let lease = lease(owner) { return lease }
        } else if let lease = lease(lessLoaded(avoiding: request.failedReplica)) {
            return lease
        }
        // Rare: that one is full, or was tried before.
        let byLoad = candidates.sorted {
            members[$0].replica.requestsInFlight < members[$1].replica.requestsInFlight
        }
        for index in byLoad where members[index].replica !== request.failedReplica {
            if let lease = lease(index) { return lease }
        }
        // The one that failed before is better than none.
        return byLoad.lazy.compactMap { self.lease($0) }.first
    }

    /// The one with fewer requests of two random candidates (Mitzenmacher, "The Power of Two
    /// Choices in Randomized Load Balancing", 2001).
    private func lessLoaded(avoiding failed: Replica?) -> Int {
        let count = UInt32(candidates.count)
        guard count > 1 else { return candidates[0] }
        let draw = loop.random.next()
        let first = Self.scaled(UInt32(truncatingIfNeeded: draw), count)
        var second = Self.scaled(UInt32(truncatingIfNeeded: draw >> 32), count - 1)
        if second >= first { second += 1 }
        let (left, right) = (candidates[Int(first)], candidates[Int(second)])
        if members[left].replica === failed { return right }
        if members[right].replica === failed { return left }
        return members[left].replica.requestsInFlight <= members[right].replica.requestsInFlight
            ? left : right
    }

    /// A random number below `bound` out of 32 random bits.
    private static func scaled(_ bits: UInt32, _ bound: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: (UInt64(bits) &* UInt64(bound)) >> 32)
    }

    private func lease(_ index: Int) -> Lease? {
        let member = members[index]
        let time = now
        guard let connection = member.connectionWithRoom(), member.reserve(at: time) else {
            return nil
        }
        member.figures.started += 1
        member.figures.inFlight += 1
        return Lease(member: member, connection: connection, startedAt: time)
    }
}
