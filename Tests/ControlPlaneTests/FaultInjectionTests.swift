internal import Foundation
internal import Testing

@testable internal import ControlPlane

/// Databases of which a byte was changed or the end was lost, as by a bad disk or a bad copy.
@Suite(.serialized, .timeLimit(.minutes(2))) struct FaultInjectionTests {
    /// The files of a store that was killed: part of the state is only in the write-ahead log.
    private struct Original {
        let files: [String: [UInt8]]
        let history: StoredHistory
    }

    /// Made once for all tests.
    private static let original = Task { try await makeOriginal() }

    private static func makeOriginal() async throws -> Original {
        let random = try RandomHistory(seed: 21, changes: 60)
        let files = DatabaseFiles()
        let store = try await files.open()
        for record in random.records.prefix(40) { try await store.append(record) }
        try await store.checkpoint(random.checkpoint(at: 10))
        await store.close()
        let again = try await files.open()
        for record in random.records.dropFirst(40) { try await again.append(record) }
        let history = try await again.read(after: nil)
        let copies = try ["", "-wal", ".latest"].map { ($0, try files.read($0)) }
        await again.close()
        return Original(files: Dictionary(uniqueKeysWithValues: copies), history: history)
    }

    /// Opens the files with one of them changed.
    ///
    /// - Returns: whether the state is the original one; otherwise an error or a damage was found.
    private static func survives(
        _ original: Original, _ suffix: String, _ change: (inout [UInt8]) -> Void
    ) async throws -> Bool {
        let files = DatabaseFiles()
        for (name, bytes) in original.files {
            var bytes = bytes
            if name == suffix { change(&bytes) }
            try files.write(bytes, name)
        }
        let store: SQLiteStore
        do throws(StoreError) {
            store = try await files.open()
        } catch {
            #expect(!error.description.isEmpty)
            return false
        }
        var history = try await store.read(after: nil)
        await store.close()
        guard history.damage == nil else { return false }
        // Nothing is wrong, so nothing may be missing.
        history.damage = nil
        #expect(history == original.history)
        return true
    }

    /// Samples of each file, which take a few seconds in all.
    private static let samples = 12

    @Test(
        "After a changed byte, the state is the same or its damage is reported",
        arguments: ["", "-wal", ".latest"], [0x01, 0x80, 0xff] as [UInt8])
    func noticesChangedBytes(suffix: String, mask: UInt8) async throws {
        let original = try await Self.original.value
        let count = try #require(original.files[suffix]?.count)
        var random = SeededGenerator(state: UInt64(mask))
        // The headers, and places all over the file.
        let places =
            (0..<min(count, 64)).filter { $0 % 4 == 3 }
            + (0..<Self.samples).map { _ in Int.random(in: 0..<count, using: &random) }
        var survivals = 0
        for place in places {
            let survives = try await Self.survives(original, suffix) { $0[place] ^= mask }
            survivals += survives ? 1 : 0
        }
        // Unused pages and counters survive; in the record, every byte counts.
        #expect(survivals < (suffix == ".latest" ? 1 : places.count))
    }

    @Test(
        "After a truncation, the state is the same or its damage is reported",
        arguments: ["", "-wal", ".latest"])
    func noticesTruncations(suffix: String) async throws {
        let original = try await Self.original.value
        let count = try #require(original.files[suffix]?.count)
        var random = SeededGenerator(state: 7)
        let sizes =
            [0, 1, 31, 32, 33, 100, 4_095, 4_096, 4_097, count - 1].filter { $0 < count }
            + (0..<Self.samples).map { _ in Int.random(in: 0..<count, using: &random) }
        for size in sizes {
            let survives = try await Self.survives(original, suffix) {
                $0.removeLast($0.count - size)
            }
            // The log may contain the pages at the end of the database.
            #expect(!survives || suffix == "", "\(suffix) of \(size) bytes")
        }
    }

    @Test("A file that is missing is noticed", arguments: ["", "-wal"])
    func noticesMissingFiles(suffix: String) async throws {
        let original = try await Self.original.value
        var files = original.files
        files[suffix] = nil
        let rest = Original(files: files, history: original.history)
        #expect(try await !Self.survives(rest, suffix) { _ in })
    }
}
