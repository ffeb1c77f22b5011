internal import FoundationEssentials
internal import Messages
internal import Rollouts
internal import Serving
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

/// Rollouts in configurations.
@Suite struct AppliedRolloutTests {
    private static let registered: Set<String> = ["v1", "v2", "v3"]

    private static func configuration(
        _ plan: Weir_Admin_V1_RolloutPlan? = .init(candidate: "v2", steps: ["10%", "50%"]),
        weights: [(String, Double)] = [("v1", 1)], address: String = "127.0.0.1:1"
    ) throws -> ControlState.Configuration {
        try .init(
            .init(
                backends: [
                    .init(name: "v1", kind: .upstream(.init(addresses: ["127.0.0.1:9"]))),
                    .init(name: "v2", kind: .upstream(.init(addresses: [address]))),
                    .init(name: "v3", kind: .upstream(.init(addresses: ["127.0.0.1:3"]))),
                ],
                endpoints: [
                    .init(
                        name: "e", route: "/x.Y/",
                        weights: Dictionary(uniqueKeysWithValues: weights), rollout: plan)
                ]))
    }

    /// - Returns: the notes of the answer.
    private static func apply(
        _ configuration: ControlState.Configuration, to state: inout ControlState
    ) throws -> [String] {
        try noting(configuration, to: &state).map(\.text)
    }

    /// - Returns: what differs from the configuration, and whether it stays undone.
    private static func noting(
        _ configuration: ControlState.Configuration, to state: inout ControlState
    ) throws -> [ConfigurationNote] {
        var next = state
        let notes = try next.replaceContent(with: configuration, registered: registered, by: "ann")
        let delta = state.delta(to: next)
        if !delta.isEmpty { _ = state.apply(delta) }
        return notes
    }

    private static func decide(
        _ state: inout ControlState,
        _ event: (inout RolloutMachine) throws -> RolloutMachine.Change?
    ) throws {
        var next = state
        _ = try next.decide("e") { (machine) throws(ControlError) in try? event(&machine) }
        _ = state.apply(state.delta(to: next))
    }

    private static func share(_ state: ControlState, _ backend: String = "v2") -> Double {
        state.endpoints["e"]?.weights.weights.first { $0.backend == backend }?.weight ?? 0
    }

    private static func id(_ state: ControlState) -> UInt64? { state.endpoints["e"]?.rollout?.id }

    @Test("A new rollout starts, and the same file changes nothing while it runs")
    func starts() throws {
        var state = ControlState()
        #expect(try Self.apply(Self.configuration(), to: &state) == [])
        #expect(abs(Self.share(state) - 0.1) < 1e-9)
        #expect(state.endpoints["e"]?.rollout?.author == "ann")
        let (revision, id) = (state.revision, Self.id(state))
        #expect(try Self.apply(Self.configuration(), to: &state) == [])
        #expect(state.revision == revision && Self.id(state) == id)
    }

    @Test("An aborted candidate does not start again until the plan or the candidate changes")
    func aborted() throws {
        var state = ControlState()
        _ = try Self.apply(Self.configuration(), to: &state)
        let id = Self.id(state)
        try Self.decide(&state) { try $0.abort(by: "bob") }
        for _ in 0..<2 {
            let notes = try Self.apply(Self.configuration(), to: &state)
            #expect(notes.count == 1 && notes[0].contains("its rollout to 'v2' has ended"))
            #expect(Self.id(state) == id && Self.share(state) == 0)
        }
        // Another candidate, and then the first one again.
        let other = Weir_Admin_V1_RolloutPlan(candidate: "v3", steps: ["10%"])
        #expect(try Self.apply(Self.configuration(other), to: &state) == [])
        #expect(Self.share(state, "v3") > 0)
        try Self.decide(&state) { try $0.abort(by: "bob") }
        #expect(try Self.apply(Self.configuration(), to: &state).count == 1)
        #expect(Self.share(state) == 0)
        // Another program under the same name.
        #expect(try Self.apply(Self.configuration(address: "127.0.0.1:2"), to: &state) == [])
        #expect(Self.share(state) > 0)
    }

    @Test("A file that is applied again does not undo a rollout that succeeded")
    func succeeded() throws {
        var state = ControlState()
        _ = try Self.apply(Self.configuration(), to: &state)
        try Self.decide(&state) { try $0.promote(by: "bob") }
        #expect(Self.share(state) == 1)
        let revision = state.revision
        #expect(try Self.apply(Self.configuration(), to: &state) == [])
        #expect(Self.share(state) == 1 && state.revision == revision)
        // The next release starts from the present weights, whatever the file contains.
        let next = Weir_Admin_V1_RolloutPlan(candidate: "v3", steps: ["10%"])
        let notes = try Self.apply(Self.configuration(next), to: &state)
        #expect(notes.count == 1 && notes[0].contains("starts from the present weights v2=1"))
        #expect(abs(Self.share(state) - 0.9) < 1e-9)
    }

