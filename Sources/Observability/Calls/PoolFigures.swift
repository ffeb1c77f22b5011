package import GRPCWire

/// The figures of a backend of replicas.
package struct PoolFigures: Sendable {
    /// Attempts by replica; `sampled` is not used.
    package var replicas: [String: CallFigures] = [:]
    /// Attempts on replicas that were removed.
    package var retired = CallFigures()
    /// Requests that wait at this moment.
    package var waiting = 0
    /// Requests that were refused without being sent to a replica, by status.
    package var refused: [StatusCode: UInt64] = [:]
    /// Requests sent again because of their status.
    package var retries: UInt64 = 0
    /// Retries that the budget did not allow.
    package var retriesDenied: UInt64 = 0
    /// Requests sent again because no replica had processed them.
    package var transparentRetries: UInt64 = 0
    /// Whether the latest request was refused: a limit was reached or no replica was usable.
    package var isCircuitOpen = false
    package var circuitOpenings: UInt64 = 0

    package init() {}

    package mutating func add(_ other: PoolFigures) {
        for (name, figures) in other.replicas {
            replicas[name, default: CallFigures()].add(figures)
        }
        retired.add(other.retired)
        waiting += other.waiting
        for (code, count) in other.refused { refused[code, default: 0] += count }
        retries += other.retries
        retriesDenied += other.retriesDenied
        transparentRetries += other.transparentRetries
        isCircuitOpen = isCircuitOpen || other.isCircuitOpen
        circuitOpenings += other.circuitOpenings
    }
}
