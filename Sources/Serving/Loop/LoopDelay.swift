internal import Transport

/// The delay of a loop: how late a timer fires. The timer runs only while requests arrive.
///
/// ```
///            requestArrived                 timerFired
///   stopped ----------------> timer runs --------------> restarted, if a request has arrived
///      ^                                        |        since, or the delay is over the limit
///      '----------------------------------------'
/// ```
struct LoopDelay {
    /// The time from the start of the timer until it is due.
    static let interval = Duration.milliseconds(20)

    private let limit: Int64
    private var isTimerRunning = false
    private var hadRequests = false
    /// Consecutive measurements over the limit. A single one may be one long piece of work.
    private var timesOver = 0

    /// How late the timer last fired, in nanoseconds.
    private(set) var nanoseconds: Int64 = 0
    /// The loop refuses requests until its delay is at most half of the limit.
    var isOverLimit: Bool { timesOver > 1 }

    init(limit: Duration) { self.limit = Int64(clamping: limit.nanoseconds) }

    /// A request has arrived.
    ///
    /// - Returns: whether the timer must be started.
    @inline(__always)
    mutating func requestArrived() -> Bool {
        hadRequests = true
        defer { isTimerRunning = true }
        return !isTimerRunning
    }

    /// The timer has fired.
    ///
    /// - Parameter late: nanoseconds since it was due.
    /// - Returns: whether the timer must be started again.
    mutating func timerFired(late: Int64) -> Bool {
        nanoseconds = late
        timesOver = late > (isOverLimit ? limit / 2 : limit) ? timesOver + 1 : 0
        isTimerRunning = hadRequests || isOverLimit
        hadRequests = false
        return isTimerRunning
    }
}
