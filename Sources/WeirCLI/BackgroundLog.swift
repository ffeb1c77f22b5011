internal import Dispatch
internal import Foundation
internal import Logging
internal import Synchronization

/// Writes the log to standard error from a thread of its own, so that nobody who has something to say waits for
/// whoever reads it. When too many lines wait, further ones are dropped, and their number is told.
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
        let fields = all.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        let words = [Self.time(), event.level.rawValue, "\(label):", "\(event.message)"] + fields
        LogWriter.shared.write(words.joined(separator: " ") + "\n")
    }

    private static func time() -> String {
        Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
    }

    /// Waits until what has been said is written, but not for long.
    static func flush() { LogWriter.shared.flush() }
}

private final class LogWriter: Sendable {
    static let shared = LogWriter()
    private static let maxWaitingLines = 1_000

    private let queue = DispatchQueue(label: "weir.log")
    private let waiting = Atomic<Int>(0)
    private let dropped = Atomic<Int>(0)

    func write(_ line: String) {
        guard waiting.load(ordering: .relaxed) < Self.maxWaitingLines else {
            dropped.wrappingAdd(1, ordering: .relaxed)
            return
        }
        waiting.wrappingAdd(1, ordering: .relaxed)
        queue.async {
            let lost = self.dropped.exchange(0, ordering: .relaxed)
            let note = lost > 0 ? "(\(lost) lines of the log were dropped here)\n" : ""
            FileHandle.standardError.write(Data((note + line).utf8))
            self.waiting.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }
}
