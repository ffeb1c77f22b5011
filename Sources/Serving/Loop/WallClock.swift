internal import struct FoundationEssentials.Date

/// The difference between the wall clock and a loop's clock, read once a second. Confined to its
/// loop.
struct WallClock {
    private static let interval: UInt64 = 1_000_000_000

    private var value: UInt64 = 0
    private var nextReadAt: UInt64 = 0

    /// - Parameters:
    ///   - now: nanoseconds of the loop's clock.
    ///   - read: the wall clock, in seconds since 1970.
    /// - Returns: nanoseconds since 1970 at the zero of the loop's clock.
    mutating func offset(
        at now: UInt64, read: () -> Double = { Date().timeIntervalSince1970 }
    ) -> UInt64 {
        if now >= nextReadAt {
            value = UInt64(max(0, min(read(), 0x1p33)) * 1e9) &- now
            nextReadAt = now &+ Self.interval
        }
        return value
    }
}
