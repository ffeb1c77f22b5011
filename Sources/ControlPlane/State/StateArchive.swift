package import Messages
package import StateStores

/// The content of a store, as one message.
package struct StateArchive: Sendable {
    package let message: Weir_Store_V1_Archive
    /// Why it lacks the end of the store; nil if it is complete.
    package let damage: String?
    private let history: StateHistory

    /// Reads a store up to its first damage.
    package init(reading store: any StateStore) async throws(StoreError) {
        let stored = try await store.read(after: nil)
        var archive = Weir_Store_V1_Archive()
        var decoder = HistoryDecoder()
        var problem: String?
        do throws(UnreadableState) {
            if let checkpoint = stored.checkpoint {
                archive.checkpoint = try .read(checkpoint.bytes, "checkpoint")
                decoder = try HistoryDecoder(at: checkpoint)
            }
            for record in stored.records {
                let message = try Weir_Store_V1_Revision.read(record.bytes, "revision")
                try decoder.append(message, hash: HashChain.hash(record.bytes))
                archive.revisions.append(message)
            }
        } catch {
            problem = error.description
        }
        message = archive
        damage = problem ?? stored.damage
        history = decoder.history
    }

    /// Checks an archive from a file.
    package init(_ message: Weir_Store_V1_Archive) throws(StoreError) {
        var archive = message
        var decoder = HistoryDecoder()
        do {
            if let checkpoint = archive.checkpoint {
                decoder = try HistoryDecoder(at: checkpoint)
            }
            for index in archive.revisions.indices {
                // A revision that an operator edited has another hash.
                if archive.revisions[index].previousHash != HashChain.unknown, index > 0 {
                    archive.revisions[index].previousHash = decoder.history.chain.latestHash
                }
                let revision = archive.revisions[index]
                try decoder.append(
                    revision, hash: HashChain.hash(try Self.bytes(of: revision)))
            }
        } catch {
            throw .damaged("the archive cannot be used: \(error)")
        }
        self.message = archive
        damage = nil
        history = decoder.history
    }

    /// The latest revision.
    package var latest: UInt64 { history.current.revision }

    /// Writes the archive to an empty store.
    package func write(to store: any StateStore) async throws(StoreError) {
        let present = try await store.read(after: nil)
        if let damage = present.damage { throw .damaged(damage) }
        guard present.latest == 0 else {
            throw .refused(
                "\(store.place) holds revision \(present.latest) already: move that store away, or "
                    + "choose another store")
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
            throw .damaged(error.description)
        }
    }

    /// The content as text, for operators.
    package func summary(_ place: String) -> String {
        let state = history.current
        return "\(place): revisions \(history.oldest) to \(state.revision), "
            + "\(state.backends.count) backends, \(state.endpoints.count) endpoints"
    }
}
