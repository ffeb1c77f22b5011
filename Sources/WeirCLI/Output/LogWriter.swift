internal import Dispatch
internal import Synchronization

/// Writes lines to a descriptor from a thread of its own, so that a thread that logs never waits
/// for the reader of the log.
///
/// A line is lost when `maxWaitingLines` wait, or when it cannot be written: the reader of a pipe
/// has closed it (EPIPE), the disk is full (ENOSPC), the descriptor is closed (EBADF). Lost lines
/// are counted. The first line that can be written again is preceded by one with their number.
final class LogWriter: Sendable {
    /// The most lines that wait to be written.
    static let maxWaitingLines = 1_000

    static let standardError = LogWriter(.standardError)

    private let descriptor: OutputDescriptor
    private let queue = DispatchQueue(label: "weir.log")
    private let waiting = Atomic<Int>(0)
    private let lostLines = Atomic<UInt64>(0)

    /// What only the queue uses.
    private struct Progress {
        /// Lost lines that a note in the log has counted.
        var reported: UInt64 = 0
        var cause: OutputDescriptor.Failure?
        /// The last line was written in part.
        var isTorn = false
    }

    private let progress = Mutex(Progress())

    init(_ descriptor: OutputDescriptor) { self.descriptor = descriptor }

    /// Lines that were not written since the start.
    var lost: UInt64 { lostLines.load(ordering: .relaxed) }

    /// Lines that are still to be written.
    var waitingLines: Int { waiting.load(ordering: .relaxed) }

    /// - Parameter line: with its end of line.
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
                    let cause = progress.cause.map { "\($0)" } ?? "more lines than can be written"
                    let note = LogLine.text(
                        level: "warning", label: "weir", message: "lines of the log were lost",
                        fields: [("count", "\(lost - progress.reported)"), ("reason", cause)])
                    try put(note, &progress)
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

    /// Waits until the lines so far are written, for at most a second.
    func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }
}
