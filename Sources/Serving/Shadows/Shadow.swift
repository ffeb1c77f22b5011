package import Observability
internal import TrafficPolicy

/// The limits of a shadow, for all loops together.
package struct ShadowLimits: Sendable, Equatable {
    /// Copies that the backend processes at once.
    package var maxRequestsInFlight = 1_000
    /// Bytes of all copies that wait for the backend or for their comparison.
    package var maxBufferedBytes = 32 << 20
    /// Bytes of one copy that wait for the backend. Also the largest number of bytes by which its
    /// response may be longer than the client's.
    package var maxBufferedBytesPerCopy = 4 << 20
    /// The timeout of a copy, unless the client's deadline is earlier.
    package var timeout = Duration.seconds(30)

    package init() {}
}

/// A shadow of an endpoint in a routing snapshot.
package struct RunningShadow: Sendable {
    let account: ShadowAccount
    let limits: ShadowLimits
    /// Whether requests that the backend answers are copied to it too.
    let includesOwn: Bool

    package init(_ account: ShadowAccount, limits: ShadowLimits, includesOwn: Bool) {
        self.account = account
        self.limits = limits
        self.includesOwn = includesOwn
    }
}

/// The shadows of an endpoint.
package struct EndpointShadows: Sendable {
    /// In the order of the shadows in the policy.
    let shadows: [RunningShadow]
    /// Second requests to the backend that answers the client. Their differences are independent of
    /// the shadows.
    let noise: RunningShadow?
    /// The copied requests that get such a copy.
    let noiseProportion: Proportion

    package static let none = EndpointShadows([], noise: nil, noiseShare: 0)

    /// - Parameter noiseShare: the share of copied requests, 0 to 1.
    package init(_ shadows: [RunningShadow], noise: RunningShadow?, noiseShare: Double) {
        self.shadows = shadows
        self.noise = noiseShare > 0 ? noise : nil
        noiseProportion = Proportion(noiseShare)
    }
}
