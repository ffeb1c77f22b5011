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
