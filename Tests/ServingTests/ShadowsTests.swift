internal import GRPCWire
internal import Messages
internal import Observability
internal import TestSupport
internal import Testing
internal import TrafficPolicy
internal import Transport

@testable internal import Serving

/// The parts of shadow copies on one loop, and their comparison.
@Suite(.timeLimit(.minutes(1))) struct ShadowsTests {
    private func account(_ backend: String) -> ShadowAccount {
        ShadowAccount(.init(endpoint: "e", backend: backend), at: 0)
    }

    // MARK: ShadowLoop

    @Test("A shadow has one tally on a loop, until its shadow is removed")
    func keepsTallies() {
        let loop = TestLoop()
        let shadows = loop.router.shadows
        let (first, second) = (account("a"), account("b"))
        shadows.tally(for: first).figures.select()
        shadows.tally(for: first).figures.select()
        shadows.tally(for: second).figures.select()
        #expect(shadows.tally(for: first) === shadows.tally(for: first))
        #expect(shadows.figures.mapValues(\.selected) == [first.key: 2, second.key: 1])
        shadows.retainTallies(of: [second])
        #expect(shadows.figures.mapValues(\.selected) == [second.key: 1])
        #expect(shadows.tally(for: first).figures.selected == 0, "a new shadow begins at 0")
    }

    // MARK: EndpointShadows

    @Test(
        "Only a share above 0 of the copied requests has noise",
        arguments: [(0, false), (-1, false), (.nan, false), (0.5, true), (1, true), (7, true)]
            as [(Double, Bool)])
    func noise(share: Double, expected: Bool) {
        let noise = RunningShadow(account("n"), limits: ShadowLimits(), includesOwn: true)
        let shadows = EndpointShadows([], noise: noise, noiseShare: share)
        #expect((shadows.noise != nil) == expected)
        #expect(shadows.noiseProportion.takes(0) == expected)
        #expect(EndpointShadows.none.noise == nil)
    }

    // MARK: ShadowQueue

    /// Mirrors of calls, whose copies a backend refuses with the same status.
    private func queueMirrors(_ loop: borrowing TestLoop, _ count: Int, _ account: ShadowAccount) {
        let refusal = Answerer.none(RPCError(.unimplemented, "no"))
        let key = CallKey(endpoint: "e", backend: "s", method: "/p.S/M", isShadow: true)
        let target = ShadowTarget(
            destination: Destination(
                Target(key, isNamed: false, loop.state.metrics), refusal),
            shadow: RunningShadow(account, limits: ShadowLimits(), includesOwn: false),
            tally: loop.router.shadows.tally(for: account))
        for _ in 0..<count {
            let source = TestSource()
            let call = loop.begin(source, refusal)
            let mirror = Mirror(of: call, in: loop.router.shadows)
            mirror.add(target, primary: call.target)
            mirror.enqueue()
            call.start(RequestHead(source.headers), observer: mirror)
        }
    }

    @Test("Copies are made after the work of the loop, all of them while the loop has time")
    func runsLater() throws {
        let loop = TestLoop()
        let account = account("s")
        queueMirrors(loop, 20, account)
        let before = try #require(loop.router.shadows.figures[account.key])
        #expect(before.selected == 20 && before.equal == 0)
        #expect(account.requestsInFlight == 20)
        loop.embedded.run()
        let after = try #require(loop.router.shadows.figures[account.key])
        #expect(after.equal == 20)
        #expect(account.requestsInFlight == 0 && account.bufferedBytes == 0)
    }

    // MARK: Comparer

    private func pair(_ account: ShadowAccount, _ shadow: StatusCode) -> ResponsePair {
        func response(_ code: StatusCode) -> RecordedResponse {
            var response = RecordedResponse()
            response.end(code, "", nanoseconds: 1)
            return response
        }
        return ResponsePair(
            account: account, epoch: account.epoch, method: "/p.S/M", metadata: { Metadata() },
            primary: response(.ok), shadow: response(shadow), heldBytes: 10)
    }

    @Test("A pair is compared on another thread, and its bytes are released")
    func compares() async throws {
        let account = account("s")
        #expect(account.hold(10, limit: 10))
        let comparer = Comparer(limit: 1, maxMessageBytes: 100)
        #expect(comparer.submit(pair(account, .aborted)))
        #expect(await eventually { account.bufferedBytes == 0 })
        #expect(account.ledger.entries.differing == 1)
        try await comparer.shutDown()
        #expect(!comparer.submit(pair(account, .aborted)), "the comparer has ended")
    }
}
