/// When a name is looked up again. Times are nanoseconds of any monotonic clock.
struct LookupSchedule {
    /// The interval in normal operation (gRPC's `dns_min_time_between_resolutions`).
    static let interval: UInt64 = 30_000_000_000
    /// The interval while the lookup fails or no replica is usable. With the timer's interval and
    /// the lookup itself, Weir finds a new name within 5 seconds.
    static let urgentInterval: UInt64 = 3_000_000_000
    /// A lookup that takes longer is slow. Most often no DNS server has answered.
    static let slow: UInt64 = 1_000_000_000

    private var startedAt: UInt64 = 0
    private var endedAt: UInt64?
    private var hasFailed = false
    private var isRunning = false
    /// Whether the last lookup was slow.
    private(set) var isSlow = false

    /// Whether a lookup must begin.
    func isDue(at now: UInt64, isUsable: Bool) -> Bool {
        guard !isRunning else { return false }
        guard let endedAt else { return true }
        let interval = hasFailed || !isUsable ? Self.urgentInterval : Self.interval
        return now - min(now, endedAt) >= interval
    }

    mutating func started(at now: UInt64) { (isRunning, startedAt) = (true, now) }

    mutating func ended(at now: UInt64, failed: Bool) {
        isRunning = false
        hasFailed = failed
        isSlow = now - min(now, startedAt) > Self.slow
        endedAt = now
    }
}
