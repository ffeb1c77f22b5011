internal import Messages
internal import StateStores

/// Decodes stored revisions, one after the other.
struct HistoryDecoder {
    private(set) var history: StateHistory
    private var sets: DescriptorSets

    /// Continues a history.
    init(after history: StateHistory = StateHistory()) {
        self.history = history
        sets = DescriptorSets(of: history.current)
    }

    /// Starts with a checkpoint.
    init(at checkpoint: Weir_Store_V1_Checkpoint) throws(UnreadableState) {
        sets = DescriptorSets()
        let state = try ControlState(checkpoint, &sets)
        history = StateHistory(state, chain: try HashChain(checkpoint))
    }

    /// Starts with a checkpoint, if it exists.
    init(at checkpoint: StoredRecord?) throws(UnreadableState) {
        guard let checkpoint else {
            self.init()
            return
        }
        try self.init(at: try Weir_Store_V1_Checkpoint.read(checkpoint.bytes, "checkpoint"))
        guard history.current.revision == checkpoint.revision else {
            throw UnreadableState(
                description: "the checkpoint of revision \(checkpoint.revision) contains "
                    + "revision \(history.current.revision)")
        }
    }

    /// The history up to the first unreadable revision.
    static func intactPart(of stored: StoredHistory) -> StateHistory {
        guard var decoder = try? HistoryDecoder(at: stored.checkpoint) else {
            return StateHistory()
        }
        for record in stored.records {
            guard (try? decoder.append(record)) != nil else { break }
        }
        return decoder.history
    }

    /// - Parameter hash: the hash of the revision's stored bytes.
    mutating func append(
        _ message: Weir_Store_V1_Revision, hash: UInt64
    ) throws(UnreadableState) {
        let revision = history.current.nextRevision
        guard message.revision == revision else {
            throw UnreadableState(description: "revision \(revision) is missing")
        }
        guard HashChain.match(message.previousHash, history.chain.latestHash) else {
            throw UnreadableState(
                description: "revision \(revision) does not follow revision \(revision - 1): it "
                    + "belongs to another history")
        }
        history.append(try RevisionRecord(message, hash: hash, &sets))
    }

    mutating func append(_ record: StoredRecord) throws(StoreError) {
        let expected = history.current.nextRevision
        guard record.revision == expected else {
            throw .damaged("revision \(expected) is missing")
        }
        do throws(UnreadableState) {
            try append(
                try .read(record.bytes, "revision"), hash: HashChain.hash(record.bytes))
        } catch {
            throw .damaged("revision \(record.revision): \(error.description)")
        }
    }
}

extension StateHistory {
    /// Decodes the content of a store.
    init(_ stored: StoredHistory) throws(StoreError) {
        if let damage = stored.damage { throw .damaged(damage) }
        var decoder: HistoryDecoder
        do throws(UnreadableState) {
            decoder = try HistoryDecoder(at: stored.checkpoint)
        } catch {
            throw .damaged(error.description)
        }
        let start = decoder.history.current.revision
        for record in stored.records where record.revision > start { try decoder.append(record) }
        self = decoder.history
    }

    // MARK: Following a store

    /// The way in which a history follows its store.
    enum Update {
        case none
        case records([RevisionRecord])
        /// The store no longer contains the revisions in between.
        case replacement(StateHistory)
    }

    /// The content of a store after the latest revision of this history.
    ///
    /// - Parameter stored: the store from the latest revision on, that one included.
    /// - Throws: `foreign` if the store does not contain that revision.
    func update(from stored: StoredHistory) throws(StoreError) -> Update {
        if let damage = stored.damage { throw .damaged(damage) }
        guard stored.latest >= current.revision else {
            throw foreign(endingAt: stored.latest)
        }
        if let checkpoint = stored.checkpoint, checkpoint.revision >= current.revision {
            let whole = try StateHistory(stored)
            try checkContained(in: whole.chain)
            return whole.current.revision > current.revision ? .replacement(whole) : .none
        }
        try checkContained(in: try HashChain(of: stored))
        let new = stored.records.filter { $0.revision > current.revision }
        guard !new.isEmpty else { return .none }
        var decoder = HistoryDecoder(after: self)
        for record in new { try decoder.append(record) }
        return .records(decoder.history.records(after: current.revision))
    }

    /// Throws if a store with other hashes does not contain the latest revision of this history.
    func checkContained(in store: HashChain) throws(StoreError) {
        switch chain.relation(to: store) {
        case .same: return
        case .behind: throw foreign(endingAt: store.latest)
        case .forked:
            throw .foreign(
                "revision \(current.revision) of the store is not the one that this server "
                    + "serves: the store was replaced or restored from a backup, and changed since")
        }
    }

    private func foreign(endingAt latest: UInt64) -> StoreError {
        .foreign(
            "the store is at revision \(latest), but this server serves revision "
                + "\(current.revision): the store was emptied or restored from a backup")
    }

    // MARK: Storing

    /// The hash that the next revision contains. The first revision gives the history its identity.
    func nextPreviousHash() -> UInt64 {
        current.revision == 0 ? UInt64.random(in: 1 ... .max) : chain.latestHash
    }

    /// The checkpoint of a retained revision.
    func checkpoint(at revision: UInt64) throws(MessageError) -> StoredRecord? {
        guard let state = state(at: revision) else { return nil }
        return StoredRecord(
            revision: revision,
            bytes: try Weir_Store_V1_Checkpoint(state, chain).serializedBytes(),
            expectedHash: chain[revision] ?? HashChain.unknown)
    }

    /// The revisions after one as a store contains them, with the same hashes.
    ///
    /// - Parameter revision: a retained revision.
    /// - Returns: nil if a revision encodes to other bytes, because another version of Weir wrote
    ///   it.
    func stored(after revision: UInt64) throws(MessageError) -> [StoredRecord]? {
        var state = state(at: revision) ?? ControlState()
        var stored: [StoredRecord] = []
        for record in records(after: revision) {
            let bytes = try record.bytes(after: state)
            guard HashChain.hash(bytes) == record.hash else { return nil }
            _ = state.apply(record.delta)
            stored.append(StoredRecord(revision: record.revision, bytes: bytes))
        }
        return stored
    }

    /// This history as a store contains it, with the same hashes. It starts with a checkpoint of
    /// the current state if a revision cannot be encoded to the same bytes.
    func stored() throws(MessageError) -> StoredHistory {
        var whole = StoredHistory()
        whole.latest = current.revision
        let records = try stored(after: oldest)
        whole.records = records ?? []
        let start = records == nil ? current.revision : oldest
        if start > 0 { whole.checkpoint = try checkpoint(at: start) }
        return whole
    }
}

extension HashChain {
    /// The chain of the latest revisions of a store, without a checkpoint.
    fileprivate init(of stored: StoredHistory) throws(StoreError) {
        guard let first = stored.records.first else {
            self.init(start: stored.latest, hash: Self.unknown)
            return
        }
        do throws(UnreadableState) {
            let message = try Weir_Store_V1_Revision.read(first.bytes, "revision")
            let before = max(1, first.revision) - 1
            self.init(
                identity: before == 0 ? message.previousHash : Self.unknown, start: before,
                hash: message.previousHash)
        } catch {
            throw .damaged("revision \(first.revision): \(error.description)")
        }
        for record in stored.records { append(Self.hash(record.bytes)) }
    }
}
