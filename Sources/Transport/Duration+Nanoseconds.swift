extension Duration {
    /// Whole nanoseconds, rounded down, from 0 to `Int64.max` (292 years).
    package var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        let whole = UInt64(clamping: seconds).multipliedReportingOverflow(by: 1_000_000_000)
        guard !whole.overflow, whole.partialValue < UInt64(Int64.max) - 1_000_000_000 else {
            return UInt64(Int64.max)
        }
        return whole.partialValue + UInt64(clamping: attoseconds / 1_000_000_000)
    }
}
