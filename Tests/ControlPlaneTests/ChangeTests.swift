internal import Foundation
internal import Logging
internal import Messages
internal import Rollouts
internal import Serving
internal import StateStores
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

/// Changes that a server makes one after the other.
@Suite(.timeLimit(.minutes(1))) struct ChangeTests {
    private static let now = Date(timeIntervalSince1970: 1_800_000_000)

    /// A server whose clock stands still, with an endpoint `e` at the handler `v1` and an upstream
    /// `v2` that does not exist.
    private func withPlane(_ body: (ControlPlane) async throws -> Void) async throws {
        let log = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let dataPlane = DataPlane(loops: 1, limits: Limits(), namesBackends: true, log: log)
        var chance = Nondeterminism()
        chance.now = { Self.now }
        chance.random = { 7 }
        let plane = ControlPlane(
            dataPlane: dataPlane, handlers: [HandlerBackend("v1", services: [])], log: log,
            chance: chance)
        try await plane.start()
        do {
            try await plane.createUpstream("v2", addresses: ["127.0.0.1:1"])
            try await plane.createEndpoint("e", route: "/p.S/", backend: "v1")
            try await body(plane)
        } catch {
            Issue.record(error)
        }
        await plane.stop()
        try await dataPlane.shutDown()
    }

    private func freeze(_ plane: ControlPlane) async throws {
        _ = try await plane.setFreeze(
            .init(frozen: true, reason: "holidays", until: .init(Self.now + 60)), options: .init())
    }

    /// The upstream `v2`, served by a run of a program.
    private func backend(
        _ program: String, _ session: String, _ plane: ControlPlane
    ) throws -> ControlState.Backend {
        var backend = try #require(plane.views.current.state.backends["v2"])
        backend.lease = Lease(program: program, session: session)
        return backend
    }

    @Test("A restarted program that waited is rejected if its backend was given away meanwhile")
    func exceptionOfTheTurn() async throws {
        try await withPlane { plane in
            _ = try await plane.updateBackend(try backend("p", "1", plane), options: .init())
            try await freeze(plane)
            let (taken, restarted) = (
                try backend("q", "1", plane), try backend("p", "2", plane)
            )
            // Both changes wait for a third one.
            await plane.beginChange()
            let other = Task {
                try await plane.updateBackend(taken, options: .init(ignoresFreeze: true))
            }
            while await plane.changes.waiting.count < 1 { await Task.yield() }
            let restart = Task { try await plane.updateBackend(restarted, options: .init()) }
            while await plane.changes.waiting.count < 2 { await Task.yield() }
            await plane.endChange()
            #expect(try await other.value.lease?.program == "q")
            let error = await #expect(throws: ControlError.self) { _ = try await restart.value }
            #expect(error?.message.contains("frozen") == true)
            // The program that serves the backend may restart.
            let again = try await plane.updateBackend(
                try backend("q", "2", plane), options: .init())
            #expect(again.lease?.session == "2")
        }
    }

    @Test("A freeze allows the confirmation of weights, and no other change of them")
    func confirmsDuringFreeze() async throws {
        try await withPlane { plane in
            _ = try await plane.setTraffic(
                "e", [("v2", 1)],
                timeBox: .init(
                    isConfirmable: true, duration: .seconds(600), started: Self.now, author: "ann"))
            try await freeze(plane)
            await #expect(throws: ControlError.self) {
                _ = try await plane.setTraffic("e", [("v1", 1)])
            }
            let kept = try await plane.confirmTraffic("e", options: .init())
            #expect(kept.timeBox == nil && kept.weights.weights.first?.backend == "v2")
        }
    }

    @Test("The time and the identities of changes are those of the given clock and generator")
    func determined() async throws {
        try await withPlane { plane in
            try await freeze(plane)
            #expect(plane.views.current.freeze?.until == Self.now + 60)
            #expect(plane.views.current.history.entries.last?.record.time == Self.now)
            _ = try await plane.setFreeze(.init(), options: .init())
            let reply = try await plane.startRollout(
                "e", .init(candidate: "v2", steps: ["10%"]), options: .init())
            #expect(reply.rollout?.started == .init(Self.now))
            #expect(plane.views.current.state.endpoints["e"]?.rollout?.id == 7)
        }
    }

    @Test("An answer has the evidence that another server has stored, and the reasons against it")
    func followed() async throws {
        try await withPlane { plane in
            _ = try await plane.startRollout(
                "e", .init(candidate: "v2", steps: ["10%", "50%"]), options: .init())
            var rollout = try #require(plane.views.current.state.endpoints["e"]?.rollout)
            var counts = TickCounts()
            (counts.candidate.started, counts.candidate.unkeyed, counts.candidate.bad) = (
                99, 99, 99
            )
            (counts.baseline.started, counts.baseline.unkeyed) = (99, 99)
            var evidence = rollout.evidence
            evidence.add(counts)
            rollout.gates = evidence.stored
            let progress = Weir_Store_V1_RolloutProgress(
                rollout: .init(position: rollout), writer: "other", webhookProblem: "status 503")
            _ = try await plane.store.storeProgress(
                try progress.serializedBytes(), of: rollout.id)
            let shown = try await plane.shownRollout("e")
            #expect(shown.gates.first?.candidateBad == 99)
            #expect(shown.webhookProblem == "status 503")
            let advanced = try await plane.decideRollout(
                "e", options: .init(validateOnly: true)
            ) { (machine, _) throws(RolloutMachine.Rejection) in try machine.advance(by: "ann") }
            #expect(advanced.warnings.count == 2)
            #expect(
                advanced.warnings.first?.contains("a gate has failed, so the rollout will") == true)
            #expect(advanced.warnings.last?.contains("'v2' has no usable replica") == true)
            let paused = try await plane.decideRollout(
                "e", options: .init(validateOnly: true), lowersRisk: true
            ) { (machine, _) throws(RolloutMachine.Rejection) in try machine.pause(by: "ann") }
            #expect(paused.warnings.isEmpty)
        }
    }

    @Test(
        "The authors of the server's own changes are reserved",
        arguments: [
            ("rollout/e", true), ("traffic/e", true), ("rollout/", true), ("rollout", false),
            ("ann/rollout/e", false), ("Rollout/e", false), ("", false),
        ])
    func authors(author: String, isReserved: Bool) throws {
        let request = Weir_Admin_V1_SetTrafficRequest(note: .init(author: author))
        if isReserved {
            let error = #expect(throws: ControlError.self) {
                _ = try ControlPlane.ChangeOptions(request, author: nil, caller: "x")
            }
            #expect(error?.field == "note.author")
            #expect(throws: AccessList.Invalid.self) {
                _ = try AccessList("\(author) admin cert:dns:a.example")
            }
        } else {
            _ = try ControlPlane.ChangeOptions(request, author: nil, caller: "x")
        }
        // The name of an authenticated caller counts.
        let options = try ControlPlane.ChangeOptions(request, author: "ann", caller: "x")
        #expect(options.author == "ann")
    }
}
