internal import ArgumentParser
internal import Weir

/// The options of `weir serve` for the access log.
struct AccessLogOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write a line for each call to this file, which SIGHUP opens again; '-' writes to "
                + "standard output.", valueName: "file"), completion: .file())
    var accessLog: String?

    @Option(
        help: ArgumentHelp(
            "The form of the lines: json, or logfmt for human readers (default: json).",
            valueName: "format"),
        completion: .list(AccessLogSettings.Format.allCases.map(\.rawValue)),
        transform: Self.format)
    var accessLogFormat: AccessLogSettings.Format?

    @Option(
        help: ArgumentHelp(
            "The share of calls to log, 0 to 1 (default: 1). Failures of the server are always "
                + "logged.", valueName: "share"), transform: Bounded.share)
    var accessLogShare: Double?

    @Sendable private static func format(_ text: String) throws -> AccessLogSettings.Format {
        guard let format = AccessLogSettings.Format(rawValue: text) else {
            throw ValidationError("use json or logfmt")
        }
        return format
    }

    func validate() throws {
        if let accessLogShare, !(0...1).contains(accessLogShare) {
            throw ValidationError(
                "invalid --access-log-share \(accessLogShare): use a number from 0 to 1, a "
                    + "percentage such as 90%, or a fraction such as 1/3")
        }
        if accessLog == nil, accessLogFormat != nil {
            throw ValidationError("--access-log-format requires --access-log")
        }
        if let accessLog, accessLog.isEmpty || accessLog.utf8.contains(0) {
            throw ValidationError("invalid --access-log '': use the path of a file, or '-'")
        }
    }

    /// The share of calls to log.
    var share: Double { accessLogShare ?? 1 }

    /// Nil without `--access-log`.
    var settings: AccessLogSettings? {
        guard let accessLog else { return nil }
        var settings = AccessLogSettings(
            accessLog == "-" ? .standardOutput : .file(accessLog))
        if let accessLogFormat { settings.format = accessLogFormat }
        settings.share = share
        return settings
    }
}
