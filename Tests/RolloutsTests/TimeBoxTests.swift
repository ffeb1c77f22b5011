internal import Testing

@testable internal import Rollouts

@Suite("A change of weights that reverts")
struct TimeBoxTests {
    @Test("reverts once after its time, and not earlier")
    func reverts() throws {
        var box = try #require(TimeBox(.seconds(60)))
        #expect(box.tick(elapsed: .seconds(59)) == false)
        #expect(box.tick(elapsed: .seconds(-3_600)) == false)
        #expect(box.tick(elapsed: .milliseconds(999)) == false)
        #expect(box.tick(elapsed: .seconds(Int64.max)) == true)
        #expect(box.tick(elapsed: .seconds(1)) == false)
    }

    @Test("counts the time in which no server ran, within bounds")
    func continues() {
        for (elapsed, rest) in [(-1, 60), (0, 60), (30, 30), (61, 0), (.max, 0)]
            as [(Int64, Int64)]
        {
            var box = TimeBox(.seconds(60), elapsed: .seconds(elapsed))
            if rest > 0 { #expect(box?.tick(elapsed: .seconds(rest - 1)) == false) }
            #expect(box?.tick(elapsed: .seconds(min(rest, 1))) == true)
        }
    }

    @Test("lasts from a second to a week")
    func bounds() {
        for duration in [.zero, .milliseconds(999), TimeBox.longest + .seconds(1)] as [Duration] {
            #expect(TimeBox(duration) == nil)
        }
        for duration in [.seconds(1), TimeBox.longest] as [Duration] {
            #expect(TimeBox(duration)?.duration == duration)
        }
    }
}
