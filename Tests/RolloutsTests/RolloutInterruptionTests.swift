internal import Testing

@testable internal import Rollouts

@Suite("A rollout during a freeze")
struct RolloutFreezeTests {
    /// A second of a freeze with many requests.
    private static func frozen(_ machine: inout RolloutMachine) -> RolloutMachine.Change? {
        machine.second(requests: 100) { $0.freeze = "changes are frozen by 'ann': holidays" }
    }

    @Test("gives the candidate no more requests, says why, and continues afterwards")
    func holds() throws {
        var machine = RolloutMachine(try plan())
        _ = machine.start()
        machine.run(until: .observing, step: 1)
        for _ in 0..<60 { _ = Self.frozen(&machine) }
        #expect(machine.state.phase == .observing && machine.state.step == 1)
        #expect(machine.state.shownReason == "waits: changes are frozen by 'ann': holidays")
        machine.second()
        #expect(machine.state.step == 2 && machine.state.shownReason.isEmpty)
    }

    @Test("forgets the reason when the freeze ends before the step is complete")
    func forgets() throws {
        var machine = RolloutMachine(try plan { $0.minimumRequests = 1_000 })
        _ = machine.start()
        machine.run(until: .observing)
        machine.second { $0.freeze = "frozen" }
        #expect(machine.state.phase == .observing && machine.state.shownReason.isEmpty)
    }

    @Test("holds a step that a webhook has confirmed, and then says what it waits for again")
    func holdsConfirmed() throws {
        var machine = RolloutMachine(try plan { $0.confirmations = [.step] })
        _ = machine.start()
        machine.run(until: .paused)
        machine.second {
            $0.freeze = "frozen"
            $0.isConfirmed = true
        }
        #expect(machine.state.pause == .confirmation)
        #expect(machine.state.held == "frozen" && machine.state.shownReason == "waits: frozen")
        machine.second()
        #expect(machine.state.shownReason.hasSuffix("waits for the webhook confirm-step"))
    }

    @Test("aborts when a gate fails, and ends the ramp")
    func aborts() throws {
        let ramp = try RolloutPlan.abortRamp("ramp:5%,0%/2s", field: "abort")
        var machine = RolloutMachine(try plan { $0.abortRamp = ramp })
        _ = machine.start()
        machine.run(until: .observing, step: 2)
        let change = machine.second {
            $0.freeze = "frozen"
            $0.failure = "errors<1.5x"
        }
        #expect(change != nil && machine.state.phase == .aborting)
        for _ in 0..<10 { _ = Self.frozen(&machine) }
        #expect(machine.state.phase == .aborted)
    }

    @Test("does not start when a webhook confirms it, and the bake ends")
    func startsAndEnds() throws {
        var waiting = RolloutMachine(try plan { $0.confirmations = [.start] })
        _ = waiting.start()
        let held = waiting.second {
            $0.freeze = "frozen"
            $0.isConfirmed = true
        }
        #expect(held == nil && waiting.state.phase == .pending)
        var baking = RolloutMachine(try plan())
        _ = baking.start()
        baking.run(until: .baking)
        for _ in 0..<30 { _ = Self.frozen(&baking) }
        #expect(baking.state.phase == .succeeded)
        var held5 = RolloutMachine(try plan(holdout: 0.05))
        _ = held5.start()
        held5.run(until: .baking)
        for _ in 0..<30 { _ = Self.frozen(&held5) }
        #expect(held5.state.phase == .baking)
    }
}

@Suite("A changed definition of a backend")
struct RolloutDefinitionTests {
    @Test(
        "begins the step again",
        arguments: [RolloutState.Phase.settling, .observing, .baking])
    func begins(phase: RolloutState.Phase) throws {
        var machine = RolloutMachine(try plan())
        _ = machine.start()
        machine.run(until: .observing, step: 1)
        machine.run(until: phase)
        let before = machine.state
        let weight = machine.targetWeight
        let text = "backend 'v2' was changed, so the evidence begins again"
        let change = machine.definitionChanged("backend 'v2' was changed")
        #expect(change?.text.hasPrefix(text) == true)
        #expect(change?.setsWeights == true && machine.targetWeight == weight)
        #expect(machine.state.phase == .settling && machine.state.step == before.step)
        #expect(machine.state.entry == before.entry + 1 && machine.state.requests == 0)
    }

