internal import ArgumentParser
internal import Foundation

/// Finds an option that is given twice although it has one value. ArgumentParser uses the last one
/// without a word, so that `-f a.yaml -f b.yaml` would apply one of two files.
enum RepeatedOptions {
    /// What ArgumentParser reports about a command (`--experimental-dump-help`).
    struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String

                var text: String { (kind == "long" ? "--" : "-") + name }
            }

            let kind: String
            let isRepeating: Bool
            let names: [Name]?
        }

        let commandName: String
        let aliases: [String]?
        let subcommands: [Command]?
        let arguments: [Argument]?
    }

    private struct Tool: Decodable {
        let command: Command
    }

    /// In the command line of `weir serve`, a later option may replace one of a unit file.
    ///
    /// - Parameter arguments: without the name of the program.
    /// - Returns: the option as it was given the second time; nil without one.
    static func first(in arguments: [String], of root: any ParsableCommand.Type) -> String? {
        guard arguments.first != Suggestion.name(of: ServeCommand.self) else { return nil }
        let words = arguments.prefix { $0 != "--" }
        let options = words.compactMap(option)
        // The description of all commands takes longer than a command.
        guard options.count > Set(options).count || options.contains(where: { !$0.isLong }),
            options.count > 1,
            let tool = try? JSONDecoder().decode(Tool.self, from: Data(dump(root).utf8))
        else { return nil }
        return first(in: options.map(\.text), of: command(words, tool.command))
    }

    private static func dump(_ command: (some ParsableCommand).Type) -> String {
        command._dumpHelp()
    }

    private static func first(in options: [String], of command: Command) -> String? {
        let known = (command.arguments ?? []).filter { $0.kind == "option" && !$0.isRepeating }
        var seen: Set<Int> = []
        for option in options {
            let index = known.firstIndex { $0.names?.contains { $0.text == option } ?? false }
            if let index, !seen.insert(index).inserted { return option }
        }
        return nil
    }

    /// The command that the words name.
    private static func command(_ words: some Sequence<String>, _ root: Command) -> Command {
        var command = root
        for word in words {
            let next = command.subcommands?.first {
                $0.commandName == word || $0.aliases?.contains(word) == true
            }
            guard let next else { break }
            command = next
        }
        return command
    }

    /// `--steps=1%` names the option `--steps`. ArgumentParser takes no value that begins with a
    /// dash for an option.
    private static func option(_ word: String) -> Option? {
        guard word.hasPrefix("-"), word.count > 1 else { return nil }
        return Option(text: String(word.prefix { $0 != "=" }))
    }

    private struct Option: Hashable {
        let text: String
        var isLong: Bool { text.hasPrefix("--") }
    }
}
