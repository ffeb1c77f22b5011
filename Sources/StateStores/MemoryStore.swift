/// Keeps the state in memory: for tests, and for servers that make their state at each start.
package actor MemoryStore: StateStore {
    package nonisolated let place = "memory:"
    package nonisolated let events = AsyncStream<StoreEvent> { $0.finish() }
    package let isLeader = true

    private var history = StoredHistory()
    private var announced: [UInt8]?
    private var progress: [UInt64: [UInt8]] = [:]

    package init() {}

    package func read(after revision: UInt64?) -> StoredHistory {
        guard let revision, revision >= history.checkpoint?.revision ?? 0 else { return history }
        var end = StoredHistory()
        end.latest = history.latest
        end.records = history.records.filter { $0.revision > revision }
        return end
    }

    package func append(_ record: StoredRecord) throws(StoreError) {
        try record.check()
        guard record.revision == history.latest + 1 else {
            throw .conflict(latest: history.latest)
        }
        history.records.append(record)
        history.latest = record.revision
    }

    package func checkpoint(_ record: StoredRecord) throws(StoreError) {
        try record.check()
        guard record.revision >= history.checkpoint?.revision ?? 0 else { return }
        history.checkpoint = record
        history.records.removeAll { $0.revision <= record.revision }
        history.latest = max(history.latest, record.revision)
    }

    package func replace(
        with history: StoredHistory, upTo latest: UInt64?
    ) throws(StoreError) {
        if let latest, self.history.latest > latest {
            throw .conflict(latest: self.history.latest)
        }
        self.history = history
    }

    package func probe() {}

    package func announce(_ instance: [UInt8]) { announced = instance }

    package func instances() -> [StoredInstance] {
        announced.map { [StoredInstance(bytes: $0, isLeader: true)] } ?? []
    }

    package func storeProgress(_ bytes: [UInt8], of rollout: UInt64) -> Bool {
        progress[rollout] = bytes
        return true
    }

    package func progress(of rollout: UInt64) -> [UInt8]? { progress[rollout] }

    package func deleteProgress(except rollouts: Set<UInt64>) {
        progress = progress.filter { rollouts.contains($0.key) }
    }

    package func close() {}
}
