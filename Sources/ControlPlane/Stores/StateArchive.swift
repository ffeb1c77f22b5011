package import Messages

/// All that a store holds, taken out of it.
package struct StateArchive: Sendable {
    package let message: Weir_Store_V1_Archive
    /// Why it ends before the store does.
    package let damage: String?
    private let history: StateHistory

    /// Reads as much of a store as can be read.
    package init(reading store: any StateStore) async throws(StoreError) {
        let stored = try await store.read(after: nil)
        var archive = Weir_Store_V1_Archive()
        var damage = stored.damage
        do throws(UnreadableState) {
            archive.checkpoint = try stored.checkpoint.map { (record) throws(UnreadableState) in
                try .read(record.bytes, "checkpoint")
            }
            for record in stored.records {
                archive.revisions.append(try .read(record.bytes, "revision"))
            }
        } catch {
            damage = damage ?? error.description
        }
        let (history, problem) = Self.replayed(archive)
        archive.revisions.removeLast(archive.revisions.count - history.entries.count)
        message = archive
        self.damage = problem ?? damage
        self.history = history
    }

    /// Checks an archive that comes from elsewhere.
    package init(_ message: Weir_Store_V1_Archive) throws(StoreError) {
        let (history, problem) = Self.replayed(message)
        if let problem { throw .damaged("the archive cannot be used: \(problem)") }
        self.message = message
        damage = nil
        self.history = history
    }

    /// What an archive says, up to where it makes no sense any more.
    private static func replayed(
        _ archive: Weir_Store_V1_Archive
    ) -> (history: StateHistory, problem: String?) {
        var history = StateHistory()
        do throws(UnreadableState) {
            if let checkpoint = archive.checkpoint {
                history = StateHistory(try ControlState(checkpoint))
            }
            for message in archive.revisions {
                let record = try RevisionRecord(message)
                guard record.revision == history.current.nextRevision else {
                    throw UnreadableState(
                        description: "revision \(history.current.nextRevision) is missing")
                }
                history.append(record)
            }
        } catch {
            return (history, error.description)
        }
        return (history, nil)
    }

    /// The latest revision.
    package var latest: UInt64 { history.current.revision }

    /// Puts everything into a store that holds nothing.
    package func write(to store: any StateStore) async throws(StoreError) {
        let present = try await store.read(after: nil)
        if let damage = present.damage { throw .damaged(damage) }
        guard present.latest == 0 else {
            throw .refused(
                "\(store.place) holds revision \(present.latest) already: move it away, or choose "
                    + "another store")
        }
        if let checkpoint = message.checkpoint {
            try await store.checkpoint(
                .init(revision: checkpoint.revision, bytes: try Self.bytes(of: checkpoint)))
        }
        for revision in message.revisions {
            try await store.append(
                .init(revision: revision.revision, bytes: try Self.bytes(of: revision)))
        }
    }

    private static func bytes(of message: some ProtobufMessage) throws(StoreError) -> [UInt8] {
        do throws(MessageError) {
            return try message.serializedBytes()
        } catch {
            throw .damaged("the archive cannot be used: \(error.description)")
        }
    }

    /// What is in it, for people.
    package func inWords(_ place: String) -> String {
        let state = history.current
        return "\(place): revisions \(history.oldest) to \(state.revision), "
            + "\(state.backends.count) backends, \(state.endpoints.count) endpoints"
    }
}
