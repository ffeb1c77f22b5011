internal import GRPCWire

/// Escapes the arguments that errors of ArgumentParser quote.
enum UsageError {
    /// The size limit of a quoted argument.
    static let maxArgumentBytes = 200

    /// The lines of an error, with quoted arguments escaped and cut.
    static func text(_ error: String, _ arguments: [String]) -> TerminalText {
        var error = error
        for argument in arguments {
            // An option can have the form --name=value.
            let value = argument.firstIndex(of: "=").map { argument[argument.index(after: $0)...] }
            for quoted in [argument, value.map(String.init) ?? ""] {
                let shown = quoted.printable(limit: maxArgumentBytes)
                if shown != quoted { error = error.replacing("'\(quoted)'", with: "'\(shown)'") }
            }
        }
        return TerminalText(lines: error)
    }
}
