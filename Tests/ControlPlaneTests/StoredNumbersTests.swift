internal import Foundation
internal import Messages
internal import Serving
internal import StateStores
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

/// Any messages of a store are read as a valid state, or rejected with a reason.
@Suite(.timeLimit(.minutes(5))) struct StoredNumbersTests {
    private static let mutations = MessageMutations(
        schema: ControlPlane.schema(of: [Weir_Store_V1_StoreProto.file]))

    private static let changes = 16

    /// A history with backends and endpoints of every kind, and a checkpoint of its end.
    private static func seed() throws -> (revisions: [StoredRecord], checkpoint: [UInt8]) {
        let random = try RandomHistory(seed: 11, changes: Self.changes)
        return (random.records, try random.checkpoint(at: UInt64(changes)).bytes)
    }

    /// Uses a state as a server does.
    private func use(_ history: StateHistory) throws {
        let state = history.current
        for endpoint in state.endpoints.values {
            let policy = endpoint.policy
            for point in [0, 1, 1 << 63, .max] as [UInt64] {
                #expect(policy.backends.indices.contains(policy.choose(point)))
            }
            var random = LoopRandom(seed: 1)
            for shadow in policy.shadows.indices { _ = policy.isShadowed(shadow, using: &random) }
            // Restores earlier maps, and changes them.
            var next = state
            if let backend = state.backends.keys.sorted().first {
                for _ in 0..<2 {
                    let change = try? next.setTraffic(endpoint.name, [(backend, 1)])
                    #expect(change.map { (0...1).contains($0.movedShare) } != false)
                }
            }
            _ = state.delta(to: next).summary(of: state)
        }
        _ = Weir_Admin_V1_ListEndpointsResponse(state)
        _ = try history.checkpoint(at: state.revision)
        var again = state
        _ = try? again.rollBack(to: state)
        for now in [Date(), .distantPast, Date(timeIntervalSince1970: 1e300)] {
            if let cut = history.cut(HistoryBounds(), now: now) {
                #expect((history.oldest...state.revision).contains(cut))
            }
        }
        for revision in [0, 1, history.oldest, state.revision, .max] as [UInt64] {
            _ = history.state(at: revision)
            _ = history.record(revision).map { Weir_Admin_V1_Revision($0) }
            _ = history.records(after: revision)
        }
        var short = history
        short.forget(upTo: state.revision)
        #expect(short.oldest == state.revision)
    }

    @Test("A checkpoint with any value in any field is used, or rejected with a reason")
    func handlesCheckpoints() throws {
        let (_, checkpoint) = try Self.seed()
        var (used, refused) = (0, 0)
        Self.mutations.each(of: checkpoint, "weir.store.v1.Checkpoint") { bytes, path in
            do throws(UnreadableState) {
                let history = try HistoryDecoder(at: .read(bytes, "checkpoint")).history
                used += 1
                #expect(throws: Never.self, "\(path)") { try use(history) }
            } catch {
                refused += 1
                #expect(!error.description.isEmpty)
            }
        }
        #expect(used > 1_000 && refused > 1_000, "\(used) used, \(refused) refused")
    }

    @Test("A revision with any value in any field is used, or rejected with a reason")
    func handlesRevisions() throws {
        let (revisions, _) = try Self.seed()
        var (used, refused) = (0, 0)
        // The last revision after the others, with a backend and an endpoint changed again.
        for index in [0, revisions.count - 2, revisions.count - 1] {
            var stored = StoredHistory()
            stored.records = Array(revisions.prefix(index))
            let before = try StateHistory(stored)
            Self.mutations.each(of: revisions[index].bytes, "weir.store.v1.Revision") {
                bytes, path in
                var decoder = HistoryDecoder(after: before)
                do throws(StoreError) {
                    try decoder.append(.init(revision: UInt64(index) + 1, bytes: bytes))
                    used += 1
                    #expect(throws: Never.self, "\(path)") { try use(decoder.history) }
                } catch {
                    refused += 1
                    #expect(error.description.contains("revision"), "\(path): \(error)")
                }
            }
        }
        #expect(used > 1_000 && refused > 100, "\(used) used, \(refused) refused")
    }

    @Test("An archive with any value in any field is restored, or rejected with a reason")
    func handlesArchives() async throws {
        let random = try RandomHistory(seed: 11, changes: Self.changes)
        var archive = Weir_Store_V1_Archive(
            checkpoint: try Weir_Store_V1_Checkpoint(
                serializedBytes: random.checkpoint(at: UInt64(Self.changes - 3)).bytes))
        archive.revisions = try random.records.suffix(3).map {
            try .init(serializedBytes: $0.bytes)
        }
        var accepted: [StateArchive] = []
        var refused = 0
        let seed = try archive.serializedBytes()
        Self.mutations.each(of: seed, "weir.store.v1.Archive") {
            bytes, _ in
            guard let message = try? Weir_Store_V1_Archive(serializedBytes: bytes) else { return }
            do throws(StoreError) {
                accepted.append(try StateArchive(message))
            } catch {
                refused += 1
                #expect(error.description.contains("the archive cannot be used"))
            }
        }
        #expect(
            accepted.count > 1_000 && refused > 1_000, "\(accepted.count) used, \(refused) refused")
        for (index, archive) in accepted.enumerated() where index % 97 == 0 {
            let store = MemoryStore()
            try await archive.write(to: store)
            let history = try StateHistory(await store.read(after: nil))
            #expect(history.current.revision == archive.latest)
            #expect(try StateHistory(history.stored()).chain == history.chain)
        }
    }

    @Test("For any clock and any age, the history is cut at one of its revisions")
    func handlesClocks() throws {
        let history = try RandomHistory(seed: 12, changes: 100).history
        for seconds in [0, 1e9, -1e9, 2e11, -2e11, 1e18, -1e18, 1e300, -1e300, .infinity, .nan] {
            let now = Date(timeIntervalSince1970: seconds)
            for age in [.zero, .seconds(-1), .seconds(1), .seconds(Int64.max), .seconds(Int64.min)]
                as [Duration]
            {
                for revisions in [1, 64, 1_000_000, .max] {
                    var bounds = HistoryBounds()
                    (bounds.age, bounds.revisions) = (age, revisions)
                    if let cut = history.cut(bounds, now: now) {
                        #expect((history.oldest...history.current.revision).contains(cut))
                    }
                }
            }
        }
    }

    @Test(
        "A revision beyond the largest one is neither read nor written",
        arguments: [1 << 62, (1 << 62) + 1, 1 << 63, .max - 1, .max] as [UInt64])
    func limitsRevisions(revision: UInt64) async throws {
        let isValid = revision <= StoredRecord.maximumRevision
        let bytes = try Weir_Store_V1_Checkpoint(revision: revision).serializedBytes()
        let message = try Weir_Store_V1_Checkpoint(serializedBytes: bytes)
        let decoder = try? HistoryDecoder(at: message)
        #expect((decoder != nil) == isValid)
        let store = MemoryStore()
        let record = StoredRecord(revision: revision, bytes: bytes)
        #expect(((try? await store.checkpoint(record)) != nil) == isValid)
        if isValid {
            #expect(await store.read(after: nil).latest == revision)
            await #expect(throws: StoreError.self) {
                try await store.append(.init(revision: revision + 1, bytes: []))
            }
            #expect(try StateHistory(await store.read(after: nil)).oldest == revision)
        }
    }

    @Test("A checkpoint with the bytes of another revision is rejected")
    func comparesRevisions() throws {
        var stored = StoredHistory()
        stored.checkpoint = .init(
            revision: 5, bytes: try Weir_Store_V1_Checkpoint(revision: 6).serializedBytes())
        let error = #expect(throws: StoreError.self) { try StateHistory(stored) }
        #expect(error?.description == "the checkpoint of revision 5 contains revision 6")
    }
}
