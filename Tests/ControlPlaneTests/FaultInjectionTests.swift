internal import Foundation
internal import TestSupport
internal import Testing

@testable internal import ControlPlane
@testable internal import StateStores

/// Databases with changed or lost bytes, as by a faulty disk or an incomplete copy.
@Suite(.serialized, .timeLimit(.minutes(20))) struct FaultInjectionTests {
    /// A damage of a file.
    enum Damage: CustomStringConvertible {
        case flip(Int, UInt8)
        case truncation(Int)
        /// A sector that reads as zeros.
        case zeros(Int)
        /// A page before its last change, which the disk has lost.
        case stale(Int)

        static let sector = 512
        static let page = 4_096

        var description: String {
            switch self {
            case .flip(let place, let mask): "byte \(place) xor \(mask)"
            case .truncation(let size): "\(size) bytes left"
            case .zeros(let place): "a sector of zeros at \(place)"
            case .stale(let place): "the old page at \(place)"
            }
        }

        /// The name in the table.
        var name: String {
            switch self {
            case .flip: "changed byte"
            case .truncation: "truncation"
            case .zeros: "zeros"
            case .stale: "old page"
            }
        }

        func damaged(_ bytes: [UInt8], earlier: [UInt8]) -> [UInt8] {
            var bytes = bytes
            switch self {
            case .flip(let place, let mask): bytes[place] ^= mask
            case .truncation(let size): bytes.removeLast(bytes.count - size)
            case .zeros(let place):
                for index in place..<min(place + Self.sector, bytes.count) { bytes[index] = 0 }
            case .stale(let place):
                for index in place..<min(place + Self.page, bytes.count)
                where earlier.indices.contains(index) { bytes[index] = earlier[index] }
            }
            return bytes
        }

        static func random(_ count: Int, _ random: inout SeededGenerator) -> Damage {
            let place = Int.random(in: 0..<count, using: &random)
            return switch Int.random(in: 0..<8, using: &random) {
            case 0...2: .flip(place, 1 << UInt8.random(in: 0..<8, using: &random))
            case 3: .flip(place, UInt8.random(in: 1...255, using: &random))
            case 4, 5: .truncation(place)
            case 6: .zeros(place / sector * sector)
            default: .stale(place / page * page)
            }
        }
    }

    /// How the server ended.
    enum Ending: CaseIterable {
        /// Killed, with the latest revisions only in the write-ahead log.
        case killed
        /// Killed after the log was moved into the database and restarted.
        case killedLater
        /// Closed, without a log.
        case closed
    }

    private struct Original {
        /// The content of each file.
        var files: [String: [UInt8]] = [:]
        /// The files before the last changes.
        var earlier: [String: [UInt8]] = [:]
        var history = StoredHistory()
    }

    /// Created once for all tests.
    private static let originals = Task {
        var originals: [Ending: Original] = [:]
        for ending in Ending.allCases { originals[ending] = try await makeOriginal(ending) }
        return originals
    }

    private static func makeOriginal(_ ending: Ending) async throws -> Original {
        let random = try RandomHistory(seed: 21, changes: 60)
        let files = DatabaseFiles()
        func copies() -> [String: [UInt8]] {
            var copies: [String: [UInt8]] = [:]
            for name in ["", "-wal", "-shm", ".latest"] { copies[name] = try? files.read(name) }
            return copies
        }
        var store = try await files.open()
        for record in random.records.prefix(40) { try await store.append(record) }
        try await store.checkpoint(random.checkpoint(at: 10))
        await store.close()
        var original = Original()
        original.earlier = copies()
        store = try await files.open()
        for record in random.records[40..<50] { try await store.append(record) }
        if ending == .killedLater {
            original.earlier = copies()
            await store.moveLog()
        }
        for record in random.records.dropFirst(50) { try await store.append(record) }
        original.history = try await store.read(after: nil)
        original.files = copies()
        await store.close()
        if ending == .closed { original.files = copies() }
        return original
    }

    private static func original(_ ending: Ending) async throws -> Original {
        try #require(try await originals.value[ending])
    }

    /// Opens the files with one of them damaged, or without it.
    ///
    /// - Returns: whether the state is the original one; otherwise an error or a damage was found.
    private static func survives(
        _ original: Original, _ suffix: String, _ damage: Damage?
    ) async throws -> Bool {
        let files = DatabaseFiles()
        for (name, bytes) in original.files {
            guard name == suffix else {
                try files.write(bytes, name)
                continue
            }
            guard let damage else { continue }
            let damaged = damage.damaged(bytes, earlier: original.earlier[name] ?? [])
            try files.write(damaged, name)
        }
        let what = "'\(suffix)': \(damage.map { "\($0)" } ?? "missing")"
        let history = try await history(files)
        // Unreported damage must not lose anything, and reported damage is reported again.
        if history != nil { #expect(history == original.history, "\(what)") }
        #expect(try await self.history(files) == history, "\(what), opened again")
        return history != nil
    }

    /// The history that a store reads; nil if it reports damage.
    private static func history(_ files: DatabaseFiles) async throws -> StoredHistory? {
        let store: SQLiteStore
        do throws(StoreError) {
            store = try await files.open()
        } catch {
            #expect(!error.description.isEmpty)
            return nil
        }
        let history = try await store.read(after: nil)
        await store.close()
        return history.damage == nil ? history : nil
    }

    // MARK: Tests

    @Test(
        "After damage to the start of a file, the state is the same or the damage is reported",
        arguments: Ending.allCases, ["", "-wal", "-shm", ".latest"])
    func detectsDamagedHeaders(ending: Ending, suffix: String) async throws {
        let original = try await Self.original(ending)
        guard let count = original.files[suffix]?.count else { return }
        var survivals = 0
        for place in stride(from: 3, to: min(count, 100), by: 4) {
            let survives = try await Self.survives(original, suffix, .flip(place, 0xff))
            survivals += survives ? 1 : 0
        }
        // In the record, every byte matters. SQLite recreates the index of the log (`-shm`).
        #expect(suffix != ".latest" || survivals == 0)
        #expect(suffix != "-shm" || survivals == 25)
        for size in [0, 1, 31, 32, 33, 100, 4_095, 4_096, 4_097, count - 1] where size < count {
            let survives = try await Self.survives(original, suffix, .truncation(size))
            // The log may contain the pages at the end of the database.
            #expect(["", "-shm"].contains(suffix) || !survives, "\(suffix) of \(size) bytes")
        }
    }

    /// A few seconds; `make store-faults` tries 10,000, with a seed of its choice.
    private static let (samples, seed) = (
        number("WEIR_DAMAGE_SAMPLES") ?? 300, number("WEIR_DAMAGE_SEED") ?? 1
    )

    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init)
    }

    /// A random damage that changes a file.
    private static func damage(
        to original: Original, _ random: inout SeededGenerator
    ) -> (name: String, damage: Damage) {
        while true {
            let names = original.files.keys.filter { $0 != "-shm" }.sorted()
            let name = names.randomElement(using: &random) ?? ""
            guard let bytes = original.files[name], !bytes.isEmpty else { continue }
            let damage = Damage.random(bytes.count, &random)
            let damaged = damage.damaged(bytes, earlier: original.earlier[name] ?? [])
            if damaged != bytes { return (name, damage) }
        }
    }

    @Test("After any damage, the state is the same or the damage is reported")
    func detectsDamage() async throws {
        var random = SeededGenerator(state: UInt64(bitPattern: Int64(Self.seed)))
        var table: [String: (survivals: Int, reports: Int)] = [:]
        for _ in 0..<Self.samples {
            let ending = Ending.allCases.randomElement(using: &random) ?? .killed
            let original = try await Self.original(ending)
            let (name, damage) = Self.damage(to: original, &random)
            let survives = try await Self.survives(original, name, damage)
            let row = "\(ending), weir.db\(name), \(damage.name)"
            let (survivals, reports) = table[row, default: (0, 0)]
            table[row] = (survivals + (survives ? 1 : 0), reports + (survives ? 0 : 1))
        }
        let reports = table.values.map(\.reports).reduce(0, +)
        #expect(reports > 0 && reports < Self.samples)
        print(
            "\(Self.samples) damages, seed \(Self.seed): \(reports) reported, no effect of others")
        guard Self.number("WEIR_DAMAGE_SAMPLES") != nil else { return }
        for (row, counts) in table.sorted(by: { $0.key < $1.key }) {
            print("\(row): \(counts.reports) reported, \(counts.survivals) without effect")
        }
    }

    @Test("A missing file is detected", arguments: ["", "-wal"])
    func detectsMissingFiles(suffix: String) async throws {
        #expect(try await !Self.survives(try await Self.original(.killed), suffix, nil))
    }
}

extension SQLiteStore {
    /// Moves the write-ahead log into the database and restarts it, as SQLite sometimes does.
    fileprivate func moveLog() { _ = try? database?.run("PRAGMA wal_checkpoint(RESTART)") }
}
