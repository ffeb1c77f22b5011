internal import Testing

@testable internal import Serving

@Suite struct WallClockTests {
    @Test("The wall clock is read once a second of the loop's clock, and bounded")
    func reads() {
        var clock = WallClock()
        #expect(clock.offset(at: 5) { 2 } == 1_999_999_995)
        #expect(clock.offset(at: 1_000_000_004) { 9 } == 1_999_999_995)
        #expect(clock.offset(at: 1_000_000_005) { 9 } == 7_999_999_995)
        #expect(clock.offset(at: 3_000_000_000) { -1 } == 0 &- 3_000_000_000)
        #expect(
            clock.offset(at: 5_000_000_000) { .infinity } &+ 5_000_000_000
                == 1 << 33 * 1_000_000_000)
    }
}
