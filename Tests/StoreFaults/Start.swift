internal import Foundation
internal import Messages

@testable internal import ControlPlane
@testable internal import StateStores

/// The content of the state directory before the script runs.
enum Start: String, CaseIterable {
    /// An empty directory.
    case new
    /// A database of the schema version before identities and chained hashes.
    case old
    /// A database whose server was killed, with the latest revisions only in the write-ahead log.
    case killed

    /// The acknowledged revisions that the database contains.
    var latest: UInt64 { self == .new ? 0 : 4 }

    func prepare(_ directory: String) async throws {
        let path = directory + "/weir.db"
        switch self {
        case .new: return
        case .old:
            try await fill(path).close()
            try FileManager.default.removeItem(atPath: path + ".latest")
            let database = try SQLiteDatabase(path: path)
            try database.run("ALTER TABLE checkpoint DROP COLUMN chain")
            try database.run("ALTER TABLE store DROP COLUMN identity")
            try database.run("ALTER TABLE store RENAME TO probe")
            try database.run("PRAGMA user_version = 3")
        case .killed:
            let running = directory + ".running"
            let store = try await fill(running + "/weir.db")
            try FileManager.default.copyItem(atPath: running, toPath: directory)
            await store.close()
            try FileManager.default.removeItem(atPath: running)
        }
    }

    private func fill(_ path: String) async throws -> SQLiteStore {
        let store = try await SQLiteStore(path: path)
        for revision in 1...latest { try await store.append(try Records.record(revision)) }
        return store
    }
}

/// A history in which each revision adds a backend.
enum Records {
    private struct Missing: Error {}

    private struct Made {
        var history = StateHistory()
        var records: [StoredRecord] = []
        var checkpoints: [StoredRecord] = []

        init(count: UInt64) throws {
            for revision in 1...count {
                // Some records need more than one page.
                let text = String(repeating: "x", count: revision.isMultiple(of: 3) ? 9_000 : 9)
                var next = history.current
                _ = try next.createBackend(
                    try ControlState.Backend(
                        Weir_Admin_V1_Backend(
                            name: "b\(revision)",
                            kind: .upstream(.init(addresses: ["127.0.0.1:1"])),
                            description: text)),
                    registered: [])
                let delta = history.current.delta(to: next)
                var record = RevisionRecord(
                    revision: revision, time: Date(timeIntervalSince1970: 1_700_000_000),
                    author: "test", comment: "", summary: delta.summary(of: history.current),
                    delta: delta, previousHash: history.nextPreviousHash())
                let bytes = try record.bytes(after: history.current)
                record.hash = HashChain.hash(bytes)
                history.append(record)
                records.append(.init(revision: revision, bytes: bytes))
                if let checkpoint = try history.checkpoint(at: revision) {
                    checkpoints.append(checkpoint)
                }
            }
        }
    }

    private static let made = Result { try Made(count: 20) }

    static func record(_ revision: UInt64) throws -> StoredRecord {
        try find(revision, in: try made.get().records)
    }

    /// The state at a revision.
    static func checkpoint(_ revision: UInt64) throws -> StoredRecord {
        try find(revision, in: try made.get().checkpoints)
    }

    private static func find(
        _ revision: UInt64, in records: [StoredRecord]
    ) throws -> StoredRecord {
        guard let record = records.first(where: { $0.revision == revision }) else {
            throw Missing()
        }
        return record
    }
}
