package import NIOCore
internal import Synchronization

internal import struct FoundationEssentials.Date

/// One address or one process of a backend, shared by all loops.
///
/// Requests use only the atomics. A connection that opens or fails, a health check and an ejection
/// use the lock.
package final class Replica: Sendable {
    /// The result of health checks.
    enum Verdict: UInt8, AtomicRepresentable { case unknown, serving, notServing }

    /// The state that changes rarely.
    struct Detail {
        var outlier = OutlierDetection.Record()
        /// Consecutive health checks: successful ones positive, failed ones negative.
        var consecutiveChecks = 0
        var lastConnectFailed = false
        var lastFailure: (reason: String, time: Date)?
    }

    /// Its address, or a worker's name and number.
    package let name: String
    package let address: SocketAddress
    /// The name that the address belongs to; nil without a name.
    package let host: String?

    let inFlight = Atomic<Int>(0)
    /// Connections that are ready, on all loops.
    let connections = Atomic<Int>(0)
    let verdict: Atomic<Verdict>
    let isEjected = Atomic<Bool>(false)
    let consecutiveFailures = Atomic<Int>(0)
    /// Requests and failures since the last run of outlier detection.
    let intervalRequests = Atomic<Int>(0)
    let intervalFailures = Atomic<Int>(0)
    private let detail = Mutex(Detail())

    package init(name: String, address: SocketAddress, host: String? = nil) {
        self.host = host
        self.name = name
        self.address = address
        verdict = Atomic(.unknown)
    }

    func withDetail<Result>(_ body: (inout Detail) -> Result) -> Result {
        detail.withLock { body(&$0) }
    }

    /// Whether the replica probably accepts connections.
    var isReachable: Bool {
        connections.load(ordering: .relaxed) > 0 || !withDetail { $0.lastConnectFailed }
    }

    package var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

    func noteFailure(_ reason: String) {
        withDetail { $0.lastFailure = (reason, Date()) }
    }

    func connectFailed(_ reason: String) {
        withDetail { detail in
            detail.lastConnectFailed = true
            detail.lastFailure = (reason, Date())
        }
    }

    func connected() { withDetail { $0.lastConnectFailed = false } }

    /// Takes the result of a health check.
    ///
    /// - Parameter failure: nil if the replica is healthy.
    /// - Returns: whether the verdict has changed.
    func checked(_ failure: String?, _ settings: HealthCheck) -> Bool {
        let checks = withDetail { detail in
            if let failure {
                detail.consecutiveChecks = min(detail.consecutiveChecks, 0) - 1
                detail.lastFailure = ("health check: \(failure)", Date())
            } else {
                detail.consecutiveChecks = max(detail.consecutiveChecks, 0) + 1
            }
            return detail.consecutiveChecks
        }
        let old = verdict.load(ordering: .relaxed)
        var new = old
        if checks >= settings.healthyThreshold || (checks > 0 && old == .unknown) { new = .serving }
        if -checks >= settings.unhealthyThreshold || (checks < 0 && old == .unknown) {
            new = .notServing
        }
        verdict.store(new, ordering: .relaxed)
        return new != old
    }

    /// Counts the end of a request.
    ///
    /// - Parameter failure: nil unless it counts against the replica.
    /// - Returns: consecutive failures.
    func finished(failure: String?) -> Int {
        intervalRequests.add(1, ordering: .relaxed)
        guard let failure else {
            // Written only if it changes: all loops read this cache line.
            if consecutiveFailures.load(ordering: .relaxed) != 0 {
                consecutiveFailures.store(0, ordering: .relaxed)
            }
            return 0
        }
        intervalFailures.add(1, ordering: .relaxed)
        noteFailure(failure)
        return consecutiveFailures.add(1, ordering: .relaxed).newValue
    }
}
