internal import GRPCWire
internal import HTTP2Session
internal import NIOCore
internal import Observability
internal import TrafficPolicy
internal import Transport
internal import Upstream

/// The path of `weir.v1.Serve/Call`, whose calls name their endpoint in the metadata.
enum ServePath {
    static let bytes = Array(MethodPath.serveCall.description.utf8)

    static func matches(_ text: String) -> Bool { text.utf8.elementsEqual(bytes) }
}

/// Resolves the paths of requests on one loop with its routing snapshot, and caches the results.
///
/// Invariant of `@unchecked Sendable`: every stored `var` is used only on the loop.
final class Router: @unchecked Sendable {
    let loop: LoopState
    let shadows: ShadowLoop
    let pools: LoopPools
    private let namesBackends: Bool
    private(set) var snapshot = RoutingSnapshot.empty
    /// The number of snapshots that were installed. A resolved path is valid for one of them.
    private(set) var generation: UInt64 = 0
    /// Paths resolved with this snapshot, of the data port.
    private var dataPaths: [[UInt8]: ResolvedPath] = [:]
    /// The same of other ports, by the name of their services. A port never gets those of another.
    private var ownPaths: [String: [[UInt8]: ResolvedPath]] = [:]
    /// The resolved paths of `weir.v1.Serve/Call`, by endpoint.
    private var servePaths: [String: ResolvedPath] = [:]
    /// The counts of endpoints under rollout.
    private var cohorts: [String: EndpointCohorts] = [:]
    /// Which calls are slow, by endpoint; empty if no late calls are exported.
    private var slow: [String: SlowCalls] = [:]
    /// Requests whose path matches no endpoint.
    private(set) var unrouted: UInt64 = 0
    /// Requests that wait for the schemas of backends.
    private var routeWaiters: [() -> Void] = []
    private var routesLoadableAt: UInt64 = 0

    /// - Parameter namesBackends: whether responses name the backend, in `x-serve-backend`.
    init(_ loop: LoopState, _ shadows: ShadowLoop, namesBackends: Bool) {
        self.loop = loop
        self.shadows = shadows
        pools = LoopPools(loop.context)
        self.namesBackends = namesBackends
    }

    /// Installs a new snapshot. Requests that have started are not affected.
    func install(_ snapshot: RoutingSnapshot) {
        let backendsChanged = snapshot.backends !== self.snapshot.backends
        self.snapshot = snapshot
        generation += 1
        // Other backends may have schemas.
        routesLoadableAt = 0
        if backendsChanged { pools.install(snapshot.backends.sets) }
        loop.metrics.removeSeries(missingFrom: snapshot, backendsChanged: backendsChanged)
        shadows.retainTallies(of: snapshot.shadowAccounts)
        let counted = snapshot.counted
        cohorts = cohorts.filter { counted[$0.key] == $0.value.counting }
        for (name, counting) in counted where cohorts[name] == nil {
            cohorts[name] = EndpointCohorts(counting)
        }
        slow = slow.filter { snapshot.endpoint(named: $0.key) != nil }
        loop.endpoints = loop.endpoints.filter { snapshot.endpoint(named: $0.key) != nil }
        dataPaths.removeAll(keepingCapacity: true)
        ownPaths.removeAll(keepingCapacity: true)
        servePaths.removeAll(keepingCapacity: true)
    }

    func countUnrouted() { unrouted += 1 }

    private func slowCalls(of endpoint: String) -> SlowCalls? {
        guard loop.tracing?.samplesLate == true else { return nil }
        if let known = slow[endpoint] { return known }
        let new = SlowCalls(endpoint, loop.metrics)
        slow[endpoint] = new
        return new
    }

    /// Whether the schemas that routes lack may be read now.
    var mayLoadRoutes: Bool { !routeWaiters.isEmpty || loop.now >= routesLoadableAt }

