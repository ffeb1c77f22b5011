/// A share of uniform random numbers.
package struct Proportion: Sendable {
    private let bound: UInt64
    private let takesAll: Bool

    /// - Parameter share: clamped to 0...1; NaN counts as 0.
    package init(_ share: Double) {
        takesAll = share >= 1
        // Below 1 a double is at most 1 - 2^-53, hence the product below 2^64.
        bound = share > 0 && !takesAll ? UInt64(share * 0x1p64) : 0
    }

    /// Whether a number is in the share.
    package func takes(_ number: UInt64) -> Bool { takesAll || number < bound }

    /// Whether the next random number is in the share. Shares of 0 and 1 need no random number.
    package func takesNext(of random: inout some RandomNumberGenerator) -> Bool {
        takesAll || bound > 0 && random.next() < bound
    }
}
