/// A ring of points in [0, 2^64), each owned by a replica: a shard key goes to the owner of the
/// first point at or after its own. When a replica leaves, its points go, so only its keys move,
/// each to the next owner on the ring; when it returns, they come back.
///
/// ```
///   key ----.
///           v
///   0 --B---A--C----A--B---C--A-- 2^64      the walk goes to the right, and round the end
/// ```
///
/// Source: Karger et al., "Consistent Hashing and Random Trees", 1997; the bound on load: Mirrokni,
/// Thorup, Zadimoghaddam, "Consistent Hashing with Bounded Loads", 2016.
package struct HashRing: Sendable {
    /// Points of each replica: its share is even to within about 1/sqrt(points), 6 %.
    package static let pointsPerReplica = 256

    private let points: [UInt64]
    private let owners: [Int32]

    /// - Parameter names: of the replicas, unlike each other; a name has the same points in every
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

    /// The first replica from the key's point on that may be used; nil when none may.
    ///
    /// - Parameter isUsable: asked for replicas by index; for each at least once, if need be.
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

    /// The most requests that a replica may have in flight before keys walk on: a quarter more than
    /// its even part of all of them, the new one included.
    package static func loadBound(inFlight: Int, replicas: Int) -> Int {
        guard replicas > 0 else { return 0 }
        return ((inFlight + 1) * 5 + replicas * 4 - 1) / (replicas * 4)
    }

    /// The index of the first point not below this one, or 0 past the last.
    private func position(of point: UInt64) -> Int {
        var (low, high) = (0, points.count)
        while low < high {
            let middle = (low + high) / 2
            if points[middle] < point { low = middle + 1 } else { high = middle }
        }
        return low == points.count ? 0 : low
    }
}
