internal import Synchronization

@testable internal import ControlPlane
@testable internal import StateStores

/// The progress of a script.
struct Progress {
    /// The latest revision that the store has acknowledged.
    var acknowledged: UInt64 = 0
    /// The latest revision that the script tried to store.
    var asked: UInt64 = 0
}

/// All operations of a server on its store.
struct Script {
    /// A store that keeps failing.
    struct GaveUp: Error {}
    /// A store that reports, without an error, fewer revisions than it has acknowledged.
    struct Lost: Error {
        let latest: UInt64
    }

    /// The progress of the running script, which the interruption of a system call reads.
    static let progress = Mutex(Progress())
    private static let attempts = 4

    let path: String
    private(set) var store: SQLiteStore?
    /// The errors that the store reported.
    private(set) var errors: [String] = []
    /// The names of all backups.
    private(set) var copies: [String] = []
    /// The backups reported as complete, and the latest revision in each.
    private(set) var backups: [String: UInt64] = [:]
    /// The latest revision that was read or stored.
    private var known: UInt64

    init(path: String, latest: UInt64) {
        self.path = path
        known = latest
        Self.progress.withLock { $0 = Progress(acknowledged: latest, asked: latest) }
    }

    mutating func run() async throws {
        try await reopen()
        try await append(count: 2)
        try await attempt { try await $0.probe() }
        await backUp("1")
        let checkpoint = try Records.checkpoint(known - 1)
        try await attempt { try await $0.checkpoint(checkpoint) }
        try await append(count: 2)
        await store?.moveLog()
        try await append(count: 1)
        await backUp("2")
        try await reopen()
        try await append(count: 1)
    }

    /// Stores the next revisions, and retries each until it succeeds.
    mutating func append(count: Int) async throws {
        for _ in 0..<count {
            let record = try Records.record(known + 1)
            Self.progress.withLock { $0.asked = record.revision }
            try await attempt { try await $0.append(record) }
            known = record.revision
            Self.progress.withLock { $0.acknowledged = record.revision }
        }
    }

    /// Retries an operation until it succeeds. After an error it probes the store, as a server
    /// does, and then starts again.
    private mutating func attempt(_ body: (SQLiteStore) async throws -> Void) async throws {
        for number in 0..<Self.attempts {
            if number > 1 { try await reopen() }
            guard let store else { throw GaveUp() }
            do {
                if number > 0 { try await store.probe() }
                return try await body(store)
            } catch StoreError.conflict(let latest) where number > 0 {
                // The previous attempt was stored but not acknowledged.
                guard latest == Self.progress.withLock(\.asked) else { throw Lost(latest: latest) }
                return
            } catch let error as StoreError {
                errors.append(error.description)
            }
        }
        throw GaveUp()
    }

    /// Starts or restarts.
    private mutating func reopen() async throws {
        await store?.close()
        store = nil
        for _ in 0..<Self.attempts {
            do {
                let opened = try await SQLiteStore(path: path)
                let history = try await opened.read(after: nil)
                if let damage = history.damage {
                    errors.append(damage)
                    await opened.close()
                    continue
                }
                store = opened
                guard history.latest >= known else { throw Lost(latest: history.latest) }
                // A revision that was not acknowledged may exist.
                known = history.latest
                return
            } catch let error as StoreError {
                errors.append(error.description)
            }
        }
        throw GaveUp()
    }

    private mutating func backUp(_ name: String) async {
        let copy = path + ".copy" + name
        copies.append(copy)
        do throws(StoreError) {
            backups[copy] = try StateBackup.copy("sqlite:\(path)", to: copy).upperBound
        } catch {
            errors.append(error.description)
        }
    }

    func close() async { await store?.close() }
}

extension SQLiteStore {
    /// Moves the write-ahead log into the database, as SQLite sometimes does.
    fileprivate func moveLog() { _ = try? database?.run("PRAGMA wal_checkpoint(PASSIVE)") }
}
