internal import Testing

@testable internal import TrafficPolicy

@Suite struct ProportionTests {
    /// A generator that returns one number, and counts how often.
    private struct Fixed: RandomNumberGenerator {
        let number: UInt64
        var uses = 0

        mutating func next() -> UInt64 {
            uses += 1
            return number
        }
    }

    @Test(
        "A share selects the numbers below its bound",
        arguments: [
            (-1, []), (0, []), (.nan, []), (0x1p-64, [0]), (0.5, [0, 1 << 63 - 1]),
            ((1.0).nextDown, [0, 1 << 63 - 1, 1 << 63]),
            (1, [0, 1 << 63 - 1, 1 << 63, .max]), (.infinity, [0, 1 << 63 - 1, 1 << 63, .max]),
        ] as [(Double, [UInt64])])
    func bounds(share: Double, taken: [UInt64]) {
        let proportion = Proportion(share)
        for number: UInt64 in [0, 1 << 63 - 1, 1 << 63, .max] {
            var random = Fixed(number: number)
            #expect(proportion.takes(number) == taken.contains(number))
            #expect(proportion.takesNext(of: &random) == taken.contains(number))
            #expect(random.uses == (taken.isEmpty || share >= 1 ? 0 : 1))
        }
    }
}
