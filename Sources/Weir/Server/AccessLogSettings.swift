internal import Logs

/// The access log of a server: one line for each call of an endpoint, when it ends.
public struct AccessLogSettings: Sendable {
    /// Where the lines are written.
    public enum Destination: Hashable, Sendable {
        /// Standard output.
        case standardOutput
        /// The end of a file, which the server creates with the mode 0640, and opens again in
        /// `WeirServer.reload`.
        case file(String)
    }

    /// The form of the lines.
    public enum Format: String, CaseIterable, Sendable {
        /// JSON objects.
        case json
        /// `name=value` pairs, for human readers.
        case logfmt
    }

    /// Where the lines are written.
    public var destination: Destination
    /// The form of the lines.
    public var format = Format.json
    /// The share of calls to log, 0 to 1. Failures that are the server's fault are always logged.
    public var share = 1.0

    /// A log of all calls in JSON.
    public init(_ destination: Destination) { self.destination = destination }

    var output: AccessLogOutput.Destination {
        switch destination {
        case .standardOutput: .standardOutput
        case .file(let path): .file(path)
        }
    }

    var lineFormat: CallLine.Format {
        switch format {
        case .json: .json
        case .logfmt: .logfmt
        }
    }
}
