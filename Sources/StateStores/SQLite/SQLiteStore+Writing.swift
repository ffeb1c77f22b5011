internal import GRPCWire
internal import Messages

/// Changes of the database, each in one transaction.
extension SQLiteStore {
    package func append(_ record: StoredRecord) throws(StoreError) {
        try record.check()
        // No other process writes, so this holds until the commit.
        let latest = try latest()
        guard record.revision == latest + 1 else { throw .conflict(latest: latest) }
        try write { (database) throws(SQLiteDatabase.Failure) in
            try Self.insert(record, into: database)
        }
        chain.append(HashChain.hash(record.bytes))
        recordLatestOrRetry()
    }

    private static func insert(
        _ record: StoredRecord, into database: SQLiteDatabase
    ) throws(SQLiteDatabase.Failure) {
        try database.run(
            "INSERT INTO revision VALUES (?, ?, ?)",
            .integer(Int64(bitPattern: record.revision)),
            .integer(checksum(record.bytes, record.revision)), .blob(record.bytes))
    }

    package func checkpoint(_ record: StoredRecord) throws(StoreError) {
        try record.check()
        guard record.revision >= chain.start else { return }
        let hash = chain[record.revision]
        try write { (database) throws(SQLiteDatabase.Failure) in
            try Self.setCheckpoint(record, hash: hash, in: database)
            try database.run(
                "DELETE FROM revision WHERE revision <= ?",
                .integer(Int64(bitPattern: record.revision)))
        }
        if hash == nil {
            chain = HashChain(start: record.revision, hash: HashChain.hash(record.bytes))
        } else {
            chain.forget(before: record.revision)
        }
        recordLatestOrRetry()
    }

    private static func setCheckpoint(
        _ record: StoredRecord, hash: UInt64?, in database: SQLiteDatabase
    ) throws(SQLiteDatabase.Failure) {
        try database.run(
            "INSERT OR REPLACE INTO checkpoint VALUES (1, ?, ?, ?, ?)",
            .integer(Int64(bitPattern: record.revision)),
            .integer(checksum(record.bytes, record.revision)), .blob(record.bytes),
            hash.map { .integer(Int64(bitPattern: $0)) } ?? .null)
    }

    package func replace(
        with history: StoredHistory, upTo latest: UInt64?
    ) throws(StoreError) {
        if let latest, chain.latest > latest { throw .conflict(latest: chain.latest) }
        let checkpoint = history.checkpoint
        for record in history.records + (checkpoint.map { [$0] } ?? []) { try record.check() }
        try write { (database) throws(SQLiteDatabase.Failure) in
            try database.run("DELETE FROM checkpoint")
            try database.run("DELETE FROM revision")
            if let checkpoint { try Self.setCheckpoint(checkpoint, hash: nil, in: database) }
            for record in history.records { try Self.insert(record, into: database) }
        }
        chain = HashChain()
        if let checkpoint {
            chain = HashChain(
                start: checkpoint.revision, hash: HashChain.hash(checkpoint.bytes))
        }
        for record in history.records { chain.append(HashChain.hash(record.bytes)) }
        recordLatestOrRetry()
    }

    package func probe() throws(StoreError) {
        try write { (database) throws(SQLiteDatabase.Failure) in
            try database.run(
                "UPDATE store SET count = CASE WHEN count < 1000000000 THEN count + 1 ELSE 0 END")
        }
    }

    package func storeProgress(_ bytes: [UInt8], of rollout: UInt64) throws(StoreError) -> Bool {
        try write { (database) throws(SQLiteDatabase.Failure) in
            try database.run(
                "INSERT OR REPLACE INTO progress VALUES (?, ?, ?)",
                .integer(Int64(bitPattern: rollout)), .integer(Self.checksum(bytes, rollout)),
                .blob(bytes))
        }
        return true
    }

    package func deleteProgress(except rollouts: Set<UInt64>) throws(StoreError) {
        let others: [Int64]
        let database = try opened()
        do throws(SQLiteDatabase.Failure) {
            others = try database.run("SELECT rollout FROM progress")
                .compactMap { $0.first?.integer }
                .filter { !rollouts.contains(UInt64(bitPattern: $0)) }
        } catch {
            throw failure(error)
        }
        guard !others.isEmpty else { return }
        try write { (database) throws(SQLiteDatabase.Failure) in
            for rollout in others {
                try database.run("DELETE FROM progress WHERE rollout = ?", .integer(rollout))
            }
        }
    }

    private func latest() throws(StoreError) -> UInt64 {
        let database = try opened()
        let latest: SQLiteDatabase.Value
        do throws(SQLiteDatabase.Failure) {
            let row = try database.run(
                "SELECT max(coalesce((SELECT max(revision) FROM revision), 0), "
                    + "coalesce((SELECT revision FROM checkpoint), 0))"
            ).first
            latest = row?.first ?? .null
        } catch {
            throw failure(error)
        }
        guard let number = latest.integer else {
            throw .damaged("\(name) is damaged: the latest revision is \(latest.type)")
        }
        if let problem = StoredRecord.problem(number) {
            throw .damaged("\(name) is damaged: \(problem)")
        }
        guard number == chain.latest || damage != nil || loss != nil else {
            throw .damaged(
                "\(name) is damaged: the latest revision is \(number), not \(chain.latest)")
        }
        return UInt64(bitPattern: number)
    }

    /// Runs one transaction.
    private func write(
        _ body: (SQLiteDatabase) throws(SQLiteDatabase.Failure) -> Void
    ) throws(StoreError) {
        let database = try opened()
        if let problem = damage ?? loss { throw .damaged("\(name) is damaged: \(problem)") }
        // If this failed after an earlier commit, the record is at most one revision behind.
        try recordLatest()
        guard !database.hasMoved else {
            throw .unavailable(
                "\(name) was moved or deleted while it was in use: put it back, or restart weir")
        }
        guard Self.size(of: log) != nil else {
            throw .unavailable(
                "\(log.quotedPath) was moved or deleted while it was in use: put it back, or "
                    + "restart weir, which moves its content into \(name) when it stops")
        }
        do throws(SQLiteDatabase.Failure) {
            try database.transaction {
                () throws(SQLiteDatabase.Failure) in
                try body(database)
            }
        } catch {
            throw failure(error)
        }
    }

    func failure(_ failure: SQLiteDatabase.Failure) -> StoreError {
        failure.isDamage
            ? .damaged("\(name) is damaged: \(failure.description)")
            : .unavailable("\(name) cannot be written: \(failure.description)")
    }
}
