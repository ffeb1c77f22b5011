internal import Foundation
internal import Messages
internal import Serving
internal import StateStores
internal import TestSupport
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

/// A history of random changes of every kind.
struct RandomHistory {
    private static let registered: Set<String> = ["h1", "h2"]

    private var random: SeededGenerator
    private(set) var history = StateHistory()
    /// The stored records.
    private(set) var records: [StoredRecord] = []
    /// The state of each revision, from 0 on.
    private(set) var states = [ControlState()]

    init(seed: UInt64, changes: Int) throws {
        random = SeededGenerator(state: seed)
        while records.count < changes { try change() }
    }

    private mutating func change() throws {
        var next = history.current
        do throws(ControlError) {
            try Self.alter(&next, &random)
        } catch {
            // Random changes are sometimes rejected.
            return
        }
        let delta = history.current.delta(to: next)
        guard !delta.isEmpty else { return }
        var record = RevisionRecord(
            revision: history.current.nextRevision, time: Date(), author: "operator",
            comment: "ä \(records.count)", summary: delta.summary(of: history.current),
            delta: delta, previousHash: history.nextPreviousHash())
        let bytes = try record.bytes(after: history.current)
        record.hash = HashChain.hash(bytes)
        history.append(record)
        records.append(.init(revision: record.revision, bytes: bytes))
        states.append(history.current)
    }

    func checkpoint(at revision: UInt64) throws -> StoredRecord {
        try #require(try history.checkpoint(at: revision))
    }

    private static func alter(
        _ state: inout ControlState, _ random: inout SeededGenerator
    ) throws(ControlError) {
        let backends = state.backends.keys.sorted()
        let endpoints = state.endpoints.keys.sorted()
        let backend = backends.randomElement(using: &random) ?? "none"
        let endpoint = endpoints.randomElement(using: &random) ?? "none"
        switch Int.random(in: 0..<20, using: &random) {
        case 0...2:
            let name = "b\(Int.random(in: 0..<8, using: &random))"
            _ = try state.createBackend(try draft(name, &random), registered: registered)
        case 3: _ = try state.updateBackend(try draft(backend, &random), registered: registered)
        case 4: try state.deleteBackend(backend)
        case 5, 6:
            let name = "e\(Int.random(in: 0..<4, using: &random))"
            _ = try state.createEndpoint(name, route: "/p.\(name)/", backend: backend)
        case 7 where endpoints.count > 2: try state.deleteEndpoint(endpoint)
        case 8, 9:
            var options = ControlState.Shadow.Options()
            options.limits.maxRequestsInFlight = Int.random(in: 1...99, using: &random)
            _ = try state.setShadow(
                endpoint, backend: backend,
                proportion: [0, 0.1, 1].randomElement(using: &random) ?? 0, options: options)
        case 10:
            var comparison = ControlState.Comparison()
            comparison.ignoredFields = ["a.b", "c"]
            comparison.tolerances = ["x": .init(absolute: 1, relative: 0.25)]
            comparison.noiseProportion = Double.random(in: 0...1, using: &random)
            _ = try state.setComparison(endpoint, comparison)
        default:
            let chosen = backends.shuffled(using: &random).prefix(
                Int.random(in: 1...4, using: &random))
            let shares = chosen.map { _ in Double.random(in: 0.01...1, using: &random) }
            let sum = shares.reduce(0, +)
            _ = try state.setTraffic(
                endpoint, zip(chosen, shares).map { ($0, $1 / sum) })
        }
    }

    private static func draft(
        _ name: String, _ random: inout SeededGenerator
    ) throws(ControlError) -> ControlState.Backend {
        var message = Weir_Admin_V1_Backend(name: name, description: "about \(name)")
        switch Int.random(in: 0..<3, using: &random) {
        case 0: message.kind = .handler(.init(handler: "h1"))
        case 1:
            message.kind = .upstream(.init(addresses: ["127.0.0.1:50051", "[::1]:2", "model:3"]))
            message.options = .init(
                retry: .init(codes: ["UNAVAILABLE"], budgetShare: 0.3),
                healthCheck: .init(interval: .init(seconds: 0)))
        default:
            message.kind = .worker(
                .init(command: ["model", "--x=y z"], replicas: 2, environment: ["A": "1"]))
        }
        if Bool.random(using: &random) {
            message.descriptorSet = sets.randomElement(using: &random) ?? []
        }
        return try ControlState.Backend(message)
    }

    /// Descriptor sets of one empty file each.
    private static let sets = (0..<4).map { number in
        let name = Array("file\(number).proto".utf8)
        let file = [0x0a, UInt8(name.count)] + name
        return [0x0a, UInt8(file.count)] + file
    }
}

