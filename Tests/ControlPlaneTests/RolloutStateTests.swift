internal import FoundationEssentials
internal import GRPCWire
internal import Messages
internal import Rollouts
internal import Serving
internal import StateStores
internal import Testing
internal import TrafficPolicy

@testable internal import ControlPlane

/// Rollouts as part of the control state.
@Suite struct RolloutStateTests {
    /// An endpoint "e" of v1 and v2 with a rollout to v3.
    private static func started(
        _ steps: [String] = ["shadow:50%", "10%", "50%"]
    ) throws -> ControlState {
        var state = ControlState()
        for name in ["v1", "v2", "v3", "v4"] {
            _ = try state.createBackend(
                .init(name: name, kind: .handler(name)), registered: ["v1", "v2", "v3", "v4"])
        }
        _ = try state.createEndpoint("e", route: "/x.Y/", backend: "v1")
        _ = try state.setTraffic("e", [("v1", 0.75), ("v2", 0.25)])
        _ = try state.startRollout(
            "e", .init(candidate: "v3", steps: steps), id: 7, author: "ann", at: Date())
        return state
    }

    private static func advance(_ state: inout ControlState) throws {
        _ = try state.decide("e") { (machine) throws(ControlError) in
            try? machine.advance(by: "ann")
        }
    }

    private static func weights(_ state: ControlState) -> [String: Double] {
        let pairs = state.endpoints["e"]?.weights.weights.map { ($0.backend, $0.weight) } ?? []
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    private static func error(_ body: () throws -> Void) -> ControlError? {
        do {
            try body()
            return nil
        } catch {
            return error as? ControlError
        }
    }

    @Test("A step sets the shadow, then the weights in proportion to those before")
    func steps() throws {
        var state = try Self.started()
        #expect(state.endpoints["e"]?.shadows.map(\.backend) == ["v3"])
        #expect(Self.weights(state) == ["v1": 0.75, "v2": 0.25])
        try Self.advance(&state)
        #expect(state.endpoints["e"]?.shadows.isEmpty == true)
        #expect(abs(try #require(Self.weights(state)["v3"]) - 0.1) < 1e-9)
        #expect(abs(try #require(Self.weights(state)["v1"]) - 0.675) < 1e-9)
    }

    @Test("An abort at any step returns all keys to their backends")
    func aborts() throws {
        for count in 0..<4 {
            var state = try Self.started()
            let map = try #require(state.endpoints["e"]).map.intervals
            for _ in 0..<count { try Self.advance(&state) }
            _ = try state.decide("e") { (machine) throws(ControlError) in
                try? machine.abort(by: "ann")
            }
            let endpoint = try #require(state.endpoints["e"])
            #expect(endpoint.map.intervals == map && endpoint.shadows.isEmpty)
            #expect(Self.weights(state) == ["v1": 0.75, "v2": 0.25])
            #expect(endpoint.rollout?.machine.state.phase == .aborted)
        }
    }

    @Test("A running rollout rejects other changes, and each error names it")
    func rejects() throws {
        let state = try Self.started()
        let changes: [(inout ControlState) throws -> Void] = [
            { _ = try $0.setTraffic("e", [("v1", 1)]) },
            { _ = try $0.setShadow("e", backend: "v3", proportion: 1) },
            { try $0.deleteEndpoint("e") },
            {
                _ = try $0.startRollout(
                    "e", .init(candidate: "v4", steps: ["10%"]), id: 8, author: "bob", at: Date())
            },
        ]
        for change in changes {
            var next = state
            let error = try #require(Self.error { try change(&next) })
            #expect(error.code == .failedPrecondition)
            #expect(error.message.contains("endpoint 'e': a rollout to 'v3' is running"))
        }
        var whole = state
        for _ in 0..<3 { try Self.advance(&whole) }
        #expect(Self.weights(whole) == ["v3": 1])
        #expect(Self.error { try whole.deleteBackend("v1") }?.message.contains("rollout") == true)
    }

    @Test("An override of the weights pauses the rollout, which keeps them")
    func overrides() throws {
        var state = try Self.started()
        _ = try state.setTraffic("e", [("v1", 0.5), ("v3", 0.5)], overriding: "bob")
        let machine = try #require(state.endpoints["e"]?.rollout).machine
        #expect(machine.state.pause == .otherChange && machine.state.reason.contains("bob"))
        _ = try state.decide("e") { (machine) throws(ControlError) in
            var tick = RolloutMachine.Tick(elapsed: .seconds(1))
            tick.failure = "errors<2x"
            return machine.tick(tick)
        }
        #expect(Self.weights(state) == ["v1": 0.5, "v3": 0.5])
    }

    @Test("A rollback ends the rollout and its shadow")
    func rollsBack() throws {
        var state = try Self.started()
        let earlier = state
        try Self.advance(&state)
        _ = try state.rollBack(to: earlier, only: "e", by: "bob")
        let endpoint = try #require(state.endpoints["e"])
        #expect(endpoint.rollout?.machine.state.phase == .aborted)
        #expect(endpoint.shadows.isEmpty)
        #expect(Self.weights(state) == ["v1": 0.75, "v2": 0.25])
    }

    @Test("A configuration leaves the weights and the shadow of a rollout unchanged")
    func applies() throws {
        var state = try Self.started()
        try Self.advance(&state)
        let before = Self.weights(state)
        let handlers = ["v1", "v2", "v3", "v4"].map {
            ControlState.Backend(name: $0, kind: .handler($0))
        }
        func configuration(_ endpoints: [ControlState.Configuration.Endpoint])
            -> ControlState.Configuration
        {
            .init(backends: handlers, endpoints: endpoints)
        }
        try state.replaceContent(
            with: configuration([
                .init(
                    name: "e", route: "/x.Z/", weights: [("v1", 1)], shadows: [],
                    comparison: .init(), rateLimit: nil, methods: .all, cors: nil,
                    httpShardKey: nil)
            ]), registered: ["v1", "v2", "v3", "v4"])
        #expect(Self.weights(state) == before)
        #expect(state.endpoints["e"]?.route.description == "/x.Z/")
        #expect(
            Self.error {
                try state.replaceContent(
                    with: configuration([]), registered: ["v1", "v2", "v3", "v4"])
            }?.message.contains("rollout") == true)
    }

