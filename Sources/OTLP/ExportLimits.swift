/// Bounds of the export that operators cannot set.
package enum ExportLimits {
    /// Bytes of one request to a collector, before compression: most collectors accept 4 MiB. A
    /// batch over it is divided; a record over it is dropped, and counted as `too_large`.
    package static let maxRequestBytes = (4 << 20) - 1_024
    /// Bytes of a collector's response, which has at most an error message. A longer one counts as
    /// a failure.
    package static let maxResponseBytes = 1 << 20
    /// Attempts to send one request. After the last one, its records are dropped, and counted as
    /// `failed`.
    package static let maxAttempts = 5
    /// The delay before a retry that a collector can ask for. A longer one is shortened.
    package static let maxRetryDelay = Duration.seconds(60)
    /// Time for the last requests when the server stops. After it, the records that are left are
    /// dropped, and counted as `failed`.
    package static let stopTimeout = Duration.seconds(5)
}
