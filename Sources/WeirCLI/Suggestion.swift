internal import ArgumentParser
internal import Messages

/// Finds the command that a misspelled one probably means.
enum Suggestion {
    /// Other words for commands, as other tools name them.
    private static let synonyms = [
        "get": "show", "describe": "show", "add": "create", "new": "create", "remove": "delete",
        "del": "delete", "edit": "update", "status": "stats", "top": "stats", "server": "serve",
        "start": "serve", "run": "serve", "log": "history", "route": "endpoint",
        "service": "backend", "split": "traffic", "weight": "traffic", "weights": "traffic",
        "mirror": "shadow", "canary": "rollout", "check": "doctor", "grpcurl": "call",
    ]

    /// - Parameter arguments: without the name of the program.
    /// - Returns: the whole command; nil if the arguments name a command, or none is close.
    static func command(
        _ arguments: some Sequence<String>, root: any ParsableCommand.Type = WeirCommand.self
    ) -> String? {
        var (command, path) = (root, [name(of: root)])
        for argument in arguments {
            let subcommands = command.configuration.subcommands
            guard !subcommands.isEmpty, !argument.hasPrefix("-") else { return nil }
            if argument == "help" { return nil }
            if let next = subcommands.first(where: { names(of: $0).contains(argument) }) {
                (command, path) = (next, path + [name(of: next)])
                continue
            }
            let known = subcommands.map(name)
            // 'stat' is the beginning of 'status', though 'start' differs by one byte only.
            let begun = known.filter { !argument.isEmpty && $0.hasPrefix(argument) }
            let meant =
                begun.count == 1
                ? begun[0] : NameSuggestion.closest(to: argument, in: known) ?? synonyms[argument]
            guard let meant, known.contains(meant) else { return nil }
            return (path + [meant]).joined(separator: " ")
        }
        return nil
    }

    /// The name of a command, which is that of its type if the configuration has none.
    static func name(of command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? "\(command)".lowercased()
    }

    private static func names(of command: any ParsableCommand.Type) -> [String] {
        [name(of: command)] + command.configuration.aliases
    }
}
