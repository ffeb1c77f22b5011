internal import ArgumentParser
internal import Logging
internal import Logs

/// The options of the log of `weir serve`.
struct LogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Log lines of this level and above: trace, debug, info, notice, warning, error or "
                + "critical (default: info).", valueName: "level"),
        transform: Self.level)
    var logLevel = Logger.Level.info

    @Option(
        help: ArgumentHelp(
            "The form of a line of the log: json, logfmt or text (default: text).",
            valueName: "format"),
        transform: Self.format)
    var logFormat = LogFormat.text

    @Sendable private static func level(_ text: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: text) else {
            throw ValidationError(
                "use " + Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return level
    }

    @Sendable private static func format(_ text: String) throws -> LogFormat {
        guard let format = LogFormat(rawValue: text) else {
            throw ValidationError("use json, logfmt or text")
        }
        return format
    }

    /// Sends the log of the process to standard error.
    func install() {
        LogWriter.standardError.use(logFormat)
        LoggingSystem.bootstrap { [logLevel] in BackgroundLog(label: $0, level: logLevel) }
    }
}
