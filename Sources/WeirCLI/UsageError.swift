internal import GRPCWire

/// Errors of ArgumentParser, which quote arguments as they are.
enum UsageError {
    /// The most bytes of an argument that are shown.
    static let maxArgumentBytes = 200

    /// The lines of an error, in which quoted arguments are escaped and cut.
    static func text(_ error: String, _ arguments: [String]) -> TerminalText {
        var error = error
        for argument in arguments {
            // An option's value may be given as --name=value.
            let value = argument.firstIndex(of: "=").map { argument[argument.index(after: $0)...] }
            for quoted in [argument, value.map(String.init) ?? ""] {
                let shown = quoted.printable(limit: maxArgumentBytes)
                if shown != quoted { error = error.replacing("'\(quoted)'", with: "'\(shown)'") }
            }
        }
        return TerminalText(lines: error)
    }
}