    @Test("A rollout that runs otherwise or has ended without success leaves the file undone")
    func undone() throws {
        var state = ControlState()
        let other = Weir_Admin_V1_RolloutPlan(candidate: "v2", steps: ["20%", "50%"])
        #expect(try Self.noting(Self.configuration(), to: &state) == [])
        // The same weights, but another plan, and no rollout.
        #expect(try Self.noting(Self.configuration(other), to: &state).map(\.isUndone) == [true])
        let present = [("v1", 0.9), ("v2", 0.1)]
        let without = try Self.noting(Self.configuration(nil, weights: present), to: &state)
        #expect(without.map(\.isUndone) == [true])
        try Self.decide(&state) { try $0.abort(by: "bob", keepsWeights: true) }
        #expect(abs(Self.share(state) - 0.1) < 1e-9)
        #expect(try Self.noting(Self.configuration(), to: &state).map(\.isUndone) == [true])
        // A rollout that starts is a change, not a difference that stays.
        let next = Weir_Admin_V1_RolloutPlan(candidate: "v3", steps: ["10%"])
        #expect(
            try Self.noting(Self.configuration(next), to: &state).map(\.isUndone) == [false])
        try Self.decide(&state) { try $0.promote(by: "bob") }
        #expect(try Self.noting(Self.configuration(next), to: &state) == [])
    }

    @Test("A rollout that ends with its weights keeps no shadow")
    func keptWeights() throws {
        var state = ControlState()
        let plan = Weir_Admin_V1_RolloutPlan(candidate: "v2", steps: ["shadow:50%", "10%"])
        _ = try Self.apply(Self.configuration(plan), to: &state)
        #expect(state.endpoints["e"]?.shadows.count == 1)
        try Self.decide(&state) { try $0.abort(by: "bob", keepsWeights: true) }
        #expect(state.endpoints["e"]?.shadows.isEmpty == true && Self.share(state) == 0)
    }

    @Test("A rollout knows the revision that started it, also after later decisions")
    func startedRevision() throws {
        var state = ControlState()
        _ = try Self.apply(Self.configuration(), to: &state)
        let started = state.revision
        try Self.decide(&state) { try $0.advance(by: "bob") }
        let rollout = try #require(state.endpoints["e"]?.rollout)
        #expect(rollout.startedRevision == started && state.revision > started)
        let stored = try ControlState.Rollout(Weir_Store_V1_Rollout(rollout))
        #expect(stored.startedRevision == started)
        let endpoint = try #require(state.endpoints["e"])
        #expect(Weir_Admin_V1_Rollout(endpoint, stored, nil).startedRevision == started)
    }

    @Test("The history lists the decisions of a rollout by whatever they were made")
    func decisions() throws {
        var history = StateHistory()
        func record(_ author: String, _ change: (inout ControlState) throws -> Void) throws {
            var next = history.current
            try change(&next)
            let delta = history.current.delta(to: next)
            history.append(
                RevisionRecord(
                    revision: history.current.nextRevision, time: Date(), author: author,
                    comment: "", summary: "", delta: delta))
        }
        try record("ann") { _ = try Self.apply(to: &$0, Self.configuration(nil)) }
        try record("ci") { _ = try Self.apply(to: &$0, Self.configuration()) }
        // A forged author, and a change of the endpoint without a decision.
        try record("rollout/e") {
            _ = try $0.createBackend(.init(name: "h", kind: .handler("h")), registered: ["h"])
        }
        try record("bob") { _ = try $0.setRateLimit("e", .init(requestsPerSecond: 1, burst: 1)) }
        let first = try #require(history.state(at: 1))
        try record("bob") { _ = try $0.rollBack(to: first) }
        #expect(
            history.entries.map { $0.decides(rolloutOf: "e") } == [false, true, false, false, true])
        var view = ControlPlane.View()
        view.history = history
        let listed = view.revisions(before: 0, limit: 0, rolloutsOf: "e").revisions
        #expect(listed.map(\.revision) == [5, 2] && listed.map(\.author) == ["bob", "ci"])
        #expect(
            view.revisions(before: 5, limit: 1, rolloutsOf: "e").revisions.map(\.revision) == [2])
        #expect(view.revisions(before: 0, limit: 0, rolloutsOf: "x").revisions.isEmpty)
        // All changes of the endpoint, with its weights.
        let changes = view.revisions(before: 0, limit: 0, of: "e").revisions
        #expect(changes.map(\.revision) == [5, 4, 2, 1])
        #expect(changes.allSatisfy { $0.weights.map(\.weight).reduce(0, +) == 1 })
        #expect(view.revisions(before: 5, limit: 1, of: "e").revisions.map(\.revision) == [4])
        #expect(view.revisions(before: 0, limit: 0, of: "x").revisions.isEmpty)
        #expect(view.revisions(before: 0, limit: 0).revisions.flatMap(\.weights).isEmpty)
    }

    private static func apply(
        to state: inout ControlState, _ configuration: ControlState.Configuration
    ) throws {
        _ = try state.replaceContent(with: configuration, registered: registered, by: "ann")
    }

    @Test("The answer says that a running rollout keeps its weights")
    func running() throws {
        var state = ControlState()
        _ = try Self.apply(Self.configuration(), to: &state)
        let id = Self.id(state)
        let without = try Self.apply(Self.configuration(nil), to: &state)
        #expect(without.count == 1 && without[0].contains("because a rollout to 'v2' is running"))
        let other = Weir_Admin_V1_RolloutPlan(candidate: "v3", steps: ["10%"])
        let notes = try Self.apply(Self.configuration(other), to: &state)
        #expect(notes.count == 1 && notes[0].contains("with another plan is running"))
        #expect(Self.id(state) == id && abs(Self.share(state) - 0.1) < 1e-9)
    }

    @Test("An export contains a running rollout, and has the same effect on an empty server")
    func exports() throws {
        var state = ControlState()
        let plan = Weir_Admin_V1_RolloutPlan(candidate: "v2", steps: ["shadow:50%", "10%"])
        _ = try Self.apply(Self.configuration(plan), to: &state)
        for step in 0..<2 {
            let exported = try ControlState.Configuration(
                Weir_Admin_V1_Configuration(state, secrets: .revealed))
            #expect(exported.endpoints.first?.rollout == plan)
            #expect(exported.endpoints.first?.shadows.isEmpty == true)
            var same = state
            #expect(try Self.apply(exported, to: &same) == [])
            #expect(same.revision == state.revision)
            var empty = ControlState()
            _ = try Self.apply(exported, to: &empty)
            #expect(empty.endpoints["e"]?.rollout?.request == plan)
            #expect(empty.endpoints["e"]?.rollout?.baseline == TrafficWeights(all: "v1"))
            if step == 0 { try Self.decide(&state) { try $0.advance(by: "bob") } }
        }
        try Self.decide(&state) { try $0.abort(by: "bob") }
        let ended = try Weir_Admin_V1_Configuration(state, secrets: .revealed)
        #expect(ended.endpoints.first?.rollout == nil)
    }

    @Test("An invalid plan is rejected with its place")
    func invalid() throws {
        for (plan, place) in [
            (
                Weir_Admin_V1_RolloutPlan(candidate: "v2"),
                "configuration.endpoints[0].rollout.steps"
            ),
            (
                .init(candidate: "v9", steps: ["10%"]),
                "configuration.endpoints[0].rollout.candidate"
            ),
            (
                .init(candidate: "v2", steps: ["10%"], alpha: .nan),
                "configuration.endpoints[0].rollout.alpha"
            ),
        ] {
            var state = ControlState()
            let error = #expect(throws: ControlError.self) {
                _ = try Self.apply(Self.configuration(plan), to: &state)
            }
            #expect(error?.message.hasPrefix(place) == true)
        }
    }

    @Test("A changed definition begins the evidence again, and a description does not")
    func definitions() throws {
        var state = ControlState()
        _ = try Self.apply(Self.configuration(), to: &state)
        let rollout = try #require(state.endpoints["e"]?.rollout)
        #expect(rollout.definitions == state.definitions(of: rollout) && rollout.definitions > 0)
        state.backends["v2"]?.description = "the second one"
        #expect(rollout.definitions == state.definitions(of: rollout))
        _ = try Self.apply(Self.configuration(address: "127.0.0.1:2"), to: &state)
        #expect(rollout.definitions != state.definitions(of: rollout))
        var current = rollout
        var evidence = current.evidence
        var counts = TickCounts()
        (counts.candidate.started, counts.candidate.unkeyed, counts.candidate.bad) = (9, 9, 9)
        counts.baseline.started = 9
        counts.baseline.unkeyed = 9
        evidence.add(counts)
        current.gates = evidence.stored
        var next = state
        _ = try next.decide("e", current: current) { (machine) throws(ControlError) in
            machine.definitionChanged("backend 'v2' was changed")
        }
        let after = try #require(next.endpoints["e"]?.rollout)
        #expect(after.evidence.reports.allSatisfy { $0.requests == 0 })
        #expect(after.definitions == next.definitions(of: after))
        #expect(after.evidenceEntry == after.machine.state.entry)
        // The rollout in the file is the one that runs.
        #expect(
            try Self.apply(Self.configuration(address: "127.0.0.1:2"), to: &next) == [])
    }
}