    @Test(
        "An invalid start names the field",
        arguments: [
            ("v9", ["10%"], "plan.candidate"), ("v1", ["10%"], "already receives 75%"),
            ("v3", [], "plan.steps"), ("v3", ["0%"], "plan.steps[0]"),
        ])
    func invalid(candidate: String, steps: [String], text: String) throws {
        var state = try Self.started()
        _ = try state.decide("e") { (machine) throws(ControlError) in
            try? machine.abort(by: "ann")
        }
        let error = try #require(
            Self.error {
                _ = try state.startRollout(
                    "e", .init(candidate: candidate, steps: steps), id: 9, author: "ann",
                    at: Date())
            })
        #expect(error.message.contains(text))
    }

    @Test("A stored rollout is read unchanged, with its evidence")
    func stores() throws {
        var state = try Self.started()
        try Self.advance(&state)
        let gates = RolloutEvidence(try #require(state.endpoints["e"]?.rollout).plan).stored
        state.endpoints["e"]?.rollout?.gates = gates
        let rollout = try #require(state.endpoints["e"]?.rollout)
        let read = try ControlState.Rollout(
            Weir_Store_V1_Rollout(
                serializedBytes: Weir_Store_V1_Rollout(rollout).serializedBytes()))
        #expect(read.machine == rollout.machine && read.gates == gates && read.id == 7)
        #expect(read.baseline == rollout.baseline && read.decisions == rollout.decisions)
    }

    @Test("An invalid stored rollout is rejected")
    func rejectsStored() throws {
        let stored = Weir_Store_V1_Rollout(
            try #require(try Self.started().endpoints["e"]?.rollout))
        let changes: [(inout Weir_Store_V1_Rollout) -> Void] = [
            { $0.plan = nil }, { $0.baseline = [] }, { $0.phase = .unspecified },
            { $0.step = 99 }, { $0.pause = "x" }, { $0.inPhase = .init(seconds: -1) },
            { $0.started = .init(seconds: .max) }, { $0.abortPosition = .max },
        ]
        for change in changes {
            var message = stored
            change(&message)
            #expect(throws: UnreadableState.self) { try ControlState.Rollout(message) }
        }
    }
}
