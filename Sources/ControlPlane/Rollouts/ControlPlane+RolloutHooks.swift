internal import GRPCWire
internal import Logging
internal import Messages
internal import Rollouts
internal import Transport
internal import Webhooks

internal import struct FoundationEssentials.Date

/// Calls the webhooks of rollouts.
extension ControlPlane {
    /// Rejects the webhooks of a plan that this server may not call.
    func checkWebhooks(_ plan: Weir_Admin_V1_RolloutPlan) throws(ControlError) {
        for (index, webhook) in try RolloutWebhook.all(plan.webhooks).enumerated() {
            guard let webhooks else {
                throw .rejected(
                    "this server calls no webhooks; start it with 'weir serve --webhook-secret "
                        + "FILE --webhook-host HOST'", reason: "WEBHOOKS_DISABLED", [:])
            }
            guard webhooks.allows(webhook.url) else {
                throw .invalid(
                    "plan.webhooks[\(index)].url",
                    "this server may not call \(webhook.url.address); allow the host with "
                        + "'weir serve --webhook-host'")
            }
        }
    }

    /// Whether the webhooks have confirmed the decision of a rollout that waits. Calls them if they
    /// were not.
    func isConfirmed(_ name: String, _ rollout: ControlState.Rollout) -> Bool {
        guard let needed = rollout.machine.neededConfirmation else { return false }
        let decision = RolloutHooks.Decision(rollout)
        if rolloutHooks.hasConfirmed(decision, of: name) { return true }
        guard rolloutHooks.begins(decision, of: name, now: .now) else { return false }
        let work = call(.init(needed), of: name, rollout) { control, failure in
            await control.confirmationEnded(name, decision, failure)
        }
        if let work { background.concurrent.continuation.yield(work) }
        return false
    }

    private func confirmationEnded(
        _ name: String, _ decision: RolloutHooks.Decision, _ failure: String?
    ) {
        rolloutHooks.ended(decision, of: name, failure: failure, now: .now)
        report(name, failure)
    }

    /// Notifies the receivers of events of the decisions since the last tick.
    func notifyWebhooks() {
        let rollouts = state.endpoints.compactMapValues(\.rollout)
        rolloutHooks.keep(Set(rollouts.keys))
        for (name, rollout) in rollouts {
            guard rolloutHooks.mustNotify(.init(rollout), of: name) else { continue }
            let phase = rollout.machine.state.phase
            let hooks: [Weir_Admin_V1_RolloutHook] =
                phase == .aborting || phase == .aborted ? [.rollback, .event] : [.event]
            for hook in hooks {
                let work = call(hook, of: name, rollout) { control, failure in
                    await control.notificationEnded(name, failure)
                }
                if let work { background.serial.continuation.yield(work) }
            }
        }
    }

    private func notificationEnded(_ name: String, _ failure: String?) {
        rolloutHooks.notified(name, failure: failure)
        report(name, failure)
    }

    private func report(_ name: String, _ failure: String?) {
        let problems = rolloutHooks.problems
        views.update { $0.webhookProblems = problems }
        guard let failure else { return }
        log.warning(
            "a webhook of a rollout failed",
            metadata: ["endpoint": "\(name)", "reason": "\(failure)"])
    }

    /// The work that calls the webhooks of a hook one after the other, until one fails; nil
    /// without such webhooks.
    private func call(
        _ hook: Weir_Admin_V1_RolloutHook, of name: String, _ rollout: ControlState.Rollout,
        _ ended: @escaping @Sendable (ControlPlane, String?) async -> Void
    ) -> BackgroundWork.Work? {
        guard let sender = webhooks?.sender, let endpoint = state.endpoints[name],
            let receivers = try? RolloutWebhook.all(rollout.request.webhooks)
                .filter({ $0.hooks.contains(hook) }), !receivers.isEmpty
        else { return nil }
        var evidence = RolloutEvidence(rollout.plan)
        _ = evidence.restore(rollout.gates)
        let event = Weir_Admin_V1_RolloutEvent(
            hook: hook, rollout: .init(endpoint, rollout, evidence),
            text: rollout.machine.state.reason.isEmpty
                ? rollout.machine.positionText : rollout.machine.state.reason,
            time: .init(Date()))
        guard
            let json = try? Self.adminTranscoder.json(
                from: event.serializedBytes(),
                message: Weir_Admin_V1_RolloutEvent.messageName ?? "")
        else { return nil }
        let message = WebhookMessage(
            id: "\(rollout.id.padded(16, radix: 16))-\(rollout.decisions)-\(hook.text)",
            body: Array(json.text(indent: 0).utf8))
        return { [weak self] in
            var failure: String?
            for receiver in receivers where failure == nil {
                failure = await sender.deliver(
                    message, to: receiver.url,
                    now: { Int64(Date().timeIntervalSince1970.rounded(.down)) })
            }
            if let self { await ended(self, failure) }
        }
    }
}
