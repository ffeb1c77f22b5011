package import Observability
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
    /// Returns the counts of the export of spans (`traces`) and log records (`logs`).
    package var exports: @Sendable () -> [(signal: String, figures: ExportFigures)] = { [] }

    /// No facts.
    package init() {}

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
