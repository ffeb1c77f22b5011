internal import GRPCWire
internal import SystemPackage

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Compares the database with its record of the latest revision.
extension SQLiteStore {
    private var recordPath: String { LatestRevision.path(for: path) }

    private var recordName: String { recordPath.quotedPath }

    /// The path of the write-ahead log.
    var log: String { path + "-wal" }

    /// The database, for errors.
    nonisolated var name: String { path.quotedPath }

    /// The end of errors: the choices of the operator.
    static let lossAdvice =
        "restore the files of the database, or continue from the state that exists with "
        + "'weir serve --accept-lost-revisions'"

    // MARK: Opening

    /// The record at the opening of the store.
    enum Record {
        case none
        case latest(LatestRevision)
        case damaged
    }

    func readRecord() throws(StoreError) -> Record {
        do throws(LatestRevision.Failure) {
            return try LatestRevision.read(from: recordPath).map(Record.latest) ?? .none
        } catch {
            switch error {
            case .damaged: return .damaged
            case .system(let reason): throw .refused(reason)
            }
        }
    }

    /// Throws if the file of a database is missing or empty although it had revisions: SQLite would
    /// create it again. SQLite also deletes the write-ahead log of an empty file.
    func checkPresence(_ record: Record) throws(StoreError) {
        guard !acceptsLostRevisions else { return }
        let size = Self.size(of: path)
        guard size ?? 0 == 0 else { return }
        let problem = size == nil ? "\(name) is missing" : "\(name) is empty"
        switch record {
        case .latest(let latest) where latest.revision > 0:
            throw .damaged(
                "\(problem), but \(recordName) records revision \(latest.revision): all revisions "
                    + "up to \(latest.revision) are missing; \(Self.lossAdvice)")
        case .damaged:
            throw .damaged(
                "\(problem), and \(recordName) is damaged: the latest revision is not known; "
                    + Self.lossAdvice)
        case .latest, .none:
            guard Self.size(of: log) ?? 0 > 0 else { return }
            throw .damaged(
                "\(problem), but its write-ahead log \(log.quotedPath) is "
                    + "not: all revisions are missing; \(Self.lossAdvice)")
        }
    }

    /// The size of a file; nil if it does not exist.
    static func size(of path: String) -> Int? {
        var status = stat()
        // The call fills in the structure.
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Int(status.st_size)
    }

    /// Determines which revisions are missing, and writes the record unless revisions are lost.
    func compare(with record: Record) throws(StoreError) {
        let database = try opened()
        do throws(SQLiteDatabase.Failure) {
            let history = Self.history(of: database)
            damage = damage ?? history.damage
            identity = try Self.identity(of: database)
            chain = try Self.chain(of: database, history)
        } catch {
            damage = damage ?? error.description
        }
        if case .latest(let latest) = record { recorded = latest }
        if let loss = loss(record) {
            guard acceptsLostRevisions else {
                self.loss = "\(loss); \(Self.lossAdvice)"
                database.keepLog()
                return
            }
            warnings.append("continuing from revision \(chain.latest): \(loss)")
        }
        guard damage == nil else { return database.keepLog() }
        try recordLatest()
    }

    private func loss(_ record: Record) -> String? {
        switch record {
        case .none: nil
        case .latest(let latest):
            latest.loss(in: chain, of: identity, record: recordName).map { "\(name): \($0)" }
        case .damaged:
            "\(recordName) is damaged: revisions after \(chain.latest) may be missing"
        }
    }

    /// The identity of a database, which it has from its creation.
    static func identity(
        of database: SQLiteDatabase
    ) throws(SQLiteDatabase.Failure) -> [UInt8] {
        let value = try database.run("SELECT identity FROM store").first?.first
        guard let bytes = value?.blob, bytes.count == 16 else {
            throw SQLiteDatabase.Failure(
                code: 0, description: "table 'store': the identity must be 16 bytes")
        }
        return bytes
    }

    /// The hashes of the history in a database.
    static func chain(
        of database: SQLiteDatabase, _ history: StoredHistory
    ) throws(SQLiteDatabase.Failure) -> HashChain {
        var chain = HashChain()
        if let checkpoint = history.checkpoint {
            let hash: UInt64
            switch try database.run("SELECT chain FROM checkpoint").first?.first ?? .null {
            case .integer(let number): hash = UInt64(bitPattern: number)
            case .null: hash = HashChain.hash(checkpoint.bytes)
            case let other:
                throw SQLiteDatabase.Failure(
                    code: 0,
                    description: "table 'checkpoint': the hash is \(other.type); it must be an "
                        + "integer")
            }
            chain = HashChain(start: checkpoint.revision, hash: hash)
        }
        for record in history.records { chain.append(HashChain.hash(record.bytes)) }
        return chain
    }

    // MARK: Writing

    /// Updates the record.
    func recordLatest() throws(StoreError) {
        let latest = LatestRevision(
            identity: identity, revision: chain.latest, hash: chain.latestHash)
        guard latest != recorded else { return }
        do throws(LatestRevision.Failure) {
            try latest.write(for: path)
        } catch {
            guard case .system(let reason) = error else { return }
            throw .unavailable(reason)
        }
        recorded = latest
    }

    /// Updates the record after a commit, which is valid without it. If that fails, the next change
    /// tries again, and is rejected if it fails too.
    func recordLatestOrRetry() { try? recordLatest() }
}

extension LatestRevision {
    /// The revisions that a database lacks; nil if it has the recorded one or a later one.
    ///
    /// ```
    ///   recorded:  before start  |  start ... latest  |  after latest
    ///              complete      |  the same hash?    |  those after latest are missing
    /// ```
    ///
    /// - Parameter record: the name of the record's file.
    func loss(in chain: HashChain, of identity: [UInt8], record: String) -> String? {
        guard revision > 0 else { return nil }
        guard identity == self.identity else {
            return "it is not the database that \(record) records: the revisions of that one up to "
                + "\(revision) are missing"
        }
        guard revision <= chain.latest else {
            let first = chain.latest + 1
            let missing =
                first == revision
                ? "revision \(revision) is" : "revisions \(first) to \(revision) are"
            return "\(missing) missing, which \(record) records"
        }
        // A checkpoint after the recorded revision contains it.
        guard let hash = chain[revision], hash != self.hash else { return nil }
        return "revision \(revision) is not the one that \(record) records: the database was "
            + "replaced by an older one that was changed since"
    }
}
