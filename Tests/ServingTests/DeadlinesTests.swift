internal import TestSupport
internal import Testing

@testable internal import Serving

@Suite struct DeadlinesTests {
    private final class Owner: DeadlineOwner {
        var passed = 0
        func deadlinePassed() { passed += 1 }
    }

    private static let millisecond: UInt64 = 1_000_000

    @Test("A deadline fires once, at most two ticks late and never early")
    func fires() {
        let loop = EmbeddedLoop()
        let deadlines = Deadlines(loop.eventLoop)
        let owner = Owner()
        _ = deadlines.set(owner, at: loop.now + 100 * Self.millisecond)
        loop.advance(by: .milliseconds(99))
        #expect(owner.passed == 0)
        loop.advance(by: .milliseconds(4))
        #expect(owner.passed == 1)
        loop.advance(by: .seconds(100))
        #expect(owner.passed == 1)
    }

    @Test("A cleared deadline does not fire, and an earlier one that is set later does")
    func clears() {
        let loop = EmbeddedLoop()
        let deadlines = Deadlines(loop.eventLoop)
        let (late, early, cleared) = (Owner(), Owner(), Owner())
        _ = deadlines.set(late, at: loop.now + 5_000 * Self.millisecond)
        let token = deadlines.set(cleared, at: loop.now + 20 * Self.millisecond)
        _ = deadlines.set(early, at: loop.now + 10 * Self.millisecond)
        deadlines.clear(token)
        loop.advance(by: .seconds(1))
        #expect((late.passed, early.passed, cleared.passed) == (0, 1, 0))
        loop.advance(by: .seconds(5))
        #expect((late.passed, early.passed, cleared.passed) == (1, 1, 0))
    }

    @Test("A deadline in the past fires in the next turn")
    func firesPastDeadlines() {
        let loop = EmbeddedLoop()
        let deadlines = Deadlines(loop.eventLoop)
        let owner = Owner()
        _ = deadlines.set(owner, at: 0)
        loop.advance(by: .milliseconds(2))
        #expect(owner.passed == 1)
    }
}
