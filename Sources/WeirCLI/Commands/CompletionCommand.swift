internal import ArgumentParser

/// `weir completion`
struct CompletionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completion", abstract: "Prints a completion script for a shell.",
        discussion: """
            The script completes commands, options and files, and asks the server for the names of \
            endpoints and backends.

            Examples:
              source <(weir completion bash)
              weir completion zsh > ~/.zfunc/_weir
              weir completion fish > ~/.config/fish/completions/weir.fish
            """)

    enum Shell: String, CaseIterable, ExpressibleByArgument { case bash, zsh, fish }

    @Argument(help: "The shell.")
    var shell: Shell

    func run() throws {
        let kind: CompletionShell =
            switch shell {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        let script = CompletionAliases.added(
            to: WeirCommand.completionScript(for: kind), for: shell)
        try Output.write(shell == .bash ? BashCompletion.script(script) : script + "\n")
    }
}

/// `weir version`
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Prints the version and the commit.",
        discussion: """
            'weir fleet list' shows the versions of running servers.

            Example:
              weir version
            """)

    func run() throws { try Output.print("weir \(WeirCommand.version)") }
}
