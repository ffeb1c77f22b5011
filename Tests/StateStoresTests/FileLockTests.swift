internal import SystemPackage
internal import TestSupport
internal import Testing

@testable internal import StateStores

@Suite struct FileLockTests {
    @Test("The end of a lock releases it, also if a process that starts has inherited the file")
    func releases() throws {
        let folder = TemporaryFolder()
        let database = folder.path + "/weir.db"
        var lock: FileLock? = try FileLock(database: database)
        let inherited = try #require(lock).file.duplicate()
        defer { try? inherited.close() }
        #expect(throws: FileLock.Failure.self) { try FileLock(database: database) }
        lock = nil
        _ = try FileLock(database: database)
    }
}
