internal import Testing

@testable internal import ControlPlane

@Suite("The weights of the seconds of a rollout")
struct StepSecondsTests {
    @Test("are unknown from the last second before a change to the second of the change")
    func changes() {
        var seconds = StepSeconds(weight: 0.1, entry: 1, at: 10)
        seconds.note(weight: 0.1, entry: 1, at: 20)
        // Nothing was noted for a while.
        seconds.note(weight: 0.5, entry: 2, at: 26)
        let expected: [(UInt64, Double?, UInt64)] = [
            (0, nil, 0), (10, nil, 0), (11, 0.1, 1), (19, 0.1, 1), (20, nil, 1), (26, nil, 1),
            (27, 0.5, 2), (.max, 0.5, 2),
        ]
        for (second, weight, entry) in expected {
            #expect(seconds[second].weight == weight && seconds[second].entry == entry)
        }
    }

    @Test("stay known if only the step changes")
    func sameWeight() {
        var seconds = StepSeconds(weight: 0.1, entry: 1, at: 10)
        seconds.note(weight: 0.1, entry: 2, at: 12)
        #expect(seconds[11].weight == 0.1 && seconds[12].weight == 0.1)
        #expect(seconds[12].entry == 1 && seconds[13].entry == 2)
    }

    @Test("are kept for the time in which requests are judged")
    func bounded() {
        var seconds = StepSeconds(weight: 0, entry: 0, at: 0)
        for second in 1...1_000 as ClosedRange<UInt64> {
            seconds.note(weight: Double(second), entry: second, at: second)
        }
        #expect(seconds[1_001].weight == 1_000 && seconds[1].entry == 0)
        #expect(seconds[950].entry == 949)
    }
}
