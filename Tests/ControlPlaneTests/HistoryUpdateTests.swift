internal import Foundation
internal import Messages
internal import StateStores
internal import Testing

@testable internal import ControlPlane

/// Histories that follow a store or reject it.
@Suite(.timeLimit(.minutes(5))) struct HistoryUpdateTests {
    /// A store with the revisions of a history, after a checkpoint if there is one.
    private func store(
        _ random: RandomHistory, upTo latest: Int, checkpointAt checkpoint: UInt64? = nil
    ) async throws -> MemoryStore {
        let store = MemoryStore()
        for record in random.records.prefix(latest) { try await store.append(record) }
        if let checkpoint { try await store.checkpoint(random.checkpoint(at: checkpoint)) }
        return store
    }

    private func history(_ random: RandomHistory, upTo latest: Int) async throws -> StateHistory {
        try StateHistory(await store(random, upTo: latest).read(after: nil))
    }

    /// Updates a history as a server does.
    private func update(
        _ history: StateHistory, from store: MemoryStore
    ) async throws -> StateHistory.Update {
        try history.update(from: await store.read(after: max(1, history.current.revision) - 1))
    }

    @Test(
        "A history follows its store, also past a checkpoint",
        arguments: [
            (0, 40, nil), (1, 40, nil), (20, 40, nil), (20, 40, 10), (20, 40, 19), (40, 40, nil),
            (20, 40, 20), (20, 40, 21), (0, 40, 30), (3, 40, 40),
        ] as [(Int, Int, UInt64?)])
    func follows(own: Int, latest: Int, checkpoint: UInt64?) async throws {
        let random = try RandomHistory(seed: 31, changes: 40)
        let served = try await history(random, upTo: own)
        let store = try await store(random, upTo: latest, checkpointAt: checkpoint)
        var followed = served
        switch try await update(served, from: store) {
        case .none: #expect(own == latest)
        case .records(let records):
            #expect(records.count == latest - own)
            for record in records { followed.append(record) }
        case .replacement(let newer):
            #expect(try #require(checkpoint) >= UInt64(own))
            followed = newer
        }
        #expect(followed.current.revision == UInt64(latest))
        #expect(followed.chain.latestHash == random.history.chain.latestHash)
        #expect(followed.chain.identity == random.history.chain.identity)
    }

    @Test("A store that was emptied or restored is foreign, whatever its current content")
    func rejectsForks() async throws {
        let random = try RandomHistory(seed: 31, changes: 40)
        let other = try RandomHistory(seed: 32, changes: 60)
        let served = try await history(random, upTo: 30)
        var cases: [(String, MemoryStore)] = [
            ("emptied", MemoryStore()),
            ("restored", try await store(random, upTo: 29)),
        ]
        // Restored to revision 20, and changed since.
        for latest in [30, 31, 40] {
            let fork = try fork(random, at: 20, until: latest)
            let forked = MemoryStore()
            for record in fork.records { try await forked.append(record) }
            cases.append(("forked up to \(latest)", forked))
            let short = MemoryStore()
            for record in fork.records { try await short.append(record) }
            try await short.checkpoint(
                try #require(try fork.history.checkpoint(at: UInt64(latest))))
            cases.append(("forked, with a checkpoint at \(latest)", short))
        }
        for checkpoint in [nil, 10, 29, 30, 31, 60] as [UInt64?] {
            cases.append(
                ("another one", try await store(other, upTo: 60, checkpointAt: checkpoint)))
        }
        for (name, store) in cases {
            do {
                let update = try await update(served, from: store)
                Issue.record("\(name): \(update)")
            } catch let error as StoreError {
                guard case .foreign(let reason) = error else {
                    Issue.record("\(name): \(error)")
                    continue
                }
                #expect(reason.contains("restored from a backup"), "\(name): \(reason)")
            }
        }
    }

    /// A history that is the same up to a revision, and different after it.
    private func fork(
        _ random: RandomHistory, at revision: Int, until latest: Int
    ) throws -> (history: StateHistory, records: [StoredRecord]) {
        var stored = StoredHistory()
        stored.records = Array(random.records.prefix(revision))
        var history = try StateHistory(stored)
        var records = stored.records
        while records.count < latest {
            let record = try next(history)
            var decoder = HistoryDecoder(after: history)
            try decoder.append(record)
            history = decoder.history
            records.append(record)
        }
        return (history, records)
    }

    /// A revision after a history.
    private func next(_ history: StateHistory) throws -> StoredRecord {
        let record = RevisionRecord(
            revision: history.current.nextRevision, time: Date(), author: "another one",
            comment: "", summary: "", delta: StateDelta(), previousHash: history.nextPreviousHash())
        return StoredRecord(
            revision: record.revision, bytes: try record.bytes(after: history.current))
    }

    @Test("A revision that does not follow the one before it is damage")
    func rejectsBrokenChains() async throws {
        let random = try RandomHistory(seed: 31, changes: 40)
        let fork = try fork(random, at: 20, until: 40)
        let store = MemoryStore()
        for record in random.records.prefix(25) + fork.records.dropFirst(25) {
            try await store.append(record)
        }
        let text = "revision 26 does not follow revision 25"
        for served in [0, 22] {
            let history = try await history(random, upTo: served)
            let error = await #expect(throws: StoreError.self) {
                try await update(history, from: store)
            }
            #expect(error?.description.contains(text) == true, "\(String(describing: error))")
        }
        let archive = try await StateArchive(reading: store)
        #expect(archive.latest == 25)
        #expect(archive.damage?.contains(text) == true)
    }

    @Test("Stores of earlier versions, without hashes, are followed")
    func followsWithoutHashes() async throws {
        let random = try RandomHistory(seed: 33, changes: 20)
        let store = MemoryStore()
        for record in random.records {
            var message = try Weir_Store_V1_Revision(serializedBytes: record.bytes)
            message.previousHash = HashChain.unknown
            try await store.append(
                .init(revision: record.revision, bytes: try message.serializedBytes()))
        }
        let history = try StateHistory(await store.read(after: nil))
        guard case .none = try await update(history, from: store) else {
            Issue.record("no new revision")
            return
        }
        // The chain starts here.
        let next = try next(history)
        try await store.append(next)
        let again = try StateHistory(await store.read(after: nil))
        #expect(again.current.revision == 21)
        let stored = try Weir_Store_V1_Revision(serializedBytes: next.bytes)
        #expect(stored.previousHash == again.chain[20])
    }

    // MARK: Writing again

    @Test("A history is written as it was stored, even after old revisions were deleted")
    func writesAgain() throws {
        let random = try RandomHistory(seed: 34, changes: 60)
        for forgotten in [0, 1, 30, 59, 60] as [UInt64] {
            var history = random.history
            history.forget(upTo: forgotten)
            let stored = try history.stored()
            #expect(stored.checkpoint?.revision ?? 0 == forgotten)
            #expect(stored.records == Array(random.records.dropFirst(Int(forgotten))))
            let again = try StateHistory(stored)
            #expect(again.chain == history.chain)
            #expect(again.oldest == history.oldest)
        }
    }

    @Test("A history with a revision of another version is written as a checkpoint")
    func writesCheckpoints() throws {
        let random = try RandomHistory(seed: 34, changes: 20)
        var history = random.history
        history.append(
            RevisionRecord(
                revision: 21, time: Date(), author: "", comment: "", summary: "",
                delta: StateDelta(), previousHash: history.nextPreviousHash(), hash: 99))
        #expect(try history.stored(after: 20) == nil)
        let stored = try history.stored()
        #expect((stored.checkpoint?.revision, stored.records) == (21, []))
        #expect(try StateHistory(stored).chain == history.chain)
    }
}
