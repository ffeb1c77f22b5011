internal import Foundation
internal import Messages
internal import StateStores
internal import Testing

@testable internal import ControlPlane

@Suite struct DescriptorSetsTests {
    private static let set = Array(repeating: 7 as UInt8, count: 10_000)
    private static let other = Array(repeating: 8 as UInt8, count: 10_000)

    private func backend(_ name: String, _ set: [UInt8] = []) -> Weir_Admin_V1_Backend {
        Weir_Admin_V1_Backend(name: name, descriptorSet: set)
    }

    @Test("Each descriptor set is stored once while a backend has it")
    func storesOnce() throws {
        let steps: [([Weir_Admin_V1_Backend], Int)] = [
            ([backend("a", Self.set), backend("b", Self.set), backend("c")], 1),
            ([backend("a", Self.set)], 0),
            ([backend("c", Self.other), backend("d", Self.set)], 1), ([backend("e")], 0), ([], 0),
        ]
        var (writer, reader) = (DescriptorSets(), DescriptorSets())
        for (backends, count) in steps {
            var stored = backends
            let (new, references) = writer.extract(from: &stored)
            #expect(new.count == count)
            #expect(stored.map(\.descriptorSet) == stored.map { _ in [] })
            #expect(references.isEmpty == backends.map(\.descriptorSet).joined().isEmpty)
            try reader.restore(new, references, to: &stored)
            #expect(stored.map(\.descriptorSet) == backends.map(\.descriptorSet))
        }
    }

    @Test("References that do not match the backends, or to unknown sets, are rejected")
    func rejectsReferences() {
        for references in [[1], [0, 0], [1, 0]] as [[UInt64]] {
            var backends = [backend("a")]
            var sets = DescriptorSets()
            let error = #expect(throws: UnreadableState.self) {
                try sets.restore([], references, to: &backends)
            }
            #expect(error?.description.contains("descriptor set") == true)
        }
    }

    @Test("Revisions refer to the sets in backends of earlier versions", arguments: [true, false])
    func refersToEarlierVersions(isCheckpoint: Bool) throws {
        // One empty file.
        let set: [UInt8] = [0x0a, 0x09, 0x0a, 0x07] + Array("a.proto".utf8)
        func message(_ description: String) -> Weir_Admin_V1_Backend {
            Weir_Admin_V1_Backend(
                name: "a", kind: .upstream(.init(addresses: ["127.0.0.1:1"])),
                description: description, revision: 1, descriptorSet: set)
        }
        var stored = StoredHistory()
        if isCheckpoint {
            let checkpoint = Weir_Store_V1_Checkpoint(revision: 1, backends: [message("old")])
            stored.checkpoint = .init(revision: 1, bytes: try checkpoint.serializedBytes())
        } else {
            let revision = Weir_Store_V1_Revision(revision: 1, backends: [message("old")])
            stored.records = [.init(revision: 1, bytes: try revision.serializedBytes())]
        }
        let before = try StateHistory(stored)
        var next = before.current
        _ = try next.updateBackend(try ControlState.Backend(message("new")), registered: [])
        let record = RevisionRecord(
            revision: 2, time: Date(), author: "", comment: "", summary: "",
            delta: before.current.delta(to: next), previousHash: before.nextPreviousHash())
        let bytes = try record.bytes(after: before.current)
        #expect(try Weir_Store_V1_Revision(serializedBytes: bytes).descriptorSets == [])
        stored.records.append(.init(revision: 2, bytes: bytes))
        let after = try StateHistory(stored)
        #expect(after.current.backends["a"]?.descriptorSet == set)
        #expect(after.current.backends["a"]?.description == "new")
    }
}
