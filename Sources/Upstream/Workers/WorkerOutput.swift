internal import GRPCWire
internal import Logging
internal import NIOCore
internal import Synchronization

/// Logs the output of a worker: without control characters, in lines of bounded length, and no more
/// than `OutputBudget` admits. The number of omitted lines is logged
/// once a second.
final class WorkerOutput: Sendable {
    private struct State {
        var lines = OutputLines()
        var budget: OutputBudget
        var omitted = 0
        var isNoteDue = false
        var lastLine = ""
    }

    /// The maximum length of a line, in bytes, with its control characters escaped.
    private static let maxShownBytes = 4 << 10
    /// After a piece with omitted lines, the reader pauses this many times as long as the piece
    /// took, so it uses at most a tenth of a core.
    private static let pauseFactor = 9
    private static let minPause = Duration.milliseconds(10)
    private static let noteInterval = Duration.seconds(1)

    private let log: Logger
    private let mask: EnvironmentMask
    private let state: Mutex<State>

    /// - Parameter environment: of the worker; its values are masked.
    init(log: Logger, environment: [String: String] = [:]) {
        self.log = log
        mask = EnvironmentMask(environment)
        state = Mutex(State(budget: OutputBudget(at: NIODeadline.now().uptimeNanoseconds)))
    }

    /// The last line that is not blank.
    var lastLine: String { state.withLock(\.lastLine) }

    /// Logs the lines in a piece of output.
    ///
    /// - Returns: how long the reader must pause, so that a worker that prints without end costs
    ///   little processor time; nil if all lines were logged.
    func append(_ bytes: [UInt8]) -> Duration? {
        let start = ContinuousClock.now
        let isOver = take { lines, emit in lines.append(bytes, emit) }
        guard isOver else { return nil }
        return max(Self.minPause, (ContinuousClock.now - start) * Self.pauseFactor)
    }

    /// Logs the rest at the end of the output.
    func finish() {
        _ = take { lines, emit in lines.finish(emit) }
        logOmitted()
    }

    /// - Returns: whether lines were omitted.
    private func take(_ cut: (inout OutputLines, (String) -> Void) -> Void) -> Bool {
        let now = NIODeadline.now().uptimeNanoseconds
        var admitted: [String] = []
        let (isOver, isNoteDue) = state.withLock { state in
            let omittedBefore = state.omitted
            var lines = state.lines
            cut(&lines) { line in
                let shown = mask.apply(to: line).printable(limit: Self.maxShownBytes)
                if !line.allSatisfy(\.isWhitespace) { state.lastLine = shown }
                if state.budget.admits(bytes: shown.utf8.count, at: now) {
                    admitted.append(shown)
                } else {
                    state.omitted += 1
                }
            }
            state.lines = lines
            let isOver = state.omitted > omittedBefore
            defer { if isOver { state.isNoteDue = true } }
            return (isOver, isOver && !state.isNoteDue)
        }
        for line in admitted { log.info("\(line)") }
        if isNoteDue {
            Task {
                try? await Task.sleep(for: Self.noteInterval)
                self.logOmitted()
            }
        }
        return isOver
    }

    private func logOmitted() {
        let omitted = state.withLock { state in
            defer { (state.omitted, state.isNoteDue) = (0, false) }
            return state.omitted
        }
        if omitted > 0 {
            log.warning(
                "omitted lines of the worker's output: it exceeds the limit",
                metadata: ["count": "\(omitted)"])
        }
    }
}