    @Test("keeps a rollout paused that an operator must resume, and a weight that was adopted")
    func paused() throws {
        var machine = RolloutMachine(try plan())
        _ = machine.start()
        machine.run(until: .observing, step: 1)
        _ = machine.weightsChanged(by: "bob")
        _ = try machine.resume(.adopt, by: "bob", weight: 0.3)
        _ = machine.definitionChanged("x")
        #expect(machine.targetWeight == 0.3)
        _ = try machine.pause(by: "ann")
        let entry = machine.state.entry
        let change = machine.definitionChanged("x")
        #expect(change?.setsWeights == false && machine.state.pause == .operator)
        #expect(machine.state.entry == entry + 1)
        _ = try machine.resume(.plain, by: "ann", weight: 0.3)
        #expect(machine.state.phase == .settling && machine.state.inPhase == .zero)
    }

    @Test("withdraws a complete step, and concerns no rollout that compares nothing")
    func others() throws {
        var approval = RolloutMachine(try plan { $0.needsApproval = true })
        _ = approval.start()
        approval.run(until: .paused)
        let withdrawn = approval.definitionChanged("x")
        #expect(withdrawn != nil && approval.state.phase == .settling)
        let ramp = try RolloutPlan.abortRamp("ramp:5%,0%/2s", field: "abort")
        var aborting = RolloutMachine(try plan { $0.abortRamp = ramp })
        _ = aborting.start()
        aborting.run(until: .observing, step: 2)
        _ = try aborting.abort(by: "ann")
        var changes = [aborting.definitionChanged("x")]
        #expect(aborting.state.phase == .aborting)
        _ = try aborting.abort(by: "ann", isImmediate: true)
        changes.append(aborting.definitionChanged("x"))
        var pending = RolloutMachine(try plan())
        changes.append(pending.definitionChanged("x"))
        #expect(changes == [nil, nil, nil])
    }
}

@Suite("A rollout that waits for its first webhook")
struct RolloutPendingTests {
    private static func pending() throws -> RolloutMachine {
        var machine = RolloutMachine(
            try plan(["shadow:100%", "10%"], gates: []) { $0.confirmations = [.start] })
        _ = machine.start()
        #expect(machine.state.phase == .pending && machine.neededConfirmation == .start)
        return machine
    }

    @Test("can be paused, and neither starts nor calls the webhook until it is resumed")
    func pauses() throws {
        var machine = try Self.pending()
        let reason = machine.state.reason
        #expect(try machine.pause(by: "ann") != nil)
        #expect(machine.state.phase == .paused && machine.neededConfirmation == nil)
        #expect(machine.targetWeight == 0 && machine.targetShadow == 0)
        #expect(machine.definitionChanged("x") == nil)
        for _ in 0..<60 { machine.second { $0.isConfirmed = true } }
        #expect(machine.state.phase == .paused)
        #expect(RolloutMachine(machine.plan, stored: machine.state) == machine)
        _ = try machine.resume(.plain, by: "ann", weight: 0)
        #expect(machine.state.phase == .pending && machine.state.reason == reason)
        #expect(machine.neededConfirmation == .start && machine.targetShadow == 0)
        machine.second { $0.isConfirmed = true }
        #expect(machine.state.phase == .settling && machine.targetShadow == 1)
    }

    private typealias Event = (inout RolloutMachine) throws -> RolloutMachine.Change?

    @Test("while paused, can be advanced, promoted and aborted, and ends when weights change")
    func leaves() throws {
        let events: [(RolloutState.Phase, Event)] = [
            (.settling, { try $0.advance(by: "ann") }),
            (.succeeded, { try $0.promote(by: "ann") }),
            (.aborted, { try $0.abort(by: "ann") }),
            (.aborted, { $0.weightsChanged(by: "bob") }),
        ]
        for (phase, event) in events {
            var machine = try Self.pending()
            _ = try machine.pause(by: "ann")
            #expect(try event(&machine) != nil)
            #expect(
                machine.state.phase == phase && machine.state.entry == (phase == .settling ? 1 : 0))
        }
    }
}

@Suite("A rollout that ends with the present weights")
struct RolloutKeptWeightsTests {
    @Test(
        "ends in each phase in which it runs, and sets no weights",
        arguments: RolloutMachineTests.situations)
    func keeps(situation: String) throws {
        var machine = try RolloutMachineTests.machine(situation)
        guard !machine.state.isEnded else {
            #expect(throws: RolloutMachine.Rejection.self) {
                try machine.abort(by: "ann", keepsWeights: true)
            }
            return
        }
        let change = try machine.abort(by: "ann", keepsWeights: true)
        #expect(change?.setsWeights == false && machine.state.phase == .aborted)
        #expect(machine.state.reason == "ended by 'ann'; the present weights stay")
    }
}
