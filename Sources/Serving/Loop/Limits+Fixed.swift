/// Bounds that operators cannot set.
extension Limits {
    /// Late calls that wait on one event loop for their export. A new one replaces the oldest one,
    /// which is counted in `weir_late_calls_dropped_total`.
    package static let maxWaitingLateCalls = 256
    /// Calls of one tap that wait for its reader. Further ones are dropped, and the tap reports how
    /// many.
    package static let maxWaitingTapCalls = 1_000
}
