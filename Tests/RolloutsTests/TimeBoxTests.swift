internal import Testing

@testable internal import Rollouts

@Suite("A change of weights that reverts")
struct TimeBoxTests {
    @Test("reverts once after its time, also if no server ran, and not earlier")
    func reverts() throws {
        var box = try #require(TimeBox(.lasting, .seconds(60)))
        #expect(box.tick(elapsed: .seconds(59)) == false)
        #expect(box.tick(elapsed: .seconds(-3_600)) == false)
        #expect(box.remaining == .seconds(1))
        #expect(box.confirm() == false)
        #expect(box.tick(elapsed: .seconds(Int64.max)) == true)
        #expect(box.tick(elapsed: .seconds(1)) == false)
        #expect(box.phase == .reverted)
    }

    @Test("stays after a confirmation")
    func confirms() throws {
        var box = try #require(TimeBox(.confirmWithin, .seconds(60)))
        #expect(box.confirm() == true)
        #expect(box.confirm() == false)
        #expect(box.tick(elapsed: .seconds(61)) == false)
        #expect(box.phase == .confirmed)
    }

    @Test("ends when another change replaces it")
    func superseded() throws {
        var box = try #require(TimeBox(.confirmWithin, .seconds(60)))
        box.superseded()
        #expect(box.tick(elapsed: .seconds(61)) == false)
        #expect(box.confirm() == false)
        #expect(box.phase == .superseded)
    }

    @Test("is restored from valid values only")
    func restores() {
        let box = TimeBox(.lasting, .seconds(60), phase: .open, elapsed: .seconds(30))
        #expect(box?.remaining == .seconds(30))
        for elapsed in [.seconds(-1), .seconds(Int64.max)] as [Duration] {
            #expect(TimeBox(.lasting, .seconds(60), phase: .open, elapsed: elapsed) == nil)
        }
        for duration in [.zero, .milliseconds(999), TimeBox.longest + .seconds(1)] as [Duration] {
            #expect(TimeBox(.lasting, duration) == nil)
        }
    }
}
