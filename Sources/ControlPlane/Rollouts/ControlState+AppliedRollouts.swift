internal import Messages
internal import TrafficPolicy

extension ControlState {
    /// Starts the rollout of a configuration unless it ran before.
    ///
    /// - Returns: why it does not start, or why the weights stay; nil if nothing of the
    ///   configuration is left undone.
    mutating func startRollout(
        _ desired: Configuration.Endpoint, by author: String, _ chance: Nondeterminism
    ) throws(ControlError) -> ConfigurationNote? {
        let endpoint = try existingEndpoint(desired.name)
        func note(_ text: String, isUndone: Bool = true) -> ConfigurationNote {
            ConfigurationNote("endpoint '\(desired.name)': \(text)", isUndone: isUndone)
        }
        let weights = try policy(desired.weights)
        let rollout = endpoint.rollout.flatMap { $0.isRunning ? $0 : nil }
        guard let plan = desired.rollout else {
            return rollout.map { rollout in
                note(
                    "its weights stay \(endpoint.weights.inWords), because a rollout to "
                        + "'\(rollout.candidate)' is running, which the configuration lacks")
            }
        }
        guard endpoint.weights != TrafficWeights(all: plan.candidate) else { return nil }
        if let rollout {
            guard rollout.request != plan else { return nil }
            return note(
                "a rollout to '\(rollout.candidate)' with another plan is running; abort it, then "
                    + "apply again")
        }
        let digest = RolloutDigest.of(plan, backends[plan.candidate])
        guard endpoint.rollout?.hasRun(plan, digest) != true else {
            return note(
                "its weights stay \(endpoint.weights.inWords), because its rollout to "
                    + "'\(plan.candidate)' has ended; to run it again, start it with StartRollout "
                    + "(weir rollout start), or change the plan or the candidate")
        }
        do throws(ControlError) {
            _ = try startRollout(
                desired.name, plan, id: chance.random(), author: author, at: chance.now())
        } catch {
            throw error.moved(from: "plan", to: "rollout")
        }
        guard weights != endpoint.weights else { return nil }
        return note(
            "its rollout starts from the present weights \(endpoint.weights.inWords); those in the "
                + "configuration count only when the endpoint is created", isUndone: false)
    }
}
