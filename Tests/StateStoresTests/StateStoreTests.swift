internal import Foundation
internal import TestSupport
internal import Testing

@testable internal import StateStores

/// Behaviour of every store. Each test runs on each kind.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StateStoreTests {
    enum Kind: CaseIterable, CustomTestStringConvertible {
        case memory, sqlite, etcd
        var testDescription: String { "\(self)" }
    }

    /// One server for all tests, because it starts slowly; each test has its own prefix.
    private static let etcd = Task { try await EtcdServer() }

    private let folder = TemporaryFolder()

    /// Opens the same store repeatedly.
    private struct Place {
        let open: () async throws -> any StateStore
        let outlivesClosing: Bool
    }

    private func place(_ kind: Kind) async throws -> Place {
        switch kind {
        case .memory:
            let store = MemoryStore()
            return Place(open: { store }, outlivesClosing: true)
        case .sqlite:
            let path = folder.newFile(".db")
            return Place(
                open: { try await StoreLocation("sqlite:\(path)").open() }, outlivesClosing: true)
        case .etcd:
            let location = try StoreLocation(try await Self.etcd.value.location)
            return Place(open: { try await location.open() }, outlivesClosing: true)
        }
    }

    private func record(_ revision: UInt64, _ text: String = "") -> StoredRecord {
        StoredRecord(revision: revision, bytes: Array("\(revision) \(text)".utf8))
    }

    @Test("An empty store has no content", arguments: Kind.allCases)
    func beginsEmpty(kind: Kind) async throws {
        let store = try await place(kind).open()
        #expect(try await store.read(after: nil) == StoredHistory())
        #expect(try await store.read(after: 0) == StoredHistory())
        await store.close()
    }

    @Test("Appended revisions exist when the store is opened again", arguments: Kind.allCases)
    func keeps(kind: Kind) async throws {
        let place = try await place(kind)
        let first = try await place.open()
        for revision in 1...40 as ClosedRange<UInt64> { try await first.append(record(revision)) }
        await first.close()

        let second = try await place.open()
        let all = try await second.read(after: nil)
        #expect(all.records == (1...40).map { record($0) })
        #expect((all.latest, all.checkpoint, all.damage) == (40, nil, nil))
        let end = try await second.read(after: 38)
        #expect(end.records == [record(39), record(40)])
        #expect(try await second.read(after: 40).records == [])
        await second.close()
    }

    @Test(
        "Only the next revision is accepted, and a rejected one changes nothing",
        arguments: Kind.allCases)
    func comparesAndAppends(kind: Kind) async throws {
        let store = try await place(kind).open()
        for wrong in [2, 5] as [UInt64] {
            await #expect(throws: StoreError.conflict(latest: 0)) {
                try await store.append(record(wrong))
            }
        }
        try await store.append(record(1, "first"))
        await #expect(throws: StoreError.conflict(latest: 1)) {
            try await store.append(record(1, "second"))
        }
        await #expect(throws: StoreError.conflict(latest: 1)) {
            try await store.append(record(3))
        }
        #expect(try await store.read(after: nil).records == [record(1, "first")])
        await store.close()
    }

    @Test("A checkpoint replaces the revisions before it", arguments: Kind.allCases)
    func discardsOldResults(kind: Kind) async throws {
        let place = try await place(kind)
        let store = try await place.open()
        for revision in 1...10 as ClosedRange<UInt64> { try await store.append(record(revision)) }
        try await store.checkpoint(record(7, "checkpoint"))
        await store.close()

        let again = try await place.open()
        let all = try await again.read(after: nil)
        #expect(all.checkpoint == record(7, "checkpoint"))
        #expect(all.records == [record(8), record(9), record(10)])
        // A reader at that revision needs no checkpoint; an earlier one does.
        #expect(try await again.read(after: 7).checkpoint == nil)
        #expect(try await again.read(after: 7).records.count == 3)
        #expect(try await again.read(after: 3) == all)
        try await again.append(record(11))
        // An older checkpoint changes nothing.
        try await again.checkpoint(record(6, "earlier"))
        #expect(try await again.read(after: nil).checkpoint == record(7, "checkpoint"))
        try await again.checkpoint(record(11, "later"))
        #expect(try await again.read(after: nil).records == [])
        #expect(try await again.read(after: nil).latest == 11)
        await again.close()
    }

    @Test("A checkpoint may be the first record of a store", arguments: Kind.allCases)
    func beginsWithCheckpoint(kind: Kind) async throws {
        let store = try await place(kind).open()
        try await store.checkpoint(record(41))
        #expect(try await store.read(after: nil).latest == 41)
        await #expect(throws: StoreError.conflict(latest: 41)) {
            try await store.append(record(1))
        }
        try await store.append(record(42))
        #expect(try await store.read(after: nil).records == [record(42)])
        await store.close()
    }

    @Test("Records of several megabytes are read completely", arguments: Kind.allCases)
    func keepsLarge(kind: Kind) async throws {
        let place = try await place(kind)
        let store = try await place.open()
        let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await store.append(StoredRecord(revision: 1, bytes: large))
        try await store.append(record(2))
        try await store.checkpoint(StoredRecord(revision: 1, bytes: large.reversed()))
        try await store.append(StoredRecord(revision: 3, bytes: large))
        await store.close()
        let again = try await place.open()
        let all = try await again.read(after: nil)
        #expect(all.checkpoint?.bytes == large.reversed())
        #expect(all.records.map(\.bytes.count) == [record(2).bytes.count, large.count])
        #expect(all.records.last?.bytes == large)
        await again.close()
    }

    @Test("The content of a store is replaced as a whole", arguments: Kind.allCases)
    func replaces(kind: Kind) async throws {
        let place = try await place(kind)
        let store = try await place.open()
        for revision in 1...9 as ClosedRange<UInt64> { try await store.append(record(revision)) }
        try await store.checkpoint(record(4))
        // Several transactions, with records that need one each and one that has parts.
        var next = StoredHistory()
        next.records = (1...250).map { record($0, "new") }
        next.records[7] = StoredRecord(
            revision: 8, bytes: [UInt8](repeating: 7, count: 3_000_000))
        next.records[8] = StoredRecord(revision: 9, bytes: [UInt8](repeating: 8, count: 500_000))
        next.records[9] = StoredRecord(revision: 10, bytes: [UInt8](repeating: 9, count: 500_000))
        next.records[10] = StoredRecord(revision: 11, bytes: [UInt8](repeating: 9, count: 500_000))
        next.latest = 250
        try await store.replace(with: next, upTo: 9)
        #expect(try await store.read(after: nil) == next)
        try await store.append(record(251))
        await #expect(throws: StoreError.conflict(latest: 251)) {
            try await store.replace(with: StoredHistory(), upTo: 250)
        }
        // With a checkpoint, and shorter.
        var short = StoredHistory()
        short.checkpoint = StoredRecord(
            revision: 60, bytes: [UInt8](repeating: 5, count: 1_200_000))
        short.records = [record(61), record(62)]
        short.latest = 62
        try await store.replace(with: short, upTo: nil)
        await store.close()
        let again = try await place.open()
        #expect(try await again.read(after: nil) == short)
        try await again.replace(with: StoredHistory(), upTo: 62)
        #expect(try await again.read(after: nil) == StoredHistory())
        try await again.append(record(1))
        await again.close()
    }

    @Test("Exactly one of many writers of a revision succeeds", arguments: Kind.allCases)
    func acceptsOneWriter(kind: Kind) async throws {
        let store = try await place(kind).open()
        for revision in 1...20 as ClosedRange<UInt64> {
            let winners = await withTaskGroup(of: String?.self) { group in
                for writer in 1...5 {
                    group.addTask {
                        do {
                            try await store.append(record(revision, "writer \(writer)"))
                            return "writer \(writer)"
                        } catch {
                            return nil
                        }
                    }
                }
                return await group.compactMap(\.self).reduce(into: []) { $0.append($1) }
            }
            #expect(winners.count == 1)
            let kept = try await store.read(after: revision - 1).records
            #expect(kept == [record(revision, winners[0])])
        }
        await store.close()
    }

    @Test("A probe succeeds, and does not change the revisions", arguments: Kind.allCases)
    func probes(kind: Kind) async throws {
        let store = try await place(kind).open()
        try await store.probe()
        try await store.probe()
        #expect(try await store.read(after: nil) == StoredHistory())
        await store.close()
    }

    @Test(
        "A registered server is listed, and leads if it is alone",
        arguments: Kind.allCases)
    func registers(kind: Kind) async throws {
        let store = try await place(kind).open()
        #expect(try await store.instances().isEmpty)
        try await store.announce(Array("one".utf8))
        try await store.announce(Array("two".utf8))
        let instances = try await store.instances()
        #expect(instances.map(\.bytes) == [Array("two".utf8)])
        #expect(instances.map(\.isLeader) == [true])
        #expect(await store.isLeader)
        await store.close()
    }

    @Test(
        "The progress of rollouts is kept beside the revisions, until it is deleted",
        arguments: Kind.allCases)
    func keepsProgress(kind: Kind) async throws {
        let place = try await place(kind)
        var store = try await place.open()
        try await store.announce(Array("one".utf8))
        for rollout in [1, .max, 1 << 63] as [UInt64] {
            #expect(try await store.progress(of: rollout) == nil)
            for bytes in [[7], [], Array(repeating: 9, count: 1 << 20)] as [[UInt8]] {
                #expect(try await store.storeProgress(bytes, of: rollout))
                #expect(try await store.progress(of: rollout) == bytes)
            }
        }
        #expect(try await store.read(after: nil) == StoredHistory())
        await store.close()
        store = try await place.open()
        #expect(try await store.progress(of: .max)?.count == 1 << 20)
        try await store.announce(Array("two".utf8))
        try await store.deleteProgress(except: [1, 5])
        #expect(try await store.progress(of: 1) != nil)
        #expect(try await store.progress(of: .max) == nil)
        try await store.deleteProgress(except: [])
        try await store.deleteProgress(except: [])
        #expect(try await store.progress(of: 1) == nil)
        await store.close()
    }

    @Test("The servers are counted", arguments: Kind.allCases)
    func countsServers(kind: Kind) async throws {
        let store = try await place(kind).open()
        #expect(try await store.serverCount() == 1)
        try await store.announce(Array("one".utf8))
        #expect(try await store.serverCount() == 1)
        await store.close()
    }

    @Test(
        "An invalid store is rejected with the correct form",
        arguments: [
            ("", "invalid store"), ("weir.db", "invalid store"), ("sqlite:", "invalid store"),
            ("memory:x", "invalid store"), ("redis:localhost", "invalid store"),
            ("etcd:127.0.0.1:2379", "must begin with http:// or https://"),
            ("etcd:http://localhost", "invalid address"),
            ("etcd:http://a:1,https://b:2", "all http or all https"),
            ("etcd:http://a:1?prefx=x", "invalid setting 'prefx'"),
            ("etcd:http://a:1?ttl=0", "from 2 to 3600"),
            ("etcd:http://a:1?ca=/x", "requires https://"),
            ("etcd:http://a:1?prefix=", "has no value"),
            ("etcd:http://root:hunter2@a:1", "must not contain a user"),
            ("etcd:http://a:1,root:hunter2@b:1?ttl=0", "must not contain a user"),
            ("etcd:http://a:1?password=hunter2", "invalid setting 'password'"),
            ("etcd:http://a:1?ttl=0&password=hunter2", "from 2 to 3600"),
            (
                "postgres://root:hunter2@a:1/weir?password=hunter2",
                "postgres://<masked>@a:1/weir?..."
            ),
        ])
    func rejectsWrongPlaces(text: String, part: String) {
        do throws(StoreLocation.Invalid) {
            _ = try StoreLocation(text)
            Issue.record("'\(text)' was accepted")
        } catch {
            #expect(error.description.contains(part), "\(error.description)")
            #expect(!error.description.contains("hunter2"), "\(error.description)")
        }
    }
}
