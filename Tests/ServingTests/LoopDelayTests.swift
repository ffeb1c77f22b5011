internal import TestSupport
internal import Testing
internal import Transport

@testable internal import Serving

@Suite struct LoopDelayTests {
    private static let millisecond: Int64 = 1_000_000

    /// One firing of the timer: whether a request has arrived since the last one, how late it is in
    /// milliseconds, and whether requests are refused afterwards.
    struct Firing: Sendable {
        let hadRequest: Bool
        let late: Int64
        let isOverLimit: Bool
        let restarts: Bool
    }

    private static func firing(
        _ late: Int64, request: Bool = true, over: Bool = false, restarts: Bool = true
    ) -> Firing {
        Firing(hadRequest: request, late: late, isOverLimit: over, restarts: restarts)
    }

    @Test(
        "Two measurements over the limit refuse requests, until one is at most half of it",
        arguments: [
            [firing(100), firing(100), firing(0)],
            [firing(101), firing(100), firing(101), firing(0)],
            [firing(101), firing(101, over: true), firing(50), firing(51), firing(101)],
            [firing(900), firing(900, over: true), firing(51, over: true), firing(50)],
            // Without requests, the timer runs until the delay is within the limit.
            [
                firing(101), firing(101, over: true), firing(101, request: false, over: true),
                firing(0, request: false, restarts: false),
            ],
            [firing(0), firing(0, request: false, restarts: false)],
            [firing(101), firing(101, request: false, over: true), firing(0, restarts: true)],
        ])
    func measures(firings: [Firing]) {
        var delay = LoopDelay(limit: .milliseconds(100))
        var starts = delay.requestArrived()
        #expect(starts, "the first request starts the timer")
        for (index, firing) in firings.enumerated() {
            if firing.hadRequest, index > 0 {
                starts = delay.requestArrived()
                #expect(!starts, "the timer runs")
            }
            let restarts = delay.timerFired(late: firing.late * Self.millisecond)
            #expect(restarts == firing.restarts, "firing \(index)")
            #expect(delay.isOverLimit == firing.isOverLimit, "firing \(index)")
            #expect(delay.nanoseconds == firing.late * Self.millisecond)
        }
        if firings.last?.restarts == false {
            starts = delay.requestArrived()
            #expect(starts, "the next request starts the timer again")
        }
    }

    @Test("A loop measures its delay from its first request until no request arrives")
    func runsTimer() {
        let loop = TestLoop()
        #expect(loop.state.refusal() == nil)
        #expect(loop.state.delay.nanoseconds == 0)
        // The embedded loop is never late, so the timer ends after the interval without a request.
        for _ in 0..<3 {
            #expect(loop.state.refusal() == nil)
            loop.embedded.advance(by: LoopDelay.interval)
        }
        loop.embedded.advance(by: LoopDelay.interval)
        var delay = loop.state.delay
        let starts = delay.requestArrived()
        #expect(starts, "the timer has stopped")
    }
}
