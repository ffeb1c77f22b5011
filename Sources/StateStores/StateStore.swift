/// Keeps the control state: a checkpoint and the revisions after it, as bytes that a store does not
/// decode.
///
/// ```
///   checkpoint(40)   41  42  43     append(44): durable when it returns
/// ```
///
/// Several servers may share a store. It keeps one sequence of revisions: if two servers append the
/// same revision, one succeeds, and the other receives an error and must read first.
package protocol StateStore: Sendable {
    /// The place of the state, for operators: "sqlite:/var/lib/weir/weir.db".
    var place: String { get }

    /// Whether several servers can use the store at once.
    var isShared: Bool { get }

    /// Changes of the store by others. They are hints; `read` returns the content.
    var events: AsyncStream<StoreEvent> { get }

    /// Reads the revisions after one, with the checkpoint if the store no longer has all of them.
    ///
    /// - Parameter revision: nil for the whole content.
    func read(after revision: UInt64?) async throws(StoreError) -> StoredHistory

    /// Adds the next revision, which is durable when this returns. Throws `conflict`, and changes
    /// nothing, if it is not the next one.
    func append(_ record: StoredRecord) async throws(StoreError)

    /// Replaces the checkpoint and the revisions up to its own; later ones stay. Does nothing if
    /// the store has a later checkpoint.
    func checkpoint(_ record: StoredRecord) async throws(StoreError)

    /// Replaces the whole content. If this fails halfway, the store contains the beginning of the
    /// history, and the next call starts again.
    ///
    /// - Parameter latest: the latest revision that the store may contain; nil for any. Throws
    ///   `conflict`, and replaces nothing, if the store contains a later one.
    func replace(with history: StoredHistory, upTo latest: UInt64?) async throws(StoreError)

    /// Checks by a write that the store works.
    func probe() async throws(StoreError)

    /// Announces this server to the other servers that share the store, until it closes the store
    /// or loses its connection.
    func announce(_ instance: [UInt8]) async throws(StoreError)

    /// The announced servers that have not left.
    func instances() async throws(StoreError) -> [StoredInstance]

    /// Publishes counts for the leader of the servers that share the store, until the same event.
    func publish(counts: [UInt8]) async throws(StoreError)

    /// The latest counts of each server. Call it on the leader, which also removes old ones.
    func publishedCounts() async throws(StoreError) -> [[UInt8]]

    /// The number of servers that share the store.
    func serverCount() async throws(StoreError) -> Int

    /// Keeps what the leader has found out about a rollout since its latest decision. It is not a
    /// part of the history.
    ///
    /// - Parameter rollout: the id of the rollout.
    /// - Returns: false, without a change, if this server is not the leader.
    func storeProgress(_ bytes: [UInt8], of rollout: UInt64) async throws(StoreError) -> Bool

    /// What was kept of a rollout; nil if nothing was.
    func progress(of rollout: UInt64) async throws(StoreError) -> [UInt8]?

    /// Deletes what was kept of other rollouts than these. Does nothing unless this server is the
    /// leader.
    func deleteProgress(except rollouts: Set<UInt64>) async throws(StoreError)

    /// Whether this server does the work that only one server may do.
    var isLeader: Bool { get async }

    /// Problems at the opening of the store, as sentences for the log.
    var warnings: [String] { get async }

    /// Releases all resources.
    func close() async
}

extension StateStore {
    package var isShared: Bool { false }
    package var warnings: [String] { [] }

    // A store of one server needs no counts of others.
    package func publish(counts: [UInt8]) async throws(StoreError) {}
    package func publishedCounts() async throws(StoreError) -> [[UInt8]] { [] }
    package func serverCount() async throws(StoreError) -> Int { 1 }
}

/// A revision or a checkpoint.
package struct StoredRecord: Sendable, Equatable {
    /// The largest revision that is read or written. Whatever a store contains, sums of revisions
    /// and counts cannot overflow.
    package static let maximumRevision: UInt64 = 1 << 62

    package let revision: UInt64
    package let bytes: [UInt8]
    /// The hash that the store must contain: for a revision, the hash of the one before it; for a
    /// checkpoint, the hash of its revision. Only a shared store compares it.
    let expectedHash: UInt64

    package init(revision: UInt64, bytes: [UInt8]) {
        self.init(revision: revision, bytes: bytes, expectedHash: HashChain.unknown)
    }

    /// Whether both store the same.
    package static func == (left: StoredRecord, right: StoredRecord) -> Bool {
        left.revision == right.revision && left.bytes == right.bytes
    }

    package init(revision: UInt64, bytes: [UInt8], expectedHash: UInt64) {
        self.revision = revision
        self.bytes = bytes
        self.expectedHash = expectedHash
    }

    /// The problem of a revision in a store; nil if it is valid.
    package static func problem(_ revision: some BinaryInteger) -> String? {
        guard revision < 0 || revision > maximumRevision else { return nil }
        return "the revision is \(revision); it must be from 0 to \(maximumRevision)"
    }

    /// Rejects a record that could not be read again.
    func check() throws(StoreError) {
        if let problem = Self.problem(revision) { throw .refused(problem) }
    }
}

/// The content of a store, or the end of it.
package struct StoredHistory: Sendable, Equatable {
    /// Nil in a store that never had one, and if the read did not need it.
    package var checkpoint: StoredRecord?
    /// The revisions after the checkpoint, without gaps.
    package var records: [StoredRecord] = []
    /// The latest revision in the store; 0 in an empty one.
    package var latest: UInt64 = 0
    /// The damage after these records; nil if the store is intact.
    package var damage: String?

    package init() {}
}

/// A server that shares a store.
package struct StoredInstance: Sendable {
    /// The announced bytes.
    package let bytes: [UInt8]
    package let isLeader: Bool
}

/// A change of a store by others.
package enum StoreEvent: Sendable {
    /// The store may contain new revisions.
    case changed
    /// Another program than a server deleted or changed revisions.
    case tampered
    /// The store is unreachable, with the reason.
    case lost(String)
}

/// Why a store cannot be used.
package enum StoreError: Error, Equatable, CustomStringConvertible {
    /// The revision to append is not the one after `latest`.
    case conflict(latest: UInt64)
    /// The store does not work now, but may work later.
    case unavailable(String)
    /// The content is damaged.
    case damaged(String)
    /// The content is another history than the one that this server serves.
    case foreign(String)
    /// The store cannot be opened until an operator changes something.
    case refused(String)
    /// Another server uses the store, and may stop soon.
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
    /// Whether the store is reachable, but its content cannot be served.
    package var isAboutContent: Bool {
        switch self {
        case .damaged, .foreign: true
        case .conflict, .unavailable, .refused, .held: false
        }
    }

    /// Whether the same attempt may succeed later: the store is unreachable, or another process
    /// uses it.
    package var canBeTriedAgain: Bool {
        switch self {
        case .unavailable, .held: true
        case .conflict, .damaged, .foreign, .refused: false
        }
    }

    package var isTemporary: Bool { if case .unavailable = self { true } else { false } }
}
