internal import GRPCWire
internal import HTTP2Session
internal import TrafficPolicy

/// Weir's own services on one port: found where no endpoint takes the path.
package struct SystemServices: Sendable {
    let backend: HandlerBackend
    /// Whether the port also serves the endpoints.
    let servesEndpoints: Bool

    package init(backend: HandlerBackend, servesEndpoints: Bool) {
        self.backend = backend
        self.servesEndpoints = servesEndpoints
    }
}

/// One backend as one path of one endpoint reaches it. Confined to its loop.
final class Target {
    let key: CallKey
    let method: MethodHandler?
    let isBlocking: Bool
    /// False when the backend is not here, as when its code was not compiled in.
    let isAvailable: Bool
    let metrics: CallMetrics
    /// Whether the caller is told who answered, by `x-serve-backend`.
    private let isNamed: Bool
    /// The trailers of a successful call without trailing metadata of its own.
    private(set) var okTrailers = HeaderBlock(["grpc-status": "0"])

    init(
        _ metrics: CallMetrics, _ backend: HandlerBackend?, _ method: MethodHandler?, isNamed: Bool
    ) {
        key = metrics.key
        self.method = method
        isBlocking = backend?.isBlocking ?? false
        isAvailable = backend != nil
        self.metrics = metrics
        self.isNamed = isNamed
        appendName(to: &okTrailers)
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
    let shadows: [CallMetrics]

    init(path: [UInt8], policy: EndpointPolicy?, targets: [Target], shadows: [CallMetrics]) {
        self.path = path
        self.policy = policy
        self.targets = targets
        self.shadows = shadows
    }

    /// The target of a request, and which shadows it is sampled for.
    func choose(shardKey: RawSpan, _ random: inout LoopRandom) -> Target {
        guard let policy else { return targets[0] }
        if shardKey.byteCount > 0 {
            for index in shadows.indices where policy.isShadowed(index, key: shardKey) {
                shadows[index].figures.sampled += 1
            }
            return targets[policy.choose(policy.point(of: shardKey))]
        }
        for index in shadows.indices where policy.isShadowed(index, using: &random) {
            shadows[index].figures.sampled += 1
        }
        return targets[policy.choose(random.next())]
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
            let target = Target(metrics(for: key), port.backend, method, isNamed: false)
            resolved = ResolvedPath(
                path: Array(path), policy: nil, targets: [target], shadows: [])
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

    private func resolved(
        _ path: MethodPath, _ endpoint: RoutingSnapshot.Endpoint, path bytes: [UInt8]
    ) -> ResolvedPath {
        let methods = endpoint.policy.backends.map { snapshot.backends[$0]?.method(path) }
        // Clients can make up methods, so what no backend has is counted under one name.
        let isKnown = methods.contains { $0 != nil }
        let label = isKnown ? path.description : "other"
        let targets = zip(endpoint.policy.backends, methods).map { name, method in
            let key = CallKey(
                endpoint: endpoint.name, backend: name, method: label, isShadow: false)
            return Target(
                metrics(for: key), snapshot.backends[name], method, isNamed: namesBackends)
        }
        let shadows = endpoint.policy.shadows.map { shadow in
            metrics(
                for: CallKey(
                    endpoint: endpoint.name, backend: shadow.backend, method: label,
                    isShadow: true))
        }
        return ResolvedPath(
            path: bytes, policy: endpoint.policy, targets: targets, shadows: shadows)
    }
}
