internal import Foundation
package import StateStores

/// The files of a database in a directory of their own, which is removed at the end.
package final class DatabaseFiles: Sendable {
    package let directory = FileManager.default.temporaryDirectory.path + "/weir-\(UUID())"
    package var path: String { directory + "/weir.db" }

    package init() {
        try? FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Opens the store. A process that another test starts holds the lock of a store that is closed
    /// meanwhile, until it runs its program.
    package func open(acceptsLostRevisions: Bool = false) async throws(StoreError) -> SQLiteStore {
        for _ in 0..<200 {
            do throws(StoreError) {
                return try await SQLiteStore(
                    path: path, acceptsLostRevisions: acceptsLostRevisions)
            } catch .held {
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        return try await SQLiteStore(path: path, acceptsLostRevisions: acceptsLostRevisions)
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
