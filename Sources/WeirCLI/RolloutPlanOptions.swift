internal import ArgumentParser
internal import Foundation
internal import Messages
internal import Weir

/// The parts of a plan.
struct RolloutPlanOptions: ParsableArguments {
    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "A YAML or JSON file with the plan; '-' for standard input. Other options replace its "
                + "fields.", valueName: "file"), completion: .file())
    var file: String?

    @Option(
        help: ArgumentHelp("The backend that shall receive the requests.", valueName: "backend"),
        completion: Completion.backends)
    var to: String?

    @Option(
        help: ArgumentHelp(
            "The steps, for example shadow:100%,1%,10% (default: 1%,10%,50%,100%).",
            valueName: "list"))
    var steps: String?

    @Option(
        name: .customLong("gate"),
        help: ArgumentHelp(
            "A condition for the candidate, for example errors<1.5x. Give one option for each.",
            valueName: "gate"))
    var gates: [String] = []

    @Option(
        help: "The time at the last step before the rollout succeeds (default: 10m).",
        transform: Bounded.duration)
    var bake: Google_Protobuf_Duration?

    @Option(
        help: "The least time of a step (default: 1m).", transform: Bounded.duration)
    var minimum: Google_Protobuf_Duration?

    @Option(
        help: "The most time of a step without a decision (default: 1h).",
        transform: Bounded.duration)
    var maximum: Google_Protobuf_Duration?

    @Option(
        help: "The fewest requests at the candidate in a step (default: 100).",
        transform: Bounded.whole(0...1_000_000_000))
    var minimumRequests: UInt64?

    @Option(
        help: ArgumentHelp(
            "When a step is complete: no_objection or proof (default: no_objection).",
            valueName: "rule"))
    var require: String?

    @Option(
        help: ArgumentHelp(
            "What happens at the maximum: pause, advance or abort (default: pause).",
            valueName: "action"))
    var onInconclusive: String?

    @Option(
        help: ArgumentHelp(
            "How to revert: immediate, or for example ramp:50%,10%,0%/1m (default: immediate).",
            valueName: "ramp"))
    var abort: String?

    @Option(
        help: ArgumentHelp(
            "The share of requests, up to 50%, that moves only when the rollout succeeds.",
            valueName: "share"), transform: Bounded.share)
    var holdout: Double?

    @Flag(help: "Wait for 'weir rollout advance' after each step.")
    var approval = false

    @Option(
        name: .customLong("webhook"),
        help: ArgumentHelp(
            "Hooks and the URL to call, for example confirm-step,event=https://hooks.example.com. "
                + "Hooks: confirm-start, confirm-step, confirm-promotion, rollback, event. May be "
                + "repeated.",
            valueName: "hooks=url"),
        transform: RolloutPlanOptions.webhook)
    var webhooks: [Weir_Admin_V1_RolloutWebhook] = []

    @Sendable static func webhook(_ text: String) throws -> Weir_Admin_V1_RolloutWebhook {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        let names =
            parts.first?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            ?? []
        let values = names.compactMap { hooks[$0] }
        guard parts.count == 2, !names.isEmpty, values.count == names.count else {
            throw ValidationError(
                "use HOOK,HOOK=URL with hooks of \(hooks.keys.sorted().joined(separator: ", "))")
        }
        return Weir_Admin_V1_RolloutWebhook(url: parts[1], on: values)
    }

    @Option(
        help: "The probability that a good candidate is aborted, 0.0001 to 0.5 (default: 0.05).",
        transform: Bounded.decimal(0.0001...0.5))
    var alpha: Double?

    static let requirements: [String: Weir_Admin_V1_RolloutRequirement] = [
        "no_objection": .noObjection, "proof": .proof,
    ]
    static let actions: [String: Weir_Admin_V1_RolloutInconclusive] = [
        "pause": .pause, "advance": .advance, "abort": .abort,
    ]
    static let hooks: [String: Weir_Admin_V1_RolloutHook] = [
        "confirm-start": .confirmStart, "confirm-step": .confirmStep,
        "confirm-promotion": .confirmPromotion, "rollback": .rollback, "event": .event,
    ]

    /// The plan of the file with the given options.
    var message: Weir_Admin_V1_RolloutPlan {
        get throws {
            var plan: Weir_Admin_V1_RolloutPlan =
                try file.map { try RolloutPlanFile.plan(try YAMLFile($0)) } ?? .init()
            if let to { plan.candidate = to }
            guard !plan.candidate.isEmpty else {
                throw ValidationError("name the candidate with --to, or in a file with -f")
            }
            if let steps {
                plan.steps = steps.split(separator: ",", omittingEmptySubsequences: false)
                    .map(String.init)
            }
            if plan.steps.isEmpty { plan.steps = ["1%", "10%", "50%", "100%"] }
            if !gates.isEmpty { plan.gates = gates }
            if let bake { plan.bake = bake }
            if let minimum { plan.minimum = minimum }
            if let maximum { plan.maximum = maximum }
            if let minimumRequests { plan.minimumRequests = minimumRequests }
            if let require {
                guard let rule = Self.requirements[require] else {
                    throw ValidationError("--require: use no_objection or proof")
                }
                plan.require = rule
            }
            if let onInconclusive {
                guard let action = Self.actions[onInconclusive] else {
                    throw ValidationError("--on-inconclusive: use pause, advance or abort")
                }
                plan.onInconclusive = action
            }
            if let abort { plan.abort = abort }
            if let holdout {
                plan.holdout = holdout
            }
            if approval { plan.approval = true }
            if !webhooks.isEmpty { plan.webhooks = webhooks }
            if let alpha { plan.alpha = alpha }
            return plan
        }
    }
}
