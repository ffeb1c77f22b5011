internal import Messages
internal import TrafficPolicy

/// The hashes of the latest revisions of a history. The hash of a revision is XXH64 of its stored
/// bytes, which contain the hash of the revision before it. So equal hashes mean equal histories up
/// to that revision.
///
/// ```
///   identity --> hash(1) --> ... | hash(start) --> ... --> hash(latest)
///   revision 0                   | known
/// ```
package struct HashChain: Equatable, Sendable {
    /// Stands for an unknown hash, and matches each hash. Histories of earlier versions of Weir
    /// have no hashes.
    package static let unknown: UInt64 = 0

    /// The random number that stands for revision 0. Each history has its own.
    package private(set) var identity: UInt64
    /// The first revision whose hash is retained.
    private(set) var start: UInt64
    /// The hashes from `start` on; never empty.
    private var hashes: [UInt64]

    /// A chain of one revision.
    package init(identity: UInt64 = unknown, start: UInt64, hash: UInt64) {
        (self.identity, self.start, hashes) = (identity, start, [hash])
    }

    /// The chain of a history without revisions.
    package init(identity: UInt64 = unknown) {
        self.init(identity: identity, start: 0, hash: identity)
    }

    /// The hash of a revision's stored bytes.
    package static func hash(_ bytes: [UInt8]) -> UInt64 { KeyHash.hash(bytes.rawSpan, seed: 0) }

    /// Whether two hashes are equal, or one is unknown.
    package static func match(_ left: UInt64, _ right: UInt64) -> Bool {
        left == right || left == unknown || right == unknown
    }

    /// The latest revision. `start` is at most `StoredRecord.maximumRevision`, so the sum cannot
    /// overflow.
    package var latest: UInt64 { start + UInt64(hashes.count - 1) }

    /// The hash of the latest revision.
    package var latestHash: UInt64 { hashes.last ?? Self.unknown }

    /// The hash of a revision; nil if it is not one from `start` to `latest`.
    package subscript(revision: UInt64) -> UInt64? {
        guard revision >= start, revision <= latest else { return nil }
        return hashes[Int(revision - start)]
    }

    /// Adds the hash of the next revision.
    package mutating func append(_ hash: UInt64) { hashes.append(hash) }

    /// Adds known hashes of the revisions directly before `start`, which has to be at least their
    /// number.
    package mutating func prepend(_ earlier: [UInt64]) {
        hashes.insert(contentsOf: earlier, at: 0)
        start -= UInt64(earlier.count)
    }

    /// The retained hashes of the revisions before one, oldest first.
    package func hashes(before revision: UInt64) -> [UInt64] {
        guard revision > start else { return [] }
        return Array(hashes.prefix(Int(min(revision, latest + 1) - start)))
    }

    /// Deletes the hashes before a revision; does nothing if that revision is unknown.
    mutating func forget(before revision: UInt64) {
        guard revision > start, revision <= latest else { return }
        hashes.removeFirst(Int(revision - start))
        start = revision
    }

    /// Deletes the hashes before a revision, except a number of those directly before it.
    package mutating func forget(before revision: UInt64, except kept: UInt64) {
        forget(before: revision - min(revision, kept))
    }

    // MARK: Comparison

    /// How a store relates to the history of a server.
    package enum Relation: Equatable, Sendable {
        /// The store contains the latest revision of the server, and perhaps later ones.
        case same
        /// The store ends before the latest revision of the server.
        case behind
        /// The store contains another revision with that number.
        case forked
    }

    /// How a store with another chain relates to this history.
    package func relation(to store: HashChain) -> Relation {
        guard latest <= store.latest else { return .behind }
        // Without the hash of that revision, the histories are the same if they began the same way.
        let isSame =
            store[latest].map { Self.match($0, latestHash) }
            ?? Self.match(identity, store.identity)
        return isSame ? .same : .forked
    }

    /// The latest revision that two histories are known to have in common; 0 if there is none.
    package func common(with other: HashChain) -> UInt64 {
        var revision = min(latest, other.latest)
        while let own = self[revision], let others = other[revision], revision > 0 {
            if own == others, own != Self.unknown { return revision }
            revision -= 1
        }
        return 0
    }
}
