internal import Foundation
internal import Messages

/// Rollouts as text.
enum RolloutText {
    /// Whether only an operator can continue the rollout, or it has ended.
    static func waitsForOperator(_ rollout: Weir_Admin_V1_Rollout) -> Bool {
        switch rollout.phase {
        case .aborted, .succeeded: true
        case .paused: !["no_traffic", "no_replica", "confirmation"].contains(rollout.pause)
        default: false
        }
    }

    static func phase(_ phase: Weir_Admin_V1_RolloutPhase) -> String {
        switch phase {
        case .pending: "pending"
        case .settling: "settling"
        case .observing: "observing"
        case .baking: "baking"
        case .paused: "paused"
        case .aborting: "aborting"
        case .aborted: "aborted"
        case .succeeded: "succeeded"
        default: "unknown"
        }
    }

    /// `observing step 2 of 4 (10%)`
    static func position(_ rollout: Weir_Admin_V1_Rollout) -> String {
        let steps = rollout.plan?.steps ?? []
        let step = Int(rollout.step)
        let text = steps.indices.contains(step) ? " (\(steps[step]))" : ""
        let reason = rollout.reason.isEmpty ? "" : ": \(rollout.reason)"
        return "\(phase(rollout.phase)), step \(step + 1) of \(steps.count)\(text)\(reason)"
    }

    static func table(_ rollouts: [Weir_Admin_V1_Rollout]) -> TerminalText {
        var table = Table([
            ("ENDPOINT", .left), ("CANDIDATE", .left), ("PHASE", .left), ("STEP", .right),
            ("WEIGHT", .right), ("REASON", .left),
        ])
        for rollout in rollouts {
            table.add([
                rollout.endpoint, rollout.plan?.candidate ?? "", phase(rollout.phase),
                "\(rollout.step + 1)/\(rollout.plan?.steps.count ?? 0)",
                Style.percent(rollout.weight), rollout.reason,
            ])
        }
        return table.text
    }

    /// The steps, the position and the gates of a rollout.
    static func page(_ rollout: Weir_Admin_V1_Rollout) -> TerminalText {
        let plan = rollout.plan ?? .init()
        let isBad = rollout.phase == .aborted || rollout.phase == .aborting
        let steps = plan.steps.enumerated().map { index, step in
            let name: TerminalText = "\(step)"
            return index == Int(rollout.step)
                ? Style.bold("[\(name)]")
                : index < Int(rollout.step) ? Style.green(name) : Style.dim(name)
        }
        let head: TerminalText =
            "\(Style.bold("\(rollout.endpoint)")) to \(Style.bold("\(plan.candidate)"))  "
        let line = head + Style.verdict("\(position(rollout))", isBad: isBad)
        let traffic: TerminalText =
            "candidate \(Style.percent(rollout.weight)) \(Style.bar(rollout.weight))"
            + "  \(rollout.requests) requests in this step"
            + (rollout.shadow > 0 ? ", shadow \(Style.percent(rollout.shadow))" : "")
        let evidence: TerminalText =
            "evidence against the candidate: \(number(exp(min(rollout.logFailure, 40))))"
            + " of \(number(exp(min(rollout.logThreshold, 40))))"
        let owner: TerminalText =
            if rollout.phase == .aborted || rollout.phase == .succeeded {
                "rollout ended"
            } else if rollout.pause == "other_change" {
                "weights changed by another actor"
            } else {
                "weights owned by the rollout"
            }
        let origin: TerminalText =
            ", started \(Style.time(rollout.started)) by \(rollout.author), revision "
            + "\(rollout.revision)"
        return line + "\n" + steps.joined(separator: " > ") + "\n" + traffic + "\n"
            + gates(rollout.gates, threshold: rollout.logThreshold) + "\n" + evidence + "\n"
            + Style.dim(owner + origin)
            + (rollout.webhookProblem.isEmpty
                ? "" : "\nwebhook: " + Style.verdict("\(rollout.webhookProblem)", isBad: true))
    }

    private static func gates(
        _ gates: [Weir_Admin_V1_RolloutGate], threshold: Double
    ) -> TerminalText {
        var table = Table([
            ("GATE", .left), ("RATIO", .right), ("INTERVAL", .left), ("1/16x to 16x", .left),
            ("BAD", .right), ("BASELINE BAD", .right), ("REQUESTS", .right), ("PROOF", .right),
        ])
        for gate in gates {
            let interval = gate.ratio.map { "\(ratio($0.lower)) to \(ratio($0.upper))" }
            let proof = gate.logPass.map { min(1, max(0, $0 / max(threshold, 0.01))) }
            table.add([
                gate.gate, gate.ratio?.estimate.map(ratio) ?? "-", interval ?? "-",
                gate.ratio.map { bar($0) } ?? "", "\(gate.candidateBad)", "\(gate.baselineBad)",
                "\(gate.requests)",
                gate.passed ? "passed" : proof.map { Style.percent($0) } ?? "-",
            ])
        }
        return table.text
    }

    /// The interval on a logarithmic scale from 1/16 to 16, with a mark at 1.
    static func bar(_ ratio: Weir_Admin_V1_RolloutRatio, width: Int = 25) -> String {
        func column(_ value: Double) -> Int {
            // NaN and values outside the scale count as its ends.
            let share = min(1, max(0, (log2(max(value, 1e-9)) + 4) / 8))
            return Int((share * Double(width - 1)).rounded())
        }
        let (from, to) = (column(ratio.lower), column(ratio.upper))
        return String(
            (0..<width).map { index in
                if index == ratio.estimate.map(column) { return "o" as Character }
                if from...max(from, to) ~= index { return "=" }
                return index == width / 2 ? "|" : "."
            })
    }

    /// Ratios outside 1/64 to 64 are known only to be outside.
    private static func ratio(_ value: Double) -> String {
        if value > 63.9 { return ">64x" }
        return value < 0.0157 ? "<0.02x" : String(format: "%.2fx", value)
    }

    private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

    /// What a start would do or has done.
    static func plan(
        _ reply: Weir_Admin_V1_StartRolloutResponse, dryRun: Bool
    ) -> TerminalText {
        var table = Table([
            ("STEP", .left), ("MOVED KEYS", .right), ("TIME TO PROOF", .right),
        ])
        for step in reply.preview {
            table.add([
                step.step, Style.percent(step.movedShare), step.timeToProof.map(duration) ?? "-",
            ])
        }
        let traffic = String(
            format: "%.1f requests/s, %.3f %% bad since the start of the server",
            reply.requestsPerSecond, reply.errorShare * 100)
        let note: TerminalText =
            reply.rollout?.plan.map(bakesUnchecked) == true
            ? "note: while the candidate has all requests, no gate can fail; to compare it until "
                + "the end, use --holdout, or a gate such as 'errors<1%'\n" : ""
        let end = dryRun ? "(nothing has changed)" : "started (revision \(reply.revision))"
        return table.text + "\n\(traffic)\n\(note)\(end)"
    }

    /// Whether no gate judges the candidate while it has all requests.
    private static func bakesUnchecked(_ plan: Weir_Admin_V1_RolloutPlan) -> Bool {
        plan.holdout == 0
            && !plan.gates.contains { $0.hasPrefix("errors<") && $0.hasSuffix("%") }
    }

    private static func duration(_ duration: Google_Protobuf_Duration) -> String {
        switch duration.seconds {
        case ..<120: "\(duration.seconds) s"
        case ..<7_200: "\(duration.seconds / 60) min"
        default: "\(duration.seconds / 3_600) h"
        }
    }
}
