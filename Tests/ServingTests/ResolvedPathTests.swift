internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import TestSupport
internal import Testing
internal import TrafficPolicy
internal import Transport
internal import Upstream

@testable internal import Serving

@Suite struct ResolvedPathTests {
    private static let refused = Answerer.none(RPCError(.unimplemented, "no"))

    private func destination(
        _ loop: borrowing TestLoop, _ backend: String, isShadow: Bool = false
    ) -> Destination {
        let key = CallKey(endpoint: "e", backend: backend, method: "/p.S/M", isShadow: isShadow)
        return Destination(Target(key, isNamed: false, loop.state.metrics), Self.refused)
    }

    private func shadow(_ loop: borrowing TestLoop, _ backend: String) -> ShadowTarget {
        let account = ShadowAccount(.init(endpoint: "e", backend: backend), at: 0)
        return ShadowTarget(
            destination: destination(loop, backend, isShadow: true),
            shadow: RunningShadow(account, limits: ShadowLimits(), includesOwn: false),
            tally: loop.router.shadows.tally(for: account))
    }

    /// An endpoint with the weights 0.25 and 0.75, and shadows with proportions.
    private func path(
        _ loop: borrowing TestLoop, shadows: KeyValuePairs<String, Double> = [:],
        noise: Double? = nil, limiter: RateLimiter? = nil
    ) throws -> ResolvedPath {
        let weights = try TrafficWeights([("a", 0.25), ("b", 0.75)])
        let map = AffinityMap(owner: "a").changed(to: weights).map
        let policy = EndpointPolicy(
            endpoint: "e", map: map, shadows: shadows.map { ($0.key, $0.value) })
        let destinations = [destination(loop, "a"), destination(loop, "b")]
        return ResolvedPath(
            path: [], policy: policy, destinations: destinations,
            shadows: shadows.map { shadow(loop, $0.key) },
            noise: noise.map { share in
                .init(
                    targets: [shadow(loop, "a"), shadow(loop, "b")],
                    proportion: Proportion(share))
            }, limiter: limiter)
    }

    @Test("Requests without a key are chosen by the weights, those with a key by the key")
    func chooses() throws {
        let loop = TestLoop()
        let path = try path(loop)
        let chosen = (0..<4_000).count { _ in
            path.choose(shardKey: RawSpan(), &loop.state.context.random).index == 0
        }
        #expect((850...1_150).contains(chosen))
        for number in 0..<50 {
            let key = Array("user-\(number)".utf8)
            let choices = Set(
                (0..<3).map { _ in
                    path.choose(shardKey: key.span.asBytes, &loop.state.context.random).index
                })
            #expect(choices.count == 1)
            #expect(
                choices.first
                    == path.policy?.choose(try #require(path.policy).point(of: key.span.asBytes)))
        }
    }

    @Test("Each shadow samples by itself, and the requests that it samples are counted")
    func samples() throws {
        let loop = TestLoop()
        let path = try path(loop, shadows: ["all": 1, "none": 0, "half": 0.5])
        var sampled = [0, 0, 0]
        for _ in 0..<1_000 {
            let choice = path.choose(shardKey: RawSpan(), &loop.state.context.random)
            #expect(choice.isCopied)
            for shadow in 0..<3 where choice.isSampled(shadow) { sampled[shadow] += 1 }
        }
        #expect(sampled[0] == 1_000 && sampled[1] == 0 && (400...600).contains(sampled[2]))
        let figures = loop.state.metrics.figures
        for (shadow, name) in ["all", "none", "half"].enumerated() {
            let key = CallKey(endpoint: "e", backend: name, method: "/p.S/M", isShadow: true)
            #expect(figures[key]?.sampled ?? 0 == UInt64(sampled[shadow]))
        }
    }

    @Test("A call that no shadow samples has no mirror, and noise gets a copy of a mirrored one")
    func mirrors() throws {
        for (proportion, noise, copies) in [(0.0, 1.0, 0), (1, 0, 1), (1, 1, 2)] {
            let loop = TestLoop()
            let path = try path(loop, shadows: ["s": proportion], noise: noise)
            let choice = path.choose(shardKey: RawSpan(), &loop.state.context.random)
            let source = TestSource()
            let call = choice.destination.begin(
                loop.state, .source(source), at: loop.embedded.now,
                RequestHead(source.headers).trace)
            let mirror = path.mirror(call, choice, in: loop.router.shadows)
            #expect((mirror != nil) == (copies > 0))
            call.start(RequestHead(source.headers), observer: mirror)
            loop.embedded.run()
            let equal = loop.router.shadows.figures.values.reduce(0) { $0 + $1.equal }
            #expect(equal == copies)
        }
    }

    @Test("Requests over the limits are refused with the reason; Weir's own services are not")
    func refuses() throws {
        var limits = Limits()
        limits.maxRequestsInFlightPerLoop = 0
        let full = TestLoop(limits)
        #expect(
            try path(full).refusal(on: full.state, at: full.embedded.now)?.code
                == .resourceExhausted)
        #expect(full.state.admission.refused == [.requests: 1])
        #expect(full.state.endpoints == ["e": EndpointFigures(overloaded: 1)])
        let own = ResolvedPath(path: [], policy: nil, destinations: [destination(full, "weir")])
        #expect(own.refusal(on: full.state, at: full.embedded.now) == nil)
        #expect(own.choose(shardKey: RawSpan(), &full.state.context.random).index == 0)

        let loop = TestLoop()
        let limited = try path(loop, limiter: RateLimiter(requestsPerSecond: 1, burst: 2))
        let refusals = (0..<3).map { _ in limited.refusal(on: loop.state, at: loop.embedded.now) }
        #expect(refusals[0] == nil && refusals[1] == nil)
        #expect(refusals[2]?.message.contains("'e' is over its limit of requests") == true)
        #expect(loop.state.admission.refused == [.rate: 1])
        #expect(loop.state.endpoints == ["e": EndpointFigures(rateLimited: 1)])
        #expect(limited.refusal(on: loop.state, at: loop.embedded.now + 1_000_000_000) == nil)
        // The counts of an endpoint that was deleted are forgotten.
        loop.router.install(.empty)
        #expect(loop.state.endpoints.isEmpty)
    }
}
