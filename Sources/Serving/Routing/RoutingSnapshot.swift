package import GRPCWire
internal import Observability
package import TrafficPolicy
package import Upstream

/// The routes, policies and backends of the data plane. Immutable; each loop has one reference. A
/// change of the control state replaces it.
package final class RoutingSnapshot: Sendable {
    /// A rollout whose requests are counted.
    package struct Counting: Sendable, Equatable {
        /// The number of the rollout. Another one starts with empty counts.
        package let rollout: UInt64
        /// The backend whose requests are compared with those of the others.
        package let candidate: String

        package init(rollout: UInt64, candidate: String) {
            self.rollout = rollout
            self.candidate = candidate
        }
    }

    /// An endpoint.
    package struct Endpoint: Sendable {
        package let name: String
        package let route: Route
        /// The revision of its latest change.
        package let revision: UInt64
        package let policy: EndpointPolicy
        package let shadows: EndpointShadows
        /// The methods of plain HTTP requests.
        package let methods: HTTPMethods
        /// Nil without a limit of requests per second.
        package let limiter: RateLimiter?
        /// Nil without a rollout.
        package let counting: Counting?
        /// Nil if scripts of other origins may not call it.
        package let cors: CORSPolicy?
        /// Where requests that are not gRPC have their shard key; nil for the header.
        package let httpShardKey: HTTPShardKey?

        package init(
            name: String, route: Route, revision: UInt64, policy: EndpointPolicy,
            shadows: EndpointShadows, methods: HTTPMethods = .all, limiter: RateLimiter? = nil,
            counting: Counting? = nil, cors: CORSPolicy? = nil,
            httpShardKey: HTTPShardKey? = nil
        ) {
            self.name = name
            self.route = route
            self.revision = revision
            self.policy = policy
            self.shadows = shadows
            self.methods = methods
            self.limiter = limiter
            self.counting = counting
            self.cors = cors
            self.httpShardKey = httpShardKey
        }
    }

    /// A backend that answers requests.
    package enum Backend: Sendable {
        case handler(HandlerBackend)
        case replicas(ReplicaSet)
    }

    /// All backends. Most changes do not affect them, and then the next snapshot has the same
    /// object.
    package final class Backends: Sendable {
        private let byName: [String: Backend]
        /// The backends of replicas.
        let sets: [ObjectIdentifier: ReplicaSet]

        package init(_ byName: [String: Backend]) {
            self.byName = byName
            var sets: [ObjectIdentifier: ReplicaSet] = [:]
            for case .replicas(let set) in byName.values { sets[ObjectIdentifier(set)] = set }
            self.sets = sets
        }

        package subscript(name: String) -> Backend? { byName[name] }
    }

    package let revision: UInt64
    package let backends: Backends
    /// The requests of plain HTTP that are calls of endpoints' methods.
    package let httpRoutes: HTTPRoutes
    /// Whether the schema of a routed backend is unknown, so that routes may be missing.
    package let lacksSchemas: Bool
    /// The accounts of all shadows.
    let shadowAccounts: [ShadowAccount]
    /// The rollouts whose requests are counted, by endpoint.
    let counted: [String: Counting]
    private let endpoints: [String: Endpoint]
    private let byRoute: [Route: Endpoint]
    /// The endpoints for plain HTTP requests, by their paths.
    private let byPath: [String: Endpoint]
    /// The most slashes in one of these paths. Longer prefixes of a request's path cannot match.
    private let maxSlashes: Int

    package init(
        revision: UInt64, endpoints: some Collection<Endpoint>, backends: Backends,
        httpRoutes: HTTPRoutes = .none, lacksSchemas: Bool = false
    ) {
        self.revision = revision
        self.backends = backends
        self.httpRoutes = httpRoutes
        self.lacksSchemas = lacksSchemas
        shadowAccounts = endpoints.flatMap { endpoint in
            (endpoint.shadows.shadows + [endpoint.shadows.noise].compactMap(\.self)).map(\.account)
        }
        self.endpoints = Dictionary(uniqueKeysWithValues: endpoints.map { ($0.name, $0) })
        counted = self.endpoints.compactMapValues(\.counting)
        byRoute = Dictionary(
            uniqueKeysWithValues: endpoints.lazy.filter { $0.route != .nameOnly }.map {
                ($0.route, $0)
            })
        byPath = Dictionary(
            uniqueKeysWithValues: endpoints.lazy.filter(\.route.matchesPlainHTTP).map {
                ($0.route.description, $0)
            })
        maxSlashes = byPath.keys.map(\.slashes).max() ?? 0
    }

    package static let empty = RoutingSnapshot(
        revision: 0, endpoints: [], backends: Backends([:]))

    package func endpoint(named name: String) -> Endpoint? { endpoints[name] }

    /// All endpoints, sorted by name.
    var allEndpoints: [Endpoint] { endpoints.values.sorted { $0.name < $1.name } }

    /// The endpoint for a gRPC `:path`. A route for the method precedes one for its service.
    package func endpoint(for path: MethodPath) -> Endpoint? {
        byRoute[.method(path)] ?? byRoute[.service(path.service)]
    }

    /// The endpoint for the path of a plain HTTP request: the whole path, or else its longest
    /// prefix that ends with a slash.
    ///
    /// - Parameter path: without the query.
    package func endpoint(forPlainHTTP path: Substring) -> Endpoint? {
        guard maxSlashes > 0 else { return nil }
        if let exact = byPath[String(path)] { return exact }
        let slashes = path.indices.lazy.filter { path[$0] == "/" }.prefix(maxSlashes)
        for slash in slashes.reversed() {
            if let found = byPath[String(path[...slash])] { return found }
        }
        return nil
    }
}

extension RoutingSnapshot: ServedNames {
    package func hasEndpoint(_ name: String) -> Bool { endpoints[name] != nil }

    package func has(_ backend: String, at endpoint: String) -> Bool {
        if backends[backend] != nil { return true }
        guard let policy = endpoints[endpoint]?.policy else { return false }
        return policy.backends.contains(backend)
            || policy.shadows.contains { $0.backend == backend }
    }
}

extension String {
    fileprivate var slashes: Int { utf8.count { $0 == UInt8(ascii: "/") } }
}
