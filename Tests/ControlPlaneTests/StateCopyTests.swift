internal import Foundation
internal import StateStores
internal import TestSupport
internal import Testing

@testable internal import ControlPlane

/// The copy of a state in etcd on the disk of a server.
@Suite(.timeLimit(.minutes(5))) struct StateCopyTests {
    private let temporary = TemporaryFolder()
    /// A folder that does not exist yet.
    private var folder: String { temporary.path + "/copies" }

    private func open(prefix: String = "weir") async throws -> StateCopy {
        let location = try StoreLocation("etcd:http://127.0.0.1:1?prefix=\(prefix)")
        return try #require(try await StateCopy.open(of: location, in: folder))
    }

    @Test("The file name is derived from the prefix, and unique")
    func names() {
        let long = String(repeating: "x", count: 101)
        let names = ["weir", "a/b", "a%2fb", "a_b-1", "ä", "", "..", long, long + "y"]
            .map(StateCopy.fileName(prefix:))
        #expect(
            names.prefix(7) == [
                "etcd-weir.db", "etcd-a%2fb.db", "etcd-a%252fb.db", "etcd-a_b-1.db",
                "etcd-%c3%a4.db", "etcd-.db", "etcd-%2e%2e.db",
            ])
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { name in name.utf8.count < 140 && !name.contains("/") })
    }

    @Test("Only a state that several servers share has a copy")
    func copiesSharedStates() async throws {
        for store in ["memory:", "sqlite:/tmp/none.db"] {
            let copy = try await StateCopy.open(of: StoreLocation(store), in: folder)
            #expect(copy == nil)
        }
        #expect(!FileManager.default.fileExists(atPath: folder))
    }

    @Test("A copy follows a history: revision by revision, past a cut, and to another history")
    func follows() async throws {
        let random = try RandomHistory(seed: 41, changes: 60)
        let copy = try await open()
        var (history, chain) = (StateHistory(), nil as HashChain?)
        for (index, record) in random.records.enumerated() {
            var decoder = HistoryDecoder(after: history)
            try decoder.append(record)
            history = decoder.history
            if index == 40 { history.forget(upTo: 30) }
            // Not after each revision.
            guard index % 3 == 0 else { continue }
            try await copy.store.follow(history, after: chain)
            chain = history.chain
            let copied = try StateHistory(try await copy.store.read(after: nil))
            #expect(copied.chain.latestHash == history.chain.latestHash)
        }
        // Calls with unknown revisions.
        for stale in [nil, HashChain(), history.chain] as [HashChain?] {
            try await copy.store.follow(random.history, after: stale)
            let copied = try StateHistory(try await copy.store.read(after: nil))
            #expect(copied.chain.latestHash == random.history.chain.latestHash)
        }
        let other = try RandomHistory(seed: 42, changes: 10).history
        try await copy.store.follow(other, after: random.history.chain)
        #expect(try StateHistory(try await copy.store.read(after: nil)).chain == other.chain)
        await copy.store.close()
    }

    @Test("A damaged copy is moved aside")
    func movesDamageAside() async throws {
        let random = try RandomHistory(seed: 41, changes: 20)
        var copy = try await open()
        #expect(copy.warnings == [])
        try await copy.store.follow(random.history, after: nil)
        await copy.store.close()
        let file = "\(folder)/etcd-weir.db"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        for index in bytes.indices.dropFirst(4_096) { bytes[index] ^= 0xff }
        try bytes.write(to: URL(fileURLWithPath: file))
        copy = try await open()
        #expect(copy.warnings.count == 1)
        #expect(copy.warnings[0].contains("etcd-weir.db.damaged'"), "\(copy.warnings)")
        #expect(try Data(contentsOf: URL(fileURLWithPath: file + ".damaged")) == bytes)
        try await copy.store.follow(random.history, after: nil)
        await copy.store.close()
        copy = try await open()
        #expect(copy.warnings == [])
        let copied = try StateHistory(try await copy.store.read(after: nil))
        #expect(copied.chain == random.history.chain)
        await copy.store.close()
    }
}
