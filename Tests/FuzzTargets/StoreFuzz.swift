internal import Messages
internal import TrafficPolicy

@testable internal import ControlPlane
@testable internal import StateStores

/// The content of a store that other programs have written.
enum StoreFuzz {
    /// A revision and a checkpoint. A value that decodes can be encoded, and decodes to the same
    /// value.
    static func readRecords(_ bytes: [UInt8]) {
        if let message = try? Weir_Store_V1_Revision(serializedBytes: bytes) {
            var sets = DescriptorSets()
            _ = try? RevisionRecord(message, hash: 0, &sets)
        }
        guard let history = checkpoint(bytes) else { return }
        guard let written = try? history.checkpoint(at: history.oldest),
            let again = checkpoint(written.bytes)
        else { preconditionFailure("a state does not decode to the encoded value") }
        precondition((try? again.checkpoint(at: again.oldest)) == written)
        use(history)
    }

    private static func checkpoint(_ bytes: [UInt8]) -> StateHistory? {
        guard let message = try? Weir_Store_V1_Checkpoint(serializedBytes: bytes) else {
            return nil
        }
        return try? HistoryDecoder(at: message).history
    }

    /// The first byte selects the columns of a row and the size of its numbers.
    static func readRows(_ bytes: [UInt8]) {
        guard let first = bytes.first else { return }
        var rest = bytes.dropFirst()
        func next(_ type: UInt8) -> SQLiteDatabase.Value {
            let taken = rest.prefix(8)
            rest = rest.dropFirst(8)
            let bits = taken.reduce(0) { $0 << 8 | UInt64($1) }
            return switch type % 8 {
            case 0: .null
            case 1: .real(Double(bitPattern: bits))
            case 2: .text(String(decoding: taken, as: UTF8.self))
            case 3: .blob(Array(taken))
            default: .integer(Int64(bitPattern: bits))
            }
        }
        let (revision, checksum) = (next(first), next(first >> 3))
        let content = Array(rest)
        // The correct checksum, which a fuzzer would not find.
        let right = revision.integer.map { SQLiteStore.checksum(content, UInt64(bitPattern: $0)) }
        for checksum in [checksum, .integer(right ?? 0)] {
            let row: [SQLiteDatabase.Value] = [revision, checksum, .blob(content)]
            if let record = try? SQLiteStore.record(row, of: "revision") {
                precondition(record.revision <= StoredRecord.maximumRevision)
            }
        }
        _ = try? SQLiteStore.record([revision, checksum], of: "revision")
        let pair = Etcdserverpb_KeyValue(key: [0x68], value: Array(bytes))
        if let revision = try? EtcdStore.revision(in: pair) {
            precondition("\(revision)".utf8.elementsEqual(bytes))
        }
        _ = EtcdMembership.leaseDuration(seconds: revision.integer ?? 0)
        _ = try? StoreLocation(String(decoding: bytes, as: UTF8.self))
        _ = try? StoreLocation("etcd:http://a:1?" + String(decoding: bytes, as: UTF8.self))
    }

    static func readArchive(_ bytes: [UInt8]) {
        guard let read = try? Weir_Store_V1_Archive(serializedBytes: bytes),
            let archive = try? StateArchive(read)
        else { return }
        precondition(!archive.summary("here").isEmpty)
        var stored = StoredHistory()
        // Its hashes may differ from those of the archive.
        let message = archive.message
        if let checkpoint = message.checkpoint {
            guard let bytes = try? checkpoint.serializedBytes() else { return }
            stored.checkpoint = .init(revision: checkpoint.revision, bytes: bytes)
        }
        for revision in message.revisions {
            guard let bytes = try? revision.serializedBytes() else { return }
            stored.records.append(.init(revision: revision.revision, bytes: bytes))
        }
        guard let history = try? StateHistory(stored) else {
            preconditionFailure("an accepted archive cannot be restored")
        }
        precondition(history.current.revision == archive.latest)
        use(history)
    }

    /// Uses a state as a server does.
    private static func use(_ history: StateHistory) {
        let state = history.current
        for endpoint in state.endpoints.values {
            let policy = endpoint.policy
            for point in [0, 1 << 63, .max] as [UInt64] { _ = policy.choose(point) }
            var random = LoopRandom(seed: 1)
            for shadow in policy.shadows.indices { _ = policy.isShadowed(shadow, using: &random) }
            var next = state
            guard let backend = state.backends.keys.sorted().first else { continue }
            _ = try? next.setTraffic(endpoint.name, [(backend, 1)])
            _ = state.delta(to: next).summary(of: state)
        }
        for revision in [0, history.oldest, state.revision, .max] as [UInt64] {
            _ = history.state(at: revision)
            _ = history.record(revision).map { Weir_Admin_V1_Revision($0) }
            _ = history.records(after: revision)
        }
    }
}
