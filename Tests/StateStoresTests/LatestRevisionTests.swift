internal import Foundation
internal import TestSupport
internal import Testing

@testable internal import StateStores

/// The record of the latest revision next to a database, and databases that have lost revisions.
@Suite(.serialized, .timeLimit(.minutes(2))) struct LatestRevisionTests {
    private let files = DatabaseFiles()

    private func refusal() async -> String { await files.refusal() }

    // MARK: Content

    private static let record = LatestRevision(
        identity: Array(0..<16), revision: 42, hash: 0xabc)

    @Test("A record is read as written, and any other content is rejected")
    func readsText() {
        let text = Self.record.text
        #expect(LatestRevision(text: text) == Self.record)
        for (index, _) in text.utf8.enumerated() {
            var bytes = Array(text.utf8)
            bytes[index] ^= 1
            let changed = String(decoding: bytes, as: UTF8.self)
            #expect(LatestRevision(text: changed) == nil, "\(changed)")
            let start = String(decoding: bytes.prefix(index), as: UTF8.self)
            #expect(LatestRevision(text: start) == nil)
        }
        let long = String(repeating: "revision ", count: 99)
        for text in ["", "\n", text + "\n", "weir-latest 1", long] {
            #expect(LatestRevision(text: text) == nil)
        }
    }

    // MARK: Losses

    @Test("A database that is ahead of its record, as after a crash, is complete")
    func acceptsCrashes() async throws {
        try await files.fill(3)
        let earlier = try files.read(".latest")
        try await files.fill(4...5)
        try files.write(earlier, ".latest")
        #expect(await refusal() == "complete")
        // The record is brought up to date.
        #expect(try files.read(".latest") != earlier)
        try files.write(earlier, ".latest")
        try await files.fill(6...6)
        let store = try await files.open()
        try await store.checkpoint(.init(revision: 5, bytes: [5]))
        await store.close()
        try files.write(earlier, ".latest")
        #expect(await refusal() == "complete")
    }

    @Test("A database without a record, as of an earlier version, gets one")
    func createsRecords() async throws {
        try await files.fill(3)
        let record = try files.read(".latest")
        try files.remove(".latest")
        #expect(await refusal() == "complete")
        #expect(try files.read(".latest") == record)
        #expect(String(decoding: record, as: UTF8.self).contains("\nrevision 3\n"))
    }

    @Test("The record follows each commit, and the checkpoint keeps its hash")
    func follows() async throws {
        let store = try await files.open()
        for revision in 1...6 as ClosedRange<UInt64> {
            try await store.append(.init(revision: revision, bytes: [UInt8(revision)]))
            let text = String(decoding: try files.read(".latest"), as: UTF8.self)
            #expect(text.contains("\nrevision \(revision)\n"))
        }
        try await store.checkpoint(.init(revision: 6, bytes: [1]))
        let record = try files.read(".latest")
        await store.close()
        #expect(await refusal() == "complete")
        #expect(try files.read(".latest") == record)
    }

    @Test("A record that cannot be written makes the next change fail, not the last commit")
    func failsChangeAfterFailedRecord() async throws {
        try await files.fill(2)
        let store = try await files.open()
        // A directory has the name of the temporary file.
        let blocker = files.path + ".latest.new"
        try FileManager.default.createDirectory(atPath: blocker, withIntermediateDirectories: false)
        try await store.append(.init(revision: 3, bytes: [3]))
        await #expect(throws: StoreError.self) {
            try await store.append(.init(revision: 4, bytes: [4]))
        }
        await #expect(throws: StoreError.self) { try await store.probe() }
        #expect(try await store.read(after: nil).latest == 3)
        try FileManager.default.removeItem(atPath: blocker)
        try await store.probe()
        try await store.append(.init(revision: 4, bytes: [4]))
        await store.close()
        #expect(await refusal() == "complete")
    }

    /// Damages the files, and returns the expected error.
    enum Fault: CaseIterable {
        case missing, emptied, emptiedWithLog, logLost, older, olderAndChanged, other, badRecord
    }

    private func inject(_ fault: Fault) async throws -> String {
        switch fault {
        case .missing:
            try await files.fill(5)
            try files.remove("")
            return "is missing, but"
        case .emptied:
            try await files.fill(5)
            try files.write([], "")
            return "records revision 5: all revisions up to 5 are missing"
        case .emptiedWithLog:
            try files.write([], "")
            try files.write([1], "-wal")
            return "but its write-ahead log"
        case .logLost:
            try await files.fill(2)
            let store = try await files.open()
            for revision in 3...5 as ClosedRange<UInt64> {
                try await store.append(.init(revision: revision, bytes: [UInt8(revision)]))
            }
            // The files as after kill -9, which closing the store would change.
            let (database, record) = (try files.read(""), try files.read(".latest"))
            await store.close()
            try files.write(database, "")
            try files.write(record, ".latest")
            return "revisions 3 to 5 are missing, which"
        case .older:
            try await files.fill(4)
            let database = try files.read("")
            try await files.fill(5...5)
            try files.write(database, "")
            return "revision 5 is missing, which"
        case .olderAndChanged:
            try await files.fill(4)
            let (database, record) = (try files.read(""), try files.read(".latest"))
            try await files.fill(5...6)
            let newer = try files.read(".latest")
            try files.write(database, "")
            try files.write(record, ".latest")
            try await files.fill(5...7, "other")
            try files.write(newer, ".latest")
            return "revision 6 is not the one that"
        case .other:
            try await files.fill(5)
            let record = try files.read(".latest")
            try files.remove("")
            try files.remove(".latest")
            try await files.fill(9)
            try files.write(record, ".latest")
            return "it is not the database that"
        case .badRecord:
            try await files.fill(5)
            try files.write(Array("weir-latest 1\n".utf8), ".latest")
            return "is damaged: revisions after 5 may be missing"
        }
    }

    @Test(
        "Lost revisions are reported until the operator accepts the loss",
        arguments: Fault.allCases)
    func reportsLosses(fault: Fault) async throws {
        let reason = try await inject(fault)
        let before = (try? files.read(""), try? files.read(".latest"))
        for _ in 0..<2 {
            let refusal = await refusal()
            #expect(refusal.contains(reason), "\(refusal)")
            #expect(refusal.contains("--accept-lost-revisions"))
        }
        let after = (try? files.read(""), try? files.read(".latest"))
        #expect(before.0 == after.0 && before.1 == after.1)

        let store = try await files.open(acceptsLostRevisions: true)
        let history = try await store.read(after: nil)
        #expect(history.damage == nil)
        let next = StoredRecord(revision: history.latest + 1, bytes: [1])
        try await store.append(next)
        await store.close()
        #expect(await refusal() == "complete")
        let again = try await files.open()
        #expect(try await again.read(after: nil).records.last == next)
        #expect(await again.warnings == [])
        await again.close()
    }

    @Test("A store that has lost revisions rejects changes, and the rest can be read")
    func readsTheRest() async throws {
        _ = try await inject(.older)
        let store = try await files.open()
        #expect(try await store.read(after: nil).records.map(\.revision) == [1, 2, 3, 4])
        await #expect(throws: StoreError.self) { try await store.probe() }
        await #expect(throws: StoreError.self) {
            try await store.append(.init(revision: 5, bytes: [5]))
        }
        await #expect(throws: StoreError.self) {
            try await store.checkpoint(.init(revision: 4, bytes: [4]))
        }
        await store.close()
    }

    @Test("A FIFO instead of the record is damage, and does not block the start")
    func rejectsFIFOs() async throws {
        try await files.fill(2)
        try files.remove(".latest")
        #expect(unsafe mkfifo(files.path + ".latest", 0o600) == 0)
        #expect(await refusal().contains("is damaged: revisions after 2 may be missing"))
    }

    // MARK: Modes

    @Test("All files have mode 0600, those of earlier versions too, in a directory of mode 0700")
    func setsModes() async throws {
        func modes() throws -> Set<Int> {
            Set(
                try FileManager.default.contentsOfDirectory(atPath: files.directory).map {
                    let path = files.directory + "/" + $0
                    let attributes = try FileManager.default.attributesOfItem(atPath: path)
                    return attributes[.posixPermissions] as? Int ?? 0
                })
        }
        let store = try await files.open()
        try await store.append(.init(revision: 1, bytes: [1]))
        #expect(try modes() == [0o600])
        let directory = try FileManager.default.attributesOfItem(atPath: files.directory)
        #expect(directory[.posixPermissions] as? Int == 0o700)
        await store.close()

        for suffix in ["", ".lock", ".latest"] {
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o644], ofItemAtPath: files.path + suffix)
        }
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o770], ofItemAtPath: files.directory)
        let again = try await files.open()
        #expect(try modes() == [0o600])
        let warnings = await again.warnings
        #expect(warnings.count == 4)
        #expect(warnings.first?.contains("was open to other users (mode 0644)") == true)
        let last = warnings.last ?? ""
        #expect(last.contains("run 'chmod 700 \(files.directory)'"), "\(last)")
        await again.close()
    }

    // MARK: Backup

    @Test("A backup of a store in use has every revision, and replaces no file")
    func copies() async throws {
        let store = try await files.open()
        for revision in 1...5 as ClosedRange<UInt64> {
            try await store.append(.init(revision: revision, bytes: [UInt8(revision)]))
        }
        try await store.checkpoint(.init(revision: 2, bytes: [2]))
        let copy = files.directory + "/copy.db"
        let location = "sqlite:\(files.path)"
        #expect(try StateBackup.copy(location, to: copy) == 2...5)
        let mode = try FileManager.default.attributesOfItem(atPath: copy)[.posixPermissions]
        #expect(mode as? Int == 0o600)
        #expect(throws: StoreError.self) { try StateBackup.copy(location, to: copy) }
        #expect(throws: StoreError.self) { try StateBackup.copy("memory:", to: copy + "2") }
        #expect(throws: StoreError.self) {
            try StateBackup.copy(location, to: files.directory + "/none/copy.db")
        }
        let restored = try await SQLiteStore(path: copy)
        let (left, right) = (
            try await store.read(after: nil), try await restored.read(after: nil)
        )
        #expect(left == right)
        // The copy continues like the original.
        try await restored.append(.init(revision: 6, bytes: [6]))
        await restored.close()
        await store.close()
        let names = try FileManager.default.contentsOfDirectory(atPath: files.directory)
        #expect(!names.contains { $0.hasSuffix(".partial") })
    }

    @Test("A store that is damaged or has lost revisions is not copied")
    func rejectsCopyOfDamage() async throws {
        _ = try await inject(.older)
        let copy = files.directory + "/copy.db"
        let error = #expect(throws: StoreError.self) {
            try StateBackup.copy("sqlite:\(files.path)", to: copy)
        }
        #expect(error?.description.contains("revision 5 is missing") == true)
        #expect(!FileManager.default.fileExists(atPath: copy))
        #expect(!FileManager.default.fileExists(atPath: copy + ".partial"))
    }
}
