internal import Testing

@testable internal import Upstream

@Suite struct WorkerEndingTests {
    private static let start = ContinuousClock.now
    private static let grace = Duration.seconds(10)

    private static func at(_ seconds: Double) -> ContinuousClock.Instant {
        start + .seconds(seconds)
    }

    @Test("A worker that ends on SIGTERM receives only that, and its group SIGKILL at its end")
    func endsOnSIGTERM() {
        var ending = WorkerEnding()
        #expect(ending.stop(at: Self.at(0), grace: Self.grace) == .terminate)
        #expect(ending.pendingSignal == .terminate)
        #expect(ending.stop(at: Self.at(1), grace: Self.grace) == nil)
        #expect(ending.tick(at: Self.at(9), othersLive: true) == .wait)
        let last = ending.workerEnded(at: Self.at(9), grace: Self.grace, othersLive: false)
        #expect(last == .kill)
        #expect(ending.tick(at: Self.at(9), othersLive: false) == .finish)
    }

    @Test("A worker that ignores SIGTERM receives SIGKILL after the grace period")
    func isKilled() {
        var ending = WorkerEnding()
        _ = ending.stop(at: Self.at(0), grace: Self.grace)
        #expect(ending.tick(at: Self.at(9.999), othersLive: true) == .wait)
        #expect(ending.tick(at: Self.at(10), othersLive: true) == .kill)
        #expect(ending.pendingSignal == .kill)
        #expect(ending.tick(at: Self.at(11), othersLive: true) == .wait)
        #expect(ending.workerEnded(at: Self.at(11), grace: Self.grace, othersLive: true) == .kill)
        #expect(ending.tick(at: Self.at(11), othersLive: true) == .finish)
    }

    @Test("The processes of a crashed worker receive SIGTERM, and SIGKILL after the grace period")
    func clearsAfterCrash() {
        var ending = WorkerEnding()
        #expect(ending.pendingSignal == nil)
        let first = ending.workerEnded(at: Self.at(5), grace: Self.grace, othersLive: true)
        #expect(first == .terminate)
        #expect(ending.tick(at: Self.at(14.9), othersLive: true) == .wait)
        #expect(ending.tick(at: Self.at(15), othersLive: true) == .finish)
    }

    @Test("The wait ends before the grace period when the group is empty")
    func endsEarly() {
        var ending = WorkerEnding()
        _ = ending.workerEnded(at: Self.at(0), grace: Self.grace, othersLive: true)
        #expect(ending.tick(at: Self.at(1), othersLive: true) == .wait)
        #expect(ending.tick(at: Self.at(1), othersLive: false) == .finish)
    }

    @Test("A stop while the rest of the group is ending does not prolong the grace period")
    func countsOnce() {
        var ending = WorkerEnding()
        _ = ending.stop(at: Self.at(0), grace: Self.grace)
        #expect(ending.workerEnded(at: Self.at(8), grace: Self.grace, othersLive: true) == nil)
        #expect(ending.stop(at: Self.at(9), grace: Self.grace) == nil)
        #expect(ending.tick(at: Self.at(9.9), othersLive: true) == .wait)
        #expect(ending.tick(at: Self.at(10), othersLive: true) == .finish)
    }

    @Test("A crashed worker that was alone in its group ends at once")
    func endsAtOnceAfterCrash() {
        var ending = WorkerEnding()
        #expect(ending.workerEnded(at: Self.at(0), grace: Self.grace, othersLive: false) == .kill)
        #expect(ending.tick(at: Self.at(0), othersLive: false) == .finish)
    }
}

@Suite struct ProcessGroupTests {
    @Test(
        "The state and the group of a process are parsed for any process name",
        arguments: [
            ("7 (sh) S 1 7 7 0 -1", "S" as Character, Int32(7), true),
            ("8 (a) b) Z 1 7 7", "Z", 7, false),
            ("9 (x (1) R 2 3 4) X 1 12 12 0", "X", 12, false),
            ("10 (\n) D 1 2147483647 1", "D", 2_147_483_647, true),
        ])
    func reads(stat: String, state: Character, group: Int32, isLiving: Bool) throws {
        let member = try #require(ProcessGroup.Member(stat: stat))
        #expect(member.state == state)
        #expect(member.group == group)
        #expect(member.isLiving == isLiving)
    }

    @Test(
        "Text that is not a process's state is rejected",
        arguments: ["", "7", "7 (sh)", "7 (sh) S 1", "7 (sh) S 1 x", "7 (sh) SS 1 7", "7 sh S 1 7"])
    func rejects(stat: String) {
        #expect(ProcessGroup.Member(stat: stat) == nil)
    }
}
