/// Where the control state is kept: a checkpoint and the revisions after it, each of them bytes
/// that a store does not look into.
///
/// ```
///   checkpoint(40)   41  42  43     append(44): kept for good when it returns
/// ```
///
/// Several servers may share a store. It keeps one line of revisions: of two that append the same
/// one wins, and the other gets an error: it must read first.
package protocol StateStore: Sendable {
    /// Where the state is, for people: "sqlite:/var/lib/weir/weir.db".
    var place: String { get }

    /// What happens to the store without this server's doing. Only hints: the truth is in `read`.
    var events: AsyncStream<StoreEvent> { get }

    /// The revisions after one, with the checkpoint where they don't reach so far back.
    ///
    /// - Parameter revision: nil for all there is.
    func read(after revision: UInt64?) async throws(StoreError) -> StoredHistory

    /// Keeps the next revision for good before it returns. Throws `conflict`, and keeps nothing,
    /// when it is not the next one.
    func append(_ record: StoredRecord) async throws(StoreError)

    /// Replaces the checkpoint and the revisions up to its own; those after it stay. Does nothing
    /// if there is a later checkpoint.
    func checkpoint(_ record: StoredRecord) async throws(StoreError)

    /// Replaces all that the store contains. If this fails halfway, the store contains the
    /// beginning of the history, and the next call begins again.
    ///
    /// - Parameter latest: the latest revision that the store may contain; nil for any. Throws
    ///   `conflict` if there is a later one, and replaces nothing.
    func replace(with history: StoredHistory, upTo latest: UInt64?) async throws(StoreError)

    /// Finds out, by writing something, whether the store works.
    func probe() async throws(StoreError)

    /// Tells the others who share the store about this server, until it closes the store or is cut
    /// off from it.
    func announce(_ instance: [UInt8]) async throws(StoreError)

    /// The announced instances that have not left.
    func instances() async throws(StoreError) -> [StoredInstance]

    /// Whether this server does the work that only one may do.
    var isLeader: Bool { get async }

    /// What was noticed when the store was opened, as sentences for the log.
    var warnings: [String] { get async }

    /// Releases all resources.
    func close() async
}

extension StateStore {
    package var warnings: [String] { [] }
}

/// A revision or a checkpoint.
package struct StoredRecord: Sendable, Equatable {
    /// The largest revision that is read or written. Whatever a store contains, sums of revisions
    /// and counts cannot overflow.
    package static let maximumRevision: UInt64 = 1 << 62

    package let revision: UInt64
    package let bytes: [UInt8]
    /// What has to be in the store before it is written: of a revision, the hash of the one before
    /// it; of a checkpoint, the hash of its revision. A store that several servers share compares.
    let expectedHash: UInt64

    package init(revision: UInt64, bytes: [UInt8]) {
        self.init(revision: revision, bytes: bytes, expectedHash: HashChain.unknown)
    }

    /// Whether they are stored as the same.
    package static func == (left: StoredRecord, right: StoredRecord) -> Bool {
        left.revision == right.revision && left.bytes == right.bytes
    }

    package init(revision: UInt64, bytes: [UInt8], expectedHash: UInt64) {
        self.revision = revision
        self.bytes = bytes
        self.expectedHash = expectedHash
    }

    /// What is wrong with a revision that a store contains; nil if nothing is.
    package static func problem(_ revision: some BinaryInteger) -> String? {
        guard revision < 0 || revision > maximumRevision else { return nil }
        return "the revision is \(revision); it must be from 0 to \(maximumRevision)"
    }

    /// Refuses to write what could not be read again.
    func check() throws(StoreError) {
        if let problem = Self.problem(revision) { throw .refused(problem) }
    }
}

/// What a store holds, or the end of it.
package struct StoredHistory: Sendable, Equatable {
    /// Nil in a store that never had one, and where it was not needed.
    package var checkpoint: StoredRecord?
    /// Without gaps; after the checkpoint, if there is one.
    package var records: [StoredRecord] = []
    /// The latest revision in the store; 0 in an empty one.
    package var latest: UInt64 = 0
    /// What is wrong with the rest, if the store can't be read to its end.
    package var damage: String?

    package init() {}
}

/// A server that shares a store.
package struct StoredInstance: Sendable {
    /// What it announced.
    package let bytes: [UInt8]
    package let isLeader: Bool
}

package enum StoreEvent: Sendable {
    /// There may be something new.
    case changed
    /// Revisions were deleted or changed, and not by a server.
    case tampered
    /// The store can't be reached, and why.
    case lost(String)
}

package enum StoreError: Error, Equatable, CustomStringConvertible {
    /// The revision to append is not the one after `latest`.
    case conflict(latest: UInt64)
    /// The store does not work now, but may again.
    case unavailable(String)
    /// What is stored can't be used.
    case damaged(String)
    /// What is stored is another history than the one that this server serves.
    case foreign(String)
    /// The store can't be opened as things are.
    case refused(String)
    /// Another server has it, which may be about to end.
    case held(String)

    package var description: String {
        switch self {
        case .conflict(let latest): "the store already has revision \(latest)"
        case .unavailable(let reason), .damaged(let reason), .foreign(let reason),
            .refused(let reason), .held(let reason):
            reason
        }
    }
}

extension StoreError {
    /// Whether the store can be reached, but what it contains cannot be served.
    package var isAboutContent: Bool {
        switch self {
        case .damaged, .foreign: true
        case .conflict, .unavailable, .refused, .held: false
        }
    }

    /// Whether the same attempt may succeed later: the store cannot be reached, or another process
    /// has it.
    package var canBeTriedAgain: Bool {
        switch self {
        case .unavailable, .held: true
        case .conflict, .damaged, .foreign, .refused: false
        }
    }

    package var isTemporary: Bool { if case .unavailable = self { true } else { false } }
}
