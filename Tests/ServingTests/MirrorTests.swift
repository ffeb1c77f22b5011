internal import GRPCWire
internal import HTTP2Session
internal import Messages
internal import Observability
internal import TestSupport
internal import Testing

@testable internal import Serving

@Suite struct MirrorTests {
    private let account = ShadowAccount(.init(endpoint: "e", backend: "s"), at: 0)

    private func target(
        _ loop: borrowing TestLoop, _ answerer: Answerer, _ limits: ShadowLimits = ShadowLimits()
    ) -> ShadowTarget {
        let key = CallKey(endpoint: "e", backend: "s", method: "/p.S/M", isShadow: true)
        return ShadowTarget(
            destination: Destination(
                Target(key, isNamed: false, loop.state.metrics), answerer),
            shadow: RunningShadow(account, limits: limits, includesOwn: false),
            tally: loop.router.shadows.tally(for: account))
    }

    /// A call of a client that ends with UNIMPLEMENTED, and its copy.
    private func run(_ loop: borrowing TestLoop, _ shadow: ShadowTarget) throws {
        let source = TestSource()
        let call = loop.begin(source, .none(RPCError(.unimplemented, "no")))
        let mirror = Mirror(of: call, in: loop.router.shadows)
        mirror.add(shadow, primary: call.target)
        mirror.enqueue()
        call.start(RequestHead(source.headers), observer: mirror)
        #expect(source.status?.code == .unimplemented, "the call does not wait for its copy")
        loop.embedded.run()
    }

    private func figures(_ loop: borrowing TestLoop) throws -> ShadowFigures {
        try #require(loop.router.shadows.figures[account.key])
    }

    @Test("A copy with the same response is counted as equal, another one as unequal")
    func compares() throws {
        for (message, isEqual) in [("no", true), ("never", false)] {
            let loop = TestLoop()
            try run(loop, target(loop, .none(RPCError(.unimplemented, message))))
            let figures = try figures(loop)
            #expect(figures.selected == 1)
            #expect(figures.equal == (isEqual ? 1 : 0) && figures.unequal == (isEqual ? 0 : 1))
            #expect(account.requestsInFlight == 0)
        }
    }

    @Test("A copy without a replica, or over the limit in flight, is dropped")
    func drops() throws {
        let loop = TestLoop()
        try run(loop, target(loop, .none(RPCError(.unavailable, "down"))))
        #expect(try figures(loop).dropped(.noReplica) == 1)
        var limits = ShadowLimits()
        limits.maxRequestsInFlight = 0
        try run(loop, target(loop, .none(RPCError(.unimplemented, "no")), limits))
        #expect(try figures(loop).dropped(.inFlight) == 1)
        #expect(account.requestsInFlight == 0)
    }

    @Test("The allowance of the responses of copies is refilled by the clock of the loop")
    func limitsPace() {
        let loop = TestLoop()
        let queue = ShadowQueue(loop.embedded.eventLoop, bytesPerMillisecond: 10)
        #expect(queue.takeAllowance(25), "one read may exceed the allowance")
        #expect(!queue.takeAllowance(1))
        loop.embedded.advance(by: .milliseconds(1))
        #expect(!queue.takeAllowance(1))
        loop.embedded.advance(by: .milliseconds(1))
        #expect(queue.takeAllowance(1))
        // At most eight milliseconds are saved.
        loop.embedded.advance(by: .seconds(1))
        #expect(queue.takeAllowance(80))
        #expect(!queue.takeAllowance(1))
    }
}