@Suite(.timeLimit(.minutes(5))) struct StateHistoryTests {
    private func stored(
        _ random: RandomHistory, checkpointAt revision: UInt64? = nil
    ) throws -> StoredHistory {
        var stored = StoredHistory()
        stored.latest = UInt64(random.records.count)
        stored.records = random.records.filter { $0.revision > revision ?? 0 }
        if let revision {
            stored.checkpoint = try random.checkpoint(at: revision)
        }
        return stored
    }

    /// All relevant content, with affinity maps bit for bit.
    private func content(_ state: ControlState) -> Weir_Store_V1_Checkpoint {
        Weir_Store_V1_Checkpoint(state, HashChain())
    }

    @Test(
        "The state read from any checkpoint equals the written one, bit for bit",
        arguments: 1...4 as ClosedRange<UInt64>)
    func replays(seed: UInt64) throws {
        let random = try RandomHistory(seed: seed, changes: 250)
        for revision in [nil, 1, 100, 249, 250] as [UInt64?] {
            let again = try StateHistory(try stored(random, checkpointAt: revision))
            #expect(content(again.current) == content(random.history.current))
            for (name, endpoint) in random.history.current.endpoints {
                #expect(again.current.endpoints[name]?.map == endpoint.map)
                #expect(again.current.endpoints[name]?.history == endpoint.history)
                let (left, right) = (
                    again.current.endpoints[name]?.weights.weights ?? [], endpoint.weights.weights
                )
                #expect(left.map(\.weight.bitPattern) == right.map(\.weight.bitPattern))
            }
        }
    }

    @Test("Every kept state can be restored", arguments: 5...6 as ClosedRange<UInt64>)
    func restoresEveryState(seed: UInt64) throws {
        let random = try RandomHistory(seed: seed, changes: 120)
        for revision in stride(from: 0, through: 120, by: 7) {
            let then = try #require(random.history.state(at: UInt64(revision)))
            #expect(content(then) == content(random.states[revision]))
            #expect(then.revision == UInt64(revision))
        }
        #expect(random.history.state(at: 121) == nil)

        var short = random.history
        short.forget(upTo: 100)
        #expect(short.oldest == 100)
        #expect(short.state(at: 99) == nil)
        #expect(content(try #require(short.state(at: 100))) == content(random.states[100]))
        #expect(short.record(100) == nil)
        #expect(short.record(101)?.revision == 101)
        #expect(short.records(after: 118).map(\.revision) == [119, 120])
    }

    @Test("The history is cut by count and by age, only when enough can be cut")
    func cuts() throws {
        let random = try RandomHistory(seed: 7, changes: 200)
        var bounds = HistoryBounds()
        bounds.revisions = 150
        #expect(random.history.cut(bounds, now: Date()) == nil)
        bounds.revisions = 100
        #expect(random.history.cut(bounds, now: Date()) == 100)
        bounds.age = .seconds(3_600)
        bounds.revisions = 1_000
        #expect(random.history.cut(bounds, now: Date()) == nil)
    }

    /// A history of changes at the given times, in days.
    private func history(_ days: [Double]) -> StateHistory {
        var history = StateHistory()
        for (index, day) in days.enumerated() {
            history.append(
                RevisionRecord(
                    revision: UInt64(index + 1), time: Date(timeIntervalSince1970: day * 86_400),
                    author: "", comment: "", summary: "", delta: StateDelta()))
        }
        return history
    }

    /// One change per day from day 1000 on.
    private static let daily = (0..<150).map { 1_000 + Double($0) }

    @Test(
        "Changes are deleted by age, and a wrong clock deletes no change too early",
        arguments: [
            // The right clock; the day after; and the newest 8, which are kept at any age.
            (daily, 1_149, 52), (daily, 1_150, 52), ((0..<60).map { Double($0) }, 9_999, 0),
            // The clock is ahead while nothing, one thing and seven things are changed.
            (daily, 1_349, 52), (daily + [1_350], 1_350, 53),
            (daily + [Double](repeating: 1_350, count: 7), 1_350, 59),
            // It is right again.
            (daily + [1_350, 1_151], 1_151, 54),
            // A change of the future among those that are old enough does not keep the others.
            ([1_000, 1_001, 5_000] + (3..<150).map { 1_000 + Double($0) }, 1_149, 52),
            // The clock is behind, for one change and for the question.
            (daily + [0], 1_151, 0), (daily, 0, 0),
        ] as [([Double], Double, UInt64)])
    func limitsAges(days: [Double], now: Double, oldest: UInt64) {
        let history = history(days)
        let cut = history.cut(HistoryBounds(), now: Date(timeIntervalSince1970: now * 86_400))
        #expect(cut ?? 0 == oldest)
        #expect(history.cut(HistoryBounds(), now: nil) == nil)
    }

    @Test("A clock that was set is detected, and is trusted after an hour")
    func detectsSetClock() {
        let (wall, steady) = (Date(timeIntervalSince1970: 1e9), ContinuousClock.now)
        var clock = WallClock(wall: wall, steady: steady)
        func read(_ passed: Double, _ shown: Double) -> Double? {
            clock.read(wall: wall + shown, steady: steady + .seconds(passed))
        }
        func isSettled(_ passed: Double) -> Bool {
            clock.isSettled(at: steady + .seconds(passed))
        }
        #expect(!isSettled(3_599) && isSettled(3_600))
        #expect(read(10, 10) == nil && read(5_000, 5_059) == nil && read(5_001, 5_001) == nil)
        #expect(isSettled(5_001))
        // 200 days ahead, and back.
        #expect(read(5_002, 17_285_002) == 17_280_000)
        #expect(!isSettled(8_601) && isSettled(8_602))
        #expect(read(5_003, 17_285_003) == nil)
        #expect(read(5_004, 5_004) == -17_280_000)
        for time in [Double.infinity, -.infinity, .nan, 1e300] { _ = read(6_000, time) }
        #expect(read(6_001, 0) == nil || !isSettled(6_001))
    }

    @Test("Gaps, wrong revisions and invalid bytes are reported")
    func rejectsInvalidInput() throws {
        let random = try RandomHistory(seed: 8, changes: 10)
        var gap = try stored(random)
        gap.records.remove(at: 4)
        var swapped = try stored(random)
        swapped.records.swapAt(2, 3)
        var bytes = try stored(random)
        bytes.records[9] = .init(revision: 10, bytes: [0xff, 0xff])
        var damaged = try stored(random)
        damaged.damage = "page 7 is bad"
        for (stored, text) in [
            (gap, "revision 5 is missing"), (swapped, "revision 3 is missing"),
            (bytes, "revision 10"), (damaged, "page 7 is bad"),
        ] {
            do throws(StoreError) {
                _ = try StateHistory(stored)
                Issue.record("not refused: \(text)")
            } catch {
                #expect(error.description.contains(text), "\(error.description)")
            }
        }
    }

    @Test(
        "A new watcher receives a concurrent change once, and a slow watcher is ended with an error"
    )
    func watchesWithoutDuplicates() async throws {
        let random = try RandomHistory(seed: 10, changes: 30)
        let watchers = Watchers()
        let fromStart = try watchers.subscribe(from: 0, random.history)
        let resumed = try watchers.subscribe(from: 28, random.history)
        // The initial state already contained the thirtieth.
        let record = try #require(random.history.record(30))
        watchers.send(.change(record))
        var further = random.history
        further.append(
            RevisionRecord(
                revision: 31, time: Date(), author: "", comment: "", summary: "",
                delta: StateDelta()))
        watchers.send(.change(try #require(further.record(31))))
        watchers.endAll()
        #expect(try await fromStart.reduce(into: []) { $0.append($1.revision) } == [30, 31])
        #expect(try await resumed.reduce(into: []) { $0.append($1.revision) } == [29, 30, 31])

        for revision in [99, 31] as [UInt64] {
            #expect(throws: ControlError.self) {
                try watchers.subscribe(from: revision, random.history)
            }
        }
        let slow = try watchers.subscribe(from: 30, random.history)
        for _ in 0..<2_000 { watchers.send(.change(try #require(further.record(31)))) }
        await #expect(throws: ControlError.self) { for try await _ in slow {} }
    }

    @Test("An archive moves a whole history to another store")
    func archives() async throws {
        let random = try RandomHistory(seed: 9, changes: 60)
        let (from, to): (any StateStore, any StateStore) = (MemoryStore(), MemoryStore())
        for record in random.records { try await from.append(record) }
        try await from.checkpoint(random.checkpoint(at: 20))
        let archive = try await StateArchive(reading: from)
        #expect((archive.damage, archive.latest) == (nil, 60))
        let copy = try StateArchive(
            try Weir_Store_V1_Archive(serializedBytes: archive.message.serializedBytes()))
        try await copy.write(to: to)
        let again = try StateHistory(try await to.read(after: nil))
        #expect(content(again.current) == content(random.history.current))
        #expect(again.oldest == 20)
        #expect(again.chain == random.history.chain)
        await #expect(throws: StoreError.self) { try await copy.write(to: to) }
    }
}
