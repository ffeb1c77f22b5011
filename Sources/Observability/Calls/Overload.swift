/// What there was too much of when a request was refused.
package enum Overload: String, Sendable, CaseIterable {
    /// Requests in flight on a loop.
    case requests
    /// Bytes in memory, in all or of one connection.
    case memory
    /// Work that a loop, or the threads for blocking handlers, had not come to.
    case delay
    /// Requests per second of an endpoint.
    case rate
    /// Calls of blocking handlers.
    case blocking
}
