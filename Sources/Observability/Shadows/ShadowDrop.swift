/// Why a copy was dropped.
package enum ShadowDrop: Int, CaseIterable, Sendable {
    /// The shadow or its backend has the most requests allowed.
    case inFlight
    /// The buffer has the most bytes allowed.
    case bytes
    /// The backend has no usable replica.
    case noReplica
    /// The backend reads more slowly than the caller sends.
    case slow
    /// The copy had no response before the deadline.
    case deadline
    /// The request has passed through this server before.
    case loop

    /// The name in metrics and reports.
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
