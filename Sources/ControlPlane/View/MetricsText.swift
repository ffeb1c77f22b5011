internal import Messages
internal import Observability
internal import Traces

/// Writes metrics in a text format.
///
/// The two formats differ in the names of counters and in the declared units. In OpenMetrics, the
/// name of a counter or of an info metric does not include the suffix of its samples.
struct MetricsText {
    /// A text format.
    enum Format: CaseIterable {
        /// Prometheus' text exposition format, version 0.0.4.
        case prometheus
        /// OpenMetrics, version 1.0.0.
        case openMetrics

        var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    /// The kind of a metric.
    enum Kind: String {
        /// The name of its samples ends with `_total`.
        case counter
        case gauge
        case histogram
        /// A constant 1 with labels; the name of its sample ends with `_info`.
        case info

        /// The end of the sample's name that OpenMetrics omits from the metric's name.
        fileprivate var suffix: String {
            switch self {
            case .counter: "_total"
            case .info: "_info"
            case .gauge, .histogram: ""
            }
        }
    }

    private static let units = ["seconds", "bytes"]

    private let format: Format
    private var text = ""

    init(_ format: Format) { self.format = format }

    /// Begins a metric.
    ///
    /// - Parameters:
    ///   - name: the name of the samples; of a histogram, without `_bucket`, `_sum` and `_count`.
    ///   - help: one line without backslashes and quotes.
    mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        guard format == .openMetrics else {
            // This format does not have the type `info`.
            let type = kind == .info ? Kind.gauge : kind
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type.rawValue)\n"
            return
        }
        let name = name.hasSuffix(kind.suffix) ? String(name.dropLast(kind.suffix.count)) : name
        text += "# TYPE \(name) \(kind.rawValue)\n"
        if let unit = Self.units.first(where: { name.hasSuffix("_\($0)") }) {
            text += "# UNIT \(name) \(unit)\n"
        }
        text += "# HELP \(name) \(help)\n"
    }

    mutating func sample(
        _ name: String, _ labels: [(String, String)], _ value: some CustomStringConvertible,
        _ exemplar: Exemplar? = nil
    ) {
        let list = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        text += list.isEmpty ? "\(name) \(value)" : "\(name){\(list)} \(value)"
        text += (exemplar.map(suffix) ?? "") + "\n"
    }

    /// An example of a bucket: the trace of a call, its latency in seconds, and its time. Only
    /// OpenMetrics has it; its labels have far fewer than the 128 characters that are allowed.
    private func suffix(_ exemplar: Exemplar) -> String {
        guard format == .openMetrics else { return "" }
        let milliseconds = exemplar.time / 1_000_000
        let time = "\(milliseconds / 1_000).\((milliseconds % 1_000).padded(3))"
        return " # {trace_id=\"\(exemplar.trace.traceID.hex)\","
            + "span_id=\"\(exemplar.trace.spanID.hex)\"} "
            + "\(Double(exemplar.nanoseconds) / 1e9) \(time)"
    }

    /// A metric with one sample.
    mutating func metric(
        _ name: String, _ kind: Kind, _ help: String, _ value: some CustomStringConvertible
    ) {
        family(name, kind, help)
        sample(name, [], value)
    }

    mutating func histogram(
        _ name: String, _ labels: [(String, String)], _ latency: LatencyHistogram,
        bounds: [Double], _ exemplars: Exemplars = Exemplars()
    ) {
        for (index, bound) in bounds.enumerated() {
            let count = latency.count(upTo: UInt64(bound * 1e9))
            sample("\(name)_bucket", labels + [("le", "\(bound)")], count, exemplars[index])
        }
        sample(
            "\(name)_bucket", labels + [("le", "+Inf")], latency.count, exemplars[bounds.count])
        sample("\(name)_sum", labels, Double(latency.sum) / 1e9)
        sample("\(name)_count", labels, latency.count)
    }

    mutating func histogram(
        _ name: String, _ labels: [(String, String)], _ sizes: SizeHistogram
    ) {
        for (index, bound) in SizeHistogram.bounds.enumerated() {
            let count = sizes.count(upTo: index)
            sample("\(name)_bucket", labels + [("le", "\(Double(bound))")], count)
        }
        sample("\(name)_bucket", labels + [("le", "+Inf")], sizes.count)
        sample("\(name)_sum", labels, sizes.sum)
        sample("\(name)_count", labels, sizes.count)
    }

    /// The whole text.
    consuming func finished() -> String {
        format == .openMetrics ? text + "# EOF\n" : text
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }
}
