internal import Foundation
internal import SystemPackage
internal import TestSupport
internal import Testing

@testable internal import StateStores

@Suite(.timeLimit(.minutes(1))) struct FileLockTests {
    @Test("The end of a lock releases it, also if a process that starts has inherited the file")
    func releases() throws {
        let folder = TemporaryFolder()
        let database = folder.path + "/weir.db"
        var lock: FileLock? = try FileLock(beside: database)
        let inherited = try #require(lock).file.duplicate()
        defer { try? inherited.close() }
        #expect(throws: FileLock.Failure.self) { try FileLock(beside: database) }
        lock = nil
        _ = try FileLock(beside: database)
    }

    @Test("A second store cannot use a database whose lock file was deleted")
    func survivesDeletion() async throws {
        let folder = TemporaryFolder()
        let database = folder.path + "/weir.db"
        let store = try await SQLiteStore(path: database)
        try FileManager.default.removeItem(atPath: database + ".lock")
        let error = await #expect(throws: StoreError.self) {
            _ = try await SQLiteStore(path: database)
        }
        guard case .held(let reason) = error else {
            Issue.record("not held: \(String(describing: error))")
            return
        }
        #expect(reason.contains("in use by another process"))
        try await store.append(StoredRecord(revision: 1, bytes: [1]))
        await store.close()
        let next = try await SQLiteStore(path: database)
        #expect(try await next.read(after: nil).latest == 1)
        await next.close()
    }
}
