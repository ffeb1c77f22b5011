internal import Testing

@testable internal import Traces

@Suite struct LateRingTests {
    private static let second: UInt64 = 1_000_000_000

    @Test("At most the rate is released in a second, the oldest first")
    func releases() {
        var ring = LateRing<Int>(capacity: 100, perSecond: 10)
        for number in 0..<30 { ring.offer(number) }
        let start = 5 * Self.second
        // At most one second's releases come at once, and the one that is due now.
        #expect(ring.take(at: start) == Array(0...10))
        #expect(ring.take(at: start) == [])
        #expect(ring.take(at: start + Self.second / 10) == [11])
        #expect(ring.take(at: start + Self.second) == Array(12...20))
        #expect(!ring.isEmpty && ring.dropped == 0)
    }

    @Test("A full ring drops the oldest call, and counts it", arguments: [1, 2, 3, 100])
    func drops(capacity: Int) {
        var ring = LateRing<Int>(capacity: capacity, perSecond: 1_000_000)
        for number in 0..<capacity + 1 { ring.offer(number) }
        #expect(ring.dropped == 1)
        #expect(ring.take(at: 10 * Self.second) == Array(1...capacity))
        #expect(ring.isEmpty)
    }

    @Test("Parts share the rate; extreme rates are bounded")
    func rates() {
        var third = LateRing<Int>(capacity: 10, perSecond: 1, parts: 3)
        for number in 0..<5 { third.offer(number) }
        #expect(third.take(at: 10 * Self.second) == [0])
        #expect(third.take(at: 12 * Self.second - 1) == [])
        #expect(third.take(at: 12 * Self.second) == [1])
        for perSecond in [0, -1, Int.min] {
            var none = LateRing<Int>(capacity: 10, perSecond: perSecond)
            none.offer(1)
            #expect(none.isEmpty && none.dropped == 1 && none.take(at: .max - 1) == [])
        }
        var most = LateRing<Int>(capacity: 0, perSecond: .max, parts: .max)
        most.offer(1)
        #expect(most.take(at: 1).count + Int(most.dropped) == 1)
    }
}
