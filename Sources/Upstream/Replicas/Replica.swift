package import NIOCore
internal import Synchronization

internal import struct FoundationEssentials.Date

/// One address or one process of a backend, as all loops see it together.
///
/// Requests touch only the atomics; what is behind the lock changes when a connection opens or
/// fails, by a health check, or by an ejection.
package final class Replica: Sendable {
    /// What health checks have found.
    enum Verdict: UInt8, AtomicRepresentable { case unknown, serving, notServing }

    /// What is rarely changed.
    struct Detail {
        var outlier = OutlierDetection.Record()
        /// Answers in a row of health checks: good ones above zero, bad ones below.
        var checksInARow = 0
        var lastConnectFailed = false
        var lastFailure: (reason: String, time: Date)?
    }

    /// Its address, or a worker's name and number.
    package let name: String
    package let address: SocketAddress
    /// The name that was resolved to the address; nil without one.
    let host: String?

    let inFlight = Atomic<Int>(0)
    /// Connections that are ready, on all loops.
    let connections = Atomic<Int>(0)
    let verdict: Atomic<Verdict>
    let isEjected = Atomic<Bool>(false)
    let failuresInARow = Atomic<Int>(0)
    /// Since the outlier detection last looked.
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

    /// Whether it can be expected to take connections.
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

    /// Takes the outcome of a health check.
    ///
    /// - Parameter failure: nil when the replica is fine.
    /// - Returns: whether the verdict has changed.
    func checked(_ failure: String?, _ settings: HealthCheck) -> Bool {
        let row = withDetail { detail in
            if let failure {
                detail.checksInARow = min(detail.checksInARow, 0) - 1
                detail.lastFailure = ("health check: \(failure)", Date())
            } else {
                detail.checksInARow = max(detail.checksInARow, 0) + 1
            }
            return detail.checksInARow
        }
        let old = verdict.load(ordering: .relaxed)
        var new = old
        if row >= settings.healthyThreshold || (row > 0 && old == .unknown) { new = .serving }
        if -row >= settings.unhealthyThreshold || (row < 0 && old == .unknown) {
            new = .notServing
        }
        verdict.store(new, ordering: .relaxed)
        return new != old
    }

    /// What a request to it came to.
    ///
    /// - Parameter failure: nil unless it tells against the replica.
    /// - Returns: failures in a row.
    func finished(failure: String?) -> Int {
        intervalRequests.add(1, ordering: .relaxed)
        guard let failure else {
            // Written only when there is something to forget: all loops read this line of memory.
            if failuresInARow.load(ordering: .relaxed) != 0 {
                failuresInARow.store(0, ordering: .relaxed)
            }
            return 0
        }
        intervalFailures.add(1, ordering: .relaxed)
        noteFailure(failure)
        return failuresInARow.add(1, ordering: .relaxed).newValue
    }
}
