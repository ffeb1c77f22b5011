package import Transport

/// The services of one port.
package struct ServedPort: Sendable {
    /// Answers plain HTTP requests: requests over HTTP/1 or HTTP/2 that are not gRPC.
    package enum PlainHTTP: Sendable {
        /// The endpoints whose routes match.
        case endpoints
        case function(@Sendable (HTTPRequest) async -> HTTPReply)
    }

    /// Weir's own services, for paths that match no endpoint.
    let services: HandlerBackend
    let plainHTTP: PlainHTTP
    /// Whether the port also serves the endpoints.
    let servesEndpoints: Bool
    /// Whether a drain waits for the requests of the port.
    let holdsDrain: Bool
    /// Returns the refusal of a call of a web protocol by its head; nil if it may.
    let callRefusal: @Sendable (HTTPRequestHead) -> HTTPReply?
    /// Which scripts may call the services; an endpoint has its own policy.
    let cors: CORSPolicy?
    /// Reads the schemas of backends that a routing snapshot lacks, and publishes another one.
    let loadRoutes: @Sendable () async -> Void

    package init(
        services: HandlerBackend, plainHTTP: PlainHTTP, holdsDrain: Bool = true,
        cors: CORSPolicy? = nil, loadRoutes: @escaping @Sendable () async -> Void = {},
        callRefusal: @escaping @Sendable (HTTPRequestHead) -> HTTPReply? = { _ in nil }
    ) {
        self.cors = cors
        self.loadRoutes = loadRoutes
        self.callRefusal = callRefusal
        self.services = services
        self.plainHTTP = plainHTTP
        self.holdsDrain = holdsDrain
        servesEndpoints = if case .endpoints = plainHTTP { true } else { false }
    }
}
