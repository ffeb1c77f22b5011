package import Logging

extension Logger {
    /// A logger that writes nothing.
    package static let silent = Logger(label: "test") { _ in Silent() }
}

private struct Silent: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.critical
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {}
}
