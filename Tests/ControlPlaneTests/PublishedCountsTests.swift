internal import Evidence
internal import FoundationEssentials
internal import Messages
internal import Rollouts
internal import Testing

@testable internal import ControlPlane
@testable internal import Observability

/// The counts that the servers of a fleet publish for the leader.
@Suite struct PublishedCountsTests {
    private static func second(_ number: UInt64, bad: UInt64 = 1) -> CohortTable.Cohort {
        var side = SideCounts()
        (side.started, side.unkeyed, side.bad) = (100, 60, bad)
        (side.keyedBad, side.badKeys) = (2, [5, .max])
        side.statuses[3] = 4
        side.latencies.record(nanoseconds: 1_000_000, count: 99)
        return .init(second: number, candidate: side, baseline: side)
    }

    private static func running() throws -> RunningRollout {
        var state = ControlState()
        for name in ["v1", "v2"] {
            _ = try state.createBackend(
                .init(name: name, kind: .handler(name)), registered: ["v1", "v2"])
        }
        _ = try state.createEndpoint("e", route: "/x.Y/", backend: "v1")
        _ = try state.startRollout(
            "e", .init(candidate: "v2", steps: ["50%"]), id: 7, author: "ann", at: Date())
        return RunningRollout(
            try #require(state.endpoints["e"]?.rollout), weight: 0.5, now: .now, second: 10)
    }

    @Test("They are read unchanged")
    func roundTrip() throws {
        var running = try Self.running()
        running.keep(
            running.counts([Self.second(10), Self.second(11)]),
            shadow: .init(copies: 5, compared: 4, different: 3), now: .now)
        let message = Weir_Store_V1_EndpointCounts("e", running.published)
        let read = PublishedCounts(
            try Weir_Store_V1_EndpointCounts(serializedBytes: message.serializedBytes()))
        #expect(read == running.published)
        // The weight may have changed in the second in which the rollout was found.
        #expect(read.seconds.map(\.counts.weight) == [nil, 0.5])
    }

    @Test("Each second counts once, although publications repeat it")
    func once() throws {
        let server = try Self.running()
        var leader = try Self.running()
        func published(_ seconds: [UInt64], copies: UInt64 = 0) -> PublishedCounts {
            var counts = PublishedCounts(rollout: 7)
            counts.seconds = server.counts(seconds.map { Self.second($0) })
            counts.shadow.copies = copies
            return counts
        }
        let first = leader.add(published([1, 2]), of: "a")
        let again = leader.add(published([1, 2, 3], copies: 9), of: "a")
        let repeated = leader.add(published([1, 2, 3], copies: 9), of: "a")
        let other = leader.add(published([1, 2, 3]), of: "b")
        #expect([first, again, repeated, other] == [200, 109, 0, 300])
        #expect(leader.evidence.reports.first?.requests == 600)
        let foreign = leader.add(PublishedCounts(rollout: 8), of: "c")
        #expect(foreign == 0)
    }

    @Test("A publication has a bounded number of seconds")
    func bounded() throws {
        var running = try Self.running()
        for second in 0..<100 as Range<UInt64> {
            running.keep(running.counts([Self.second(second)]), shadow: nil, now: .now)
        }
        #expect(running.published.seconds.map(\.second) == [95, 96, 97, 98, 99])
    }

    @Test("Invalid counts are bounded and never trap")
    func extremes() throws {
        var message = Weir_Store_V1_SideCounts(
            started: .max, unkeyed: .max, bad: .max, keyedBad: .max,
            badKeys: Array(repeating: .max, count: 100_000),
            statuses: Array(repeating: .max, count: 20), buckets: [0, .max, 417, 418],
            bucketCounts: [.max, .max, .max, .max, .max])
        var leader = try Self.running()
        for _ in 0..<3 {
            let second = Weir_Store_V1_SecondCounts(
                second: .max, weight: .nan, candidate: message, baseline: message)
            _ = leader.add(
                PublishedCounts(
                    .init(
                        endpoint: "e", rollout: 7, seconds: Array(repeating: second, count: 9),
                        copies: .max, compared: .max, different: .max, badOnlyAtShadow: .max,
                        badOnlyAtPrimary: .max)), of: "a")
            message.started = 0
        }
        #expect(!leader.evidence.logFailure.isNaN)
    }
}
