/// The counts of an exporter of spans or log records since its start.
package struct ExportFigures: Equatable, Sendable {
    /// Records that the collector accepted.
    package var exported: UInt64 = 0
    /// Records dropped because the queue was full.
    package var queueFull: UInt64 = 0
    /// Records that the collector rejected in a successful response.
    package var rejected: UInt64 = 0
    /// Records of requests that failed, also after their retries.
    package var failed: UInt64 = 0
    /// Records that were too large for a request.
    package var tooLarge: UInt64 = 0
    /// Records that wait for their export.
    package var queued = 0
    /// Whether the last request succeeded; nil before the first one has ended.
    package var isUp: Bool?

    package init() {}

    /// The records that were not exported, by reason.
    package var dropped: [(reason: String, count: UInt64)] {
        [
            ("queue_full", queueFull), ("rejected", rejected), ("failed", failed),
            ("too_large", tooLarge),
        ]
    }
}
