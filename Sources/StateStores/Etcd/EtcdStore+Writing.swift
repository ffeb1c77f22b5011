internal import Messages

/// Changes of the history in etcd.
extension EtcdStore {
    package func append(_ record: StoredRecord) async throws(StoreError) {
        try record.check()
        let before = try Self.before(record)
        let value = try await value(record, parts: keys.parts(record.revision))
        let mark = Self.mark(before, record.expectedHash)
        let comparesHash = record.expectedHash != HashChain.unknown
        let reply = try await append(
            record, value, if: comparesHash ? [.value(of: keys.hash, is: mark)] : [])
        guard !reply.succeeded else { return }
        let answers = reply.responses.map(\.found)
        // An endpoint that failed may have processed the request before the next one received it.
        if answers.last?.first?.value == value { return }
        let latest = try Self.revision(in: answers.first?.first)
        guard comparesHash, latest == before, answers.count == 3 else {
            throw .conflict(latest: latest)
        }
        let found = answers[1].first
        let text = String(decoding: found?.value ?? [], as: UTF8.self)
        guard !text.hasPrefix("\(before) ") else {
            throw .foreign(
                "revision \(before) of the store is not the one that this server serves: the store "
                    + "was replaced or restored from a backup, and changed since")
        }
        // An earlier version of Weir wrote that revision without its hash.
        let again = try await append(
            record, value, if: [.modified(keys.hash, at: found?.modRevision ?? 0)])
        guard again.succeeded || again.responses.last?.found.first?.value == value else {
            throw .conflict(latest: try Self.revision(in: again.responses.first?.found.first))
        }
    }

