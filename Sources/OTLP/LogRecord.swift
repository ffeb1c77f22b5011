package import Traces

/// A log record, as OTLP sends it.
package struct LogRecord: Equatable, Sendable {
    /// The severities of OTLP that Weir uses.
    package enum Severity: Int32, Sendable {
        case debug = 5
        case info = 9
        case warning = 13
        case error = 17

        /// The name in OTLP.
        var text: String {
            switch self {
            case .debug: "DEBUG"
            case .info: "INFO"
            case .warning: "WARN"
            case .error: "ERROR"
            }
        }
    }

    /// Nanoseconds since 1970.
    package var time: UInt64
    package var severity = Severity.info
    /// The kind of the event, for example `weir.call`; empty for none.
    package var eventName = ""
    /// Text for operators.
    package var body: String
    package var attributes: [Attribute] = []
    /// The span to which the record belongs; nil for none.
    package var context: TraceContext?

    /// A record.
    package init(time: UInt64, body: String) { (self.time, self.body) = (time, body) }
}
