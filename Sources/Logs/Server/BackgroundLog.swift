internal import Dispatch
package import Logging
internal import Synchronization
internal import Traces

/// The log of `weir serve`. `LogWriter` writes its lines to standard error in the background.
package struct BackgroundLog: LogHandler {
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    private let label: String
    private let output: ThrottledLog

    package init(label: String, level: Logger.Level = .info, output: ThrottledLog = .standardError)
    {
        (self.label, self.output) = (label, output)
        logLevel = level
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        output.write(
            LogEntry(
                level: event.level.rawValue, label: label,
                message: Self.cut("\(event.message)"),
                fields: all.sorted { $0.key < $1.key }.map {
                    LogEntry.Field(name: $0.key, value: Self.cut("\($0.value)"))
                }))
    }

    /// Text that is longer than a line is cut, so that waiting lines have a bounded size.
    private static func cut(_ text: String) -> String { text.kept(bytes: LogLine.maxBytes) }
}

/// Writes entries, of which identical ones are limited, as lines of a format.
package final class ThrottledLog: Sendable {
    package static let standardError = ThrottledLog(.standardError)

    private let writer: LogWriter
    private let throttle = Mutex(LogThrottle())
    private let isTimerSet = Atomic<Bool>(false)
    private let queue = DispatchQueue(label: "weir.log.throttle")

    package init(_ writer: LogWriter) { self.writer = writer }

    /// - Parameter now: nanoseconds of the clock of `DispatchTime`.
    func write(_ entry: LogEntry, at now: UInt64 = DispatchTime.now().uptimeNanoseconds) {
        guard throttle.withLock({ $0.admits(entry, at: now) }) else { return }
        writer.write(entry)
        setTimer()
    }

    /// Reports the lines that were not written, when their time is over.
    private func setTimer() {
        guard !isTimerSet.exchange(true, ordering: .relaxed) else { return }
        // A window that ends meanwhile is reported by the next timer.
        let end = throttle.withLock(\.nextEnd) ?? DispatchTime.now().uptimeNanoseconds
        queue.asyncAfter(deadline: DispatchTime(uptimeNanoseconds: end)) {
            self.isTimerSet.store(false, ordering: .relaxed)
            self.report(at: DispatchTime.now().uptimeNanoseconds)
            if self.throttle.withLock(\.nextEnd) != nil { self.setTimer() }
        }
    }

    private func report(at now: UInt64) {
        for entry in throttle.withLock({ $0.ended(at: now) }) { writer.write(entry) }
    }

    /// Waits at most one second until all lines are written.
    package func flush() {
        report(at: .max)
        writer.flush()
    }
}
