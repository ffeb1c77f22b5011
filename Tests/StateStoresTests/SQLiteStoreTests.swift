internal import Foundation
internal import TestSupport
internal import Testing

@testable internal import StateStores

@Suite(.timeLimit(.minutes(5))) struct SQLiteStoreTests {
    private let folder = TemporaryFolder()
    private var path: String { folder.path + "/weir.db" }

    private func open() async throws(StoreError) -> SQLiteStore {
        try await SQLiteStore(path: path)
    }

    /// A store with some revisions, closed.
    private func fill(_ count: UInt64 = 5) async throws {
        let store = try await open()
        for revision in 1...count {
            try await store.append(
                .init(revision: revision, bytes: Array("revision \(revision)".utf8)))
        }
        await store.close()
    }

    /// Changes the database without the store.
    private func execute(_ sql: String) throws {
        try SQLiteDatabase(path: path).run(sql)
    }

    private func refusal() async -> String {
        do throws(StoreError) {
            let store = try await open()
            let damage = try await store.read(after: nil).damage
            await store.close()
            return damage ?? "not refused"
        } catch {
            return error.description
        }
    }

    @Test("An acknowledged change is synced to the disk")
    func isDurable() async throws {
        try await fill()
        let database = try SQLiteDatabase(path: path)
        #expect(try database.run("PRAGMA journal_mode").first?.first?.text == "wal")
        let store = try await open()
        #expect(await store.pragma("synchronous") == 2)
        await store.close()
    }

    @Test("A second server is rejected with the process id of the first")
    func locks() async throws {
        let store = try await open()
        #expect(await refusal().contains("in use by process \(getpid())"))
        await store.close()
        #expect(await refusal() == "not refused")
    }

    @Test("Changed bytes are detected; earlier revisions can still be read")
    func checksBytes() async throws {
        try await fill()
        try execute("UPDATE revision SET bytes = x'00' WHERE revision = 4")
        #expect(await refusal().contains("the bytes of revision 4 do not match their checksum"))
        let store = try await open()
        #expect(try await store.read(after: nil).records.map(\.revision) == [1, 2, 3])
        await store.close()
    }

    @Test("A missing revision is detected")
    func checksOrder() async throws {
        try await fill()
        try execute("DELETE FROM revision WHERE revision = 3")
        #expect(await refusal().contains("revision 3 is missing"))
    }

    @Test("A damaged file is rejected")
    func checksStructure() async throws {
        try await fill(200)
        try execute("PRAGMA wal_checkpoint(TRUNCATE)")
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.seek(toOffset: 4_096 * 2)
        try file.write(contentsOf: Data(repeating: 0x5a, count: 4_096))
        try file.close()
        #expect(await refusal().contains("damaged"))

        try Data("this is not a database".utf8).write(
            to: URL(fileURLWithPath: path))
        #expect(await refusal().contains("damaged"))
    }

    @Test("Databases of other programs and of later versions are rejected unchanged")
    func rejectsOthers() async throws {
        try execute("CREATE TABLE mine (x)")
        #expect(await refusal().contains("the database of another program"))
        try FileManager.default.removeItem(atPath: path)
        try? FileManager.default.removeItem(atPath: path + ".latest")
        try await fill()
        try execute("PRAGMA user_version = 99")
        #expect(await refusal().contains("a later version of weir (schema 99"))
    }

    @Test("A file of an earlier schema is migrated, and keeps its content")
    func migrates() async throws {
        try await fill()
        // A database of the first schema version.
        try FileManager.default.removeItem(atPath: path + ".latest")
        try execute("DROP TABLE store")
        try execute("DROP TABLE checkpoint")
        try execute("PRAGMA user_version = 1")
        let store = try await open()
        try await store.probe()
        #expect(try await store.read(after: nil).latest == 5)
        try await store.checkpoint(.init(revision: 5, bytes: [1]))
        await store.close()
    }

    @Test("A moved file is not written any more")
    func detectsMoves() async throws {
        try await fill()
        let store = try await open()
        try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
        await #expect(throws: StoreError.self) {
            try await store.append(.init(revision: 6, bytes: [6]))
        }
        try FileManager.default.moveItem(atPath: path + ".moved", toPath: path)
        try await store.append(.init(revision: 6, bytes: [6]))
        await store.close()
    }

    @Test("A store with a deleted log rejects changes, and closing it saves its content")
    func detectsDeletedLogs() async throws {
        let store = try await open()
        try await store.append(.init(revision: 1, bytes: [1]))
        try FileManager.default.removeItem(atPath: path + "-wal")
        let error = await #expect(throws: StoreError.self) {
            try await store.append(.init(revision: 2, bytes: [2]))
        }
        #expect(error?.description.contains("-wal' was moved or deleted") == true)
        await store.close()
        let again = try await open()
        #expect(try await again.read(after: nil).records.map(\.revision) == [1])
        try await again.append(.init(revision: 2, bytes: [2]))
        await again.close()
    }

    @Test("A checkpoint of the version before the chained hashes continues the chain")
    func continuesOldCheckpoints() async throws {
        try await fill()
        var store = try await open()
        try await store.checkpoint(.init(revision: 3, bytes: [3]))
        await store.close()
        try FileManager.default.removeItem(atPath: path + ".latest")
        try execute("ALTER TABLE checkpoint DROP COLUMN chain")
        try execute("ALTER TABLE store DROP COLUMN identity")
        try execute("ALTER TABLE store RENAME TO probe")
        try execute("PRAGMA user_version = 3")
        for revision in 6...8 as ClosedRange<UInt64> {
            store = try await open()
            try await store.append(.init(revision: revision, bytes: [6]))
            try await store.checkpoint(.init(revision: revision - 1, bytes: [5]))
            await store.close()
        }
        #expect(await refusal() == "not refused")
    }

    @Test(
        "A name with a special meaning in SQLite is the name of a file",
        arguments: [":memory:", "file:weir.db?mode=memory", "weir.db"])
    func namesFiles(name: String) {
        #expect(SQLiteDatabase.fileName(name) == "./\(name)")
        #expect(SQLiteDatabase.fileName("/\(name)") == "/\(name)")
    }

    @Test("Paths to the same database through links share one lock, one log and one record")
    func followsLinks() async throws {
        let files = DatabaseFiles()
        try await files.fill(2)
        let link = files.directory + "/link.db"
        try FileManager.default.createSymbolicLink(
            atPath: link, withDestinationPath: "./weir.db")
        let store = try await SQLiteStore(path: link)
        try await store.append(.init(revision: 3, bytes: [3]))
        await #expect(throws: StoreError.self) { try await SQLiteStore(path: files.path) }
        let copy = files.directory + "/copy.db"
        #expect(try StateBackup.copy("sqlite:\(link)", to: copy) == 0...3)
        await store.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: files.directory)
        #expect(
            names.sorted() == ["copy.db", "link.db", "weir.db", "weir.db.latest", "weir.db.lock"])
        // A dangling link, as to an unmounted disk, does not start a new history.
        try files.remove("")
        try files.remove(".latest")
        await #expect(throws: StoreError.self) { try await SQLiteStore(path: link) }
    }

    @Test(
        "Files that root creates belong to the owner of the database", .enabled(if: geteuid() == 0))
    func keepsOwners() async throws {
        let files = DatabaseFiles()
        try await files.fill(2)
        try FileManager.default.setAttributes(
            [.ownerAccountID: 65_534, .groupOwnerAccountID: 65_534], ofItemAtPath: files.path)
        try files.remove(".latest")
        try files.remove(".lock")
        let store = try await files.open()
        try await store.append(.init(revision: 3, bytes: [3]))
        for suffix in ["-wal", ".latest", ".lock"] {
            let attributes = try FileManager.default.attributesOfItem(atPath: files.path + suffix)
            #expect(attributes[.ownerAccountID] as? Int == 65_534, "\(suffix)")
        }
        await store.close()
    }

    @Test(
        "Files of other users in place of the store's own are not written",
        arguments: [
            ".lock", ".latest.new",
        ])
    func ignoresLinks(suffix: String) async throws {
        let files = DatabaseFiles()
        try await files.fill(1)
        let victim = files.directory + "/victim"
        try Data("text".utf8).write(to: URL(fileURLWithPath: victim))
        try? files.remove(suffix)
        try FileManager.default.createSymbolicLink(
            atPath: files.path + suffix, withDestinationPath: victim)
        // The lock file is rejected; the other file is left from a crash, and replaced.
        try? await files.fill(2...2)
        #expect(try Data(contentsOf: URL(fileURLWithPath: victim)) == Data("text".utf8))
    }

    @Test("A directory that cannot be written is rejected with the reason")
    func rejectsPlaces() async throws {
        let file = folder.newFile()
        try Data().write(to: URL(fileURLWithPath: file))
        do throws(StoreError) {
            _ = try await SQLiteStore(path: file + "/weir.db")
            Issue.record("a file was accepted as a directory")
        } catch {
            #expect(error.description.contains("cannot create the state directory '\(file)'"))
        }
    }
}

extension SQLiteStore {
    /// A setting of the store's connection.
    fileprivate func pragma(_ name: String) -> Int64? {
        try? database?.run("PRAGMA \(name)").first?.first?.integer
    }
}
