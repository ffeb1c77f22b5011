internal import Testing

@testable internal import Upstream

@Suite struct WorkerMachineTests {
    static let second: UInt64 = 1_000_000_000

    enum Event {
        case start
        case check(second: UInt64, isServing: Bool, WorkerMachine.Check)
        case leaderEnd
        /// The process failed: the next start is so many seconds later.
        case end(second: UInt64, pause: UInt64)
    }

    @Test(
        "A process is starting, healthy or late, and is followed by another one",
        arguments: [
            ([.start], "starting"),
            ([.start, .check(second: 0, isServing: false, .again)], "starting"),
            ([.start, .check(second: 9, isServing: false, .again)], "starting"),
            // At the timeout it is late; serving at that moment still counts.
            ([.start, .check(second: 10, isServing: false, .late)], "starting"),
            ([.start, .check(second: 10, isServing: true, .healthy)], "healthy"),
            (
                [
                    .start, .check(second: 1, isServing: true, .healthy),
                    .check(second: 2, isServing: false, .done),
                ], "healthy"
            ),
            // The process ends before it is healthy.
            ([.start, .leaderEnd, .check(second: 1, isServing: true, .done)], "down"),
            ([.start, .check(second: 1, isServing: true, .healthy), .leaderEnd], "down"),
            // It cannot be started at all.
            ([.start, .end(second: 0, pause: 1)], "down"),
            ([.start, .leaderEnd, .end(second: 0, pause: 1), .start], "starting"),
        ] as [([Event], String)])
    func transitions(events: [Event], state: String) {
        var machine = WorkerMachine()
        for event in events { step(&machine, event, at: 0) }
        let isStarting = machine.isStarting
        let isHealthy = machine.isHealthy
        #expect((isStarting ? "starting" : isHealthy ? "healthy" : "down") == state)
    }

    @Test("The pause grows from failure to failure, and health resets it")
    func backoff() {
        var machine = WorkerMachine()
        var now: UInt64 = 0
        for (failures, pause) in [1_000, 1_600, 2_560, 4_096].enumerated() {
            machine.started(at: now, timeout: .seconds(10))
            machine.leaderEnded()
            let wait = machine.ended("exited with code \(failures)", at: now, random: 0.5)
            #expect(wait == UInt64(pause) * 1_000_000)
            let (restarts, failure) = (machine.restarts, machine.lastFailure)
            #expect(restarts == UInt64(failures + 1))
            #expect(failure == "exited with code \(failures)")
            now += wait
        }
        machine.started(at: now, timeout: .seconds(10))
        let check = machine.check(at: now, .serving)
        #expect(check == .healthy)
        machine.leaderEnded()
        let wait = machine.ended("ended by signal 9", at: now + 1, random: 0.5)
        // It counts from the end, since a healthy process has no start to count from.
        #expect(wait == Self.second)
    }

    @Test("The problem is that of the current process, and names the end of the one before it")
    func explains() {
        var machine = WorkerMachine()
        func expect(_ problem: String?, _ obstacle: String? = nil, line: Int = #line) {
            let (found, foundObstacle) = (machine.problem, machine.obstacle)
            #expect(found == problem, "line \(line)")
            #expect(foundObstacle == obstacle, "line \(line)")
        }
        expect("has not been started")
        machine.started(at: 0, timeout: .seconds(10))
        expect("is starting")
        _ = machine.check(at: 1, .failing("no SETTINGS"))
        expect("is not ready: no SETTINGS", "no SETTINGS")
        // It does not listen any more.
        _ = machine.check(at: 2, .starting)
        expect("is starting")
        _ = machine.check(at: 3, .failing("no SETTINGS"))
        machine.leaderEnded()
        _ = machine.ended("exited with code 3", at: 4, random: 0.5)
        expect("exited with code 3")
        machine.started(at: 5, timeout: .seconds(10))
        expect("exited with code 3; it is starting again")
        _ = machine.check(at: 6, .failing("health check: NOT_SERVING"))
        expect("is not ready: health check: NOT_SERVING", "health check: NOT_SERVING")
        _ = machine.check(at: 7, .serving)
        expect(nil)
        // The reason of the first end is not that of the second one.
        machine.leaderEnded()
        expect("has ended")
        _ = machine.ended("ended by signal 9", at: 8, random: 0.5)
        expect("ended by signal 9")
    }

    private func step(_ machine: inout WorkerMachine, _ event: Event, at start: UInt64) {
        switch event {
        case .start: machine.started(at: start, timeout: .seconds(10))
        case .check(let second, let isServing, let expected):
            let check = machine.check(
                at: start + second * Self.second, isServing ? .serving : .starting)
            #expect(check == expected)
        case .leaderEnd: machine.leaderEnded()
        case .end(let second, let pause):
            let wait = machine.ended("x", at: start + second * Self.second, random: 0.5)
            #expect(wait == pause * Self.second)
        }
    }
}
