internal import Testing

@testable internal import Rollouts

@Suite("A rollout")
struct RolloutMachineTests {
    private static func started(
        _ change: (inout RolloutPlan) -> Void = { _ in }
    ) throws -> RolloutMachine {
        var machine = RolloutMachine(try plan(gates: [], change))
        #expect(machine.start() != nil)
        return machine
    }

    /// The machine in each phase, and paused for each reason.
    static let situations = [
        "pending", "settling", "observing", "baking", "no_traffic", "no_replica", "approval",
        "confirmation", "inconclusive", "operator", "other_change", "aborting", "aborted",
        "succeeded",
    ]

    static func machine(_ situation: String) throws -> RolloutMachine {
        let ramp = try RolloutPlan.abortRamp("ramp:30%,5%,0%/10s", field: "abort")
        var machine = RolloutMachine(
            try plan {
                $0.abortRamp = ramp
                $0.needsApproval = situation == "approval"
                $0.confirmations = situation == "confirmation" ? [.step] : []
                $0.requirement = situation == "inconclusive" ? .proof : .noObjection
            })
        if situation == "pending" { return machine }
        _ = machine.start()
        switch situation {
        case "observing", "no_traffic", "operator", "other_change", "aborting", "no_replica":
            if situation != "no_traffic" { machine.run(until: .observing, step: 2) }
        case "baking": machine.run(until: .baking)
        case "approval", "confirmation", "inconclusive": machine.run(until: .paused)
        case "succeeded": machine.run(until: .succeeded)
        default: break
        }
        switch situation {
        case "no_traffic": machine.run(until: .paused, requests: 0)
        case "no_replica": machine.second { $0.isCandidateUsable = false }
        case "operator": _ = try machine.pause(by: "ann")
        case "other_change": _ = machine.weightsChanged(by: "bob")
        case "aborting": machine.second { $0.failure = "errors<2x" }
        case "aborted": _ = try machine.abort(by: "ann", isImmediate: true)
        default: break
        }
        let expected = machine.state.pause?.rawValue ?? machine.state.phase.rawValue
        #expect(expected == situation)
        return machine
    }

