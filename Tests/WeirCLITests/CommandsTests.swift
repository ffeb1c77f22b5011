internal import ArgumentParser
internal import Foundation
internal import Testing

@testable internal import WeirCLI

/// The commands as users type them.
@Suite struct CommandsTests {
    /// Commands without subcommands, by their names.
    private static var leaves: [(name: String, type: any ParsableCommand.Type)] {
        func leaves(
            _ type: any ParsableCommand.Type, _ path: String
        ) -> [(name: String, type: any ParsableCommand.Type)] {
            let subcommands = type.configuration.subcommands
            guard !subcommands.isEmpty else { return [(path, type)] }
            return subcommands.flatMap { leaves($0, "\(path) \(Suggestion.name(of: $0))") }
        }
        return leaves(WeirCommand.self, "weir")
    }

    /// The commands in the examples of a help text, without comments, pipes and redirections.
    private static func examples(in help: String) -> [String] {
        help.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { $0.hasPrefix("weir ") || $0.hasPrefix("source <(weir ") }
            .map { line in
                let command = line.replacing("source <(", with: "").replacing(")", with: "")
                let end = [" | ", " > ", " && "].compactMap {
                    command.firstRange(of: $0)?.lowerBound
                }
                return String(command[..<(end.min() ?? command.endIndex)])
            }
    }

    @Test("The help of each command has examples, which are valid commands")
    func examples() throws {
        #expect(Self.leaves.count > 40)
        for (name, type) in Self.leaves {
            let examples = Self.examples(in: type.configuration.discussion)
            #expect(!examples.isEmpty, "\(name)")
            #expect(
                examples.allSatisfy { "\($0) ".hasPrefix("\(name) ") || Self.isAlias($0, name) },
                "\(name): \(examples)")
            for example in examples {
                let words = try ShellWords.split(example).dropFirst()
                _ = try WeirCommand.parseAsRoot(Array(words))
            }
        }
        let groups = WeirCommand.configuration.subcommands.filter {
            !$0.configuration.subcommands.isEmpty
        }
        for group in [WeirCommand.self] + groups {
            for example in Self.examples(in: group.configuration.discussion) {
                _ = try WeirCommand.parseAsRoot(Array(try ShellWords.split(example).dropFirst()))
            }
        }
    }

    private static func isAlias(_ example: String, _ name: String) -> Bool {
        let plain = example.replacing(" ls", with: " list").replacing(" rm", with: " delete")
        return "\(plain) ".hasPrefix("\(name) ")
    }

    @Test("Lists have the alias ls, deletions the alias rm")
    func aliases() {
        for (name, type) in Self.leaves {
            if name.hasSuffix(" list") { #expect(type.configuration.aliases == ["ls"], "\(name)") }
            if name.hasSuffix(" delete") {
                #expect(type.configuration.aliases == ["rm"], "\(name)")
            }
        }
    }

    @Test("A help text states the default of an option once, and groups the connection once")
    func defaults() {
        for (name, type) in Self.leaves {
            let help = WeirCommand.helpMessage(for: type, columns: 400)
            for line in help.split(separator: "\n") {
                #expect(line.ranges(of: "(default").count <= 1, "\(name): \(line)")
            }
            #expect(help.ranges(of: "CONNECTION").count <= 1, "\(name)")
            #expect(
                help.contains("--admin-tls-ca") == help.contains("CONNECTION")
                    || name == "weir serve")
        }
    }

    @Test(
        "A misspelled command is corrected",
        arguments: [
            ("trafic show greeter", "weir traffic"),
            ("rollout statsu greeter", "weir rollout status"),
            ("backend lst", "weir backend list"), ("endpoint describe e", "weir endpoint show"),
            ("backend remove b", "weir backend delete"), ("canary start", "weir rollout"),
            ("fleet lits", "weir fleet list"), ("STATS", "weir stats"), ("top", "weir stats"),
            ("rollout stat greeter", "weir rollout status"),
            ("rollout adv", "weir rollout advance"),
            ("endpoint del e", "weir endpoint delete"), ("hist", "weir history"),
        ])
    func corrects(words: String, command: String) {
        let arguments = words.split(separator: " ").map(String.init)
        #expect(Suggestion.command(arguments) == command)
    }

    @Test(
        "Other words are not corrected",
        arguments: [
            "", "traffic show", "traffic set e v1=1", "--help", "help traffc", "qqqq", "backend",
            "backend --admin", "stats grteer", "backend ls", "traffic describe e extra\u{1b}",
        ])
    func ignores(words: String) {
        let arguments = words.split(separator: " ").map(String.init)
        let suggestion = Suggestion.command(arguments)
        #expect(suggestion == nil || words.hasPrefix("traffic describe"))
    }

    @Test(
        "A completion connects as the incomplete command line does",
        arguments: [
            ("traffic set --admin 10.0.0.1:1 e", ["--admin", "10.0.0.1:1"]),
            ("stats --admin=a:1 --admin-tls --wide", ["--admin=a:1", "--admin-tls"]),
            ("stats --token-file t --admin", ["--token-file", "t"]), ("", []),
        ])
    func completes(line: String, words: [String]) {
        #expect(Completion.connectionWords(line.split(separator: " ").map(String.init)) == words)
    }

    @Test(
        "An option with one value is not given twice, by whichever of its names",
        arguments: [
            ("rollout start e --steps 1% --to v2 --steps 5%", "--steps"),
            ("rollout start e -f a.yaml -f b.yaml", "-f"),
            ("rollout start e -f a.yaml --file=b.yaml", "--file"),
            ("apply -f a -f b", "-f"), ("endpoint ls --admin a:1 --admin=b:1", "--admin"),
            ("traffic set e v1=1 --for 1m --comment x --for=2m", "--for"),
            ("freeze on --reason a --reason b", "--reason"),
        ])
    func repeated(line: String, option: String) {
        let words = line.split(separator: " ").map(String.init)
        #expect(RepeatedOptions.first(in: words, of: WeirCommand.self) == option)
    }

    @Test(
        "Options with several values, flags and values are not taken for repeated options",
        arguments: [
            "rollout start e --to v2 --gate errors<2x --gate p99<2x", "endpoint ls --json --json",
            "rollout start e --webhook event=http://a --webhook event=http://b -f a.yaml",
            "backend create b --worker -- run --steps 1 --steps 2", "call a.B/C --data - --json",
            "", "-", "--", "rollout start e --comment - --to -",
            "serve --store memory: --store sqlite:a.db",
        ])
    func notRepeated(line: String) {
        let words = line.split(separator: " ").map(String.init)
        #expect(RepeatedOptions.first(in: words, of: WeirCommand.self) == nil)
    }
}
