internal import Dispatch
internal import Synchronization
internal import Transport

/// Writes lines to a descriptor on its own thread, so that a thread that logs never waits for the
/// reader of the log.
///
/// A line is lost when the queue is full (`maxWaitingLines`) or when a write fails: the reader of a
/// pipe has closed it (EPIPE), the disk is full (ENOSPC), the descriptor is closed (EBADF). The
/// writer counts lost lines. When it can write again, it first writes a line with their number.
final class LogWriter: Sendable {
    /// The capacity of the queue.
    static let maxWaitingLines = 1_000

    static let standardError = LogWriter(.standardError)

    private let descriptor: OutputDescriptor
    private let queue = DispatchQueue(label: "weir.log")
    private let waiting = Atomic<Int>(0)
    private let lostLines = Atomic<UInt64>(0)

    /// State that only the queue accesses.
    private struct Progress {
        /// Lost lines that the log has reported.
        var reported: UInt64 = 0
        var cause: OutputDescriptor.Failure?
        /// Whether only a part of the last line was written.
        var isTorn = false
    }

    private let progress = Mutex(Progress())

    private let currentFormat = Mutex(LogFormat.text)

    init(_ descriptor: OutputDescriptor) { self.descriptor = descriptor }

    /// The form of the lines.
    var format: LogFormat {
        get { currentFormat.withLock { $0 } }
        set { currentFormat.withLock { $0 = newValue } }
    }

    /// Writes a line with the current time.
    func write(_ entry: LogEntry) { write(LogLine.text(entry, format)) }

    /// The number of lines lost since the start.
    var lost: UInt64 { lostLines.load(ordering: .relaxed) }

    /// The number of lines in the queue.
    var waitingLines: Int { waiting.load(ordering: .relaxed) }

    /// - Parameter line: with its line end.
    func write(_ line: String) {
        guard waitingLines < Self.maxWaitingLines else {
            lostLines.wrappingAdd(1, ordering: .relaxed)
            return
        }
        waiting.wrappingAdd(1, ordering: .relaxed)
        queue.async {
            self.put(line)
            self.waiting.wrappingSubtract(1, ordering: .relaxed)
        }
    }

    private func put(_ line: String) {
        progress.withLock { progress in
            let lost = lost
            do throws(OutputDescriptor.Failure) {
                if lost > progress.reported {
                    let cause = progress.cause.map { "\($0)" } ?? "the queue was full"
                    let note = LogEntry(
                        level: "warning", label: "weir", message: "log lines were lost",
                        fields: [
                            .init(name: "count", value: "\(lost - progress.reported)"),
                            .init(name: "reason", value: cause),
                        ])
                    try put(LogLine.text(note, format), &progress)
                    progress.reported = lost
                    progress.cause = nil
                }
                try put(line, &progress)
            } catch {
                progress.cause = error
                lostLines.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }

    private func put(
        _ line: String, _ progress: inout Progress
    ) throws(OutputDescriptor.Failure) {
        do throws(OutputDescriptor.Failure) {
            try descriptor.write(progress.isTorn ? "\n" + line : line)
            progress.isTorn = false
        } catch {
            if error.written > 0 { progress.isTorn = true }
            throw error
        }
    }

    /// Waits at most one second until all lines in the queue are written.
    func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }
}
