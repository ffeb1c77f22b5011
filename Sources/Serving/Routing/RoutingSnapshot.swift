package import Messages
package import TrafficPolicy

/// All that the data plane needs to know to route: immutable, one reference per loop, replaced as
/// a whole when the control state changes.
package final class RoutingSnapshot: Sendable {
    /// An endpoint, ready to decide.
    package struct Endpoint: Sendable {
        package let name: String
        package let route: Route
        package let policy: EndpointPolicy

        package init(name: String, route: Route, policy: EndpointPolicy) {
            self.name = name
            self.route = route
            self.policy = policy
        }
    }

    package let revision: UInt64
    package let backends: [String: HandlerBackend]
    /// What reflection tells about the backends.
    package let schema: Schema
    private let endpoints: [Route: Endpoint]

    package init(
        revision: UInt64, endpoints: [Endpoint], backends: [String: HandlerBackend], schema: Schema
    ) {
        self.revision = revision
        self.backends = backends
        self.schema = schema
        self.endpoints = Dictionary(uniqueKeysWithValues: endpoints.map { ($0.route, $0) })
    }

    package static let empty = RoutingSnapshot(
        revision: 0, endpoints: [], backends: [:], schema: Schema())

    /// The endpoint for a `:path`: a route for the method wins over one for its service.
    package func endpoint(for path: MethodPath) -> Endpoint? {
        endpoints[.method(path)] ?? endpoints[.service(path.service)]
    }

    package var allEndpoints: [Endpoint] { endpoints.values.sorted { $0.name < $1.name } }
}
