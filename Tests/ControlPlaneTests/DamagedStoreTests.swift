internal import Foundation
internal import Messages
internal import TestSupport
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane
@testable internal import StateStores

/// Stores whose content was changed by hand.
@Suite(.serialized, .timeLimit(.minutes(5))) struct DamagedStoreTests {
    /// SQL for values of every type, at the bounds of every range.
    private static let values = [
        "0", "1", "-1", "2", "3", "127", "65536", "2147483647", "2147483648", "-2147483648",
        "4294967296", "9007199254740993", "4611686018427387904", "4611686018427387905",
        "9223372036854775806", "9223372036854775807", "-9223372036854775807",
        "-9223372036854775808", "0.5", "1e300", "-1e300", "9e999", "-9e999", "1e-300", "NULL", "''",
        "'5'", "'nan'", "'text'", "x''", "x'00'", "x'ff'", "zeroblob(70000)",
    ]

    private static let columns = [
        "revision.revision", "revision.checksum", "revision.bytes", "checkpoint.id",
        "checkpoint.revision", "checkpoint.checksum", "checkpoint.bytes", "checkpoint.chain",
        "store.id", "store.count", "store.identity",
    ]

    private static let pragmas = ["user_version", "application_id"]

    /// Opens a store and runs all operations. Each may fail.
    private static func use(_ open: () async throws -> any StateStore) async -> [StoreError] {
        var errors: [StoreError] = []
        func attempt(_ body: () async throws -> Void) async {
            do {
                try await body()
            } catch let error as StoreError {
                errors.append(error)
                #expect(!error.description.isEmpty)
            } catch {
                Issue.record("not a StoreError: \(error)")
            }
        }
        var store: (any StateStore)?
        await attempt { store = try await open() }
        guard let store else { return errors }
        for revision in [nil, 0, 1, 3, 4, 1 << 62] as [UInt64?] {
            await attempt {
                let stored = try await store.read(after: revision)
                if let damage = stored.damage { throw StoreError.damaged(damage) }
                if revision == nil { _ = try StateHistory(stored) }
            }
        }
        await attempt { _ = try await StateArchive(reading: store) }
        await attempt { try await store.probe() }
        await attempt { try await store.append(.init(revision: 5, bytes: [])) }
        await attempt { try await store.append(.init(revision: .max, bytes: [])) }
        await attempt { try await store.announce(Array("one".utf8)) }
        await attempt { _ = try await store.instances() }
        await attempt { try await store.checkpoint(.init(revision: 5, bytes: [])) }
        await store.close()
        return errors
    }

    // MARK: SQLite

    private let folder = TemporaryFolder()

    /// The path of a new database.
    private func newPath() -> String { folder.newFile(".db") }

    /// A database with a checkpoint and two revisions after it, in one file.
    private func template() async throws -> String {
        let random = try RandomHistory(seed: 3, changes: 4)
        let path = newPath()
        let store = try await SQLiteStore(path: path)
        for record in random.records { try await store.append(record) }
        try await store.checkpoint(random.checkpoint(at: 2))
        try await store.probe()
        await store.close()
        try SQLiteDatabase(path: path).run("PRAGMA journal_mode = DELETE")
        return path
    }

    /// Corrects the checksums, as a careful forger would.
    private static func makeForgedRecord(_ database: SQLiteDatabase, _ table: String) throws {
        for row in try database.run("SELECT rowid, revision, bytes FROM \(table)") {
            guard let revision = row[1].integer, let bytes = row[2].blob else { continue }
            let hash = KeyHash.hash(bytes.rawSpan, seed: UInt64(bitPattern: revision))
            _ = try? database.run(
                "UPDATE \(table) SET checksum = ? WHERE rowid = ?",
                .integer(Int64(bitPattern: hash)), row[0])
        }
    }

    @Test(
        "Any value in any column is read, or rejected with the reason",
        arguments: columns, [false, true])
    func handlesColumns(column: String, isForged: Bool) async throws {
        let template = try await template()
        let table = String(column.prefix { $0 != "." })
        guard !isForged || table != "store" else { return }
        for value in Self.values {
            let path = newPath()
            try FileManager.default.copyItem(atPath: template, toPath: path)
            do {
                let database = try SQLiteDatabase(path: path)
                try database.run("PRAGMA ignore_check_constraints = ON")
                // The last of several rows, which is the latest revision.
                _ = try? database.run(
                    "UPDATE \(table) SET \(column.dropFirst(table.count + 1)) = \(value) "
                        + "WHERE rowid = (SELECT max(rowid) FROM \(table))")
                if isForged { try Self.makeForgedRecord(database, table) }
            }
            let errors = await Self.use { try await SQLiteStore(path: path) }
            // The last append fails in any case.
            #expect(!errors.isEmpty)
        }
    }

    @Test("Any invalid version or owner in the file's header is rejected", arguments: pragmas)
    func acceptsAnyPragmas(pragma: String) async throws {
        let template = try await template()
        for value in [
            -2_147_483_648, -1, 0, 1, 2, 3, 4, 6, 7, 8, 9, 2_147_483_647, 0x5765_6972,
            2_147_483_648,
        ] {
            let path = newPath()
            try FileManager.default.copyItem(atPath: template, toPath: path)
            try SQLiteDatabase(path: path).run("PRAGMA \(pragma) = \(value)")
            // The last steps of the migration do nothing if they are repeated.
            let isRight =
                pragma == "user_version" ? [6, 7, 8].contains(value) : value == 0x5765_6972
            do throws(StoreError) {
                let store = try await SQLiteStore(path: path)
                #expect(isRight, "\(pragma) \(value)")
                await store.close()
            } catch {
                #expect(!isRight, "\(pragma) \(value): \(error)")
                #expect(error.description.contains("cannot be used"))
            }
        }
    }

    @Test(
        "The error names the damaged object",
        arguments: [
            (
                "UPDATE revision SET bytes = 'text' WHERE revision = 4",
                "table 'revision': a row contains an integer, an integer, text; it must contain an "
                    + "integer, an integer, a blob"
            ),
            (
                "UPDATE revision SET checksum = 0.5 WHERE revision = 4",
                "a row contains an integer, a real number, a blob"
            ),
            (
                "UPDATE checkpoint SET revision = -5",
                "table 'checkpoint': the revision is -5; it must be from 0 to 4611686018427387904"
            ),
            (
                "UPDATE checkpoint SET revision = 9223372036854775807",
                "the revision is 9223372036854775807; it must be from 0"
            ),
            (
                "UPDATE revision SET revision = 9 WHERE revision = 4",
                "table 'revision': the bytes of revision 9 do not match their checksum"
            ), ("DELETE FROM revision WHERE revision = 3", "revision 3 is missing"),
            ("PRAGMA user_version = -1", "the version of its schema is -1; it must be from 0 to 8"),
        ])
    func namesDamage(sql: String, reason: String) async throws {
        let path = try await template()
        try SQLiteDatabase(path: path).run(sql)
        let errors = await Self.use { try await SQLiteStore(path: path) }
        #expect(errors.first?.description.contains(reason) == true, "\(errors)")
    }

    @Test("A latest revision that is not a number makes an append fail")
    func rejectsAppending() async throws {
        for value in ["'text'", "0.5", "x'00'", "-1", "9223372036854775807"] {
            let path = try await template()
            let store = try await SQLiteStore(path: path)
            let database = try SQLiteDatabase(path: path)
            try database.run("DELETE FROM revision")
            try database.run("UPDATE checkpoint SET revision = \(value)")
            await #expect(throws: StoreError.self) {
                try await store.append(.init(revision: 5, bytes: [1]))
            }
            await store.close()
        }
    }

    // MARK: etcd

    /// Texts for keys of etcd that contain numbers.
    private static let texts = [
        "", "-1", "0", "1", "3", "5", "+4", "04", " 4", "4 ", "4\n", "4.0", "4e0", "0x4", "NaN",
        "2147483648", "9007199254740993", "4611686018427387904", "4611686018427387905",
        "9223372036854775807", "9223372036854775808", "18446744073709551614",
        "18446744073709551615", "18446744073709551616", "99999999999999999999", "\u{1b}[2J",
        String(repeating: "9", count: 70_000),
    ]

    private static let etcd = Task { try await EtcdServer() }

    /// The errors of a store whose prefix has some keys written by hand.
    private func errors(_ pairs: [(key: String, value: [UInt8])]) async throws -> [StoreError] {
        let etcd = try await Self.etcd.value
        let prefix = UUID().uuidString
        let location = "etcd:\(etcd.endpoint)?ttl=5&prefix=\(prefix)"
        let random = try RandomHistory(seed: 3, changes: 4)
        let store = try await StoreLocation(location).open()
        for record in random.records { try await store.append(record) }
        try await store.checkpoint(random.checkpoint(at: 2))
        await store.close()
        guard case .etcd(let place) = try StoreLocation(location) else { return [] }
        let client = try EtcdClient(place)
        for (key, value) in pairs {
            let _: Etcdserverpb_PutResponse = try await client.call(
                "KV/Put",
                Etcdserverpb_PutRequest(key: Array("\(prefix)/v1/\(key)".utf8), value: value))
        }
        await client.close()
        return await Self.use { try await StoreLocation(location).open() }
    }

    @Test("Any text under the key of the latest revision is that number, or rejected by name")
    func acceptsAnyHeads() async throws {
        for text in Self.texts {
            let errors = try await errors([("head", Array(text.utf8))])
            let isNumber = UInt64(text).map { "\($0)" == text && $0 <= 1 << 62 } ?? false
            let named = errors.contains {
                $0.description.contains("/v1/head' contains '\(text.prefix(100))'; it must be")
            }
            #expect(named == !isNumber, "\(text.prefix(30)): \(errors)")
        }
    }

    @Test(
        "Any numbers in a value are read, or rejected with the key",
        arguments: ["log", "checkpoint"])
    func handlesBlobs(place: String) async throws {
        let key = place == "log" ? "log/00000000000000000004" : "checkpoint"
        let numbers: [UInt64] = [
            0, 1, 2, 4, 1 << 62, (1 << 62) + 1, 1 << 63, .max - 1, .max,
        ]
        for revision in numbers {
            for count in [0, 1, 2, .max] as [UInt32] {
                let blob = Weir_Store_V1_Blob(
                    bytes: [1], parts: "nowhere", partCount: count, revision: revision)
                let errors = try await errors([(key, try blob.serializedBytes())])
                #expect(!errors.isEmpty)
                if revision > 1 << 62 {
                    let reason = "/v1/\(key)' is damaged: the revision is \(revision); it must be"
                    #expect(errors.contains { $0.description.contains(reason) }, "\(errors)")
                } else if count > 0 {
                    #expect(
                        errors.contains { $0.description.contains("a part of") }, "\(errors)")
                }
            }
        }
    }

    @Test("Invalid messages under any key are rejected, or not needed")
    func handlesGarbage() async throws {
        let keys = [
            "head", "log/00000000000000000003", "log/00000000000000000004", "log/zzz", "log/",
            "checkpoint", "leader", "members/x", "probe", "parts/x/0000",
        ]
        for key in keys {
            for value in [[], [0], [0xff], [0x08, 0xff], [0x0b]] as [[UInt8]] {
                _ = try await errors([(key, value)])
            }
        }
    }

    @Test(
        "A lease of any length is trusted for at most a day",
        arguments: [
            (.min, 0), (-1, 0), (0, 0), (1, 1), (5, 5), (86_400, 86_400), (86_401, 86_400),
            (1 << 53, 86_400), (.max, 86_400),
        ] as [(Int64, Int64)])
    func limitsLeases(seconds: Int64, time: Int64) {
        #expect(EtcdMembership.leaseDuration(seconds: seconds) == .seconds(time))
        _ = ContinuousClock.now + EtcdMembership.leaseDuration(seconds: seconds)
    }

    @Test(
        "A location with any text for a number or a name is valid, or rejected",
        arguments: [
            "?=", "?==", "?&", "?=x", "?ttl", "?ttl=", "?ttl=-1", "?ttl=0", "?ttl=1", "?ttl=3601",
            "?ttl=9223372036854775808", "?ttl=1e3", "?ttl=NaN", "?prefix", "?x", "??", "?&&=&",
        ])
    func handlesLocations(text: String) {
        _ = try? StoreLocation("etcd:http://127.0.0.1:1\(text)")
        #expect(throws: StoreLocation.Invalid.self) {
            try StoreLocation("etcd:http://127.0.0.1:1\(text)x=")
        }
        for endpoints in [
            "", ",", "http://", "http://:", "http://a:", "http://a:99999", "http://a:-1",
        ] {
            #expect(throws: StoreLocation.Invalid.self) { try StoreLocation("etcd:\(endpoints)") }
        }
    }
}
