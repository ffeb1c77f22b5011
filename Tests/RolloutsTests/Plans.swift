@testable internal import Rollouts

/// A plan of `shadow:100%`, `10%`, `50%` and `100%` with short times.
func plan(
    _ steps: [String] = ["shadow:100%", "10%", "50%", "100%"], gates: [String] = [],
    holdout: Double = 0, _ change: (inout RolloutPlan) -> Void = { _ in }
) throws(PlanError) -> RolloutPlan {
    var plan = try RolloutPlan(candidate: "v2", steps: steps, gates: gates, holdout: holdout)
    plan.bake = .seconds(20)
    plan.minimum = .seconds(5)
    plan.maximum = .seconds(50)
    plan.minimumRequests = 10
    change(&plan)
    return try plan.checked()
}

extension RolloutMachine {
    /// A second with requests at the candidate.
    @discardableResult
    mutating func second(
        requests: UInt64 = 5, _ change: (inout Tick) -> Void = { _ in }
    ) -> Change? {
        var tick = Tick(elapsed: .seconds(1), requests: requests)
        change(&tick)
        return self.tick(tick)
    }

    /// Seconds until the phase is reached; at most 1,000.
    mutating func run(
        until phase: RolloutState.Phase, step: Int? = nil, requests: UInt64 = 5
    ) {
        for _ in 0..<1_000 where state.phase != phase || state.step != step ?? state.step {
            second(requests: requests)
        }
    }
}
