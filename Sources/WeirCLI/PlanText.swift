internal import Messages

/// The text output of the changes between two states.
enum PlanText {
    static func text(_ changes: [Weir_Admin_V1_ObjectChange]) -> TerminalText {
        let kinds = changes.map(\.kind.count).max() ?? 0
        let names = changes.map(\.name.count).max() ?? 0
        return changes.flatMap { change -> [TerminalText] in
            let head: TerminalText =
                "\(sign(change.action)) \(pad(change.kind, kinds))  \(pad(change.name, names))  "
            var lines = ["  " + colour("\(head)\(change.description)", change.action)]
            let width = change.fields.map(\.field.count).max() ?? 0
            for field in change.fields {
                lines.append("      \(pad(field.field, width))  \(field.before) -> \(field.after)")
            }
            if change.movedShare > 0 {
                lines.append("      \(Style.percent(change.movedShare)) of its shard keys move")
            }
            return lines
        }.joined(separator: "\n")
    }

    /// "1 to add, 2 to change, 0 to remove"
    static func counts(_ changes: [Weir_Admin_V1_ObjectChange], _ verbs: [String]) -> String {
        let actions: [Weir_Admin_V1_ChangeAction] = [.add, .change, .remove]
        return zip(actions, verbs).map { action, verb in
            "\(changes.count { $0.action == action }) \(verb)"
        }.joined(separator: ", ")
    }

    /// The text of a plan, or of an applied plan.
    static func page(
        _ changes: [Weir_Admin_V1_ObjectChange], dryRun: Bool, revision: UInt64
    ) -> TerminalText {
        guard !changes.isEmpty else { return "no changes (revision \(revision))" }
        let end: TerminalText =
            dryRun
            ? "plan: \(counts(changes, ["to add", "to change", "to remove"])) (nothing has changed)"
            : "\(counts(changes, ["added", "changed", "removed"])) (revision \(revision))"
        return text(changes) + "\n" + Style.bold(end)
    }

    private static func sign(_ action: Weir_Admin_V1_ChangeAction) -> String {
        switch action {
        case .add: "+"
        case .remove: "-"
        default: "~"
        }
    }

    private static func colour(
        _ text: TerminalText, _ action: Weir_Admin_V1_ChangeAction
    ) -> TerminalText {
        switch action {
        case .add: Style.green(text)
        case .remove: Style.red(text)
        default: Style.yellow(text)
        }
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
