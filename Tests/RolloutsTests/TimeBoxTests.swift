internal import Testing

@testable internal import Rollouts

@Suite("A change of weights that reverts")
struct TimeBoxTests {
    @Test("reverts once after its time, and not earlier")
    func reverts() throws {
        var box = try #require(TimeBox(.seconds(60)))
        #expect(box.tick(elapsed: .seconds(59)) == false)
        #expect(box.tick(elapsed: .seconds(-3_600)) == false)
        #expect(box.remaining == .seconds(1))
        #expect(box.tick(elapsed: .seconds(Int64.max)) == true)
        #expect(box.tick(elapsed: .seconds(1)) == false)
        #expect(box.remaining == .zero)
    }

    @Test("counts the time in which no server ran, within bounds")
    func continues() {
        for (elapsed, remaining) in [(-1, 60), (0, 60), (30, 30), (61, 0), (.max, 0)]
            as [(Int64, Int64)]
        {
            let box = TimeBox(.seconds(60), elapsed: .seconds(elapsed))
            #expect(box?.remaining == .seconds(remaining))
        }
    }

    @Test("lasts from a second to a week")
    func bounds() {
        for duration in [.zero, .milliseconds(999), TimeBox.longest + .seconds(1)] as [Duration] {
            #expect(TimeBox(duration) == nil)
        }
        for duration in [.seconds(1), TimeBox.longest] as [Duration] {
            #expect(TimeBox(duration)?.remaining == duration)
        }
    }
}
