internal import GRPCWire
internal import HTTP2Session
internal import Observability
internal import TrafficPolicy
internal import Transport

/// Weir's own services on one port: found where no endpoint takes the path.
package struct SystemServices: Sendable {
    let backend: HandlerBackend
    /// What answers requests that are not gRPC.
    let http: PlainHTTP
    /// Whether the port also serves the endpoints.
    let servesEndpoints: Bool

    package init(backend: HandlerBackend, http: PlainHTTP) {
        self.backend = backend
        self.http = http
        servesEndpoints = if case .endpoints = http { true } else { false }
    }
}

/// A method of Swift code, and where it runs.
struct Handler {
    let method: MethodHandler
    let isBlocking: Bool
    /// The largest request message.
    let maxMessageBytes: Int
    /// The limit that an operator sets to change `maxMessageBytes`.
    var limitName: StaticString = "max-message-bytes"
}

/// What answers the requests of a target.
enum Answerer {
    case handler(Handler)
    case replicas(BackendPool)
    /// Nothing does: the backend is not here, or has no such method.
    case nobody(RPCError)
}

/// One backend as one path of one endpoint reaches it. Confined to its loop.
final class Target {
    /// Endpoint, backend and method of its calls.
    let key: CallKey
    let answerer: Answerer
    /// Where its calls are counted.
    private(set) var metrics: CallMetrics
    /// Set until a backend has answered the method; then calls are counted under its name.
    private var unknownMethod: UnknownMethod?
    /// Whether the caller gets the name of the backend, in `x-serve-backend`.
    private let isNamed: Bool
    /// The trailers of a successful call without trailing metadata of its own.
    private(set) var okTrailers = HeaderBlock(["grpc-status": "0"])
    /// The trailer that names who answered, or none.
    private(set) var nameTrailers = HeaderBlock()

    /// - Parameter unknownMethod: nil for a method that exists.
    init(
        _ key: CallKey, _ answerer: Answerer, isNamed: Bool, unknownMethod: UnknownMethod? = nil,
        _ metrics: LoopMetrics
    ) {
        self.key = key
        self.answerer = answerer
        self.isNamed = isNamed
        self.unknownMethod = unknownMethod
        self.metrics = metrics.series(
            of: unknownMethod == nil ? key : key.counted(as: LoopMetrics.otherMethods))
        appendName(to: &okTrailers)
        appendName(to: &nameTrailers)
    }

    /// Counts a call that begins.
    ///
    /// - Returns: nil, or what to hand to `ended` for a call whose method may not exist. How many
    ///   of these began is counted when they end, under the name that is known then.
    func began(_ metrics: LoopMetrics) -> ProvisionalCount? {
        if let method = unknownMethod {
            guard method.isAnswered else {
                self.metrics.figures.inFlight += 1
                return ProvisionalCount(method: method, metrics: self.metrics)
            }
            self.metrics = metrics.series(of: key)
            unknownMethod = nil
        }
        self.metrics.figures.started += 1
        self.metrics.figures.inFlight += 1
        return nil
    }

    /// Counts a call that has ended.
    func ended(
        _ provisional: ProvisionalCount?, _ code: StatusCode, nanoseconds: UInt64,
        _ metrics: LoopMetrics
    ) {
        guard let provisional else {
            self.metrics.figures.inFlight -= 1
            return self.metrics.figures.record(code, nanoseconds: nanoseconds)
        }
        provisional.metrics.figures.inFlight -= 1
        let series =
            provisional.method.isAnswered
            ? metrics.seriesIfCurrent(of: key) : provisional.metrics
        series.figures.started += 1
        series.figures.record(code, nanoseconds: nanoseconds)
    }

    /// A used call if it is of the right kind, or a new one.
    ///
    /// - Parameter used: a call of the same origin that nobody refers to.
    func call(
        _ loop: ServingLoop, _ origin: ServerCall.Origin, reusing used: ServerCall? = nil
    ) -> ServerCall {
        switch answerer {
        case .handler: used as? HandlerCall ?? HandlerCall(loop, origin, target: self)
        case .replicas: used as? ForwardedCall ?? ForwardedCall(loop, origin, target: self)
        case .nobody: ServerCall(loop, origin, target: self)
        }
    }

