internal import Dispatch
internal import Synchronization
package import Transport

internal import struct FoundationEssentials.Date

/// Writes lines to a descriptor on its own thread, so that a thread that logs never waits for the
/// reader of the log.
///
/// A line is lost when the queue is full (`maxWaitingLines`) or when a write fails: the reader of a
/// pipe has closed it (EPIPE), the disk is full (ENOSPC), the descriptor is closed (EBADF). The
/// writer counts lost lines. When it can write again, it first writes a line with their number.
package final class LogWriter: Sendable {
    /// The capacity of the queue.
    static let maxWaitingLines = 1_000

    package static let standardError = LogWriter(.standardError)

    private let queue = DispatchQueue(label: "weir.log")
    private let waiting = Atomic<Int>(0)
    private let lostLines = Atomic<UInt64>(0)

    /// State that only the queue accesses.
    private struct Progress {
        /// Lost lines that the log has reported.
        var reported: UInt64 = 0
        var cause: OutputDescriptor.Failure?
        var output: LineOutput
    }

    private let progress: Mutex<Progress>
    private let line = Mutex(LogLine(.text))

    package init(_ descriptor: OutputDescriptor) {
        progress = Mutex(Progress(output: LineOutput(descriptor)))
    }

    /// Sets the form of the lines that follow.
    package func use(_ format: LogFormat) { line.withLock { $0 = LogLine(format) } }

    /// Writes a line with the current time.
    func write(_ entry: LogEntry) { write(bytes(entry)) }

    private func bytes(_ entry: LogEntry) -> [UInt8] {
        let now = UInt64(max(0, min(Date().timeIntervalSince1970, 0x1p33)) * 1e9)
        return line.withLock { $0.bytes(entry, at: now) }
    }

    /// The number of lines lost since the start.
    package var lost: UInt64 { lostLines.load(ordering: .relaxed) }

    /// The number of lines in the queue.
    package var waitingLines: Int { waiting.load(ordering: .relaxed) }

    /// - Parameter line: with its line end.
    func write(_ line: [UInt8]) {
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

    private func put(_ line: [UInt8]) {
        progress.withLock { progress in
            let lost = lost
            do throws(LineOutput.Failure) {
                if lost > progress.reported {
                    let cause = progress.cause.map { "\($0)" } ?? "the queue was full"
                    let note = LogEntry(
                        level: "warning", label: "weir", message: "log lines were lost",
                        fields: [
                            .init(name: "count", value: "\(lost - progress.reported)"),
                            .init(name: "reason", value: cause),
                        ])
                    try progress.output.write(bytes(note))
                    progress.reported = lost
                    progress.cause = nil
                }
                try progress.output.write(line)
            } catch {
                progress.cause = error.cause
                lostLines.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }

    /// Waits at most one second until all lines in the queue are written.
    package func flush() {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + 1)
    }
}
