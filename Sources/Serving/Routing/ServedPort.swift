package import Transport

/// What one port serves.
package struct ServedPort: Sendable {
    /// What answers the requests that are not gRPC.
    package enum PlainHTTP: Sendable {
        /// The endpoints that take them.
        case endpoints
        case function(@Sendable (HTTPRequest) async -> HTTPReply)
    }

    /// Weir's own services, for paths that no endpoint takes.
    let services: HandlerBackend
    let http: PlainHTTP
    /// Whether the port also serves the endpoints.
    let servesEndpoints: Bool

    package init(services: HandlerBackend, http: PlainHTTP) {
        self.services = services
        self.http = http
        servesEndpoints = if case .endpoints = http { true } else { false }
    }
}
