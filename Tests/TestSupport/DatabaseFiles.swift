internal import Foundation
package import StateStores

/// The files of a database in a temporary folder.
package final class DatabaseFiles: Sendable {
    private let folder = TemporaryFolder()
    package var directory: String { folder.path }
    package var path: String { directory + "/weir.db" }

    package init() {}

    /// Opens the store. Retries while the lock of a closed store is held: a process that another
    /// test starts inherits the lock, and holds it until it executes its program.
    package func open(acceptsLostRevisions: Bool = false) async throws(StoreError) -> SQLiteStore {
        var result: Result<SQLiteStore, StoreError> = .failure(.refused("not opened"))
        _ = await eventually(within: .seconds(5)) {
            do throws(StoreError) {
                let store = try await SQLiteStore(
                    path: path, acceptsLostRevisions: acceptsLostRevisions)
                result = .success(store)
                return true
            } catch {
                result = .failure(error)
                if case .held = error { return false }
                return true
            }
        }
        return try result.get()
    }

    /// Adds revisions to the database and closes it.
    package func fill(_ revisions: ClosedRange<UInt64>, _ text: String = "") async throws {
        let store = try await open()
        for revision in revisions {
            let bytes = Array("\(text) \(revision)".utf8)
            try await store.append(.init(revision: revision, bytes: bytes))
        }
        await store.close()
    }

    package func fill(_ count: UInt64) async throws { try await fill(1...count) }

    package func read(_ suffix: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path + suffix)))
    }

    package func write(_ bytes: [UInt8], _ suffix: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + suffix))
    }

    package func remove(_ suffix: String) throws {
        try FileManager.default.removeItem(atPath: path + suffix)
    }

    /// Why the store is refused, or what is wrong with its content; "complete" if nothing is.
    package func refusal() async -> String {
        do throws(StoreError) {
            let store = try await open()
            let damage = try await store.read(after: nil).damage
            await store.close()
            return damage ?? "complete"
        } catch {
            return error.description
        }
    }
}
