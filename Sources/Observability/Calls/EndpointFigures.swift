/// Requests of an endpoint that were refused before a backend was chosen.
package struct EndpointFigures: Sendable, Equatable {
    /// Requests over the rate limit of the endpoint.
    package var rateLimited: UInt64 = 0
    /// Requests that overload protection refused.
    package var overloaded: UInt64 = 0

    package init(rateLimited: UInt64 = 0, overloaded: UInt64 = 0) {
        (self.rateLimited, self.overloaded) = (rateLimited, overloaded)
    }

    func adding(_ other: EndpointFigures) -> EndpointFigures {
        EndpointFigures(
            rateLimited: rateLimited + other.rateLimited,
            overloaded: overloaded + other.overloaded)
    }

    /// The difference to an earlier copy. An endpoint that was deleted and created again starts at
    /// 0.
    func since(_ earlier: EndpointFigures) -> EndpointFigures {
        EndpointFigures(
            rateLimited: rateLimited - min(rateLimited, earlier.rateLimited),
            overloaded: overloaded - min(overloaded, earlier.overloaded))
    }
}
