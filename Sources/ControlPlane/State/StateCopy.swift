internal import GRPCWire
internal import Messages
package import StateStores
internal import SystemPackage

/// A copy of a shared state in an SQLite database on this machine. A server that starts while the
/// store cannot be used serves the copy.
package struct StateCopy: Sendable {
    let store: SQLiteStore
    /// The hashes of its content; nil before it is read.
    var chain: HashChain?
    /// Why it is not up to date; nil if it is.
    var problem: String?
    /// Problems at the opening, as sentences for the log.
    let warnings: [String]

    /// Opens the copy of a store, or creates it with its directory. A copy that is damaged is moved
    /// aside.
    ///
    /// - Returns: nil if the store is not shared by several servers.
    /// - Throws: if the directory or the file cannot be used, or if another server uses it.
    package static func open(
        of location: StoreLocation, in directory: String
    ) async throws(StoreError) -> StateCopy? {
        guard case .etcd(let etcd) = location else { return nil }
        let path = "\(directory)/\(fileName(prefix: etcd.prefix))"
        do throws(StoreError) {
            return StateCopy(store: try await opened(path), warnings: [])
        } catch .damaged(let reason) {
            try moveAside(path)
            return StateCopy(
                store: try await opened(path),
                warnings: [
                    "\(reason); the copy of the state was moved to "
                        + "\((path + movedSuffix).quotedPath), and a new one was created"
                ])
        }
    }

    private static func opened(_ path: String) async throws(StoreError) -> SQLiteStore {
        // A copy that lost revisions is only older.
        let store = try await SQLiteStore(path: path, acceptsLostRevisions: true)
        let damage = try await store.read(after: nil).damage
        guard let damage else { return store }
        await store.close()
        throw .damaged("\(path.quotedPath) is damaged: \(damage)")
    }

    /// The suffix of the files of a damaged copy.
    private static let movedSuffix = ".damaged"

    private static func moveAside(_ path: String) throws(StoreError) {
        for suffix in ["", "-wal", "-shm", ".latest"] {
            do {
                try FileSync.rename(
                    FilePath(path + suffix), to: FilePath(path + movedSuffix + suffix))
            } catch Errno.noSuchFileOrDirectory {
                continue
            } catch {
                throw .refused("\((path + suffix).quotedPath) cannot be moved: \(error)")
            }
        }
    }

    /// The most bytes of the prefix in the name.
    private static let maxNameBytes = 100

    /// The name of the file: letters, digits, `-` and `_` of the prefix, other bytes in hex.
    static func fileName(prefix: String) -> String {
        let name = prefix.utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            let isPlain =
                character.isASCII
                && (character.isLetter || character.isNumber || "-_".contains(character))
            return isPlain ? String(character) : "%" + byte.padded(2, radix: 16)
        }.joined()
        guard name.utf8.count > maxNameBytes else { return "etcd-\(name).db" }
        let hash = HashChain.hash(Array(prefix.utf8)).padded(16, radix: 16)
        return "etcd-\(name.prefix(maxNameBytes))-\(hash).db"
    }
}

extension SQLiteStore {
    /// Writes a history to the database. It does not suspend, so that the last calls of a stopping
    /// server cannot interleave.
    ///
    /// - Parameter copied: the hashes of the content; nil if they are unknown.
    func follow(_ history: StateHistory, after copied: HashChain?) throws(StoreError) {
        do {
            if let copied, copied.latest == chain.latest, copied.latest >= history.oldest,
                copied.relation(to: history.chain) == .same,
                let records = try history.stored(after: copied.latest)
            {
                for record in records { try append(record) }
            } else {
                try replace(with: try history.stored(), upTo: nil)
            }
        } catch let error as StoreError {
            throw error
        } catch {
            throw .damaged("the state cannot be encoded: \(error)")
        }
    }
}