    /// Appends a revision if the one before it is the latest, and if the conditions hold.
    private func append(
        _ record: StoredRecord, _ value: [UInt8], if conditions: [Etcdserverpb_Compare]
    ) async throws(StoreError) -> Etcdserverpb_TxnResponse {
        try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(
                compare: [isHead(try Self.before(record))] + conditions,
                success: [.put(keys.log(record.revision), value)] + head(record),
                failure: [
                    .range(.init(keys.head)), .range(.init(keys.hash)),
                    .range(.init(keys.log(record.revision))),
                ]))
    }

    /// Makes a record the latest one.
    private func head(_ record: StoredRecord) -> [Etcdserverpb_RequestOp] {
        let mark = Self.mark(record.revision, HashChain.hash(record.bytes))
        return [
            .put(keys.head, bytes("\(record.revision)")), .put(keys.hash, bytes(mark)),
        ]
    }

    private static func mark(_ revision: UInt64, _ hash: UInt64) -> String {
        "\(revision) \(hash.padded(16, radix: 16))"
    }

    private func isHead(_ revision: UInt64) -> Etcdserverpb_Compare {
        revision == 0 ? .modified(keys.head, at: 0) : .value(of: keys.head, is: "\(revision)")
    }

    /// The revision before the one of a record.
    private static func before(_ record: StoredRecord) throws(StoreError) -> UInt64 {
        guard record.revision > 0 else { throw .refused("revision 0 is the empty state") }
        return record.revision - 1
    }

    // MARK: Checkpoints

    package func checkpoint(_ record: StoredRecord) async throws(StoreError) {
        try record.check()
        let known = try await checkpoint(as: 0)
        guard known.map({ $0.record.revision < record.revision }) ?? true else { return }
        guard let replaced = try await logged(record.revision) else {
            // A state is moved to an empty store.
            return try await begin(with: record)
        }
        let hash = HashChain.hash(replaced.record.bytes)
        guard HashChain.match(hash, record.expectedHash) else {
            throw .foreign(
                "revision \(record.revision) of the store is not the one that this server has")
        }
        let value = try await value(record, parts: keys.checkpoints(record.revision))
        let after = record.revision + 1
        // If it fails, another server was first, or an endpoint that failed had processed it.
        let _: Etcdserverpb_TxnResponse = try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(
                compare: [
                    .modified(keys.checkpoint, at: known?.modified ?? 0),
                    .modified(keys.log(record.revision), at: replaced.modified),
                ],
                success: [
                    .put(keys.checkpoint, value),
                    .delete(from: keys.log(0), upTo: keys.log(after)),
                    .delete(from: keys.parts(0), upTo: keys.parts(after)),
                    .delete(from: keys.checkpoints(0), upTo: keys.checkpoints(record.revision)),
                ]))
    }

    /// A revision after the checkpoint, and the revision of etcd that wrote it; nil if it is
    /// missing.
    private func logged(
        _ revision: UInt64
    ) async throws(StoreError) -> (record: StoredRecord, modified: Int64)? {
        let reply: Etcdserverpb_RangeResponse = try await client.call(
            "KV/Range", Etcdserverpb_RangeRequest(keys.log(revision)))
        guard let pair = reply.kvs.first else { return nil }
        return (try await record(pair, as: 0), pair.modRevision)
    }

    /// Writes a checkpoint if the store is empty.
    private func begin(with record: StoredRecord) async throws(StoreError) {
        let value = try await value(record, parts: keys.checkpoints(record.revision))
        let _: Etcdserverpb_TxnResponse = try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(
                compare: [.modified(keys.checkpoint, at: 0), .modified(keys.head, at: 0)],
                success: [
                    .put(keys.checkpoint, value), .put(keys.head, bytes("\(record.revision)")),
                    .delete(keys.hash),
                ]))
    }

    // MARK: Replacing

    package func replace(
        with history: StoredHistory, upTo latest: UInt64?
    ) async throws(StoreError) {
        let reply: Etcdserverpb_RangeResponse = try await client.call(
            "KV/Range", Etcdserverpb_RangeRequest(keys.head))
        let found = reply.kvs.first
        if let latest {
            let current = try Self.revision(in: found)
            guard current <= latest else { throw .conflict(latest: current) }
        }
        var first: [Etcdserverpb_RequestOp] = [
            .delete(from: keys.log(0), upTo: EtcdKeys.end(of: keys.root + "log/")),
            .delete(from: keys.parts(0), upTo: EtcdKeys.end(of: keys.root + "parts/")),
            .delete(keys.hash),
        ]
        if let checkpoint = history.checkpoint {
            try checkpoint.check()
            let parts = keys.checkpoints(checkpoint.revision)
            let value = try await value(checkpoint, parts: parts)
            first += [
                .delete(from: keys.checkpoints(0), upTo: parts),
                .delete(
                    from: keys.checkpoints(checkpoint.revision + 1),
                    upTo: EtcdKeys.end(of: keys.root + "checkpoints/")),
                .put(keys.checkpoint, value), .put(keys.head, bytes("\(checkpoint.revision)")),
            ]
        } else {
            first += [.delete(keys.checkpoint), .delete(keys.head)]
        }
        let replaced: Etcdserverpb_TxnResponse = try await client.call(
            "KV/Txn",
            Etcdserverpb_TxnRequest(
                compare: [.modified(keys.head, at: found?.modRevision ?? 0)], success: first))
        guard replaced.succeeded else { throw changedMeanwhile }
        try await appendAll(history.records)
    }

    /// The most revisions in one transaction, and their bytes. etcd accepts 128 operations.
    private static let batchLimit = 100
    private static let batchBytes = 1 << 20

    /// Appends revisions in as few transactions as etcd's bounds allow.
    private func appendAll(_ records: [StoredRecord]) async throws(StoreError) {
        var rest = records[...]
        while let first = rest.first {
            var last = first
            var operations: [Etcdserverpb_RequestOp] = []
            var size = 0
            while let record = rest.first, operations.count < Self.batchLimit {
                try record.check()
                let value = try await value(record, parts: keys.parts(record.revision))
                guard operations.isEmpty || size + value.count <= Self.batchBytes else { break }
                operations.append(.put(keys.log(record.revision), value))
                size += value.count
                last = record
                rest.removeFirst()
            }
            let reply: Etcdserverpb_TxnResponse = try await client.call(
                "KV/Txn",
                Etcdserverpb_TxnRequest(
                    compare: [isHead(try Self.before(first))], success: operations + head(last),
                    failure: [.range(.init(keys.hash))]))
            // An endpoint that failed may have processed the request before the next one received
            // it.
            let found = reply.responses.first?.found.first?.value
            let mark = bytes(Self.mark(last.revision, HashChain.hash(last.bytes)))
            guard reply.succeeded || found == mark else { throw changedMeanwhile }
        }
    }

    private var changedMeanwhile: StoreError {
        .unavailable("\(place) was changed at the same time; try again")
    }
}
