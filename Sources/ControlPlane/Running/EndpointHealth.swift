/// The health of an endpoint, for `grpc.health.v1`.
struct EndpointHealth {
    let endpoint: String
    /// The service of its route; nil if the route has none.
    let service: String?
    /// Whether a backend with a weight is usable.
    let serves: Bool

    /// Whether each name serves. A name is the name of an endpoint or of a service, and stands for
    /// all endpoints with that name or service. It serves if any of them does: the server still
    /// answers some of its methods. The order of the endpoints does not matter, so all servers with
    /// the same state and the same usable backends report the same.
    static func byName(_ endpoints: some Sequence<EndpointHealth>) -> [String: Bool] {
        var health: [String: Bool] = [:]
        for endpoint in endpoints {
            for name in [endpoint.endpoint, endpoint.service].compactMap({ $0 }) {
                health[name] = health[name, default: false] || endpoint.serves
            }
        }
        return health
    }
}
