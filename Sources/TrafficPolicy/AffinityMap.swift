/// Assigns each point of [0, 2^64) to a backend. The map is stored and versioned; every backend
/// selection uses it.
///
/// ```
/// 0                                                        2^64
/// |---------- v1 ----------|-- v2 --|------- v1 -------|- v2 -|
///                             `- fragment: since change 3, before that v1's
/// ```
///
/// The map is a list of *fragments*: half-open, in order, covering the space exactly. A fragment
/// records the change at which its owner received it and the earlier holders, so that undoing a
/// change returns every point (see `AffinityMap+Change.swift`). A lookup needs no history: the
/// *intervals* are the fragments with neighbours of the same owner merged.
package struct AffinityMap: Equatable, Sendable {
    /// The number of points: 2^64.
    package static let space = UInt128(1) << 64

    /// The maximum number of fragments, and therefore of intervals.
    package static let maximumIntervals = 1_024

    /// The maximum number of earlier holders that a fragment records.
    package static let maximumLineage = 8

    /// An owner and the change at which it received the points.
    package struct Holder: Hashable, Sendable {
        package let owner: String
        package let since: UInt64

        package init(owner: String, since: UInt64) {
            self.owner = owner
            self.since = since
        }
    }

    /// A run of points with one owner and one history.
    package struct Fragment: Hashable, Sendable {
        /// The first point; the fragment ends where the next one starts, the last at 2^64.
        package let start: UInt64
        package let holder: Holder
        /// Earlier holders, oldest first.
        package let lineage: [Holder]

        package init(start: UInt64, holder: Holder, lineage: [Holder]) {
            self.start = start
            self.holder = holder
            self.lineage = lineage
        }
    }

    /// A run of points with one owner.
    package struct Interval: Equatable, Sendable {
        package let start: UInt64
        package let backend: String
    }

    /// Never empty; the first starts at 0 and starts strictly ascend.
    package let fragments: [Fragment]

    /// The number of changes of this map.
    package let generation: UInt64

    /// The next generation. A store can contain any number, so the addition saturates.
    var nextGeneration: UInt64 { generation == .max ? .max : generation + 1 }

    /// A map with one owner, before any change.
    package init(owner: String) {
        let holder = Holder(owner: owner, since: 0)
        self.init(
            fragments: [Fragment(start: 0, holder: holder, lineage: [])], generation: 0)
    }

    /// A map from a store; nil if its fragments do not cover the space in order.
    package init?(stored fragments: [Fragment], generation: UInt64) {
        guard fragments.first?.start == 0, fragments.count <= Self.maximumIntervals else {
            return nil
        }
        for (left, right) in zip(fragments, fragments.dropFirst()) where left.start >= right.start {
            return nil
        }
        self.init(fragments: fragments, generation: generation)
    }

    init(fragments: [Fragment], generation: UInt64) {
        self.fragments = fragments
        self.generation = generation
    }

    /// The fragments with neighbours of the same owner merged, for lookups and for clients.
    package var intervals: [Interval] {
        var merged: [Interval] = []
        for fragment in fragments where merged.last?.backend != fragment.holder.owner {
            merged.append(Interval(start: fragment.start, backend: fragment.holder.owner))
        }
        return merged
    }

    /// The number of points of each backend.
    package var shares: [String: UInt128] {
        var shares: [String: UInt128] = [:]
        for index in fragments.indices {
            shares[fragments[index].holder.owner, default: 0] += width(at: index)
        }
        return shares
    }

    /// Whether each backend has exactly these points. Rejects most maps without building `shares`.
    func hasShares(_ wanted: [String: UInt128]) -> Bool {
        guard let (backend, points) = wanted.first else { return false }
        var found: UInt128 = 0
        for index in fragments.indices where fragments[index].holder.owner == backend {
            found += width(at: index)
        }
        return found == points && shares == wanted
    }

    /// The end of a fragment: the start of the next one, or 2^64.
    func end(at index: Int) -> UInt128 {
        index + 1 < fragments.count ? UInt128(fragments[index + 1].start) : Self.space
    }

    private func width(at index: Int) -> UInt128 {
        end(at: index) - UInt128(fragments[index].start)
    }

    /// The share of the space, 0 to 1, whose owner differs between two maps.
    package func movedShare(to other: AffinityMap) -> Double {
        Double(movedPoints(to: other)) / 0x1p64
    }

    func movedPoints(to other: AffinityMap) -> UInt128 {
        var moved: UInt128 = 0
        var (mine, theirs) = (0, 0)
        var position: UInt128 = 0
        while mine < fragments.count, theirs < other.fragments.count {
            let (left, right) = (end(at: mine), other.end(at: theirs))
            let end = min(left, right)
            if fragments[mine].holder.owner != other.fragments[theirs].holder.owner {
                moved += end - position
            }
            position = end
            if left == end { mine += 1 }
            if right == end { theirs += 1 }
        }
        return moved
    }
}

extension AffinityMap {
    /// This map as the successor of another one, to return to an earlier map.
    package func restored(over current: AffinityMap) -> AffinityMap {
        AffinityMap(fragments: fragments, generation: current.nextGeneration)
    }
}
