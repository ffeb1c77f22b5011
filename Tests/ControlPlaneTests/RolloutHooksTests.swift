internal import Messages
internal import Rollouts
internal import Testing
internal import TrafficPolicy

internal import struct FoundationEssentials.Date

@testable internal import ControlPlane

@Suite("Webhooks of rollouts") struct RolloutHooksTests {
    private static let start = ContinuousClock.now

    private static func decision(_ rollout: UInt64, _ number: UInt64) throws
        -> RolloutHooks.Decision
    {
        let message = Weir_Admin_V1_RolloutPlan(candidate: "v2", steps: ["10%"])
        var stored = ControlState.Rollout(
            id: rollout, request: message, baseline: .init(all: "v1"), author: "ann",
            started: .distantPast, machine: RolloutMachine(try RolloutPlan(message)))
        stored.decisions = number
        return .init(stored)
    }

    @Test("A decision is confirmed once all webhooks were called")
    func confirms() throws {
        var hooks = RolloutHooks()
        let decision = try Self.decision(1, 3)
        let result1 = hooks.begins(decision, of: "e", now: Self.start)
        #expect(result1)
        let result2 = hooks.begins(decision, of: "e", now: Self.start + .seconds(1_000))
        #expect(!result2)
        #expect(!hooks.hasConfirmed(decision, of: "e"))
        hooks.ended(decision, of: "e", failure: nil, now: Self.start)
        #expect(hooks.hasConfirmed(decision, of: "e"))
        #expect(!hooks.hasConfirmed(decision, of: "f"))
        let result3 = hooks.begins(decision, of: "e", now: Self.start + .seconds(1_000))
        #expect(!result3)
    }

    @Test("A refused confirmation is asked for again after the hold time")
    func holds() throws {
        var hooks = RolloutHooks()
        let decision = try Self.decision(1, 3)
        _ = hooks.begins(decision, of: "e", now: Self.start)
        hooks.ended(decision, of: "e", failure: "status 403", now: Self.start)
        #expect(hooks.problems == ["e": "status 403"])
        #expect(!hooks.hasConfirmed(decision, of: "e"))
        let result4 = hooks.begins(decision, of: "e", now: Self.start + .seconds(29))
        #expect(!result4)
        let result5 = hooks.begins(decision, of: "e", now: Self.start + .seconds(30))
        #expect(result5)
        hooks.ended(decision, of: "e", failure: nil, now: Self.start)
        #expect(hooks.problems.isEmpty && hooks.hasConfirmed(decision, of: "e"))
    }

    @Test("The result of an earlier decision is ignored")
    func ignoresEarlier() throws {
        var hooks = RolloutHooks()
        let (first, second) = (try Self.decision(1, 3), try Self.decision(1, 4))
        _ = hooks.begins(first, of: "e", now: Self.start)
        let result6 = hooks.begins(second, of: "e", now: Self.start)
        #expect(result6)
        hooks.ended(first, of: "e", failure: nil, now: Self.start)
        #expect(!hooks.hasConfirmed(first, of: "e") && !hooks.hasConfirmed(second, of: "e"))
        hooks.removeAll()
        hooks.ended(second, of: "e", failure: nil, now: Self.start)
        #expect(!hooks.hasConfirmed(second, of: "e"))
    }

    @Test("Each decision is notified once, also the first one, but not those of an earlier server")
    func notifies() throws {
        var hooks = RolloutHooks()
        let result7 = hooks.mustNotify(try Self.decision(1, 1), of: "e")
        #expect(result7)
        let result8 = hooks.mustNotify(try Self.decision(1, 1), of: "e")
        #expect(!result8)
        let result9 = hooks.mustNotify(try Self.decision(1, 2), of: "e")
        #expect(result9)
        let result10 = hooks.mustNotify(try Self.decision(2, 1), of: "e")
        #expect(result10)
        let result11 = hooks.mustNotify(try Self.decision(3, 7), of: "f")
        #expect(!result11)
        let result12 = hooks.mustNotify(try Self.decision(3, 8), of: "f")
        #expect(result12)
        hooks.keep(["f": 3])
        let result13 = hooks.mustNotify(try Self.decision(2, 2), of: "e")
        #expect(!result13)
    }

    @Test("A rollback is notified once for each rollout")
    func notifiesRollback() {
        var hooks = RolloutHooks()
        let results = [1, 1, 2, 2, 1].map { hooks.mustNotifyRollback($0) }
        #expect(results == [true, false, true, false, false])
    }

    @Test(
        "Invalid webhooks are rejected by field",
        arguments: [
            ([("ftp://a", [.event])], "plan.webhooks[0].url"),
            ([("http://a", [.event]), ("http://u@b", [.event])], "plan.webhooks[1].url"),
            ([("http://a", [])], "plan.webhooks[0].on"),
            ([("http://a", [.event, .event])], "plan.webhooks[0].on"),
            ([("http://a", [.unspecified])], "plan.webhooks[0].on"),
            ([("http://a", [.init(rawValue: 6)])], "plan.webhooks[0].on"),
            (Array(repeating: ("http://a", [.event]), count: 9), "plan.webhooks"),
        ] as [([(String, [Weir_Admin_V1_RolloutHook])], String)])
    func rejects(webhooks: [(String, [Weir_Admin_V1_RolloutHook])], field: String) {
        let error = #expect(throws: ControlError.self) {
            try RolloutWebhook.all(webhooks.map { .init(url: $0, on: $1) })
        }
        #expect(error?.message.hasPrefix("\(field): ") == true || "\(error!)".contains(field))
    }

    @Test("A plan waits for the decisions that one of its webhooks confirms")
    func findsConfirmations() throws {
        let plan = try RolloutPlan(
            Weir_Admin_V1_RolloutPlan(
                candidate: "v2", steps: ["10%"],
                webhooks: [
                    .init(url: "http://a", on: [.confirmStep, .event]),
                    .init(url: "http://b", on: [.confirmPromotion, .rollback]),
                ]))
        #expect(plan.confirmations == [.step, .promotion])
    }
}
