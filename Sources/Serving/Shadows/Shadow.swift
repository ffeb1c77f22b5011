package import Observability

/// What a shadow may cost. The limits are over all loops.
package struct ShadowLimits: Sendable, Equatable {
    /// Copies that the backend works on at once.
    package var maxRequestsInFlight = 1_000
    /// Bytes of all copies that wait for the backend or for their comparison.
    package var maxBufferedBytes = 32 << 20
    /// Bytes of one copy that wait for the backend, and how far its response may run ahead of the
    /// caller's.
    package var maxBufferedBytesPerCopy = 4 << 20
    /// How long a copy may take, if the caller's deadline does not come first.
    package var timeout = Duration.seconds(30)

    package init() {}
}

/// A shadow of an endpoint, as a snapshot has it.
package struct RunningShadow: Sendable {
    let account: ShadowAccount
    let limits: ShadowLimits
    /// Whether a request that the backend answers itself is copied to it too.
    let includesOwn: Bool

    package init(_ account: ShadowAccount, limits: ShadowLimits, includesOwn: Bool) {
        self.account = account
        self.limits = limits
        self.includesOwn = includesOwn
    }
}

/// The shadows of an endpoint.
package struct EndpointShadows: Sendable {
    /// In the order of the policy's shadows.
    let shadows: [RunningShadow]
    /// Second copies, to the backend that also answers the caller: what differs there differs
    /// anyway.
    let noise: RunningShadow?
    /// The share of copied requests that get such a second copy, as a bound on random numbers.
    let noiseThreshold: UInt64

    package static let none = EndpointShadows([], noise: nil, noiseShare: 0)

    /// - Parameter noiseShare: the share of copied requests, 0 to 1.
    package init(_ shadows: [RunningShadow], noise: RunningShadow?, noiseShare: Double) {
        self.shadows = shadows
        self.noise = noiseShare > 0 ? noise : nil
        noiseThreshold = noiseShare >= 1 ? .max : UInt64(max(0, noiseShare) * 0x1p64)
    }
}
