internal import Synchronization

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

/// Why a copy was not made, or was given up.
package enum ShadowDrop: Int, CaseIterable, Sendable {
    /// The shadow, or its backend, works on as many requests as it may.
    case inFlight
    /// As many bytes are buffered as may be.
    case bytes
    /// The backend cannot be reached.
    case noReplica
    /// The backend reads more slowly than the caller sends.
    case slow
    /// There was no answer before the deadline.
    case deadline
    /// The request has passed this server too often.
    case loop

    /// As metrics and reports call it.
    package var name: String {
        switch self {
        case .inFlight: "in_flight"
        case .bytes: "bytes"
        case .noReplica: "no_replica"
        case .slow: "slow"
        case .deadline: "deadline"
        case .loop: "loop"
        }
    }
}

/// A shadow of an endpoint, as a snapshot has it.
package struct Shadow: Sendable {
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
    let shadows: [Shadow]
    /// Second copies, to the backend that also answers the caller: what differs there differs
    /// anyway.
    let noise: Shadow?
    /// The share of copied requests that get such a second copy, as a bound on random numbers.
    let noiseThreshold: UInt64

    package static let none = EndpointShadows([], noise: nil, noiseShare: 0)

    /// - Parameter noiseShare: the share of copied requests, 0 to 1.
    package init(_ shadows: [Shadow], noise: Shadow?, noiseShare: Double) {
        self.shadows = shadows
        self.noise = noiseShare > 0 ? noise : nil
        noiseThreshold = noiseShare >= 1 ? .max : UInt64(max(0, noiseShare) * 0x1p64)
    }
}

/// What a shadow uses and what was found about it, over all loops. It lives as long as the shadow
/// is configured, through changes of its options.
package final class ShadowAccount: Sendable {
    package struct Key: Hashable, Sendable {
        package let endpoint: String
        /// Empty for the copies that show what differs anyway.
        package let backend: String

        package init(endpoint: String, backend: String) {
            self.endpoint = endpoint
            self.backend = backend
        }
    }

    package let key: Key
    /// What differs between the answers.
    package let ledger = DifferenceLedger()
    private let inFlight = Atomic<Int>(0)
    private let buffered = Atomic<Int>(0)
    private let resets = Atomic<UInt64>(0)

    package init(_ key: Key) { self.key = key }

    /// Counts one copy more; false when that would be over the limit.
    func begin(limit: Int) -> Bool {
        guard inFlight.add(1, ordering: .relaxed).newValue > limit else { return true }
        end()
        return false
    }

    func end() { inFlight.subtract(1, ordering: .relaxed) }

    /// Takes room for bytes; false when that would be over the limit.
    func hold(_ bytes: Int, limit: Int) -> Bool {
        guard buffered.add(bytes, ordering: .relaxed).newValue > limit else { return true }
        release(bytes)
        return false
    }

    func release(_ bytes: Int) { buffered.subtract(bytes, ordering: .relaxed) }

    package var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

    package var bufferedBytes: Int { buffered.load(ordering: .relaxed) }

    /// How often the report was restarted.
    var epoch: UInt64 { resets.load(ordering: .relaxed) }

    /// Restarts the report: earlier results are dropped.
    package func reset() {
        resets.add(1, ordering: .relaxed)
        ledger.reset()
    }
}
