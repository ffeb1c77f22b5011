internal import Foundation
internal import Messages
internal import Rollouts

/// The file of `weir rollout start -f`. Its fields are those of `RolloutPlan` in `admin.proto`, or
/// the options of the command with their values: `bake: 10m`, `gates: [errors<1.5x]`.
enum RolloutPlanFile {
    static func plan(_ file: YAMLFile) throws -> Weir_Admin_V1_RolloutPlan {
        try file.message(as: Weir_Admin_V1_RolloutPlan.self, rewritten)
    }

    /// Names of options that differ from those of fields.
    static let fields = ["to": "candidate", "gate": "gates", "webhook": "webhooks"]
    private static let durations: Set = ["bake", "minimum", "maximum"]
    private static let lists: Set = ["steps", "gates"]

    /// The plan with the values of options replaced by those of fields.
    static func rewritten(_ plan: JSONValue) throws(MessageError) -> JSONValue {
        guard case .object(let members) = plan else { return plan }
        var output: [(key: String, value: JSONValue)] = []
        for (key, value) in members {
            let plain = key == "onInconclusive" ? "on_inconclusive" : key.replacing("-", with: "_")
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
            guard let milliseconds = DurationText.milliseconds(text) else {
                throw MessageError(
                    field: name, "is invalid: use a number with a unit, for example 90s or 10m")
            }
            return .string(Google_Protobuf_Duration(seconds: milliseconds / 1_000).jsonText)
        case (_, .string(let text)) where lists.contains(name):
            return .array(
                text.split(separator: ",", omittingEmptySubsequences: false).map {
                    .string($0.trimmingCharacters(in: .whitespaces))
                })
        case ("require", _):
            return try choice(
                value, of: name, "ROLLOUT_REQUIREMENT_", RolloutPlanOptions.requirements.keys)
        case ("on_inconclusive", _):
            return try choice(
                value, of: name, "ROLLOUT_INCONCLUSIVE_", RolloutPlanOptions.actions.keys)
        case ("holdout", .string(let text)):
            guard let share = try? Bounded.share(text) else {
                throw MessageError(field: name, "is invalid: use a share, for example 5%")
            }
            return .number(share)
        case ("webhooks", .array(let hooks)):
            var output: [JSONValue] = []
            for (index, hook) in hooks.enumerated() {
                output.append(try webhook(hook, at: "webhooks[\(index)]"))
            }
            return .array(output)
        default: return value
        }
    }

    /// `no-objection` and `no_objection` for `ROLLOUT_REQUIREMENT_NO_OBJECTION`. YAML reads `no`
    /// and `off` as false, so the error must list the names.
    private static func choice(
        _ value: JSONValue, of field: String, _ prefix: String, _ names: some Collection<String>
    ) throws(MessageError) -> JSONValue {
        let known = names.map { prefix + $0.replacing("-", with: "_").uppercased() }
        guard case .string(let text) = value else { throw invalidChoice(field, names) }
        let plain = text.replacing("-", with: "_").uppercased()
        let name = plain.hasPrefix(prefix) ? plain : prefix + plain
        // The server decides about names of other versions.
        guard known.contains(name) || plain.hasPrefix(prefix) else {
            throw invalidChoice(field, names)
        }
        return .string(name)
    }

    private static func invalidChoice(
        _ field: String, _ names: some Collection<String>
    ) -> MessageError {
        MessageError(field: field, "is invalid: use \(names.sorted().joined(separator: ", "))")
    }

    private static func webhook(
        _ hook: JSONValue, at place: String
    ) throws(MessageError) -> JSONValue {
        guard case .object(var members) = hook else { return hook }
        for index in members.indices where members[index].key == "on" {
            let hooks: [JSONValue]
            switch members[index].value {
            case .array(let values): hooks = values
            case .string(let text): hooks = text.split(separator: ",").map { .string(String($0)) }
            default: continue
            }
            var names: [JSONValue] = []
            for hook in hooks {
                names.append(
                    try choice(
                        hook, of: "\(place).on", "ROLLOUT_HOOK_", RolloutPlanOptions.hooks.keys))
            }
            members[index].value = .array(names)
        }
        return .object(members)
    }
}

/// The file of `weir apply -f`. Its fields are those of `Configuration` in `admin.proto`, with the
/// short forms of the options: `weights: {v1: 90%}`, `rollout: {to: v2, bake: 10m}`.
enum ConfigurationFile {
    /// Ignores top-level members whose names begin with `x-`, which can hold anchors.
    static func rewritten(_ configuration: JSONValue) throws(MessageError) -> JSONValue {
        var configuration = configuration
        if case .object(let members) = configuration {
            configuration = .object(members.filter { !$0.key.hasPrefix("x-") })
        }
        return try member("endpoints", of: configuration) { (endpoints) throws(MessageError) in
            try elements(of: endpoints) { (endpoint) throws(MessageError) in
                var endpoint = try member("rollout", of: endpoint, RolloutPlanFile.rewritten)
                endpoint = try member("weights", of: endpoint, shares)
                return try member("shadows", of: endpoint) { (shadows) throws(MessageError) in
                    try elements(of: shadows) { (shadow) throws(MessageError) in
                        try member("proportion", of: shadow, share)
                    }
                }
            }
        }
    }

    /// An object with one of its members changed. Errors name the member.
    private static func member(
        _ name: String, of value: JSONValue,
        _ change: (JSONValue) throws(MessageError) -> JSONValue
    ) throws(MessageError) -> JSONValue {
        guard case .object(var members) = value else { return value }
        for index in members.indices where members[index].key == name {
            do throws(MessageError) {
                members[index].value = try change(members[index].value)
            } catch {
                throw error.inside(name)
            }
        }
        return .object(members)
    }

    private static func elements(
        of value: JSONValue, _ change: (JSONValue) throws(MessageError) -> JSONValue
    ) throws(MessageError) -> JSONValue {
        guard case .array(var elements) = value else { return value }
        for index in elements.indices {
            do throws(MessageError) {
                elements[index] = try change(elements[index])
            } catch {
                throw error.inside("[\(index)]")
            }
        }
        return .array(elements)
    }

    private static func shares(_ weights: JSONValue) throws(MessageError) -> JSONValue {
        guard case .object(var members) = weights else { return weights }
        for index in members.indices {
            do throws(MessageError) {
                members[index].value = try share(members[index].value)
            } catch {
                throw error.inside("[\"\(members[index].key)\"]")
            }
        }
        return .object(members)
    }

    private static func share(_ value: JSONValue) throws(MessageError) -> JSONValue {
        guard case .string(let text) = value else { return value }
        guard let share = try? Bounded.share(text) else {
            throw MessageError("is invalid: use a number such as 0.9, 90% or 9/10")
        }
        return .number(share)
    }
}

extension MessageError {
    /// The error of a part, as an error of the whole.
    fileprivate func inside(_ place: String) -> MessageError {
        let joint = field?.hasPrefix("[") ?? true ? "" : "."
        return MessageError(field: place + joint + (field ?? ""), reason)
    }
}
