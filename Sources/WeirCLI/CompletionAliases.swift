/// ArgumentParser's completion scripts know no aliases, so that `weir backend rm` would complete
/// like a command that does not exist. The code replaces each alias by its command before a script
/// selects the completions.
enum CompletionAliases {
    /// The aliases of all commands; each names the same command wherever it exists.
    static let names = ["ls": "list", "rm": "delete"]

    static func added(to script: String, for shell: CompletionCommand.Shell) -> String {
        let pairs = names.sorted { $0.key < $1.key }
        switch shell {
        case .bash:
            let cases = pairs.map { "    \($0.key)) echo \($0.value) ;;\n" }.joined()
            let select = "    case \"${1}\" in\n\(cases)    *) echo \"${1}\" ;;\n    esac\n"
            return "_weir_command() {\n\(select)}\n\n"
                + script.replacing(
                    #"subcommand="${unparsed_words[0]}""#,
                    with: #"subcommand="$(_weir_command "${unparsed_words[0]}")""#)
        case .zsh:
            let cases = pairs.map { "\($0.key)) words[1]=\($0.value) ;; " }.joined()
            let select = #"        case "${words[1]}" in"#
            return script.replacing(
                select + "\n", with: "        case \"${words[1]}\" in \(cases)esac\n\(select)\n")
        case .fish:
            let renamed = pairs.map { " | string replace -r '^\($0.key)$' \($0.value)" }.joined()
            let named = script.replacing(
                "set -a commands $unparsed_tokens[1]\n",
                with: "set -a commands (string join '' -- $unparsed_tokens[1]\(renamed))\n")
            return pairs.reduce(named) { script, pair in
                script.replacing(
                    "case '\(pair.value)'\n", with: "case '\(pair.value)' '\(pair.key)'\n")
            }
        }
    }
}