    /// Calls the body when the schemas that routes lack are read, or reading has failed.
    func loadRoutes(_ load: @escaping @Sendable () async -> Void, _ body: @escaping () -> Void) {
        routeWaiters.append(body)
        guard routeWaiters.count == 1 else { return }
        let router = NIOLoopBound(self, eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        Task {
            await load()
            eventLoop.execute { router.value.routesLoaded() }
        }
    }

    private func routesLoaded() {
        routesLoadableAt = loop.now &+ Self.routeLoadPause
        let waiters = routeWaiters
        routeWaiters = []
        for waiter in waiters { waiter() }
    }

    /// The time between two attempts to read schemas, in nanoseconds.
    private static let routeLoadPause: UInt64 = 1_000_000_000

    /// The first second in which requests of an endpoint under rollout cannot be judged yet.
    func firstUnjudged(of endpoint: String) -> UInt64? {
        cohorts[endpoint]?.firstUnjudged(at: loop.now)
    }

    /// Takes the counts of an endpoint under rollout before a second.
    func takeCohorts(of endpoint: String, before second: UInt64) -> [CohortTable.Cohort] {
        cohorts[endpoint]?.take(before: second) ?? []
    }

    /// Resolves a path; nil if no endpoint or service matches it. Cached until the snapshot
    /// changes.
    func resolve(_ path: [UInt8], on servedPort: ServedPort) -> ResolvedPath? {
        let services = servedPort.services.name
        let known = servedPort.servesEndpoints ? dataPaths[path] : ownPaths[services]?[path]
        if let known { return known }
        guard let text = String(validating: path, as: UTF8.self),
            let method = MethodPath(text)
        else { return nil }
        let resolved: ResolvedPath
        if servedPort.servesEndpoints, let endpoint = snapshot.endpoint(for: method) {
            resolved = self.resolved(method, endpoint, path: path)
        } else if let own = ownService(method, on: servedPort) {
            resolved = ResolvedPath(path: path, policy: nil, destinations: [own])
        } else {
            return nil
        }
        let limit = loop.limits.maxRememberedPaths
        if servedPort.servesEndpoints {
            if dataPaths.count < limit { dataPaths[path] = resolved }
        } else if ownPaths[services, default: [:]].count < limit {
            ownPaths[services, default: [:]][path] = resolved
        }
        return resolved
    }

    /// A method of Weir's own services.
    private func ownService(_ path: MethodPath, on servedPort: ServedPort) -> Destination? {
        guard let method = servedPort.services.method(path) else { return nil }
        let key = CallKey(
            endpoint: "", backend: servedPort.services.name, method: path.description,
            isShadow: false)
        let isData = servedPort.servesEndpoints
        let handler = Handler(
            method: method, isBlocking: false,
            maxMessageBytes: isData
                ? loop.limits.maxMessageBytes : loop.limits.maxAdminMessageBytes,
            limitName: isData ? "max-message-bytes" : "max-admin-message-bytes")
        return Destination(Target(key, isNamed: false, loop.metrics), .handler(handler))
    }

    /// Resolves `weir.v1.Serve/Call` for an endpoint. Cached likewise.
    func resolveServe(_ endpoint: RoutingSnapshot.Endpoint) -> ResolvedPath {
        if let known = servePaths[endpoint.name] { return known }
        let resolved = resolved(.serveCall, endpoint, path: ServePath.bytes)
        servePaths[endpoint.name] = resolved
        return resolved
    }

    /// The endpoint of a plain HTTP request: the one that it names, or whose route matches its
    /// path.
    func endpoint(for request: HTTPRequest) -> RoutingSnapshot.Endpoint? {
        if let name = request.first(KnownHeader.endpoint.name),
            ServePath.matches(request.path)
        {
            return snapshot.endpoint(named: name)
        }
        return snapshot.endpoint(forPlainHTTP: request.path[...])
    }

    private func resolved(
        _ path: MethodPath, _ endpoint: RoutingSnapshot.Endpoint, path bytes: [UInt8]
    ) -> ResolvedPath {
        let answerers = endpoint.policy.backends.map { answerer(path, backend: $0) }
        let method = path.description
        let unknown =
            exists(path, endpoint, answerers)
            ? nil : UnknownMethod(method, of: endpoint.name, loop.metrics)
        // A client can name any number of methods that do not exist.
        let table = cohorts[endpoint.name]?.table(of: unknown == nil ? method : nil)
        let slow = slowCalls(of: endpoint.name)
        func destination(_ backend: String, _ answerer: Answerer, isShadow: Bool) -> Destination {
            let key = CallKey(
                endpoint: endpoint.name, backend: backend, method: method, isShadow: isShadow)
            let candidate = snapshot.counted[endpoint.name]?.candidate
            let target = Target(
                key, isNamed: namesBackends && !isShadow, unknownMethod: unknown,
                cohorts: isShadow
                    ? nil : table.map { CohortSide($0, isCandidate: backend == candidate) },
                revision: endpoint.revision, slow: isShadow ? nil : slow, loop.metrics)
            return Destination(target, answerer)
        }
        func shadowTarget(_ shadow: RunningShadow, _ backend: String, _ answerer: Answerer)
            -> ShadowTarget
        {
            ShadowTarget(
                destination: destination(backend, answerer, isShadow: true), shadow: shadow,
                tally: shadows.tally(for: shadow.account))
        }
        let backends = zip(endpoint.policy.backends, answerers)
        return ResolvedPath(
            path: bytes, policy: endpoint.policy,
            destinations: backends.map { destination($0, $1, isShadow: false) },
            shadows: zip(endpoint.policy.shadows, endpoint.shadows.shadows).map {
                shadowTarget($1, $0.backend, answerer(path, backend: $0.backend))
            },
            noise: endpoint.shadows.noise.map { shadow in
                ResolvedPath.Noise(
                    targets: backends.map { shadowTarget(shadow, $0, $1) },
                    proportion: endpoint.shadows.noiseProportion)
            },
            limiter: endpoint.limiter)
    }

    private func answerer(_ path: MethodPath, backend name: String) -> Answerer {
        switch snapshot.backends[name] {
        case .handler(let backend):
            guard let method = backend.method(path) else {
                return .none(
                    RPCError(
                        .unimplemented, "backend '\(name)' has no method \(path.description.quoted)"
                    ))
            }
            let maxMessageBytes =
                path == .serveCall
                ? loop.limits.maxCallRequestBytes : loop.limits.maxMessageBytes
            return .handler(
                Handler(
                    method: method, isBlocking: backend.isBlocking,
                    maxMessageBytes: maxMessageBytes))
        case .replicas(let set):
            return .replicas(pools.pool(for: set))
        case nil:
            return .none(RPCError(.unavailable, "backend '\(name)' is not running here"))
        }
    }

    /// Whether the path is known to be a method. A client can send any path.
    private func exists(
        _ path: MethodPath, _ endpoint: RoutingSnapshot.Endpoint, _ answerers: [Answerer]
    ) -> Bool {
        if case .method = endpoint.route { return true }
        return path == .serveCall || loop.metrics.isNamed(path.description, of: endpoint.name)
            || answerers.contains { if case .handler = $0 { true } else { false } }
    }
}
