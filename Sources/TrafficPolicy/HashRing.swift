/// A ring of points in [0, 2^64), each owned by a replica. The replica of a shard key is the owner
/// of the first point at or after the key's point. When a replica is removed, only its keys move,
/// each to the next owner on the ring. When it is added again, they return.
///
/// ```
///   key ----.
///           v
///   0 --B---A--C----A--B---C--A-- 2^64      the search continues to the right and wraps around
/// ```
///
/// Source: Karger et al., "Consistent Hashing and Random Trees", 1997; the bound on load: Mirrokni,
/// Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016.
package struct HashRing: Sendable {
    /// Points of each replica: its share is even to within about 1/sqrt(points), 6 %.
    package static let pointsPerReplica = 256

    private let points: [UInt64]
    private let owners: [Int32]

    /// - Parameter names: the distinct names of the replicas. A name has the same points in every
    ///   ring.
    package init(_ names: [String]) {
        var pairs: [(point: UInt64, owner: Int32)] = []
        pairs.reserveCapacity(names.count * Self.pointsPerReplica)
        for (index, name) in names.enumerated() {
            for number in 0..<Self.pointsPerReplica {
                let point = KeyHash.hash(name, seed: UInt64(number) + 2)
                pairs.append((point, Int32(index)))
            }
        }
        pairs.sort { ($0.point, $0.owner) < ($1.point, $1.owner) }
        points = pairs.map(\.point)
        owners = pairs.map(\.owner)
    }

    /// The first usable replica at or after the key's point; nil if none is usable.
    ///
    /// - Parameter isUsable: called with the index of a replica; may be called more than once for
    ///   the same index.
    package func owner(of point: UInt64, where isUsable: (Int) -> Bool) -> Int? {
        guard !points.isEmpty else { return nil }
        let first = position(of: point)
        for step in 0..<points.count {
            let index = first + step
            let owner = Int(owners[index < points.count ? index : index - points.count])
            if isUsable(owner) { return owner }
        }
        return nil
    }

    /// The point of a shard key on every ring.
    package static func point(of key: RawSpan) -> UInt64 { KeyHash.hash(key, seed: 1) }

    /// The load limit of a replica, in requests in flight; above it, keys move to the next replica.
    /// The limit is the average of all replicas, including the new request, plus a quarter.
    package static func loadBound(inFlight: Int, replicas: Int) -> Int {
        guard replicas > 0 else { return 0 }
        return ((inFlight + 1) * 5 + replicas * 4 - 1) / (replicas * 4)
    }

    /// The index of the first point at or after this one; 0 after the last point.
    private func position(of point: UInt64) -> Int {
        var (low, high) = (0, points.count)
        while low < high {
            let middle = (low + high) / 2
            if points[middle] < point { low = middle + 1 } else { high = middle }
        }
        return low == points.count ? 0 : low
    }
}
