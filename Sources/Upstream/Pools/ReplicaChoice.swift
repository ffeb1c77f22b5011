internal import TrafficPolicy

/// The choice of a replica for a request, among the members of a pool. A member is an index in the
/// pool's list. It reads the load of a member only when it needs it, because other loops change it.
struct ReplicaChoice {
    /// What a pool knows of a member.
    struct MemberState: Equatable {
        var isReady = false
        var isConnecting = false
        var isEjected = false
        /// The result of health checks. Without checks, it is not read.
        var verdict = Replica.Verdict.unknown
    }

    /// The members that may receive requests, in ascending order.
    private(set) var candidates: [Int] = []
    private var isCandidate: [Bool] = []
    private var ring: HashRing?

    /// Takes new states of the members: ready and healthy members that are not ejected are
    /// candidates. If all are ejected, all are (panic).
    ///
    /// - Parameters:
    ///   - ring: of all members by index, for requests with a shard key; nil without affinity.
    mutating func update(_ members: [MemberState], healthChecks: Bool, ring: HashRing?) {
        let ready = members.indices.filter { index in
            members[index].isReady && (!healthChecks || members[index].verdict == .serving)
        }
        let admitted = ready.filter { !members[$0].isEjected }
        candidates = admitted.isEmpty ? ready : admitted
        isCandidate = [Bool](repeating: false, count: members.count)
        for index in candidates { isCandidate[index] = true }
        self.ring = ring
    }

    /// The best candidate; nil if there is none.
    ///
    /// - Parameters:
    ///   - point: the point of the request's shard key on the ring; nil for any replica.
    ///   - failed: the member of the last attempt.
    ///   - inFlight: the requests in flight to all members.
    ///   - random: 64 random bits.
    ///   - load: the requests in flight to a member.
    func first(
        point: UInt64?, avoiding failed: Int?, inFlight: Int, random: UInt64, load: (Int) -> Int
    ) -> Int? {
        guard !candidates.isEmpty else { return nil }
        guard let ring, let point else {
            return lessLoaded(avoiding: failed, random: random, load: load)
        }
        let bound = HashRing.loadBound(inFlight: inFlight, replicas: candidates.count)
        return ring.owner(of: point) { index in
            index < isCandidate.count && isCandidate[index] && index != failed
                && load(index) < bound
        }
    }

    /// All candidates in the order to try them in when the first one is full: by load, and the
    /// member of the last attempt at the end.
    func alternatives(avoiding failed: Int?, load: (Int) -> Int) -> [Int] {
        let byLoad = candidates.map { (index: $0, load: load($0)) }
            .sorted { ($0.load, $0.index) < ($1.load, $1.index) }.map(\.index)
        return byLoad.filter { $0 != failed } + byLoad.filter { $0 == failed }
    }

    /// The less loaded of two random candidates (Mitzenmacher, "The Power of Two Choices in
    /// Randomized Load Balancing", 2001).
    private func lessLoaded(
        avoiding failed: Int?, random: UInt64, load: (Int) -> Int
    ) -> Int {
        let count = UInt32(candidates.count)
        guard count > 1 else { return candidates[0] }
        let first = Self.scaled(UInt32(truncatingIfNeeded: random), count)
        var second = Self.scaled(UInt32(truncatingIfNeeded: random >> 32), count - 1)
        if second >= first { second += 1 }
        let (left, right) = (candidates[Int(first)], candidates[Int(second)])
        if left == failed { return right }
        if right == failed { return left }
        return load(left) <= load(right) ? left : right
    }

    /// Scales 32 random bits to a number below `bound`.
    private static func scaled(_ bits: UInt32, _ bound: UInt32) -> UInt32 {
        UInt32(truncatingIfNeeded: (UInt64(bits) &* UInt64(bound)) >> 32)
    }
}
