package import Transport

/// What the metrics show of the program, apart from its data plane and its state.
package struct ServerFacts: Sendable {
    /// The version of Weir.
    package var version = ""
    /// The commit from which Weir was built; nil if unknown.
    package var commit: String?
    /// The limits of the data plane by name; times are in seconds.
    package var limits: [(name: String, value: String)] = []
    /// Returns the number of lost log lines; nil if they are not counted.
    package var lostLogLines: (@Sendable () -> UInt64)?
    /// Returns the lines of the access log that were written and lost; nil without one.
    package var accessLogLines: (@Sendable () -> (written: UInt64, lost: UInt64))?
    /// Returns the certificates that new connections receive, by port.
    package var certificates: @Sendable () -> [PortCertificates] = { [] }
    /// Returns the counts of the export of spans and log records, by kind.
    package var exports: @Sendable () -> [ExportCounts] = { [] }

    /// No facts.
    package init() {}

    /// The export of one kind of records.
    package struct ExportCounts: Sendable {
        /// The kind: `traces` or `logs`.
        package let signal: String
        /// Records that the collector accepted.
        package let exported: UInt64
        /// Records that were not exported, by reason.
        package let dropped: [(reason: String, count: UInt64)]
        /// Records that wait.
        package let queued: Int
        /// Whether the last request succeeded.
        package let isUp: Bool

        /// Counts.
        package init(
            signal: String, exported: UInt64, dropped: [(reason: String, count: UInt64)],
            queued: Int, isUp: Bool
        ) {
            (self.signal, self.exported, self.dropped) = (signal, exported, dropped)
            (self.queued, self.isUp) = (queued, isUp)
        }
    }

    /// The certificates of one port.
    package struct PortCertificates: Sendable {
        /// The port's name in metrics.
        package let port: String
        /// The server's certificate, then those of its issuers.
        package let chain: [ServedCertificate]

        /// The certificates of a port.
        package init(port: String, chain: [ServedCertificate]) {
            (self.port, self.chain) = (port, chain)
        }
    }
}
