internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import TrafficPolicy
internal import Upstream

/// A path with its policy, destinations and shadows, resolved once. Confined to its loop.
final class ResolvedPath {
    let path: [UInt8]
    /// Nil for Weir's own services, which have one destination.
    let policy: EndpointPolicy?
    let destinations: [Destination]
    let shadows: [ShadowTarget]
    private let limiter: RateLimiter?
    /// Second requests to the primary backend, whose differences are noise.
    let noise: Noise?

    /// For each destination, a second one that counts as a shadow.
    struct Noise {
        let targets: [ShadowTarget]
        let proportion: Proportion
    }

    init(
        path: [UInt8], policy: EndpointPolicy?, destinations: [Destination],
        shadows: [ShadowTarget] = [], noise: Noise? = nil, limiter: RateLimiter? = nil
    ) {
        self.limiter = limiter
        self.path = path
        self.policy = policy
        self.destinations = destinations
        self.shadows = shadows
        self.noise = noise
    }

    /// The path as text.
    var text: String { String(decoding: path, as: UTF8.self) }
    /// The endpoint's name; empty for Weir's own services.
    var endpoint: String { policy?.endpoint ?? "" }

    /// The error for a request that is refused; nil if it is admitted. Weir's own services always
    /// answer, because operators and health checks need them while the server is overloaded.
    func refusal(on loop: LoopState, at now: UInt64) -> RPCError? {
        guard let policy else { return nil }
        if let error = loop.refusal() {
            loop.endpoints[policy.endpoint, default: .init()].overloaded += 1
            return error
        }
        guard let limiter, let wait = limiter.take(at: now) else { return nil }
        loop.admission.count(.rate)
        loop.endpoints[policy.endpoint, default: .init()].rateLimited += 1
        return .rateLimited(endpoint: policy.endpoint, retryAfter: wait)
    }

    /// The decision about a request.
    struct Choice {
        let index: Int
        let destination: Destination
        /// The point of the shard key; nil without one.
        let shardPoint: UInt64?
        /// The shadows that sampled the request, one bit for each.
        private(set) var sampled: UInt64 = 0

        init(_ path: ResolvedPath, _ index: Int, shardPoint: UInt64? = nil) {
            self.index = index
            self.shardPoint = shardPoint
            destination = path.destinations[index]
        }

        var isCopied: Bool { sampled != 0 }

        func isSampled(_ shadow: Int) -> Bool { sampled & 1 << UInt64(shadow) != 0 }

        fileprivate mutating func sample(_ shadow: Int) { sampled |= 1 << UInt64(shadow) }
    }

    /// Chooses the destination of a request, and the shadows that sample it.
    func choose(shardKey: RawSpan, _ random: inout LoopRandom) -> Choice {
        guard let policy else { return Choice(self, 0) }
        let hasKey = shardKey.byteCount > 0
        let point = hasKey ? policy.point(of: shardKey) : random.next()
        var choice = Choice(self, policy.choose(point), shardPoint: hasKey ? point : nil)
        for index in shadows.indices {
            let isSampled =
                hasKey
                ? policy.isShadowed(index, key: shardKey)
                : policy.isShadowed(index, using: &random)
            guard isSampled else { continue }
            shadows[index].destination.target.sampled()
            choice.sample(index)
        }
        return choice
    }

    /// The mirror of a call that shadows sampled; nil if no copy is made.
    func mirror(_ call: ServerCall, _ choice: Choice, in shadowLoop: ShadowLoop) -> Mirror? {
        guard choice.isCopied else { return nil }
        let mirror = Mirror(of: call, in: shadowLoop)
        for index in shadows.indices where choice.isSampled(index) {
            mirror.add(shadows[index], primary: call.target)
        }
        guard mirror.hasCopies else { return nil }
        if let noise, noise.proportion.takesNext(of: &shadowLoop.loop.context.random) {
            mirror.copy(to: noise.targets[choice.index])
        }
        mirror.enqueue()
        return mirror
    }
}
