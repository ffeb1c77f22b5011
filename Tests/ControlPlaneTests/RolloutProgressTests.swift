internal import FoundationEssentials
internal import Messages
internal import Rollouts
internal import Testing

@testable internal import ControlPlane
@testable internal import Observability

/// What the next leader continues with.
@Suite struct RolloutProgressTests {
    private static func second(_ number: UInt64, key: UInt64 = 5) -> CohortTable.Cohort {
        var side = SideCounts()
        (side.started, side.unkeyed, side.bad) = (100, 60, 3)
        (side.keyedBad, side.badKeys) = (1, [key])
        return .init(second: number, candidate: side, baseline: side)
    }

    private static func running(_ state: ControlState) throws -> RunningRollout {
        RunningRollout(
            try #require(state.endpoints["e"]?.rollout), weight: 0.5, now: .now, second: 10)
    }

    /// A leader that has counted itself and another server.
    private static func leader(_ state: ControlState) throws -> RunningRollout {
        var leader = try running(state)
        leader.takeLead(from: nil, as: "leader", now: .now)
        leader.count(
            [second(11), second(12, key: 6)], shadow: .init(copies: 50, compared: 40),
            weight: 0.5, at: 13)
        leader.add(leader.published, of: "leader")
        var other = try running(state)
        other.count([second(71)], shadow: nil, weight: 0.5, at: 72)
        leader.add(other.published, of: "other")
        var machine = leader.rollout.machine
        _ = machine.tick(leader.tick(now: .now + .seconds(2)))
        leader.ticked(machine)
        return leader
    }

    private static func stored(_ leader: RunningRollout) throws -> Weir_Store_V1_RolloutProgress {
        try .init(serializedBytes: leader.progress(of: "leader").serializedBytes())
    }

    @Test("The next leader has the same evidence and position, and counts only what is later")
    func continues() throws {
        let state = try rolloutState()
        let leader = try Self.leader(state)
        var next = try Self.running(state)
        next.takeLead(from: try Self.stored(leader), as: "next", now: .now)
        #expect(next.current.gates == leader.current.gates)
        #expect(next.rollout.machine == leader.rollout.machine)
        #expect(next.rollout.machine.state.requests == 350)
        #expect(next.rollout.machine.state.inPhase >= .seconds(1))
        // The counts that it has published before, and later ones of the server before.
        next.add(leader.published, of: "leader")
        #expect(next.current.gates == leader.current.gates)
        var later = leader
        later.count(
            [Self.second(13)], shadow: .init(copies: 51, compared: 40), weight: 0.5, at: 14)
        next.add(later.published, of: "leader")
        #expect(next.tick(now: .now).requests == 101)
        // The key counted before.
        later.add(later.published, of: "leader")
        #expect(next.current.gates == later.current.gates)
    }

    @Test("A leader that loses the lead and is the next one again keeps its evidence in memory")
    func returns() throws {
        let state = try rolloutState()
        var leader = try Self.leader(state)
        let stored = try Self.stored(leader)
        leader.count([Self.second(13)], shadow: nil, weight: 0.5, at: 14)
        leader.add(leader.published, of: "leader")
        let gates = leader.current.gates
        for progress in [stored, nil] {
            leader.yieldLead(now: .now)
            #expect(!leader.isDriven)
            leader.takeLead(from: progress, as: "leader", now: .now)
            #expect(leader.isDriven && leader.current.gates == gates)
        }
        // Another one has led meanwhile.
        var foreign = stored
        foreign.writer = "other"
        leader.takeLead(from: foreign, as: "leader", now: .now)
        #expect(leader.current.gates != gates)
        #expect(leader.published.seconds.last?.second == 13)
    }

    @Test("Progress before the latest decision gives only the keys, and unknown counts are skipped")
    func decided() throws {
        var state = try rolloutState()
        let leader = try Self.leader(state)
        let stored = try Self.stored(leader)
        _ = try state.decide("e", current: leader.current) { (machine) throws(ControlError) in
            try? machine.pause(by: "ann")
        }
        var next = try Self.running(state)
        next.takeLead(from: stored, as: "next", now: .now)
        let gates = next.current.gates
        #expect(next.evidence.storedKeys.points == [5, 6])
        next.add(leader.published, of: "leader")
        #expect(next.current.gates == gates)
        var later = leader
        later.count([Self.second(13)], shadow: nil, weight: 0.5, at: 14)
        next.add(later.published, of: "leader")
        #expect(next.current.gates != gates)
    }

    @Test("Damaged or foreign progress is ignored")
    func invalid() throws {
        let state = try rolloutState()
        let leader = try Self.leader(state)
        let changes: [(inout Weir_Store_V1_RolloutProgress) -> Void] = [
            { $0.rollout = nil }, { $0.rollout?.id = 8 }, { $0.rollout?.step = .max },
            { $0.rollout?.phase = .unspecified }, { $0.rollout?.inPhase = .init(seconds: -1) },
            { $0.rollout?.gates[0].lengths = [.max] },
            { $0.zeros = .max },
            { $0.servers = Array(repeating: .init(second: .max, copies: .max), count: 10_000) },
        ]
        for change in changes {
            var progress = try Self.stored(leader)
            change(&progress)
            var next = try Self.running(state)
            next.takeLead(from: progress, as: "next", now: .now)
            next.add(leader.published, of: "leader")
            #expect(!next.evidence.logFailure.isNaN)
            #expect(next.progress(of: "next").servers.count <= 4_097)
        }
    }

    @Test("Progress is stored after each decision and every few seconds, only by the leader")
    func times() throws {
        let now = ContinuousClock.now
        var running = try Self.running(try rolloutState())
        #expect(!running.mustStore(every: .seconds(5), now: now))
        running.takeLead(from: nil, as: "leader", now: now)
        #expect(running.mustStore(every: .seconds(5), now: now))
        running.stored(at: now)
        #expect(!running.mustStore(every: .seconds(5), now: now + .milliseconds(4_999)))
        #expect(running.mustStore(every: .seconds(5), now: now + .seconds(5)))
        var decided = running.current
        decided.decided()
        running.follow(decided)
        #expect(running.mustStore(every: .seconds(5), now: now))
    }

    @Test("A decision about a later rollout of the endpoint does not change the one before")
    func followsItsOwn() throws {
        var running = try Self.running(try rolloutState())
        var later = try #require(try rolloutState(id: 8).endpoints["e"]?.rollout)
        later.decided()
        running.follow(later)
        #expect(running.rollout.id == 7)
    }

    @Test("The progress of the largest plan with default gates is far below the bound")
    func size() throws {
        let steps = (1...31).map { "\($0)%" } + ["100%"]
        var leader = try Self.running(try rolloutState(.init(candidate: "v2", steps: steps)))
        leader.takeLead(from: nil, as: "leader", now: .now)
        for _ in 0..<32 {
            var decided = leader.current
            _ = try decided.machine.advance(by: "ann")
            decided.decided()
            leader.follow(decided)
        }
        for second in 0..<20 as Range<UInt64> {
            var cohort = Self.second(second)
            cohort.candidate.badKeys = (0..<1_000).map { $0 + second * 1_000 }
            leader.count([cohort], shadow: nil, weight: 0.5, at: second + 1)
            leader.add(leader.published, of: "leader")
        }
        let bytes = try leader.progress(of: "leader").serializedBytes().count
        #expect(bytes < 300 << 10)
    }

    @Test("Ejections count from the start of the rollout, and once")
    func ejections() throws {
        let state = try rolloutState(
            .init(candidate: "v2", steps: ["50%"], gates: ["ejected<1.2x"]))
        var leader = try Self.running(state)
        leader.takeLead(from: nil, as: "leader", now: .now)
        func bad(_ candidate: UInt64, _ baseline: UInt64) -> UInt64? {
            leader.note(
                candidate: .init(replicas: 2, ejections: candidate),
                baseline: .init(replicas: 2, ejections: baseline), weight: 0.5)
            leader.add(leader.published, of: "leader")
            return leader.evidence.reports.first?.candidateBad
        }
        #expect(bad(50, 70) == 0)
        #expect(bad(53, 70) == 3)
        #expect(bad(53, 71) == 3)
        // The backend was changed.
        #expect(bad(1, 71) == 4)
        #expect(bad(2, 0) == 5)
        #expect(leader.evidence.reports.first?.baselineBad == 1)
        let stored = try Self.stored(leader)
        var next = try Self.running(state)
        next.takeLead(from: stored, as: "next", now: .now)
        next.add(leader.published, of: "leader")
        #expect(next.evidence.reports.first?.candidateBad == 5)
    }
}
