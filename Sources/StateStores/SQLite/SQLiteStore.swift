internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import TrafficPolicy
internal import Transport

/// Keeps the state in an SQLite database: one file, one server.
///
/// An acknowledged revision is on disk: each revision is one transaction in the write-ahead log,
/// which is synced before the commit returns (`synchronous=FULL`). A second file records the latest
/// revision (`LatestRevision`) and so shows lost revisions.
package actor SQLiteStore: StateStore {
    package nonisolated let place: String
    package nonisolated let events = AsyncStream<StoreEvent> { $0.finish() }
    package let isLeader = true

    let path: String
    private let thread: ActorThread
    private(set) var database: SQLiteDatabase?
    /// Held while the store is open, also without `close`: a later property is released later.
    private var locks: [FileLock] = []
    /// The damage that the check of the file's structure found.
    var damage: String?
    /// The missing revisions that the second file records; if set, the store rejects writes.
    var loss: String?
    let acceptsLostRevisions: Bool
    package internal(set) var warnings: [String] = []
    /// The identity of the database, and the hashes of its revisions.
    var identity: [UInt8] = []
    package var chain = HashChain()
    /// The content of the second file; nil if it does not exist or must be replaced.
    var recorded: LatestRevision?
    private var announced: [UInt8]?

    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe thread.asUnownedSerialExecutor()
    }

    /// Opens the database, or creates it with its directory. Other processes cannot open it until
    /// it is closed.
    ///
    /// - Parameter acceptsLostRevisions: whether to continue from the revisions that exist if later
    ///   ones are missing. Otherwise the store reports them as damage and rejects writes.
    package init(
        path link: String, acceptsLostRevisions: Bool = false
    ) async throws(StoreError) {
        let path = Self.target(of: link)
        self.path = path
        self.acceptsLostRevisions = acceptsLostRevisions
        place = "sqlite:\(link.printable(limit: 1_000))"
        thread = ActorThread()
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            thread.shutDown()
            throw .refused(
                "cannot create the state directory \(directory.quotedPath): "
                    + "\(systemReason(error)); choose one that this user can write, with "
                    + "--state-dir or --store")
        }
        guard Self.isRegularOrMissing(path) else {
            thread.shutDown()
            // SQLite would replace a device by a file.
            throw .refused("\(link.quotedPath) cannot be used: it is not a regular file")
        }
        do throws(FileLock.Failure) {
            locks.append(try FileLock(beside: path))
        } catch {
            thread.shutDown()
            throw refusal(error)
        }
        try open()
    }

    deinit { thread.shutDown() }

    private nonisolated func refusal(_ failure: FileLock.Failure) -> StoreError {
        switch failure {
        case .held(let pid):
            let holder = pid.map { "process \($0)" } ?? "another process"
            return .held("\(name) is in use by \(holder): stop it, or choose another --state-dir")
        case .system(let reason): return .refused("\(name) cannot be used: \(reason)")
        }
    }

    /// The file that a symbolic link leads to; the path itself if it is not a link. The lock, the
    /// log and the record are next to that file, whichever path a server is started with.
    static func target(of path: String) -> String {
        guard (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil else {
            return path
        }
        return URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    private static func isRegularOrMissing(_ path: String) -> Bool {
        let type = try? FileManager.default.attributesOfItem(atPath: path)[.type]
        return type.map { $0 as? FileAttributeType == .typeRegular } ?? true
    }

    package func announce(_ instance: [UInt8]) { announced = instance }

    package func instances() -> [StoredInstance] {
        announced.map { [StoredInstance(bytes: $0, isLeader: true)] } ?? []
    }

    package func close() {
        database = nil
        locks = []
    }

    // MARK: Opening

    /// "Weir" in ASCII: distinguishes our files from other programs' databases.
    private static let applicationID: Int64 = 0x5765_6972

    /// The statements from each version of the schema to the next; the version is in
    /// `user_version`. A released statement must not change.
    private static let migrations = [
        """
        CREATE TABLE revision (
            revision INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB NOT NULL)
        """,
        """
        CREATE TABLE checkpoint (
            id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL,
            checksum INTEGER NOT NULL, bytes BLOB NOT NULL)
        """,
        "CREATE TABLE probe (id INTEGER PRIMARY KEY CHECK (id = 1), count INTEGER NOT NULL)",
        // The chained hash of the checkpoint's revision; null if it is the hash of the bytes.
        "ALTER TABLE checkpoint ADD COLUMN chain INTEGER",
        // The number of probes and the identity of the store.
        "ALTER TABLE probe RENAME TO store",
        "ALTER TABLE store ADD COLUMN identity BLOB",
        """
        INSERT INTO store VALUES (1, 0, randomblob(16))
            ON CONFLICT (id) DO UPDATE SET identity = coalesce(identity, randomblob(16))
        """,
        """
        CREATE TABLE IF NOT EXISTS progress (
            rollout INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, bytes BLOB NOT NULL)
        """,
    ]

    /// The version of the schema that this program writes.
    static var currentVersion: Int { migrations.count }

    private func open() throws(StoreError) {
        let record = try readRecord()
        try checkPresence(record)
        warnings = FilePrivacy.protect(database: path)
        do throws(FileLock.Failure) {
            locks.append(try FileLock(on: path))
        } catch {
            throw refusal(error)
        }
        do throws(SQLiteDatabase.Failure) {
            let database = try SQLiteDatabase(path: path)
            guard !database.isReadOnly else {
                throw SQLiteDatabase.Failure(
                    code: 0, description: "this user can read it, but not write it")
            }
            try database.run("PRAGMA busy_timeout = 1000")
            let version = try Self.version(of: database)
            try database.run("PRAGMA journal_mode = WAL")
            try database.run("PRAGMA synchronous = FULL")
            try Self.migrate(database, from: version)
            let verdict = try database.run("PRAGMA quick_check(1)").first?.first?.text
            if verdict != "ok" { damage = "the file is damaged: \(verdict ?? "no verdict")" }
            self.database = database
        } catch {
            if error.isDamage { throw .damaged("\(name) is damaged: \(error.description)") }
            throw .refused("\(name) cannot be used: \(error.description)")
        }
        try compare(with: record)
    }

    /// The version of a database's schema; 0 for a new database.
    static func version(of database: SQLiteDatabase) throws(SQLiteDatabase.Failure) -> Int {
        let owner = try database.run("PRAGMA application_id").first?.first?.integer ?? 0
        let version = try database.run("PRAGMA user_version").first?.first?.integer ?? 0
        let tables = try database.run("SELECT count(*) FROM sqlite_schema").first?.first?.integer
        guard owner == Self.applicationID || (owner == 0 && version == 0 && tables == 0) else {
            throw SQLiteDatabase.Failure(
                code: 0, description: "it is the database of another program")
        }
        guard version >= 0 else {
            throw SQLiteDatabase.Failure(
                code: 0,
                description: "the version of its schema is \(version); it must be from 0 to "
                    + "\(Self.migrations.count)")
        }
        guard version <= Self.migrations.count else {
            throw SQLiteDatabase.Failure(
                code: 0,
                description: "it was written by a later version of weir (schema \(version), "
                    + "this one knows up to \(Self.migrations.count)): start that version")
        }
        return Int(version)
    }

    private static func migrate(
        _ database: SQLiteDatabase, from version: Int
    ) throws(SQLiteDatabase.Failure) {
        guard version < migrations.count else { return }
        try database.transaction {
            () throws(SQLiteDatabase.Failure) in
            for statement in migrations[version...] { try database.run(statement) }
            try database.run("PRAGMA application_id = \(applicationID)")
            try database.run("PRAGMA user_version = \(migrations.count)")
        }
    }

    // MARK: Reading

    package func read(after revision: UInt64?) throws(StoreError) -> StoredHistory {
        var history = Self.history(of: try opened())
        let damages = [damage ?? history.damage, loss].compactMap(\.self)
        history.damage = damages.isEmpty ? nil : damages.joined(separator: "; ")
        if let revision, revision >= history.checkpoint?.revision ?? 0 {
            history.checkpoint = nil
            history.records.removeAll { $0.revision <= revision }
        }
        return history
    }

    /// The checkpoint and the revisions after it, up to the first unreadable one.
    static func history(of database: SQLiteDatabase) -> StoredHistory {
        var history = StoredHistory()
        do throws(SQLiteDatabase.Failure) {
            let checkpoint = try database.run("SELECT revision, checksum, bytes FROM checkpoint")
            if let row = checkpoint.first {
                history.checkpoint = try Self.record(row, of: "checkpoint")
                history.latest = history.checkpoint?.revision ?? 0
            }
            var next = history.latest + 1
            // One by one, so that a damaged page does not hide the revisions before it.
            while let row = try database.run(
                "SELECT revision, checksum, bytes FROM revision WHERE revision >= ? "
                    + "ORDER BY revision LIMIT 1", .integer(Int64(bitPattern: next))
            ).first {
                let record = try Self.record(row, of: "revision")
                guard record.revision == next else {
                    throw SQLiteDatabase.Failure(
                        code: 0, description: "revision \(next) is missing")
                }
                history.records.append(record)
                history.latest = next
                next += 1
            }
        } catch {
            history.damage = error.description
        }
        return history
    }

    package func progress(of rollout: UInt64) throws(StoreError) -> [UInt8]? {
        let row: [SQLiteDatabase.Value]?
        let database = try opened()
        do throws(SQLiteDatabase.Failure) {
            row = try database.run(
                "SELECT checksum, bytes FROM progress WHERE rollout = ?",
                .integer(Int64(bitPattern: rollout))
            ).first
        } catch {
            throw failure(error)
        }
        // Damaged progress is not used, which costs evidence.
        guard let row, row.count == 2, let bytes = row[1].blob,
            row[0].integer == Self.checksum(bytes, rollout)
        else { return nil }
        return bytes
    }

    static func record(
        _ row: [SQLiteDatabase.Value], of table: String
    ) throws(SQLiteDatabase.Failure) -> StoredRecord {
        func damage(_ description: String) -> SQLiteDatabase.Failure {
            SQLiteDatabase.Failure(code: 0, description: "table '\(table)': \(description)")
        }
        guard row.count == 3, let number = row[0].integer, let checksum = row[1].integer,
            let bytes = row[2].blob
        else {
            let types = row.map(\.type).joined(separator: ", ")
            throw damage("a row contains \(types); it must contain an integer, an integer, a blob")
        }
        if let problem = StoredRecord.problem(number) { throw damage(problem) }
        let revision = UInt64(bitPattern: number)
        guard Self.checksum(bytes, revision) == checksum else {
            throw damage("the bytes of revision \(revision) do not match their checksum")
        }
        return StoredRecord(revision: revision, bytes: bytes)
    }

    /// The checksum of a revision and its bytes.
    static func checksum(_ bytes: [UInt8], _ revision: UInt64) -> Int64 {
        Int64(bitPattern: KeyHash.hash(bytes.rawSpan, seed: revision))
    }

    func opened() throws(StoreError) -> SQLiteDatabase {
        guard let database else { throw .unavailable("\(name) is closed") }
        return database
    }
}
