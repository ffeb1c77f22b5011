extension StateHistory {
    /// What a store holds.
    init(_ stored: StoredHistory) throws(StoreError) {
        if let damage = stored.damage { throw .damaged(damage) }
        do throws(UnreadableState) {
            let checkpoint = try stored.checkpoint.map { (record) throws(UnreadableState) in
                let state = try ControlState(bytes: record.bytes)
                guard state.revision == record.revision else {
                    throw UnreadableState(
                        description: "the checkpoint of revision \(record.revision) contains "
                            + "revision \(state.revision)")
                }
                return state
            }
            self.init(checkpoint ?? ControlState())
        } catch {
            throw .damaged(error.description)
        }
        for record in try stored.newRecords(after: current.revision) { append(record) }
    }
}

extension StoredHistory {
    /// The changes after a revision. They follow each other, or this throws.
    func newRecords(after revision: UInt64) throws(StoreError) -> [RevisionRecord] {
        var new: [RevisionRecord] = []
        for stored in records where stored.revision > revision {
            do throws(UnreadableState) {
                new.append(try RevisionRecord(bytes: stored.bytes))
            } catch {
                throw .damaged("revision \(stored.revision): \(error.description)")
            }
            let expected = revision + UInt64(new.count)
            guard new.last?.revision == expected, stored.revision == expected else {
                throw .damaged("revision \(expected) is missing")
            }
        }
        return new
    }
}
