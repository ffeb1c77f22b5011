internal import Foundation
internal import Messages

/// The file of `weir rollout start -f`. Its fields are those of `RolloutPlan` in `admin.proto`, or
/// the options of the command with their values: `bake: 10m`, `gates: [errors<1.5x]`.
enum RolloutPlanFile {
    static func plan(_ file: YAMLFile) throws -> Weir_Admin_V1_RolloutPlan {
        try file.message(as: Weir_Admin_V1_RolloutPlan.self, rewritten)
    }

    /// Names of options that differ from those of fields.
    private static let fields = ["to": "candidate", "gate": "gates", "webhook": "webhooks"]
    private static let durations: Set = ["bake", "minimum", "maximum"]
    private static let lists: Set = ["steps", "gates"]

    /// The plan with the values of options replaced by those of fields.
    static func rewritten(_ plan: JSONValue) throws(MessageError) -> JSONValue {
        guard case .object(let members) = plan else { return plan }
        var output: [(key: String, value: JSONValue)] = []
        for (key, value) in members {
            let plain = key.replacing("-", with: "_")
            let name = fields[plain] ?? plain
            guard !output.contains(where: { $0.key == name }) else {
                throw MessageError(field: key, "is given twice, as '\(name)'")
            }
            output.append((name, try field(name, value)))
        }
        return .object(output)
    }

    private static func field(
        _ name: String, _ value: JSONValue
    ) throws(MessageError) -> JSONValue {
        switch (name, value) {
        case (_, .string(let text)) where durations.contains(name):
            guard let seconds = RolloutPlanOptions.seconds(text) else {
                throw MessageError(
                    field: name, "is invalid: use a number with a unit, for example 90s or 10m")
            }
            return .string(Google_Protobuf_Duration(seconds: seconds).jsonText)
        case (_, .string(let text)) where lists.contains(name):
            return .array(
                text.split(separator: ",", omittingEmptySubsequences: false).map {
                    .string($0.trimmingCharacters(in: .whitespaces))
                })
        case ("require", .string(let text)):
            return .string(enumName("ROLLOUT_REQUIREMENT_", text))
        case ("on_inconclusive", .string(let text)), ("onInconclusive", .string(let text)):
            return .string(enumName("ROLLOUT_INCONCLUSIVE_", text))
        case ("holdout", .string(let text)):
            guard let share = try? Bounded.share(text) else {
                throw MessageError(field: name, "is invalid: use a share, for example 5%")
            }
            return .number(share)
        case ("webhooks", .array(let hooks)):
            var output: [JSONValue] = []
            for hook in hooks { output.append(webhook(hook)) }
            return .array(output)
        default: return value
        }
    }

    /// `no-objection` and `no_objection` for `ROLLOUT_REQUIREMENT_NO_OBJECTION`.
    private static func enumName(_ prefix: String, _ text: String) -> String {
        let name = text.replacing("-", with: "_").uppercased()
        return name.hasPrefix(prefix) ? name : prefix + name
    }

    private static func webhook(_ hook: JSONValue) -> JSONValue {
        guard case .object(let members) = hook else { return hook }
        return .object(
            members.map { key, value in
                guard key == "on", case .array(let hooks) = value else { return (key, value) }
                let names = hooks.map { hook -> JSONValue in
                    guard case .string(let text) = hook else { return hook }
                    return .string(enumName("ROLLOUT_HOOK_", text))
                }
                return (key, .array(names))
            })
    }
}
