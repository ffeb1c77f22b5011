internal import Messages
internal import TrafficPolicy

/// The hashes of a database's revisions. Each is the hash of the revision's bytes, with the hash of
/// the revision before it as the seed, so that equal hashes mean equal histories.
///
/// ```
///   start      start + 1                          latest
///   hash -->   XXH64(bytes, seed: hash) --> ... --> latestHash
/// ```
struct HashChain: Equatable, Sendable {
    /// The revision of the checkpoint; 0 without one.
    private(set) var start: UInt64
    /// Of the revisions from `start` on; never empty.
    private var hashes: [UInt64]

    init(start: UInt64 = 0, hash: UInt64 = 0) {
        self.start = start
        hashes = [hash]
    }

    /// The hash of a revision's bytes.
    ///
    /// - Parameter previous: the hash of the revision before it; 0 for the first one.
    static func hash(_ bytes: [UInt8], after previous: UInt64 = 0) -> UInt64 {
        KeyHash.hash(bytes.rawSpan, seed: previous)
    }

    /// `start` is at most `StoredRecord.maximumRevision`, so the sum cannot overflow.
    var latest: UInt64 { start + UInt64(hashes.count - 1) }

    var latestHash: UInt64 { hashes.last ?? 0 }

    /// The hash of a revision; nil if it is not one from `start` to `latest`.
    subscript(revision: UInt64) -> UInt64? {
        guard revision >= start, revision <= latest else { return nil }
        return hashes[Int(revision - start)]
    }

    mutating func append(_ bytes: [UInt8]) {
        hashes.append(Self.hash(bytes, after: latestHash))
    }

    /// Forgets the revisions before one; does nothing if that one is unknown.
    mutating func forget(before revision: UInt64) {
        guard let hash = self[revision] else { return }
        hashes.removeFirst(Int(revision - start))
        assert(hashes.first == hash)
        start = revision
    }
}
