internal import ArgumentParser

/// Usage lines and command lines, where ArgumentParser needs help.
enum UsageText {
    /// The longest usage line that names each option.
    private static let maxColumns = 80

    /// A text in which `[<options>]` replaces the options of long usage lines.
    static func collapsed(_ text: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            let isUsage = line.hasPrefix("Usage: ") || line.hasPrefix("USAGE: ")
            return isUsage && line.count > maxColumns ? withoutOptions(line) : String(line)
        }.joined(separator: "\n")
    }

    /// The help of a command with a reference to the table of exit codes, which is in the help of
    /// `weir`. A command explains its own code 2 itself.
    static func withExitCodes(_ text: String) -> String {
        guard text.hasPrefix("OVERVIEW: "), !text.contains("Exit codes:\n") else { return text }
        let end = text.lastIndex { $0 != "\n" }.map(text.index(after:)) ?? text.endIndex
        return text[..<end] + "\n\nExit codes: see 'weir --help'."
    }

    private static func withoutOptions(_ line: Substring) -> String {
        var output = ""
        var (depth, isOption, isShown) = (0, false, false)
        var rest = line[...]
        while let character = rest.popFirst() {
            if character == "[" {
                if depth == 0 { isOption = rest.hasPrefix("-") || rest.hasPrefix("<options>") }
                depth += 1
            }
            if depth == 0 || !isOption { output.append(character) }
            guard character == "]", depth > 0 else { continue }
            depth -= 1
            guard depth == 0, isOption else { continue }
            isOption = false
            if !isShown {
                output += "[<options>]"
            } else if output.hasSuffix(" ") {
                output.removeLast()
            }
            isShown = true
        }
        return output
    }

    /// The text for an invalid combination of arguments, which a command finds after parsing.
    static func text(
        _ error: ValidationError, of command: any ParsableCommand.Type,
        in root: any ParsableCommand.Type
    ) -> String {
        let usage = collapsed("Usage: " + usage(root, command))
        // `weir backend create <name> ...`
        let path = usage.dropFirst("Usage: ".count).split(separator: " ").prefix {
            !$0.hasPrefix("<") && !$0.hasPrefix("[") && !$0.hasPrefix("-")
        }
        return "Error: \(error.message)\n\(usage)\n  See '\(path.joined(separator: " ")) --help' "
            + "for more information."
    }

    private static func usage(
        _ root: any ParsableCommand.Type, _ command: any ParsableCommand.Type
    ) -> String {
        root.usageString(for: command)
    }

    /// The arguments with negative numbers joined to their options, `--wait=-1`, because
    /// ArgumentParser takes `-1` for an option.
    static func joined(_ arguments: [String]) -> [String] {
        var output: [String] = []
        for (index, argument) in arguments.enumerated() {
            guard argument != "--" else { return output + arguments[index...] }
            let isNumber =
                argument.hasPrefix("-") && argument.dropFirst().first?.isNumber == true
            if isNumber, let option = output.last, option.hasPrefix("--"), !option.contains("=") {
                output[output.count - 1] = "\(option)=\(argument)"
            } else {
                output.append(argument)
            }
        }
        return output
    }

    /// What is missing if the options of a command precede it; nil if they do not.
    static func order(_ error: String, _ arguments: [String]) -> String? {
        guard error.hasPrefix("Error: Unknown option"), let first = arguments.first,
            first.hasPrefix("-")
        else { return nil }
        return "The options of a command follow it: weir COMMAND \(first.prefix { $0 != "=" }) ..."
    }
}
