internal import Logging

/// The log of `weir serve`. `LogWriter` writes its lines to standard error in the background.
struct BackgroundLog: LogHandler {
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    private let label: String

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let fields = all.sorted { $0.key < $1.key }.map { (name: $0.key, value: "\($0.value)") }
        LogWriter.standardError.write(
            LogLine.text(
                level: event.level.rawValue, label: label, message: "\(event.message)",
                fields: fields))
    }

    /// Waits at most one second until all lines are written.
    static func flush() { LogWriter.standardError.flush() }
}
