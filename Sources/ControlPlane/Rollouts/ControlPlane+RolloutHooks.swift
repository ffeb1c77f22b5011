internal import GRPCWire
internal import Logging
internal import Messages
internal import Rollouts
internal import TrafficPolicy
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
        background.concurrent.continuation.yield(work)
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
        rolloutHooks.keep(rollouts.mapValues(\.id))
        showWebhookProblems()
        for (name, rollout) in rollouts {
            guard rolloutHooks.mustNotify(.init(rollout), of: name) else { continue }
            let reverts =
                isReverting(name, rollout) && rolloutHooks.mustNotifyRollback(rollout.id)
            for hook in reverts ? [.rollback, .event] : [.event as Weir_Admin_V1_RolloutHook] {
                guard hasReceiver(hook, rollout) else { continue }
                let work = call(hook, of: name, rollout) { control, failure in
                    await control.notificationEnded(name, rollout.id, failure)
                }
                if case .dropped = background.serial.continuation.yield(work) {
                    log.warning(
                        "too many events wait for webhooks; the oldest one is dropped",
                        metadata: ["endpoint": "\(name)"])
                }
            }
        }
    }

    /// Whether the rollout takes requests from the candidate, or has done so. One that ended with
    /// its weights reverts nothing.
    private func isReverting(_ name: String, _ rollout: ControlState.Rollout) -> Bool {
        switch rollout.machine.state.phase {
        case .aborting: true
        case .aborted:
            state.endpoints[name]?.weights.weights.contains { $0.backend == rollout.candidate }
                == false
        default: false
        }
    }

    private func notificationEnded(_ name: String, _ rollout: UInt64, _ failure: String?) {
        rolloutHooks.notified(name, of: rollout, failure: failure)
        report(name, failure)
    }

    private func showWebhookProblems() {
        let problems = rolloutHooks.problems
        guard problems != views.current.webhookProblems else { return }
        views.update { $0.webhookProblems = problems }
    }

    private func report(_ name: String, _ failure: String?) {
        showWebhookProblems()
        guard let failure else { return }
        log.warning(
            "a webhook of a rollout failed",
            metadata: ["endpoint": "\(name)", "reason": "\(failure)"])
    }

    private func hasReceiver(
        _ hook: Weir_Admin_V1_RolloutHook, _ rollout: ControlState.Rollout
    ) -> Bool {
        rollout.request.webhooks.contains { $0.on.contains(hook) }
    }

    /// The work that calls the webhooks of a hook one after the other: of a confirmation, until one
    /// fails.
    private func call(
        _ hook: Weir_Admin_V1_RolloutHook, of name: String, _ rollout: ControlState.Rollout,
        _ ended: @escaping @Sendable (ControlPlane, String?) async -> Void
    ) -> BackgroundWork.Work {
        let (settings, message) = (webhooks, webhookMessage(hook, name, rollout))
        let now = chance.now
        let receivers = (try? RolloutWebhook.all(rollout.request.webhooks)) ?? []
        let called = receivers.filter { $0.hooks.contains(hook) }
        return { [weak self] in
            var failure: String?
            for receiver in called {
                let problem = await Self.deliver(message, to: receiver.url, settings, now)
                failure = failure ?? problem
                if problem != nil, hook.isConfirmation { break }
            }
            if let self { await ended(self, failure) }
        }
    }

    /// Returns why the message was not delivered; nil if it was.
    private static func deliver(
        _ message: WebhookMessage?, to url: WebhookURL, _ settings: WebhookSettings?,
        _ now: @escaping @Sendable () -> Date
    ) async -> String? {
        // The settings may have changed since the start of the rollout.
        guard let settings else { return "this server calls no webhooks (--webhook-secret)" }
        guard settings.allows(url) else {
            return "this server may not call \(url.address) (--webhook-host)"
        }
        guard let message else { return "the event cannot be encoded" }
        return await settings.sender.deliver(
            message, to: url, now: { Int64(now().timeIntervalSince1970.rounded(.down)) })
    }

    private func webhookMessage(
        _ hook: Weir_Admin_V1_RolloutHook, _ name: String, _ rollout: ControlState.Rollout
    ) -> WebhookMessage? {
        guard let endpoint = state.endpoints[name] else { return nil }
        let reason = rollout.machine.state.shownReason
        let event = Weir_Admin_V1_RolloutEvent(
            hook: hook, rollout: .init(endpoint, rollout, rollout.evidence),
            text: reason.isEmpty ? rollout.machine.positionText : reason, time: .init(chance.now()))
        let json = try? Self.adminTranscoder.json(
            from: event.serializedBytes(), message: Weir_Admin_V1_RolloutEvent.messageName ?? "")
        guard let json else { return nil }
        return WebhookMessage(
            id: "\(rollout.id.padded(16, radix: 16))-\(rollout.decisions)-\(hook.text)",
            body: Array(json.text(indent: 0).utf8))
    }
}
