/// The keys that have had a bad response, so that each user counts once.
///
/// The requests of one user are not independent: one user with an invalid account can fail
/// thousands of times. Counting users instead of requests keeps the level. Beyond `capacity` keys,
/// only those keys count whose second hash is in a half, a quarter and so on of its range. The side
/// of a key does not depend on that hash, so the evidence stays valid.
package struct FirstFailures: Equatable, Sendable {
    /// The number of keys that are kept.
    package static let capacity = 65_536

    private let capacity: Int
    private var points: Set<UInt64> = []
    /// A key counts if its second hash begins with this number of zeros.
    package private(set) var zeros = 0

    /// - Parameter capacity: at least 1.
    package init(capacity: Int = Self.capacity) {
        self.capacity = max(1, capacity)
    }

    package var count: Int { points.count }

    /// Records a bad response.
    ///
    /// - Parameter point: the point of the key in the space of the affinity map.
    /// - Returns: whether this is the first one of a key that counts.
    package mutating func insert(_ point: UInt64) -> Bool {
        guard counts(point), points.insert(point).inserted else { return false }
        thin(to: capacity)
        return counts(point)
    }

    private mutating func thin(to limit: Int) {
        while points.count > limit, zeros < 64 {
            zeros += 1
            points = points.filter(counts)
        }
    }

    // MARK: Storing

    /// The keys in order; beyond the limit, a thinned part of them.
    package func stored(limit: Int) -> (points: [UInt64], zeros: Int) {
        var thinned = self
        thinned.thin(to: limit)
        return (thinned.points.sorted(), thinned.zeros)
    }

    /// Adds stored keys.
    ///
    /// - Parameter zeros: of `stored`. More than 64 count as 64.
    package mutating func restore(_ stored: [UInt64], zeros: Int) {
        self.zeros = max(self.zeros, min(64, zeros))
        points = points.filter(counts)
        for point in stored { _ = insert(point) }
    }

    private func counts(_ point: UInt64) -> Bool {
        Self.hash(point).leadingZeroBitCount >= zeros
    }

    /// The second hash of a key: the finalizer of SplitMix64, a bijection.
    package static func hash(_ point: UInt64) -> UInt64 {
        var mixed = point &+ 0x9E37_79B9_7F4A_7C15
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
