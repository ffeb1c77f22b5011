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

    /// The value of an attribute.
    package enum Value: Equatable, Sendable {
        case string(String)
        case int(Int64)
        case double(Double)
        case bool(Bool)
    }

    /// An attribute.
    package struct Attribute: Equatable, Sendable {
        package var name: String
        package var value: Value

        /// An attribute.
        package init(_ name: String, _ value: Value) { (self.name, self.value) = (name, value) }
    }

    /// Nanoseconds since 1970.
    package var time: UInt64
    package var severity = Severity.info
    /// The kind of the event, for example `weir.call`; empty for none.
    package var eventName = ""
    /// Text for operators.
    package var body: String
    package var attributes: [Attribute] = []
    /// 16 bytes; empty if the record does not belong to a trace.
    package var traceID: [UInt8] = []
    /// 8 bytes; empty if the record does not belong to a span.
    package var spanID: [UInt8] = []
    /// The flags of the trace (W3C Trace Context).
    package var traceFlags: UInt8 = 0

    /// A record.
    package init(time: UInt64, body: String) { (self.time, self.body) = (time, body) }
}
