/// The limit that refused a request before its call began.
package enum Overload: String, Sendable, CaseIterable {
    /// Too many requests in flight on a loop.
    case requests
    /// Too many bytes in memory, in total or for one connection.
    case memory
    /// A loop, or the threads for blocking handlers, was too far behind with its work.
    case delay
    /// Too many requests per second at an endpoint.
    case rate
    /// Too many calls of blocking handlers.
    case blocking
    /// Too many or too long headers, or a request line that was too long.
    case headers
}
