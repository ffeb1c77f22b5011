internal import Foundation
internal import Messages
internal import TestSupport
internal import Testing

@testable internal import StateStores

/// Behaviour that only the etcd store has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EtcdStoreTests {
    private func open(_ location: String) async throws -> any StateStore {
        try await StoreLocation(location).open()
    }

    private func record(_ revision: UInt64) -> StoredRecord {
        StoredRecord(revision: revision, bytes: Array("revision \(revision)".utf8))
    }

    @Test("A change by one server is reported to the other, which can then read it")
    func watches() async throws {
        let etcd = try await EtcdServer()
        let location = etcd.location
        let (one, two) = (try await open(location), try await open(location))
        var events = two.events.makeAsyncIterator()
        // The first event arrives when the watch begins.
        guard case .changed = await events.next() else { return #expect(Bool(false), "no watch") }
        for revision in 1...5 as ClosedRange<UInt64> {
            try await one.append(record(revision))
            guard case .changed = await events.next() else {
                return #expect(Bool(false), "revision \(revision) was not reported")
            }
            #expect(try await two.read(after: revision - 1).latest >= revision)
        }
        await one.close()
        await two.close()
    }

    @Test("When the leader ends, another one takes over, at once or when its lease expires")
    func replacesLeader() async throws {
        let etcd = try await EtcdServer()
        let location = etcd.location
        let (one, two) = (try await open(location), try await open(location))
        try await one.announce(Array("one".utf8))
        try await two.announce(Array("two".utf8))
        #expect(await eventually { await one.isLeader })
        #expect(await !two.isLeader)
        #expect(try await two.instances().map(\.isLeader).count { $0 } == 1)
        await one.close()
        #expect(await eventually(within: .seconds(1)) { await two.isLeader })
        #expect(try await two.instances().count == 1)
        await two.close()
    }

    @Test("Only the leader keeps the progress of rollouts, also after its lease was taken over")
    func fencesProgress() async throws {
        let etcd = try await EtcdServer()
        let location = etcd.location
        let (one, two) = (try await open(location), try await open(location))
        #expect(try await !one.storeProgress([1], of: 7))
        try await one.announce(Array("one".utf8))
        try await two.announce(Array("two".utf8))
        #expect(await eventually { await one.isLeader })
        #expect(try await one.serverCount() == 2)
        #expect(try await one.storeProgress([1], of: 7))
        #expect(try await !two.storeProgress([2], of: 7))
        try await two.deleteProgress(except: [])
        #expect(try await two.progress(of: 7) == [1])
        await one.close()
        #expect(await eventually(within: .seconds(1)) { await two.isLeader })
        #expect(try await two.storeProgress([2], of: 7))
        #expect(try await two.progress(of: 7) == [2])
        // More than one transaction deletes.
        for rollout in 0..<150 as Range<UInt64> {
            _ = try await two.storeProgress([3], of: rollout)
        }
        try await two.deleteProgress(except: [3])
        #expect(try await two.progress(of: 149) == nil)
        #expect(try await two.progress(of: 3) == [3])
        await two.close()
    }

    @Test("The leader reads the counts of many servers")
    func counts() async throws {
        let etcd = try await EtcdServer()
        guard case .etcd(let location) = try StoreLocation(etcd.location) else { return }
        let store = try await EtcdStore(location)
        try await store.announce(Array("one".utf8))
        // As 150 servers would.
        for number in 0..<150 {
            let _: Etcdserverpb_PutResponse = try await store.client.call(
                "KV/Put",
                Etcdserverpb_PutRequest(
                    key: Array("\(store.keys.counts)\(number)".utf8), value: [UInt8(number)]))
        }
        #expect(try await store.publishedCounts().count == 150)
        await store.close()
    }

    @Test("A disconnected server is not the leader, and is listed again when it reconnects")
    func survivesOutages() async throws {
        let etcd = try await EtcdServer()
        let store = try await open(etcd.location)
        try await store.append(record(1))
        try await store.announce(Array("one".utf8))
        etcd.stop()
        await #expect(throws: StoreError.self) { try await store.append(record(2)) }
        await #expect(throws: StoreError.self) { try await store.probe() }
        #expect(await eventually { await !store.isLeader })
        try await etcd.start()
        #expect(await eventually { (try? await store.probe()) != nil })
        try await store.append(record(2))
        #expect(try await store.read(after: nil).records == [record(1), record(2)])
        #expect(try await eventually { try await store.instances().count == 1 })
        #expect(await eventually { await store.isLeader })
        await store.close()
    }

    @Test("Endpoints that do not answer are skipped")
    func failsOver() async throws {
        let etcd = try await EtcdServer()
        let dead = EtcdServer.freePort()
        let store = try await open(
            "etcd:http://127.0.0.1:\(dead),127.0.0.1:\(etcd.port)?prefix=\(UUID())")
        try await store.append(record(1))
        #expect(try await store.read(after: nil).records == [record(1)])
        await store.close()

        let nowhere = try await open("etcd:http://127.0.0.1:\(dead)")
        do {
            try await nowhere.append(record(1))
            Issue.record("a dead endpoint answered")
        } catch {
            #expect(error.description.contains("no etcd endpoint responds: 127.0.0.1:\(dead)"))
        }
        await nowhere.close()
    }

    @Test("A compacted watch restarts, and no change is missed")
    func survivesCompaction() async throws {
        let etcd = try await EtcdServer()
        let location = etcd.location
        let (one, two) = (try await open(location), try await open(location))
        try await one.append(record(1))
        #expect(try await two.read(after: nil).latest == 1)
        etcd.stop()
        try await etcd.start()
        for revision in 2...20 as ClosedRange<UInt64> {
            #expect(await eventually { (try? await one.append(record(revision))) != nil })
        }
        try etcd.ctl("compact", "15")
        #expect(try await two.read(after: 1).records.map(\.revision) == Array(2...20))
        await one.close()
        await two.close()
    }

    @Test("Users and passwords, and errors without them")
    func authenticates() async throws {
        let etcd = try await EtcdServer()
        try etcd.ctl("user", "add", "root:secret")
        try etcd.ctl("user", "grant-role", "root", "root")
        try etcd.ctl("auth", "enable")
        let folder = TemporaryFolder()
        let file = folder.newFile()
        try Data("secret\n".utf8).write(to: URL(fileURLWithPath: file))

        let store = try await open("\(etcd.location)&user=root&password_file=\(file)")
        try await store.append(record(1))
        try await store.announce(Array("one".utf8))
        #expect(await store.isLeader)
        await store.close()

        let stranger = try await open(etcd.location)
        do {
            try await stranger.append(record(1))
            Issue.record("a client without credentials was accepted")
        } catch {
            #expect(error.description.contains("user name is empty"), "\(error)")
        }
        await stranger.close()

        try Data("wrong".utf8).write(to: URL(fileURLWithPath: file))
        let liar = try await open("\(etcd.location)&user=root&password_file=\(file)")
        do {
            try await liar.append(record(1))
            Issue.record("a wrong password was accepted")
        } catch {
            #expect(error.description.contains("authentication failed"), "\(error)")
        }
        await liar.close()
    }

    @Test("A missing revision is detected")
    func detectsGaps() async throws {
        let etcd = try await EtcdServer()
        let store = try await open("etcd:\(etcd.endpoint)?prefix=gap")
        for revision in 1...5 as ClosedRange<UInt64> { try await store.append(record(revision)) }
        try etcd.ctl("del", "gap/v1/log/00000000000000000003")
        let history = try await store.read(after: nil)
        #expect(history.damage?.contains("revision 3 is missing") == true)
        #expect(history.records == [record(1), record(2)])
        await store.close()
    }

    @Test("A revision or a checkpoint of another history is not written")
    func comparesHistories() async throws {
        let etcd = try await EtcdServer()
        let location = etcd.location
        let store = try await open(location)
        func next(_ revision: UInt64, after hash: UInt64) -> StoredRecord {
            StoredRecord(revision: revision, bytes: record(revision).bytes, expectedHash: hash)
        }
        func hash(_ revision: UInt64) -> UInt64 { HashChain.hash(record(revision).bytes) }
        try await store.append(record(1))
        try await store.append(next(2, after: hash(1)))
        for (wrong, isForeign) in [(next(3, after: 7), true), (next(4, after: hash(2)), false)] {
            let error = await #expect(throws: StoreError.self) { try await store.append(wrong) }
            if case .foreign = error { #expect(isForeign) } else { #expect(!isForeign) }
        }
        #expect(try await store.read(after: nil).latest == 2)
        let foreign = await #expect(throws: StoreError.self) {
            try await store.checkpoint(next(1, after: 7))
        }
        guard case .foreign = foreign else {
            Issue.record("\(String(describing: foreign))")
            return
        }
        #expect(try await store.read(after: nil).checkpoint == nil)
        try await store.checkpoint(next(1, after: hash(1)))
        #expect(try await store.read(after: nil).checkpoint?.revision == 1)

        // Earlier versions of Weir write no hash, or leave the one of an earlier revision.
        guard case .etcd(let place) = try StoreLocation(location) else { return }
        let (client, keys) = (try EtcdClient(place), EtcdKeys(prefix: place.prefix))
        for value in [nil, "1 0000000000000001"] as [String?] {
            let latest = try await store.read(after: nil).latest
            let change: Etcdserverpb_RequestOp =
                value.map { .put(keys.hash, Array($0.utf8)) } ?? .delete(keys.hash)
            let _: Etcdserverpb_TxnResponse = try await client.call(
                "KV/Txn", Etcdserverpb_TxnRequest(success: [change]))
            try await store.append(next(latest + 1, after: hash(latest)))
            // From then on, hashes are compared again.
            let error = await #expect(throws: StoreError.self) {
                try await store.append(next(latest + 2, after: 7))
            }
            guard case .foreign = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        await client.close()
        await store.close()
    }
}