    func appendName(to trailers: inout HeaderBlock) {
        if isNamed { trailers.append("x-serve-backend", key.backend) }
    }
}

/// A path with everything that deciding needs, looked up once. Confined to its loop.
final class ResolvedPath {
    let path: [UInt8]
    /// Nil for Weir's own services, which have one target.
    let policy: EndpointPolicy?
    let targets: [Target]
    let shadows: [ShadowTarget]
    private let limiter: RateLimiter?
    /// Second copies to show what differs anyway.
    let noise: Noise?

    /// For each target another one that counts as a shadow.
    struct Noise {
        let targets: [ShadowTarget]
        let threshold: UInt64
    }

    init(
        path: [UInt8], policy: EndpointPolicy?, targets: [Target], shadows: [ShadowTarget] = [],
        noise: Noise? = nil, limiter: RateLimiter? = nil
    ) {
        self.limiter = limiter
        self.path = path
        self.policy = policy
        self.targets = targets
        self.shadows = shadows
        self.noise = noise
    }

    /// Why a request is not taken on; nil when it is, and counts. Weir's own services always
    /// answer: who asks for health, or has come to mend things, must not be told to come back
    /// later.
    func refusal(on loop: ServingLoop, at now: UInt64) -> RPCError? {
        guard let policy else { return nil }
        if let error = loop.overload { return error }
        guard let limiter, let wait = limiter.take(at: now) else { return nil }
        loop.noteRefusal(.rate)
        return .rateLimited(endpoint: policy.endpoint, retryAfter: wait)
    }

    /// What was decided about a request.
    struct Choice {
        let index: Int
        let target: Target
        /// The shadows that it is sampled for, a bit for each.
        private(set) var sampled: UInt64 = 0

        init(_ path: ResolvedPath, _ index: Int) {
            self.index = index
            target = path.targets[index]
        }

        var isCopied: Bool { sampled != 0 }

        func isSampled(_ shadow: Int) -> Bool { sampled & 1 << UInt64(shadow) != 0 }

        fileprivate mutating func sample(_ shadow: Int) { sampled |= 1 << UInt64(shadow) }
    }

    /// The target of a request, and which shadows it is sampled for.
    func choose(shardKey: RawSpan, _ random: inout LoopRandom) -> Choice {
        guard let policy else { return Choice(self, 0) }
        let hasKey = shardKey.byteCount > 0
        let point = hasKey ? policy.point(of: shardKey) : random.next()
        var choice = Choice(self, policy.choose(point))
        for index in shadows.indices {
            let isSampled =
                hasKey
                ? policy.isShadowed(index, key: shardKey)
                : policy.isShadowed(index, using: &random)
            guard isSampled else { continue }
            shadows[index].target.metrics.figures.sampled += 1
            choice.sample(index)
        }
        return choice
    }
}

extension ServingLoop {
    /// The route of a path; nil when nothing takes it. Remembered until the policy changes.
    func resolve(_ path: ArraySlice<UInt8>, on port: SystemServices) -> ResolvedPath? {
        let memo = port.servesEndpoints ? dataPaths : adminPaths
        if let known = memo[path] { return known }
        guard let text = String(validating: path, as: UTF8.self),
            let methodPath = MethodPath(text)
        else { return nil }
        let resolved: ResolvedPath
        if port.servesEndpoints, let endpoint = snapshot.endpoint(for: methodPath) {
            resolved = self.resolved(methodPath, endpoint, path: Array(path))
        } else if let method = port.backend.method(methodPath) {
            let key = CallKey(
                endpoint: "", backend: port.backend.name, method: text, isShadow: false)
            let target = Target(
                key,
                .handler(
                    Handler(
                        method: method, isBlocking: false,
                        maxMessageBytes: port.servesEndpoints
                            ? limits.maxMessageBytes : limits.maxAdminMessageBytes,
                        limitName: port.servesEndpoints
                            ? "max-message-bytes" : "max-admin-message-bytes")),
                isNamed: false, metrics)
            resolved = ResolvedPath(path: Array(path), policy: nil, targets: [target])
        } else {
            return nil
        }
        if memo.count < limits.maxRememberedPaths {
            if port.servesEndpoints {
                dataPaths[path] = resolved
            } else {
                adminPaths[path] = resolved
            }
        }
        return resolved
    }