    @Test("passes through its steps, bakes and succeeds")
    func succeeds() throws {
        var machine = try Self.started()
        var path: [String] = []
        for _ in 0..<200 where !machine.state.isEnded {
            let position =
                "\(machine.state.phase) \(machine.targetShadow) \(machine.targetWeight)"
            if path.last != position { path.append(position) }
            machine.second()
        }
        #expect(
            path == [
                "settling 1.0 0.0", "observing 1.0 0.0", "settling 0.0 0.1", "observing 0.0 0.1",
                "settling 0.0 0.5", "observing 0.0 0.5", "settling 0.0 1.0", "baking 0.0 1.0",
            ])
        #expect(machine.state.phase == .succeeded && machine.targetWeight == 1)
        #expect(machine.second() == nil)
    }

    @Test("observes the last step if a holdout is left, and promotes it at the end")
    func holdout() throws {
        var machine = RolloutMachine(try plan(holdout: 0.05))
        _ = machine.start()
        machine.run(until: .observing, step: 3)
        #expect(machine.targetWeight == 0.95)
        machine.run(until: .baking)
        #expect(machine.targetWeight == 0.95)
        machine.run(until: .succeeded)
        #expect(machine.targetWeight == 1)
    }

    @Test("aborts if a gate fails, at once or by a ramp that never raises the weight")
    func aborts() throws {
        var machine = try Self.started()
        machine.run(until: .observing, step: 2)
        let change = machine.second { $0.failure = "errors<2x" }
        #expect(change?.text.contains("errors<2x") == true)
        #expect(machine.state.phase == .aborted && machine.targetWeight == 0)

        var ramped = try Self.machine("aborting")
        var weights = [ramped.targetWeight]
        for _ in 0..<60 where !ramped.state.isEnded {
            ramped.second()
            if weights.last != ramped.targetWeight { weights.append(ramped.targetWeight) }
        }
        #expect(weights == [0.3, 0.05, 0])
        #expect(ramped.state.phase == .aborted && ramped.state.reason.contains("errors<2x"))
        var early = RolloutMachine(ramped.plan)
        _ = early.start()
        early.run(until: .observing, step: 1)
        early.second { $0.failure = "x" }
        #expect(early.state.phase == .aborting && early.targetWeight == 0.05)
    }

    @Test("waits in the ramp for a replica of the baseline")
    func rampWaits() throws {
        var machine = try Self.machine("aborting")
        for _ in 0..<100 { machine.second { $0.isBaselineUsable = false } }
        #expect(machine.targetWeight == 0.3)
        machine.second()
        #expect(machine.targetWeight == 0.05)
    }

    @Test("pauses without traffic and resumes by itself; no traffic never fails it")
    func noTraffic() throws {
        var machine = try Self.machine("no_traffic")
        for _ in 0..<10_000 { #expect(machine.second(requests: 0) == nil) }
        #expect(machine.state.pause == .noTraffic && machine.targetShadow == 1)
        #expect(machine.second(requests: 1) != nil)
        #expect(machine.state.phase == .observing)
        machine.run(until: .succeeded)
        #expect(machine.state.phase == .succeeded)
    }

    @Test("pauses without a usable replica and resumes with one")
    func noReplica() throws {
        var machine = try Self.machine("no_replica")
        #expect(machine.second { $0.isCandidateUsable = false } == nil)
        machine.second()
        #expect(machine.state.phase == .observing)
    }

    @Test("requires proof if it is requested, and otherwise is inconclusive")
    func proof() throws {
        for onInconclusive in RolloutPlan.Inconclusive.allCases {
            var machine = try Self.started {
                $0.requirement = .proof
                $0.onInconclusive = onInconclusive
            }
            machine.run(until: .observing)
            for _ in 0..<50 { machine.second() }
            switch onInconclusive {
            case .pause: #expect(machine.state.pause == .inconclusive)
            case .advance: #expect(machine.state.step == 1)
            case .abort: #expect(machine.state.phase == .aborted)
            }
        }
        var machine = try Self.started { $0.requirement = .proof }
        machine.run(until: .observing)
        for _ in 0..<10 { machine.second { $0.isProven = true } }
        #expect(machine.state.step == 1)
    }

    @Test("does not advance with fewer requests than the minimum")
    func minimumRequests() throws {
        var machine = try Self.started { $0.minimumRequests = 1_000 }
        machine.run(until: .observing)
        for _ in 0..<49 { machine.second() }
        #expect(machine.state.phase == .observing && machine.state.step == 0)
        machine.second(requests: .max)
        #expect(machine.state.step == 1)
        var overflowing = try Self.started { $0.minimumRequests = 1_000_000_000 }
        for _ in 0..<3 { overflowing.second(requests: .max) }
        #expect(overflowing.state.requests == .max)
    }

    @Test("counts no time of a clock that is set, and no time without a server")
    func clocks() throws {
        var machine = try Self.started()
        machine.run(until: .observing)
        let before = machine.state.inPhase
        for elapsed in [.seconds(-3_600), .zero, .seconds(-Int64.max)] as [Duration] {
            _ = machine.tick(.init(elapsed: elapsed, requests: 1))
        }
        #expect(machine.state.inPhase == before)
        machine.run(until: .baking)
        _ = machine.tick(.init(elapsed: .seconds(1_000_000), requests: 1))
        #expect(machine.state.phase == .baking)
        #expect(machine.state.inPhase <= RolloutMachine.longestTick + .seconds(1))
    }

    @Test("pauses for another actor's change in every phase, and never overrides it")
    func otherChange() throws {
        for situation in Self.situations {
            var machine = try Self.machine(situation)
            let before = machine
            let change = machine.weightsChanged(by: "bob")
            switch situation {
            case "pending", "aborted", "succeeded", "other_change":
                #expect(change == nil && machine == before)
            case "aborting": #expect(machine.state.phase == .aborted)
            default:
                #expect(machine.state.pause == .otherChange)
                for _ in 0..<100 {
                    #expect(machine.second { $0.failure = "errors<2x" } == nil)
                }
                #expect(throws: RolloutMachine.Rejection.self) {
                    try machine.resume(.plain, by: "ann", weight: 0.3)
                }
                #expect(throws: RolloutMachine.Rejection.self) { try machine.advance(by: "ann") }
            }
        }
    }

    @Test("adopts or restores the weights of another actor")
    func adopts() throws {
        var adopted = try Self.machine("other_change")
        #expect(try adopted.resume(.adopt, by: "ann", weight: 0.2) != nil)
        #expect(adopted.state.step == 1 && adopted.targetWeight == 0.2)
        adopted.run(until: .settling, step: 2)
        #expect(adopted.targetWeight == 0.5)
        var restored = try Self.machine("other_change")
        #expect(try restored.resume(.restore, by: "ann", weight: 0.2) != nil)
        #expect(restored.state.step == 2 && restored.targetWeight == 0.5)
        #expect(restored.state.phase == .settling)
    }

    @Test("stays paused while an operator has paused it, even if a gate fails")
    func operatorPause() throws {
        var machine = try Self.machine("operator")
        for _ in 0..<100 { #expect(machine.second { $0.failure = "errors<2x" } == nil) }
        let inPhase = machine.state.inPhase
        #expect(try machine.resume(.plain, by: "ann", weight: 0.5) != nil)
        #expect(machine.state.phase == .observing && machine.state.inPhase == inPhase)
        machine.second { $0.failure = "errors<2x" }
        #expect(machine.state.phase == .aborting)
    }

    @Test("aborts in an automatic pause if a gate fails", arguments: ["no_traffic", "approval"])
    func abortsInPause(situation: String) throws {
        var machine = try Self.machine(situation)
        machine.second(requests: 0) { $0.failure = "errors<2x" }
        #expect(machine.state.phase == .aborting || machine.state.phase == .aborted)
    }

    /// The phase, or the pause, after each operator's event; "-" if it is rejected.
    @Test(
        "accepts the events of operators by this table",
        arguments: [
            // situation, pause, resume, advance, promote, abort, superseded
            ("pending", "-", "-", "-", "succeeded", "aborted", "aborted"),
            ("settling", "operator", "-", "settling", "succeeded", "aborted", "aborted"),
            ("observing", "operator", "-", "settling", "succeeded", "aborting", "aborted"),
            ("baking", "operator", "-", "succeeded", "succeeded", "aborting", "aborted"),
            ("no_traffic", "operator", "observing", "settling", "succeeded", "aborted", "aborted"),
            ("no_replica", "operator", "observing", "settling", "succeeded", "aborting", "aborted"),
            ("approval", "operator", "-", "settling", "succeeded", "aborted", "aborted"),
            ("confirmation", "operator", "-", "settling", "succeeded", "aborted", "aborted"),
            (
                "inconclusive", "operator", "observing", "settling", "succeeded", "aborted",
                "aborted"
            ),
            ("operator", "operator", "observing", "settling", "succeeded", "aborting", "aborted"),
            ("other_change", "other_change", "-", "-", "succeeded", "aborting", "aborted"),
            ("aborting", "-", "-", "-", "-", "aborting", "aborted"),
            ("aborted", "-", "-", "-", "-", "-", "aborted"),
            ("succeeded", "-", "-", "-", "-", "-", "succeeded"),
        ] as [(String, String, String, String, String, String, String)])
    func operators(
        row: (
            situation: String, pause: String, resume: String, advance: String, promote: String,
            abort: String, superseded: String
        )
    ) throws {
        func after(_ event: (inout RolloutMachine) throws -> Void) throws -> String {
            var machine = try Self.machine(row.situation)
            let before = machine
            do {
                try event(&machine)
            } catch is RolloutMachine.Rejection {
                #expect(machine == before)
                return "-"
            }
            return machine.state.pause?.rawValue ?? machine.state.phase.rawValue
        }
        #expect(try after { _ = try $0.pause(by: "ann") } == row.pause)
        #expect(try after { _ = try $0.resume(.plain, by: "ann", weight: 0) } == row.resume)
        #expect(try after { _ = try $0.advance(by: "ann") } == row.advance)
        #expect(try after { _ = try $0.promote(by: "ann") } == row.promote)
        #expect(try after { _ = try $0.abort(by: "ann") } == row.abort)
        #expect(try after { _ = $0.superseded("rolled back") } == row.superseded)
    }

    @Test(
        "waits for the webhooks of a decision",
        arguments: [
            ([], []), ([.start], ["confirm-start"]),
            ([.step], ["confirm-step", "confirm-step"]), ([.promotion], ["confirm-promotion"]),
            (
                [.start, .step, .promotion],
                ["confirm-start", "confirm-step", "confirm-step", "confirm-promotion"]
            ),
        ] as [(Set<RolloutPlan.Confirmation>, [String])])
    func confirmations(kinds: Set<RolloutPlan.Confirmation>, expected: [String]) throws {
        var machine = try Self.started { $0.confirmations = kinds }
        var waits: [String] = []
        for _ in 0..<1_000 where !machine.state.isEnded {
            guard let needed = machine.neededConfirmation else {
                machine.second { $0.isConfirmed = true }
                continue
            }
            waits.append(needed.rawValue)
            let (weight, step) = (machine.targetWeight, machine.state.step)
            #expect(machine.state.reason.contains(needed.rawValue))
            for _ in 0..<100 { #expect(machine.second() == nil) }
            #expect(machine.targetWeight == weight && machine.state.step == step)
            let change = machine.second { $0.isConfirmed = true }
            #expect(change?.text.hasPrefix("confirmed by the webhook: ") == true)
        }
        #expect(waits == expected)
        #expect(machine.state.phase == .succeeded)
    }

    @Test("begins without the webhook if an operator advances it, and ends if weights change")
    func pendingConfirmation() throws {
        let waiting = try Self.started { $0.confirmations = [.start] }
        #expect(waiting.state.phase == .pending && waiting.targetWeight == 0)
        var advanced = waiting
        #expect(try advanced.advance(by: "ann")?.text.contains("'ann'") == true)
        #expect(advanced.state.phase == .settling)
        var changed = waiting
        #expect(changed.weightsChanged(by: "bob")?.setsWeights == false)
        #expect(changed.state.phase == .aborted && changed.state.reason.contains("'bob'"))
        let restored = try #require(RolloutMachine(waiting.plan, stored: waiting.state))
        #expect(restored.neededConfirmation == .start)
    }

    @Test("continues from its stored state in every situation", arguments: situations)
    func stores(situation: String) throws {
        let machine = try Self.machine(situation)
        var restored = try #require(RolloutMachine(machine.plan, stored: machine.state))
        #expect(restored == machine)
        var original = machine
        for _ in 0..<100 { #expect(restored.second() == original.second()) }
        #expect(restored == original)
    }

    @Test("rejects a stored state that does not belong to the plan")
    func rejects() throws {
        let machine = try Self.started()
        let changes: [(inout RolloutState) -> Void] = [
            { $0.step = 4 }, { $0.step = -1 }, { $0.phase = .paused }, { $0.pause = .approval },
            { $0.pausedPhase = .observing }, { $0.abortPosition = 1 }, { $0.abortPosition = -1 },
            { $0.inPhase = .seconds(-1) }, { $0.quiet = .seconds(-1) },
            { $0.adoptedWeight = .nan }, { $0.adoptedWeight = 1.1 },
            { ($0.phase, $0.pause, $0.pausedPhase) = (.paused, .operator, .aborted) },
        ]
        for change in changes {
            var state = machine.state
            change(&state)
            #expect(RolloutMachine(machine.plan, stored: state) == nil)
        }
    }
}
