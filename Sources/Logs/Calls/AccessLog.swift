internal import Dispatch
package import Logging
package import Observability
internal import Synchronization
internal import Traces

/// Writes the calls of a queue as lines, on its own thread.
///
/// ```
///   loops --append--> CallQueue --take, at most every 10 ms--> AccessLogOutput
///            full: dropped                     cannot write: dropped
/// ```
///
/// Neither a slow reader nor a full disk delays a call. The log of the server reports when lines
/// are lost, and when lines are written again.
package final class AccessLog: Sendable {
    /// The time for which lines are collected before they are written.
    private static let delay = DispatchTimeInterval.milliseconds(10)
    /// The time between two attempts to open the file again.
    private static let reopenInterval = Duration.seconds(1)
    /// The lines of one write.
    private static let linesPerWrite = 128

    /// The queue that the loops append to.
    package let queue: CallQueue
    private let thread = DispatchQueue(label: "weir.access-log")
    private let log: Logger
    private let writtenLines = Atomic<UInt64>(0)

    /// State that only the thread uses.
    private struct Progress {
        var output: AccessLogOutput
        var line: CallLine
        var isLosing = false
        /// The lost lines that the log of the server has reported, or that preceded a recovery.
        var knownLost: UInt64 = 0
        /// When to try again to open a file that could not be opened again; nil if it need not be.
        var reopensAt: ContinuousClock.Instant?
    }

    private let progress: Mutex<Progress>

    package init(
        _ destination: AccessLogOutput.Destination, _ format: CallLine.Format, maxLines: Int,
        log: Logger
    ) {
        queue = CallQueue(capacity: maxLines)
        self.log = log
        progress = Mutex(
            Progress(output: AccessLogOutput(destination), line: CallLine(format)))
        queue.notify(at: 1) { [weak self] in
            guard let self else { return }
            thread.asyncAfter(deadline: .now() + Self.delay) { self.drain() }
        }
    }

    /// The lines that were written.
    package var written: UInt64 { writtenLines.load(ordering: .relaxed) }
    /// The lines that were lost.
    package var lost: UInt64 { queue.dropped }

    /// Opens the file, which is created if it does not exist; or opens it again, because it was
    /// renamed. If that fails, an open file stays in use, and another one is opened later.
    package func open() { thread.async { self.openNow() } }

    private func openNow() {
        writeQueue()
        progress.withLock { progress in
            let isRetry = progress.reopensAt != nil
            progress.reopensAt = nil
            guard let failure = progress.output.reopen() else { return }
            guard progress.output.isOpen else {
                return report("the access log cannot be written", failure.reason, &progress)
            }
            progress.reopensAt = .now + Self.reopenInterval
            guard !isRetry else { return }
            log.error(
                "the access log cannot be opened again; the open file stays in use until then",
                metadata: metadata(failure.reason, progress))
        }
    }

    private func drain() {
        if let due = progress.withLock(\.reopensAt), due <= .now { return openNow() }
        writeQueue()
    }

    private func writeQueue() {
        var calls = queue.take(upTo: .max)[...]
        while !calls.isEmpty {
            write(calls.prefix(Self.linesPerWrite))
            calls = calls.dropFirst(Self.linesPerWrite)
        }
    }

    private func write(_ calls: ArraySlice<CallRecord>) {
        progress.withLock { progress in
            var bytes: [UInt8] = []
            for call in calls { progress.line.append(call, to: &bytes) }
            do throws(AccessLogOutput.Failure) {
                try progress.output.write(bytes)
                writtenLines.wrappingAdd(UInt64(calls.count), ordering: .relaxed)
                reportWritten(&progress)
            } catch {
                let lines = min(calls.count, error.lines)
                writtenLines.wrappingAdd(UInt64(lines), ordering: .relaxed)
                queue.drop(calls.count - lines)
                progress.knownLost = lost
                report("the access log cannot be written", error.reason, &progress)
            }
        }
    }

    /// Lines are written. Others may be lost nevertheless, because a slow reader fills the queue.
    private func reportWritten(_ progress: inout Progress) {
        let lost = lost
        if lost > progress.knownLost, !progress.isLosing {
            progress.knownLost = lost
            return report("the access log loses calls", "the queue is full", &progress)
        }
        if progress.isLosing, lost == progress.knownLost {
            progress.isLosing = false
            log.notice("the access log is written again", metadata: ["lost": "\(lost)"])
        }
        progress.knownLost = lost
    }

    private func report(
        _ message: Logger.Message, _ reason: String, _ progress: inout Progress
    ) {
        guard !progress.isLosing else { return }
        progress.isLosing = true
        log.error(message, metadata: metadata(reason, progress))
    }

    private func metadata(_ reason: String, _ progress: Progress) -> Logger.Metadata {
        ["file": "\(progress.output.destination)", "reason": "\(reason)"]
    }

    /// Waits at most one second until all lines in the queue are written.
    package func flush() {
        let done = DispatchSemaphore(value: 0)
        thread.async {
            self.drain()
            done.signal()
        }
        _ = done.wait(timeout: .now() + 1)
    }
}
