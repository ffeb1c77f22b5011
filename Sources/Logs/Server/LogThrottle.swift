/// Limits identical lines of a log, so that one problem does not hide the others and does not fill
/// the disk. The first `burst` of a window are written; the rest is counted, and reported by one
/// line when the window is over.
///
/// ```
///   line --first--> written, window begins --same line--> written up to `burst`, then counted
///                                             end ------> line with `repeated=COUNT`, if counted
/// ```
///
/// Times are nanoseconds of any monotonic clock.
struct LogThrottle {
    /// The identical lines that are written in one window.
    static let burst = 3
    /// The length of a window: ten seconds.
    static let windowNanoseconds: UInt64 = 10_000_000_000
    /// Different lines that are compared. Lines beyond are written.
    static let maxLines = 256

    private struct Window {
        let end: UInt64
        var count: UInt64 = 1
    }

    private var windows: [LogEntry: Window] = [:]

    /// Whether to write a line.
    mutating func admits(_ entry: LogEntry, at now: UInt64) -> Bool {
        guard var window = windows[entry] else {
            if windows.count < Self.maxLines {
                let end = now.addingReportingOverflow(Self.windowNanoseconds)
                windows[entry] = Window(end: end.overflow ? .max : end.partialValue)
            }
            return true
        }
        window.count &+= 1
        windows[entry] = window
        return window.count <= Self.burst
    }

    /// Ends the windows that are over.
    ///
    /// - Returns: the lines that report what was not written.
    mutating func ended(at now: UInt64) -> [LogEntry] {
        var reports: [LogEntry] = []
        for (entry, window) in windows where window.end <= now {
            windows[entry] = nil
            guard window.count > Self.burst else { continue }
            var report = entry
            report.fields.append(
                LogEntry.Field(name: "repeated", value: "\(window.count - UInt64(Self.burst))"))
            reports.append(report)
        }
        return reports
    }

    /// When the first window ends; nil without one.
    var nextEnd: UInt64? { windows.values.map(\.end).min() }
}