    /// The way of dynamic calls to an endpoint, remembered likewise.
    func resolveDynamic(_ endpoint: RoutingSnapshot.Endpoint) -> ResolvedPath {
        if let known = dynamicPaths[endpoint.name] { return known }
        let resolved = resolved(.dynamicCall, endpoint, path: DynamicCall.path)
        dynamicPaths[endpoint.name] = resolved
        return resolved
    }

    /// The endpoint that a request of plain HTTP is for: the one that it names, or whose route its
    /// path has.
    func endpoint(for request: HTTPRequest) -> RoutingSnapshot.Endpoint? {
        if let name = request.first(KnownHeader.endpoint.name),
            DynamicCall.isPath(request.path)
        {
            return snapshot.endpoint(named: name)
        }
        return snapshot.endpoint(forHTTP: request.path[...])
    }

    private func resolved(
        _ path: MethodPath, _ endpoint: RoutingSnapshot.Endpoint, path bytes: [UInt8]
    ) -> ResolvedPath {
        let answerers = endpoint.policy.backends.map { answerer(path, backend: $0) }
        let method = path.description
        let unknown =
            exists(path, endpoint, answerers)
            ? nil : UnknownMethod(method, of: endpoint.name, metrics)
        let targets = zip(endpoint.policy.backends, answerers).map { name, answerer in
            let key = CallKey(
                endpoint: endpoint.name, backend: name, method: method, isShadow: false)
            return Target(
                key, answerer, isNamed: namesBackends, unknownMethod: unknown, metrics)
        }
        func shadowTarget(_ shadow: Shadow, _ backend: String, _ answerer: Answerer) -> ShadowTarget
        {
            let key = CallKey(
                endpoint: endpoint.name, backend: backend, method: method, isShadow: true)
            return ShadowTarget(
                target: Target(
                    key, answerer, isNamed: false, unknownMethod: unknown, metrics),
                shadow: shadow, tally: tally(for: shadow.account))
        }
        let shadows = zip(endpoint.policy.shadows, endpoint.shadows.shadows).map {
            shadowTarget($1, $0.backend, answerer(path, backend: $0.backend))
        }
        let noise = endpoint.shadows.noise.map { shadow in
            ResolvedPath.Noise(
                targets: zip(endpoint.policy.backends, answerers).map {
                    shadowTarget(shadow, $0, $1)
                }, threshold: endpoint.shadows.noiseThreshold)
        }
        return ResolvedPath(
            path: bytes, policy: endpoint.policy, targets: targets, shadows: shadows, noise: noise,
            limiter: endpoint.limiter)
    }

    private func answerer(_ path: MethodPath, backend name: String) -> Answerer {
        switch snapshot.backends[name] {
        case .handler(let backend):
            guard let method = backend.method(path) else {
                return .nobody(
                    RPCError(
                        .unimplemented, "backend '\(name)' has no method \(path.description.quoted)"
                    ))
            }
            let maxMessageBytes =
                path == .dynamicCall ? limits.maxCallRequestBytes : limits.maxMessageBytes
            return .handler(
                Handler(
                    method: method, isBlocking: backend.isBlocking,
                    maxMessageBytes: maxMessageBytes))
        case .replicas(let set):
            return .replicas(pool(for: set))
        case nil:
            return .nobody(RPCError(.unavailable, "backend '\(name)' is not running here"))
        }
    }

    /// Whether the path is known to be a method. Clients can send any path.
    private func exists(
        _ path: MethodPath, _ endpoint: RoutingSnapshot.Endpoint, _ answerers: [Answerer]
    ) -> Bool {
        if case .method = endpoint.route { return true }
        return path == .dynamicCall || metrics.isNamed(path.description, of: endpoint.name)
            || answerers.contains { if case .handler = $0 { true } else { false } }
    }
}
