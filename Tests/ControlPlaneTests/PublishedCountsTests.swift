internal import Evidence
internal import FoundationEssentials
internal import Messages
internal import Rollouts
internal import Testing

@testable internal import ControlPlane
@testable internal import Observability

/// A state with an endpoint "e" of v1 and a rollout to v2.
func rolloutState(
    _ plan: Weir_Admin_V1_RolloutPlan = .init(candidate: "v2", steps: ["50%"]), id: UInt64 = 7
) throws -> ControlState {
    var state = ControlState()
    for name in ["v1", "v2"] {
        _ = try state.createBackend(
            .init(name: name, kind: .handler(name)), registered: ["v1", "v2"])
    }
    _ = try state.createEndpoint("e", route: "/x.Y/", backend: "v1")
    _ = try state.startRollout("e", plan, id: id, author: "ann", at: Date())
    return state
}

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

    /// A rollout of endpoint "e" on a server that has counted nothing.
    private static func running(isDriven: Bool = false) throws -> RunningRollout {
        var running = RunningRollout(
            try #require(try rolloutState().endpoints["e"]?.rollout), weight: 0.5, now: .now,
            second: 10)
        if isDriven { running.takeLead(from: nil, as: "leader", now: .now) }
        return running
    }

    private static func published(
        _ seconds: [UInt64], copies: UInt64 = 0
    ) throws -> PublishedCounts {
        var server = try running()
        server.count(
            seconds.map { second($0) }, shadow: .init(copies: copies), weight: 0.5, at: 20)
        return server.published
    }

    @Test("They are read unchanged")
    func roundTrip() throws {
        var running = try Self.running()
        var method = Self.second(11)
        method.method = "/x.Y/Z"
        running.count(
            [Self.second(10), Self.second(11), method],
            shadow: .init(copies: 5, compared: 4, different: 3), weight: 0.5, at: 12)
        let message = Weir_Store_V1_EndpointCounts("e", running.published)
        let read = PublishedCounts(
            try Weir_Store_V1_EndpointCounts(serializedBytes: message.serializedBytes()))
        #expect(read == running.published)
        // The weight may have changed in the second in which the rollout was found.
        #expect(read.seconds.map(\.counts.weight) == [nil, 0.5, 0.5])
        #expect(read.seconds.map(\.entry) == [0, 1, 1])
        #expect(read.seconds.map(\.counts.method) == ["", "", "/x.Y/Z"])
    }

    @Test("Each second counts once, although publications repeat it")
    func once() throws {
        var leader = try Self.running(isDriven: true)
        func requests() -> UInt64 {
            leader.tick(now: .now).requests
        }
        leader.add(try Self.published([11, 12]), of: "a")
        #expect(requests() == 200)
        for _ in 0..<2 { leader.add(try Self.published([11, 12, 13], copies: 9), of: "a") }
        #expect(requests() == 109)
        leader.add(try Self.published([11, 12, 13]), of: "b")
        #expect(requests() == 300)
        #expect(leader.evidence.reports.first?.requests == 600)
        leader.add(PublishedCounts(rollout: 8), of: "c")
        #expect(requests() == 0)
    }

    @Test("Seconds before the step are evidence, and not requests of the step")
    func earlierSeconds() throws {
        var leader = try Self.running(isDriven: true)
        leader.add(try Self.published([9, 10, 11]), of: "a")
        #expect(leader.tick(now: .now).requests == 100)
        #expect(leader.evidence.reports.first?.requests == 300)
    }

    @Test("The seconds that wait for the longest request are all kept when they arrive at once")
    func longRequest() throws {
        var running = try Self.running()
        let seconds = (100...100 + CohortTable.maxHorizon).map { Self.second($0) }
        running.count(seconds, shadow: nil, weight: 0.5, at: 101 + CohortTable.maxHorizon)
        #expect(running.published.seconds.count == seconds.count)
    }

    @Test("A publication has a bounded number of seconds, counts and keys")
    func bounded() throws {
        var running = try Self.running()
        for second in 0..<100 as Range<UInt64> {
            running.count([Self.second(second)], shadow: nil, weight: 0.5, at: second)
        }
        #expect(
            running.published.seconds.map(\.second)
                == Array((100 - PublishedCounts.maxSeconds)..<100))
        var counts = PublishedCounts(rollout: 7)
        var tick = TickCounts()
        tick.candidate.badKeys = (0..<10_000).map { UInt64($0) }
        tick.baseline.badKeys = (5_000..<5_100).map { UInt64($0) }
        counts.add(Array(repeating: .init(second: 1, counts: tick), count: 400))
        #expect(counts.seconds.count == PublishedCounts.maxCounts)
        let thinned = try #require(counts.seconds.last).counts
        #expect((500...PublishedCounts.maxKeys).contains(thinned.candidate.badKeys.count))
        // Both sides keep the same part of the keys.
        #expect(thinned.baseline.badKeys.allSatisfy(thinned.candidate.badKeys.contains))
        #expect(thinned.baseline.badKeys.count < 50)
    }

    @Test("A publication of many endpoints is bounded, and all endpoints are published in turn")
    func rotates() throws {
        var counts = PublishedCounts(rollout: 7)
        var side = SideCounts()
        side.badKeys = Array(0..<1_000)
        for bucket in 0..<400 { side.latencies.add(.max, toBucket: bucket) }
        var tick = TickCounts()
        (tick.candidate, tick.baseline) = (side, side)
        for second in 0..<15 as Range<UInt64> { counts.add([.init(second: second, counts: tick)]) }
        let endpoints = (0..<100).map { (endpoint: "e\($0)", counts: counts) }
        var seen: Set<String> = []
        var first = 0
        for _ in 0..<100 {
            let encoded = try #require(PublishedCounts.encoded(endpoints, of: "a", from: first))
            #expect(encoded.bytes.count <= PublishedCounts.maxBytes + 10_000)
            let message = try Weir_Store_V1_RolloutCounts(serializedBytes: encoded.bytes)
            seen.formUnion(message.endpoints.map(\.endpoint))
            first = encoded.next
        }
        #expect(seen.count == 100)
        let few = try #require(
            PublishedCounts.encoded([("e", .init(rollout: 7))], of: "a", from: 0))
        #expect(few.next == 0)
    }

    @Test(
        "A fleet writes at most 200 publications a second",
        arguments: [(0, 1), (1, 1), (200, 1), (201, 2), (1_000, 5), (1_001, 6)])
    func intervals(servers: Int, seconds: Int) {
        #expect(ControlPlane.publicationInterval(servers: servers) == .seconds(seconds))
        #expect(ControlPlane.progressInterval(rollouts: 100) == .seconds(5))
        #expect(ControlPlane.progressInterval(rollouts: 1_000) == .seconds(50))
    }

    @Test("Invalid counts are bounded and never trap")
    func extremes() throws {
        var message = Weir_Store_V1_SideCounts(
            started: .max, unkeyed: .max, bad: .max, keyedBad: .max,
            badKeys: Array(repeating: .max, count: 100_000),
            statuses: Array(repeating: .max, count: 20), buckets: [0, .max, 417, 418],
            bucketCounts: [.max, .max, .max, .max, .max])
        var leader = try Self.running(isDriven: true)
        for _ in 0..<3 {
            let second = Weir_Store_V1_SecondCounts(
                second: .max, weight: .nan, candidate: message, baseline: message)
            leader.add(
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
