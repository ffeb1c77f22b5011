internal import NIOCore
internal import Transport

/// Measures the delay of a loop, by how late a timer fires. The timer runs only while requests
/// arrive.
///
/// Invariant of `@unchecked Sendable`: confined to its loop.
final class LoopDelay: @unchecked Sendable {
    private static let interval = TimeAmount.milliseconds(20)

    private let eventLoop: any EventLoop
    private let limit: Int64
    private var isWatching = false
    private var hadRequests = false

    /// How late the timer last fired, in nanoseconds.
    private(set) var nanoseconds: Int64 = 0
    /// The loop refuses requests until its delay is at most half of the limit.
    private(set) var isOverLimit = false
    /// Consecutive measurements over the limit. A single one may be one long piece of work.
    private var timesOver = 0

    init(_ eventLoop: any EventLoop, limit: Duration) {
        self.eventLoop = eventLoop
        self.limit = Int64(clamping: limit.nanoseconds)
    }

    /// A request has arrived.
    @inline(__always)
    func noteRequest() {
        hadRequests = true
        if !isWatching { watch() }
    }

    private func watch() {
        isWatching = true
        let due = eventLoop.now + Self.interval
        eventLoop.scheduleTask(deadline: due) { self.fired(due: due) }
    }

    private func fired(due: NIODeadline) {
        nanoseconds = (eventLoop.now - due).nanoseconds
        timesOver = nanoseconds > (isOverLimit ? limit / 2 : limit) ? timesOver + 1 : 0
        isOverLimit = timesOver > 1
        guard hadRequests || isOverLimit else {
            isWatching = false
            return
        }
        hadRequests = false
        watch()
    }
}
