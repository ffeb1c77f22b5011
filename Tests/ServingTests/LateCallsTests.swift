internal import Observability
internal import Testing

@testable internal import Serving

@Suite struct LateCallsTests {
    private static let second: UInt64 = 1_000_000_000

    private static func calls(
        _ count: Int, capacity: Int = 100, perSecond: Double
    ) -> LateCalls {
        var calls = LateCalls(capacity: capacity, perSecond: perSecond, at: 0)
        for number in 0..<count {
            var record = CallRecord()
            record.revision = UInt64(number)
            let call = EndedCall(record: record, method: "", authority: "")
            calls.offer(LateCall(call: call, state: ""), .failed)
        }
        return calls
    }

    private static func take(_ calls: inout LateCalls, at now: UInt64) -> [UInt64] {
        var taken: [UInt64] = []
        while let (late, _) = calls.takeFirst(at: now) { taken.append(late.call.record.revision) }
        return taken
    }

    @Test("At most the rate is released in a second, the oldest first")
    func releases() {
        var calls = Self.calls(30, perSecond: 10)
        #expect(Self.take(&calls, at: 0) == Array(0..<10))
        #expect(Self.take(&calls, at: Self.second / 10 - 1) == [])
        #expect(Self.take(&calls, at: Self.second / 10) == [10])
        #expect(Self.take(&calls, at: 60 * Self.second) == Array(11..<21))
        #expect(!calls.isEmpty && calls.dropped == 0)
        #expect(calls.removeFirst()?.0.call.record.revision == 21)
    }

    @Test("A full queue drops the oldest call, and counts it", arguments: [1, 2, 3, 100])
    func drops(capacity: Int) {
        var calls = Self.calls(capacity + 1, capacity: capacity, perSecond: 1_000)
        #expect(calls.dropped == 1)
        #expect(Self.take(&calls, at: 0) == (1...capacity).map { UInt64($0) })
        #expect(calls.isEmpty && calls.removeFirst() == nil)
    }

    @Test("A rate below 1 a second releases one call at once, and the next one later")
    func fractions() {
        var calls = Self.calls(3, perSecond: 1.0 / 3)
        #expect(Self.take(&calls, at: 0) == [0])
        #expect(Self.take(&calls, at: 2 * Self.second) == [])
        #expect(Self.take(&calls, at: 4 * Self.second) == [1])
    }
}
