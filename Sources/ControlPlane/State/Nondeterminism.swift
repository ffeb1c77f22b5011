internal import struct FoundationEssentials.Date

/// The wall clock and the random numbers of a control plane, so that the rest is a function of its
/// input, and a test determines them.
package struct Nondeterminism: Sendable {
    var now: @Sendable () -> Date = { Date() }
    /// Never 0, which means unknown.
    var random: @Sendable () -> UInt64 = { .random(in: 1 ... .max) }

    package init() {}
}
