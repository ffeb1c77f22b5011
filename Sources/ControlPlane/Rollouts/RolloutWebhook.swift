internal import GRPCWire
internal import Messages
internal import Rollouts
internal import Webhooks

/// A receiver of a rollout's events, as its plan names it.
struct RolloutWebhook: Sendable {
    static let maxWebhooks = 8

    let url: WebhookURL
    let hooks: Set<Weir_Admin_V1_RolloutHook>

    /// Checks the webhooks of a plan.
    static func all(
        _ messages: [Weir_Admin_V1_RolloutWebhook]
    ) throws(ControlError) -> [RolloutWebhook] {
        guard messages.count <= maxWebhooks else {
            throw .invalid(
                "plan.webhooks", "has \(messages.count) entries; use at most \(maxWebhooks)")
        }
        var webhooks: [RolloutWebhook] = []
        for (index, message) in messages.enumerated() {
            webhooks.append(try RolloutWebhook(message, "plan.webhooks[\(index)]"))
        }
        return webhooks
    }

    private init(
        _ message: Weir_Admin_V1_RolloutWebhook, _ field: String
    ) throws(ControlError) {
        do throws(WebhookURL.Invalid) {
            url = try WebhookURL(message.url)
        } catch {
            throw .invalid("\(field).url", error.description)
        }
        hooks = Set(message.on)
        guard !hooks.isEmpty, hooks.count == message.on.count else {
            throw .invalid("\(field).on", "name each hook once, for example CONFIRM_STEP")
        }
        guard hooks.isSubset(of: Weir_Admin_V1_RolloutHook.known) else {
            throw .invalid(
                "\(field).on",
                "unknown hook; use CONFIRM_START, CONFIRM_STEP, CONFIRM_PROMOTION, ROLLBACK or "
                    + "EVENT")
        }
    }
}

extension Weir_Admin_V1_RolloutHook {
    static let known: Set<Self> = [
        .confirmStart, .confirmStep, .confirmPromotion, .rollback, .event,
    ]

    var isConfirmation: Bool { self != .rollback && self != .event }

    init(_ confirmation: RolloutPlan.Confirmation) {
        self =
            switch confirmation {
            case .start: .confirmStart
            case .step: .confirmStep
            case .promotion: .confirmPromotion
            }
    }

    /// As in URLs' options and message ids: `confirm-step`.
    var text: String {
        switch self {
        case .confirmStart: RolloutPlan.Confirmation.start.rawValue
        case .confirmStep: RolloutPlan.Confirmation.step.rawValue
        case .confirmPromotion: RolloutPlan.Confirmation.promotion.rawValue
        case .rollback: "rollback"
        default: "event"
        }
    }
}

extension RolloutPlan {
    /// The decisions that webhooks confirm.
    static func confirmations(_ webhooks: [RolloutWebhook]) -> Set<Confirmation> {
        Set(
            Confirmation.allCases.filter { confirmation in
                webhooks.contains { $0.hooks.contains(.init(confirmation)) }
            })
    }
}
