internal import Foundation
internal import Messages

/// Rollouts as text.
enum RolloutText {
    /// Whether only an operator can continue the rollout, or it has ended.
    static func waitsForOperator(_ rollout: Weir_Admin_V1_Rollout) -> Bool {
        if isHeldForever(rollout) { return true }
        return switch rollout.phase {
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

    /// Whether a freeze that does not end by itself holds the rollout.
    private static func isHeldForever(_ rollout: Weir_Admin_V1_Rollout) -> Bool {
        rollout.freeze.map { $0.until == nil } ?? false
    }

    /// `observing, step 2 of 4 (10%): reason; webhook: problem`
    static func position(_ rollout: Weir_Admin_V1_Rollout) -> String {
        phaseAndStep(rollout) + (rollout.reason.isEmpty ? "" : ": \(rollout.reason)")
            + (rollout.webhookProblem.isEmpty ? "" : "; webhook: \(rollout.webhookProblem)")
    }

    private static func phaseAndStep(_ rollout: Weir_Admin_V1_Rollout) -> String {
        let steps = rollout.plan?.steps ?? []
        let step = Int(rollout.step)
        let text = steps.indices.contains(step) ? " (\(steps[step]))" : ""
        return "\(phase(rollout.phase)), step \(step + 1) of \(steps.count)\(text)"
    }

    /// - Parameter limit: the columns of the terminal; nil for any number.
    static func table(
        _ rollouts: [Weir_Admin_V1_Rollout], columns limit: Int? = nil
    ) -> TerminalText {
        var table = Table([
            .init(title: "ENDPOINT", isName: true), .init(title: "CANDIDATE", isName: true),
            .init(title: "PHASE"), .init(title: "STEP", alignment: .right, drop: 1),
            .init(title: "WEIGHT", alignment: .right, drop: 2),
            .init(title: "REASON", isName: true),
        ])
        for rollout in rollouts {
            table.add([
                rollout.endpoint, rollout.plan?.candidate ?? "", phase(rollout.phase),
                "\(Int(rollout.step) + 1)/\(rollout.plan?.steps.count ?? 0)",
                Style.percent(rollout.weight), rollout.reason,
            ])
        }
        return table.text(columns: limit)
    }

    /// Lines at the end of a page: who owns the weights, and where the rollout began.
    static let footerLines = 2

    /// The steps, the position and the gates of a rollout.
    ///
    /// - Parameter screen: the lines fit its columns.
    static func page(
        _ rollout: Weir_Admin_V1_Rollout, screen: Screen = .unlimited
    ) -> TerminalText {
        let plan = rollout.plan ?? .init()
        let isBad = rollout.phase == .aborted || rollout.phase == .aborting
        let revision =
            rollout.startedRevision > 0 ? ", revision \(rollout.startedRevision)" : ""
        let names = "\(rollout.endpoint) to \(plan.candidate)"
        let head = screen.wrapped(
            [
                (
                    "\(Style.bold("\(rollout.endpoint)")) to \(Style.bold("\(plan.candidate)"))",
                    names.count
                ),
                (
                    Style.verdict("\(phaseAndStep(rollout))", isBad: isBad),
                    phaseAndStep(rollout).count
                ),
            ], separator: "  ")
        var lines = [head]
        if !rollout.reason.isEmpty {
            lines.append(
                screen.words(
                    "\(isEnded(rollout) ? "reason" : "waiting")   \(rollout.reason)", indent: 10))
        }
        if let next = nextStep(rollout) {
            lines.append(screen.words("next      \(next)", indent: 10))
        }
        lines.append("steps     " + steps(plan.steps, at: Int(rollout.step), screen))
        lines.append(screen.words("requests  \(requests(rollout, plan))", indent: 10))
        lines.append(weight(rollout, screen))
        lines.append(gates(rollout.gates, threshold: rollout.logThreshold, screen))
        lines.append(
            screen.words(
                "evidence  \(number(exp(min(rollout.logFailure, 40)))) against the candidate; the "
                    + "rollout aborts at \(number(exp(min(rollout.logThreshold, 40))))", indent: 10)
        )
        if !rollout.webhookProblem.isEmpty {
            lines.append(
                Style.verdict(
                    screen.words("webhook   \(rollout.webhookProblem)", indent: 10), isBad: true))
        }
        lines.append(Style.dim(screen.words("weights   \(owner(rollout))", indent: 10)))
        lines.append(
            Style.dim(
                screen.words(
                    "started   \(Style.time(rollout.started)) by \(rollout.author)\(revision)",
                    indent: 10)))
        return lines.joined(separator: "\n")
    }

    /// What continues a rollout that waits; nil if it does not wait.
    static func nextStep(_ rollout: Weir_Admin_V1_Rollout) -> String? {
        let name = rollout.endpoint
        if let freeze = rollout.freeze {
            return freeze.until == nil
                ? "'weir freeze off' ends the freeze"
                : "it continues when the freeze ends, at \(Style.time(freeze.until))"
        }
        if rollout.phase == .pending {
            return "'weir rollout advance \(name)' starts without the webhook, "
                + "'weir rollout abort \(name)' ends the rollout"
        }
        guard rollout.phase == .paused else { return nil }
        switch rollout.pause {
        case "no_traffic": return "it continues when the candidate receives requests"
        case "no_replica": return "it continues when the candidate has a usable replica"
        case "approval": return "'weir rollout advance \(name)' approves the step"
        case "confirmation":
            return "'weir rollout advance \(name)' continues without the webhook"
        case "inconclusive":
            return
                "'weir rollout advance \(name)' continues, 'weir rollout resume \(name)' observes "
                + "longer, 'weir rollout abort \(name)' reverts"
        case "other_change":
            return "'weir rollout resume \(name) --adopt' continues from the present weights, "
                + "--restore sets those of the step"
        default: return "'weir rollout resume \(name)' continues"
        }
    }

    static func isEnded(_ rollout: Weir_Admin_V1_Rollout) -> Bool {
        rollout.phase == .aborted || rollout.phase == .succeeded
    }

    /// The steps with the current one in brackets.
    private static func steps(_ steps: [String], at current: Int, _ screen: Screen) -> TerminalText
    {
        let parts = steps.enumerated().map { index, step -> (text: TerminalText, length: Int) in
            let name: TerminalText = "\(step)"
            if index == current { return (Style.bold("[\(name)]"), step.count + 2) }
            return (index < current ? Style.green(name) : Style.dim(name), step.count)
        }
        return screen.wrapped(parts, separator: " > ", indent: 10, column: 10)
    }

    private static func requests(
        _ rollout: Weir_Admin_V1_Rollout, _ plan: Weir_Admin_V1_RolloutPlan
    ) -> String {
        let least = plan.minimumRequests.map { " of at least \($0)" } ?? ""
        let rest = rollout.gates.compactMap {
            $0.passed ? nil : untilProof($0, threshold: rollout.logThreshold)
        }.max()
        let proof =
            if !rollout.gates.isEmpty, rollout.gates.allSatisfy(\.passed) {
                "; all gates have passed"
            } else if let rest {
                "; about \(grouped(rest)) more until proof"
            } else {
                ""
            }
        return "\(rollout.requests)\(least) at the candidate in this step\(proof)"
    }

    private static func weight(_ rollout: Weir_Admin_V1_Rollout, _ screen: Screen) -> TerminalText {
        let shadow = rollout.shadow > 0 ? "  shadow \(Style.percent(rollout.shadow))" : ""
        let share = Style.percent(rollout.weight)
        let used = 10 + share.count + 2 + shadow.count
        let width = min(20, max(0, (screen.columns ?? .max) - used))
        return "candidate \(share)  \(Style.bar(rollout.weight, width: width))\(shadow)"
    }

    private static func owner(_ rollout: Weir_Admin_V1_Rollout) -> String {
        if isEnded(rollout) { return "not owned: the rollout has ended" }
        return rollout.pause == "other_change"
            ? "changed by another actor" : "owned by the rollout"
    }

    private static func gates(
        _ gates: [Weir_Admin_V1_RolloutGate], threshold: Double, _ screen: Screen
    ) -> TerminalText {
        var table = Table([
            .init(title: "GATE", isName: true), .init(title: "RATIO", alignment: .right),
            .init(title: "INTERVAL", drop: 4), .init(title: "1/16x to 16x", bar: 15...33, drop: 6),
            .init(title: "BAD", alignment: .right, drop: 2),
            .init(title: "BASELINE BAD", alignment: .right, drop: 1),
            .init(title: "REQUESTS", alignment: .right, drop: 3),
            .init(title: "UNTIL PROOF", alignment: .right, drop: 5),
        ])
        for gate in gates {
            let interval = gate.ratio.map { "\(ratio($0.lower)) to \(ratio($0.upper))" }
            let rest = untilProof(gate, threshold: threshold)
            table.add([
                .text(gate.gate), .text(gate.ratio?.estimate.map(ratio) ?? "-"),
                .text(interval ?? "-"),
                .bar { width in gate.ratio.map { bar($0, width: width) } ?? "" },
                .text("\(gate.candidateBad)"), .text("\(gate.baselineBad)"),
                .text("\(gate.requests)"),
                .text(gate.passed ? "passed" : rest.map { "~\(grouped($0))" } ?? "-"),
            ])
        }
        return table.text(columns: screen.columns)
    }

    /// About how many more requests a gate needs until it has passed, if the results stay as they
    /// are: the evidence grows in proportion to the requests. Nil if the evidence does not grow.
    static func untilProof(_ gate: Weir_Admin_V1_RolloutGate, threshold: Double) -> UInt64? {
        guard let evidence = gate.logPass, evidence > 0.01, threshold.isFinite, gate.requests > 0
        else { return nil }
        let rest = Double(gate.requests) * (threshold / evidence - 1)
        // Two digits, because it is an estimate.
        guard rest > 0, rest < 1e15 else { return rest > 0 ? nil : 0 }
        let unit = pow(10, max(0, floor(log10(rest)) - 1))
        return UInt64((rest / unit).rounded(.up) * unit)
    }

    /// `12,000`
    private static func grouped(_ number: UInt64) -> String {
        var text = ""
        let digits = "\(number)"
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }

    /// The interval on a logarithmic scale from 1/16 to 16, with a mark at 1.
    static func bar(_ ratio: Weir_Admin_V1_RolloutRatio, width: Int = 25) -> String {
        guard width > 0 else { return "" }
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
        _ reply: Weir_Admin_V1_StartRolloutResponse, dryRun: Bool, screen: Screen = .unlimited
    ) -> TerminalText {
        var table = Table([
            .init(title: "STEP", isName: true), .init(title: "MOVED KEYS", alignment: .right),
            .init(title: "TIME TO PROOF", alignment: .right),
        ])
        for step in reply.preview {
            table.add([
                step.step, Style.percent(step.movedShare), step.timeToProof.map(duration) ?? "-",
            ])
        }
        let traffic = screen.words(
            String(
                format: "%.1f requests/s, %.3f %% bad since the start of the server",
                reply.requestsPerSecond, reply.errorShare * 100), indent: 0)
        let note: TerminalText =
            reply.rollout?.plan.map(bakesUnchecked) == true
            ? screen.words(
                "note: while the candidate has all requests, no gate can fail; to compare it until "
                    + "the end, use --holdout, or a gate such as 'errors<1%'", indent: 0) + "\n"
            : ""
        let end = dryRun ? "(nothing has changed)" : "started (revision \(reply.revision))"
        return table.text(columns: screen.columns) + "\n" + traffic + "\n\(note)\(end)"
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
