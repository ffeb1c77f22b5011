internal import FoundationEssentials
internal import Messages
internal import Rollouts

@testable internal import ControlPlane

/// What servers of a fleet write about rollouts.
enum RolloutFuzz {
    /// An endpoint "e" with a rollout.
    private static let rollout: ControlState.Rollout? = {
        var state = ControlState()
        for name in ["v1", "v2"] {
            _ = try? state.createBackend(
                .init(name: name, kind: .handler(name)), registered: ["v1", "v2"])
        }
        _ = try? state.createEndpoint("e", route: "/x.Y/", backend: "v1")
        let plan = Weir_Admin_V1_RolloutPlan(
            candidate: "v2", steps: ["shadow:100%", "10%"],
            gates: ["errors<1.5x", "errors<1%", "p99<2x", "codes<2x", "ejected<2x"])
        return try? state.startRollout("e", plan, id: 7, author: "ann", at: Date()).rollout
    }()

    /// The input is the progress of the leader before, or the counts of a server.
    static func feed(_ bytes: [UInt8]) {
        guard let rollout else { preconditionFailure("the rollout starts") }
        var running = RunningRollout(rollout, weight: 0.1, now: .now, second: 10)
        let progress = try? Weir_Store_V1_RolloutProgress(serializedBytes: bytes)
        running.takeLead(from: progress, as: "own", now: .now)
        if let counts = try? Weir_Store_V1_RolloutCounts(serializedBytes: bytes) {
            for endpoint in counts.endpoints {
                running.add(.init(endpoint), of: counts.instance)
                running.add(.init(endpoint), of: "other")
            }
        }
        var machine = running.rollout.machine
        _ = machine.tick(running.tick(now: .now + .seconds(1)))
        running.ticked(machine)
        precondition(!running.evidence.logFailure.isNaN)
        guard let stored = try? running.progress(of: "own").serializedBytes() else {
            preconditionFailure("the progress can be stored")
        }
        var next = RunningRollout(rollout, weight: 0.1, now: .now, second: 10)
        next.takeLead(
            from: try? Weir_Store_V1_RolloutProgress(serializedBytes: stored), as: "next",
            now: .now)
        precondition(next.current.gates == running.current.gates)
        precondition(next.rollout.machine == running.rollout.machine)
    }
}
